//! Commands in the background of a machine that is lent: read, typed into and ended, whoever dies meanwhile.

use std::{fs, time::Duration};

use hostel_client::{Call, Client, Options, Target};
use serde_json::{Value, json};

use super::{
    lending::{Scene, decided, lines},
    pty::Pty,
};

/// A command that answers each line, and notes it.
const ECHO: &str = r#"echo ready; while read line; do echo "$line" >> log; echo "got $line"; done; echo over"#;

async fn scene(wait: &str) -> Scene {
    let scene = Scene::new(wait).await;
    fs::write(scene.path("lent/echo.sh"), ECHO).unwrap();
    scene
}

#[tokio::test]
async fn a_command_in_the_background_is_read_typed_into_and_ended() {
    let scene = scene("60s").await;
    let mut hands = scene.chosen(&["--allow", "sh echo.sh", "--deny", "rm *", "--input"]).await;
    let begun = scene.said("begin sh echo.sh").await;
    assert!(begun.contains(r#""id":1"#) && begun.contains(r#""running":true"#) && begun.contains("desk"), "{begun}");
    hands.until("in the background").await;
    assert!(scene.said("output 0").await.contains(r"ready\n"));
    assert!(scene.said("type tea").await.contains(r#""sent":true"#));
    assert!(scene.said("output 6").await.contains(r"got tea\n"));
    let denied = scene.said("type rm -rf x").await;
    assert!(denied.contains("denies"), "{denied}");
    let list = scene.said("list").await;
    assert!(list.contains(r#""running":true"#) && list.contains("sh echo.sh") && list.contains("desk"), "{list}");
    let terminals = scene.call("terminals", &[]).await.stdout;
    assert!(terminals.contains(r#""on":"desk""#) && terminals.contains(r#""state":"running""#), "{terminals}");
    assert_eq!(scene.call("terminalInput", &[r#"{"id":1,"data":"by hand\n"}"#]).await.code, 0);
    assert!(scene.said("output 14").await.contains(r"got by hand\n"));
    assert!(scene.said("no more").await.contains(r#""sent":true"#));
    let mut said = scene.said("output 26").await;
    while said.contains(r#""running":true"#) {
        said = scene.said("output 31").await;
    }
    assert!(said.contains("ended with code 0"), "{said}");
    assert!(scene.said("type late").await.contains("does not run here any more"));
    assert_eq!(lines(&scene.path("lent/log")), ["tea", "by hand"]);
    hands.kill().await;
}

#[tokio::test]
async fn what_was_not_allowed_is_not_typed_and_what_is_stopped_ends() {
    let scene = scene("1s").await;
    let hands = scene.chosen(&["--allow", "sh echo.sh"]).await;
    scene.said("begin sh echo.sh").await;
    let said = scene.said("type tea").await;
    assert!(said.contains("has not allowed input"), "{said}");
    let said = scene.said("stop").await;
    assert!(said.contains("was cancelled"), "{said}");
    assert_eq!(lines(&scene.path("lent/log")), Vec::<String>::new());
    hands.kill().await;
}

#[tokio::test]
async fn a_command_in_the_background_outlives_the_server_and_is_found_again() {
    let mut scene = scene("60s").await;
    let mut hands = scene.chosen(&["--allow", "sh echo.sh", "--input"]).await;
    scene.said("begin sh echo.sh").await;
    scene.said("type one").await;
    scene.kill_server().await;
    hands.until("trying again").await;
    scene.serve().await;
    hands.until("connected again").await;
    let said = scene.said("type two").await;
    assert!(said.contains(r#""sent":true"#), "{said}");
    let mut said = scene.said("output 0").await;
    while !said.contains("got two") {
        said = scene.said("output 0").await;
    }
    assert!(said.contains(r"ready\ngot one\ngot two\n"), "{said}");
    assert_eq!(lines(&scene.path("lent/log")), ["one", "two"]);
    hands.kill().await;
}

/// Says bytes that are no characters, more of them than the machine keeps.
const BYTES: &str = r"printf '\377\376\303 begun\n'; head -c 1500000 /dev/zero | tr '\0' '\377'; echo end";
const BEFORE_THE_END: usize = 3 + " begun\n".len() + 1_500_000;

#[tokio::test]
async fn bytes_that_are_no_characters_count_as_one_each_before_and_after_a_restart() {
    let mut scene = scene("60s").await;
    fs::write(scene.path("lent/bytes.sh"), BYTES).unwrap();
    let mut hands = scene.chosen(&["--allow", "sh bytes.sh"]).await;
    scene.said("begin sh bytes.sh").await;
    let ended = async |scene: &Scene| loop {
        let said = scene.said(&format!("output {BEFORE_THE_END}")).await;
        if said.contains(r#""running":false"#) {
            return said;
        }
    };
    let whole = [r#""output":"end\n""#.to_owned(), format!(r#""next":{}"#, BEFORE_THE_END + "end\n".len())];
    let said = ended(&scene).await;
    assert!(whole.iter().all(|part| said.contains(part)), "{said}");
    scene.kill_server().await;
    hands.until("trying again").await;
    scene.serve().await;
    hands.until("connected again").await;
    let said = ended(&scene).await;
    assert!(whole.iter().all(|part| said.contains(part)), "{said}");
    hands.kill().await;
}

#[tokio::test]
async fn a_command_in_the_background_ends_with_the_machine_and_is_not_begun_again() {
    let scene = scene("1s").await;
    let hands = scene.chosen(&["--allow", "sh echo.sh", "--input"]).await;
    scene.said("begin sh echo.sh").await;
    hands.kill().await;
    let mut said = scene.said("output 6").await;
    while said.contains(r#""running":true"#) {
        said = scene.said("output 6").await;
    }
    assert!(said.contains("may or may not have ended: desk went away"), "{said}");
    let again = scene.chosen(&["--allow", "sh echo.sh", "--input"]).await;
    let said = scene.said("type late").await;
    assert!(said.contains("Nothing was typed"), "{said}");
    assert_eq!(lines(&scene.path("lent/log")), Vec::<String>::new());
    again.kill().await;
}

#[tokio::test]
async fn what_somebody_is_asked_about_is_done_once_although_the_server_died_meanwhile() {
    let mut scene = scene("60s").await;
    let (lent, url) = (scene.path("lent"), scene.url());
    let mut terminal = Pty::start(scene.place.path(), &scene.lending(&url, &lent, &["--use"])).await;
    terminal.sees("the agent's commands run here").await;
    for (text, shown, prompt, expected) in [
        ("begin sh echo.sh", "wants to run in the background", "run it? [y/n/always]", r#""running":true"#),
        ("type tea", "wants to type into sh echo.sh", "type it? [y/n/always]", r#""sent":true"#),
    ] {
        let chat = scene.chat(text);
        terminal.sees(shown).await;
        terminal.prompts(prompt).await;
        scene.kill_server().await;
        scene.serve().await;
        terminal.sees("connected again").await;
        let said = decided(&mut terminal, "y", chat).await;
        assert!(said.contains(expected), "{said}");
    }
    let said = scene.said("output 6").await;
    assert!(said.contains(r"got tea\n"), "{said}");
    assert_eq!(lines(&lent.join("log")), ["tea"]);
    terminal.keys("\x03").await;
    let (code, screen) = terminal.left().await;
    assert_eq!(code, Some(0), "{screen}");
}

#[tokio::test]
async fn half_a_line_at_the_terminal_keeps_no_question_away() {
    let scene = scene("60s").await;
    let (lent, url) = (scene.path("lent"), scene.url());
    let mut terminal = Pty::start(scene.place.path(), &scene.lending(&url, &lent, &["--use"])).await;
    terminal.sees("the agent's commands run here").await;
    // The end of input in the middle of a line hands over what there is of it.
    terminal.keys("hal\x04").await;
    let chat = scene.chat("run touch made");
    terminal.sees("touch made").await;
    assert!(decided(&mut terminal, "y", chat).await.contains("ended with code 0") && lent.join("made").exists());
}

/// Somebody at the agent's page, who waits for nothing.
struct Person(Client);

impl Person {
    async fn at(scene: &Scene) -> Self {
        let target = Target::parse("coder/default", &scene.url()).unwrap();
        Self(Client::connect(&target, &Options::default()).await.unwrap())
    }

    /// Calls, one after another on one socket.
    fn calls(&self, method: &str, argument: Value) -> tokio::task::JoinHandle<Value> {
        let (client, call) = (self.0.clone(), Call::new(method, vec![argument]).timeout(Duration::from_secs(120)));
        tokio::spawn(async move { client.call(call).await.unwrap() })
    }

    /// Types these, and has something run that shows on the machine's screen: what was typed has come there then.
    async fn types(&self, terminal: &mut Pty, texts: &[&str], shown: &str) -> Vec<tokio::task::JoinHandle<Value>> {
        let typed = texts.iter().map(|text| self.calls("terminalInput", json!({"id": 1, "data": text}))).collect();
        self.calls("executeCommand", json!(format!("echo {shown}")));
        terminal.sees(&format!("\u{2192} echo {shown}")).await;
        typed
    }
}

/// Answers until the screen shows this.
async fn answers(terminal: &mut Pty, answer: &str, shown: &str) {
    while !terminal.screen().contains(shown) {
        let before = terminal.raw().matches("look again").count();
        terminal.line(answer).await;
        while !terminal.screen().contains(shown) && terminal.raw().matches("look again").count() == before {
            terminal.more().await;
        }
    }
}

#[tokio::test]
async fn what_comes_key_by_key_is_typed_in_its_order_and_asked_about_together() {
    let scene = scene("60s").await;
    let (lent, url) = (scene.path("lent"), scene.url());
    let flags = ["--use", "--allow", "sh echo.sh", "--allow", "echo *", "--deny", "rm *"];
    let mut terminal = Pty::start(scene.place.path(), &scene.lending(&url, &lent, &flags)).await;
    terminal.sees("the agent's commands run here").await;
    scene.said("begin sh echo.sh").await;
    let person = Person::at(&scene).await;

    let mut typed = person.types(&mut terminal, &["t"], "first").await;
    terminal.sees("wants to type into sh echo.sh").await;
    typed.extend(person.types(&mut terminal, &["e", "a", "\n"], "second").await);
    answers(&mut terminal, "y", "ea\n").await;
    answers(&mut terminal, "y", "sh echo.sh: ea").await;
    for typed in typed {
        typed.await.unwrap();
    }
    // Nobody is asked any more about what waits for an "always".
    let mut typed = person.types(&mut terminal, &["m"], "third").await;
    typed.extend(person.types(&mut terminal, &["i", "lk\n"], "fourth").await);
    answers(&mut terminal, "always", "sh echo.sh: ilk").await;
    typed.push(person.calls("terminalInput", json!({"id": 1, "data": "at once\n"})));
    for typed in typed {
        typed.await.unwrap();
    }
    assert!(scene.said("output 6").await.contains("got"));
    let mut said = scene.said("output 6").await;
    while !said.contains("got at once") {
        said = scene.said("output 6").await;
    }
    assert_eq!(lines(&lent.join("log")), ["tea", "milk", "at once"]);
    terminal.keys("\x03").await;
    let (code, screen) = terminal.left().await;
    assert_eq!(code, Some(0), "{screen}");
}
