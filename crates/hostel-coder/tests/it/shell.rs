//! Commands in the background, and terminals of people.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Scene, results, text};

const CALLS: &str = r#"
on begin *
  call start_command {"command": "$1"}
then
  say ok
on output *
  call command_output {"id": 1, "from": $1, "wait": 60}
then
  say ok
on send *
  call send_input {"id": 1, "text": "$1\n"}
then
  say ok
on stop
  call stop_command {"id": 1}
  call list_commands {}
then
  say ok
on list
  call list_commands {}
  call command_output {"id": 1}
then
  say $system
on run *
  call run_command {"command": "$1"}
then
  say ok
"#;

async fn auto(scene: &mut Scene) {
    scene.page.call("setPolicy", json!([{"mode": "auto"}])).await;
}

async fn done(scene: &mut Scene, text: &str, tool: &str) -> Value {
    let parts = scene.say(text, true).await;
    let result = results(&parts, tool).remove(0);
    serde_json::from_str(&result).unwrap_or(Value::String(result))
}

#[tokio::test]
async fn a_command_in_the_background_is_read_from_written_to_and_stopped() {
    let mut scene = Scene::new(CALLS).await;
    auto(&mut scene).await;
    let begun =
        done(&mut scene, "begin echo ready; while read line; do echo got $line; done; sleep 9999", "start_command")
            .await;
    assert_eq!((&begun["id"], &begun["running"]), (&json!(1), &json!(true)), "{begun}");
    let first = done(&mut scene, "output 0", "command_output").await;
    assert_eq!(
        (&first["output"], &first["running"], &first["next"]),
        (&json!("ready\n"), &json!(true), &json!(6)),
        "{first}"
    );
    done(&mut scene, "send tea", "send_input").await;
    let second = done(&mut scene, "output 6", "command_output").await;
    assert_eq!(second["output"], "got tea\n", "{second}");
    let parts = scene.say("stop", true).await;
    assert!(results(&parts, "stop_command")[0].contains("was cancelled"), "{parts:#?}");
    assert!(results(&parts, "list_commands")[0].contains(r#""running":false"#), "{parts:#?}");
}

#[tokio::test]
async fn starting_a_command_asks_and_shows_the_line() {
    let mut scene = Scene::new(CALLS).await;
    scene.ask("begin sleep 5").await;
    let shown = scene.until_asked().await;
    assert_eq!(shown["command"], "sleep 5");
    assert!(shown["text"].as_str().unwrap().starts_with("In the background."), "{shown}");
    let parts = scene.answering_now(false).await;
    assert_eq!(results(&parts, "start_command"), ["output-denied"]);
    assert_eq!(scene.page.call("terminals", json!([])).await, json!([]));
}

#[tokio::test]
async fn after_a_restart_people_and_the_model_are_told_that_commands_ended() {
    let mut scene = Scene::new(CALLS).await;
    auto(&mut scene).await;
    done(&mut scene, "begin sleep 9999", "start_command").await;
    scene.home.crash().await;
    scene.page = scene.home.connect("coder-agent/default").await;
    let listed = scene.page.call("terminals", json!([])).await;
    assert_eq!((&listed[0]["state"], &listed[0]["exit"]), (&json!("ended"), &json!("ended when the server stopped")));
    let parts = scene.say("list", true).await;
    assert!(results(&parts, "list_commands")[0].contains("ended when the server stopped"), "{parts:#?}");
    assert!(results(&parts, "command_output")[0].contains("ended when the server stopped"), "{parts:#?}");
    assert!(text(&parts).contains("1 (sleep 9999)"), "{parts:#?}");
    assert!(!text(&scene.say("list", true).await).contains("1 (sleep 9999)"));
}

#[tokio::test]
async fn a_command_that_ran_when_the_server_died_is_told_and_not_run_again() {
    let mut scene = Scene::new(CALLS).await;
    auto(&mut scene).await;
    scene.ask("run echo begun; echo x >> times; sleep 9999").await;
    scene.until_shown(|chunk| chunk["preliminary"] == true).await;
    scene.home.crash().await;
    scene.page = scene.home.connect("coder-agent/default").await;
    // The agent goes on by itself once it is awake; what it says comes to whoever asks for the messages.
    let parts = loop {
        let parts = scene.parts().await;
        if text(&parts) == "ok" {
            break parts;
        }
        scene.home.advance(Duration::from_secs(1)).await;
    };
    let ran: Value = serde_json::from_str(&results(&parts, "run_command")[0]).unwrap();
    assert!(ran["ended"].as_str().unwrap().contains("the server stopped"), "{ran}");
    assert_eq!((&ran["output"], &ran["success"]), (&json!("begun\n"), &json!(false)), "{ran}");
    assert_eq!(std::fs::read_to_string(scene.workspace().join("times")).unwrap(), "x\n");
}

/// Watches a terminal until it has said this, or is over: the frame.
async fn watch(page: &mut hostel_testing::Peer, id: &Value, call: &str, wanted: &str) -> Value {
    let ask = json!({"type": "rpc", "id": call, "method": "terminalOutput", "args": [{"id": id}]});
    page.send(ask.to_string()).await;
    let mut said = String::new();
    loop {
        let frame: Value =
            serde_json::from_str(&page.until(|text| text.contains(&format!("\"id\":\"{call}\""))).await).unwrap();
        assert_eq!(frame["success"], true, "{frame}");
        said.push_str(frame["result"]["data"].as_str().unwrap_or_default());
        if said.contains(wanted) || frame["done"] == true {
            return json!({"said": said, "frame": frame});
        }
    }
}

#[tokio::test]
async fn a_terminal_is_typed_into_by_one_and_watched_by_several() {
    let mut scene = Scene::new(CALLS).await;
    let mut other = scene.home.connect("coder-agent/default").await;
    let id = scene.page.call("terminalOpen", json!([{"rows": 30, "columns": 90}])).await["id"].clone();
    scene.page.call("terminalResize", json!([{"id": id, "rows": 41, "columns": 120}])).await;
    scene.page.call("terminalInput", json!([{"id": id, "data": "stty size; echo $((6*7))ä\n"}])).await;
    let seen = watch(&mut other, &id, "w1", "42ä").await;
    assert!(seen["said"].as_str().unwrap().contains("41 120"), "{seen}");
    assert!(watch(&mut scene.page, &id, "w2", "42ä").await["said"].as_str().unwrap().contains("42ä"));
    let listed = scene.page.call("terminals", json!([])).await;
    assert_eq!(listed[0]["state"], "running", "{listed}");
    scene.page.call("terminalInput", json!([{"id": id, "data": "exit 3\n"}])).await;
    let end = watch(&mut scene.page, &id, "w3", "\u{0}never").await;
    assert!(end["frame"]["result"]["exit"].as_str().unwrap().contains("code 3"), "{end}");
    scene.page.call("terminalClose", json!([{"id": id}])).await;
    assert_eq!(scene.page.call("terminals", json!([])).await, json!([]));
    assert!(scene.page.try_call("terminalInput", json!([{"id": id, "data": "x"}])).await.is_err());
}

#[tokio::test]
async fn a_terminal_is_in_the_sandbox_and_refused_where_there_is_none() {
    let mut scene = Scene::new(CALLS).await;
    let id = scene.page.call("terminalOpen", json!([{"command": "cat ../../secret; ls /; exit"}])).await["id"].clone();
    let seen = watch(&mut scene.page, &id, "w1", "\u{0}never").await;
    assert!(!seen["said"].as_str().unwrap().contains("SECRET"), "{seen}");
    let mut bare = Scene::with_helper(CALLS, "/bin/false").await;
    let refused = bare.page.try_call("terminalOpen", json!([{}])).await.unwrap_err().to_string();
    assert!(refused.contains("no terminals here"), "{refused}");
}

#[tokio::test]
async fn commands_have_the_variables_and_toolchains_that_the_operator_gives() {
    fn set(workspaces: hostel_coder::Workspaces) -> hostel_coder::Workspaces {
        let env = [("GREETING".to_owned(), "hello".to_owned())].into();
        let options = hostel_coder::CommandOptions { env, path: vec!["/opt/own/bin".into()], ..Default::default() };
        workspaces.commands(options)
    }
    let mut scene = Scene::with(CALLS, super::scene::HELPER, set).await;
    auto(&mut scene).await;
    let ran = done(&mut scene, "run echo $GREETING; echo $PATH | cut -d: -f1", "run_command").await;
    assert_eq!(ran["output"], "hello\n/opt/own/bin\n", "{ran}");
}
