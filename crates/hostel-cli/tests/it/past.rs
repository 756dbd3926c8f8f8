//! `history`, `diff`, `restore`, `fork`: against a running server and against the directory of a stopped one.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::run::{Ran, hostel, run};
use super::server::Server;

const AGENT: &str = "coder-agent/a";

/// An agent whose state was set twice: `{"repoOwner":"first"}`, then `{"repoOwner":"second"}`.
async fn with_two_turns(server: &Server) {
    for owner in ["first", "second"] {
        set(server, AGENT, owner).await;
    }
}

async fn set(server: &Server, agent: &str, owner: &str) {
    let ran = server.run(&["state", "set", agent, &json!({"repoOwner": owner}).to_string()]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

async fn owner(server: &Server, agent: &str) -> Value {
    let ran = server.run(&["state", "get", agent]).await;
    json(&ran)["repoOwner"].clone()
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The turns of an agent, newest first.
fn turns(history: &Value) -> Vec<i64> {
    let turns = history["turns"].as_array().expect("turns");
    turns.iter().map(|turn| turn["turn"].as_i64().expect("a number")).collect()
}

async fn numbers(server: &Server, agent: &str) -> Vec<i64> {
    turns(&json(&server.run(&["history", agent, "--json"]).await))
}

/// `hostel state watch`, line by line.
struct Watch {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn of(server: &Server, agent: &str) -> Self {
        let mut command = hostel(&["state", "watch", agent, "--url", &server.url()]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { _child: child, lines }
    }

    async fn owner(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("text").expect("a state");
        serde_json::from_str::<Value>(&line).expect("JSON")["repoOwner"].clone()
    }
}

#[tokio::test]
async fn history_is_a_line_for_each_turn_with_its_cause_its_author_and_what_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    server.run(&["call", AGENT, "setProjectContext", r#"{"repoOwner":"b","repoName":"c"}"#]).await;
    let ran = server.run(&["history", AGENT, "--changes"]).await;
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].contains("  call setProjectContext  connection ") && lines[0].ends_with("repoOwner, repoName"));
    assert!(lines[1].contains("  state ") && lines[1].ends_with("  repoOwner"), "{ran:?}");
    let all = numbers(&server, AGENT).await;
    let ran = server.run(&["history", AGENT, "--limit", "1"]).await;
    assert_eq!(ran.stderr, format!("… older: --before {}\n", all[0]), "{ran:?}");
    let older = json(&server.run(&["history", AGENT, "--before", &format!("#{}", all[0]), "--json"]).await);
    assert_eq!(turns(&older), all[1..]);
}

#[tokio::test]
async fn a_restore_reaches_connected_clients_is_a_turn_and_can_be_undone() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    let mut watch = Watch::of(&server, AGENT);
    assert_eq!(watch.owner().await, "second");
    let before = numbers(&server, AGENT).await;
    let ran = server.run(&["restore", AGENT, "--at", &before[1].to_string(), "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let undo = format!("undo: hostel restore {AGENT} --at {}\n", before[0]);
    assert_eq!(ran.stderr, undo, "{ran:?}");
    assert_eq!(watch.owner().await, "first");
    let ran = server.run(&["history", AGENT]).await;
    assert!(ran.stdout.contains(&format!("  restore #{}  operator", before[1])), "{ran:?}");
    let ran = server.run(&["restore", AGENT, "--at", &before[0].to_string(), "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(watch.owner().await, "second");
    assert_eq!(numbers(&server, AGENT).await.len(), 4);
}

#[tokio::test]
async fn a_restore_that_nobody_can_be_asked_about_needs_a_yes() {
    let ran = run(&["restore", AGENT, "--at", "1"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("say --yes"), "{ran:?}");
}

#[tokio::test]
async fn an_agent_can_be_named_by_its_url() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), &["--prefix", "api/v1"]).await;
    let url = server.ws("/api/v1/coder-agent/a");
    let set = run(&["state", "set", &url, r#"{"repoOwner":"first"}"#]).await;
    assert_eq!(set.code, 0, "{set:?}");
    let elsewhere = "http://127.0.0.1:1/api/v1";
    let ran = run(&["history", &url, "--json", "--url", elsewhere]).await;
    assert_eq!(turns(&json(&ran)).len(), 1);
    let ran = run(&["history", AGENT, "--json", "--url", &format!("{}/api/v1", server.url())]).await;
    assert_eq!(turns(&json(&ran)).len(), 1);
}

#[tokio::test]
async fn a_difference_is_shown_by_json_pointers() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    let all = numbers(&server, AGENT).await;
    let range = format!("{}..{}", all[1], all[0]);
    let ran = server.run(&["diff", AGENT, &range]).await;
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[1..], ["state", "  - /repoOwner  \"first\"", "  + /repoOwner  \"second\""], "{ran:?}");
    let found = json(&server.run(&["diff", AGENT, &range, "--json"]).await);
    assert_eq!(found["state"], json!([{"path": "/repoOwner", "before": "first", "after": "second"}]));
    let ran = server.run(&["diff", AGENT, &all[0].to_string()]).await;
    assert!(ran.stdout.ends_with("\nState and rows are the same.\n"), "{ran:?}");
}

#[tokio::test]
async fn a_fork_is_an_agent_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    let all = numbers(&server, AGENT).await;
    let fork = ["fork", AGENT, "b", "--at", &all[1].to_string()];
    let ran = server.run(&fork).await;
    assert!(ran.stdout.starts_with("coder-agent/b is a copy of coder-agent/a at #"), "{ran:?}");
    set(&server, "coder-agent/b", "third").await;
    assert_eq!((owner(&server, AGENT).await, owner(&server, "coder-agent/b").await), ("second".into(), "third".into()));
    let ran = server.run(&fork).await;
    assert_eq!((ran.code, ran.stderr.starts_with("agent_exists: ")), (1, true), "{ran:?}");
}

#[tokio::test]
async fn what_is_no_moment_and_whom_nobody_knows_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    for (args, code, text) in [
        (["diff", AGENT, "soon"], "moment_invalid: ", "10m ago"),
        (["diff", AGENT, "1..99"], "moment_invalid: ", "#99 is not a turn"),
        (["history", "codr-agent/a", "--json"], "unknown_agent: ", "fix: did you mean \"coder-agent\"?"),
        (["history", "coder-agent/abcx", "--json"], "agent_not_found: ", "hostel agents"),
    ] {
        let ran = server.run(&args).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.starts_with(code) && ran.stderr.contains(text), "{ran:?}");
    }
    set(&server, "coder-agent/planner", "x").await;
    let ran = server.run(&["history", "coder-agent/plannr"]).await;
    assert!(ran.stderr.ends_with("fix: did you mean coder-agent/planner?\n"), "{ran:?}");
    assert_eq!(server.run(&["history", AGENT, "--before", "soon"]).await.code, 2);
    assert_eq!(server.run(&["diff", AGENT, "..3"]).await.code, 2);
}

#[tokio::test]
async fn the_directory_of_a_stopped_server_says_the_same_as_the_server_did() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    let online = json(&server.run(&["history", AGENT, "--changes", "--json"]).await);
    assert_eq!(server.terminate().await, Some(0));
    let all = turns(&online);
    let first = all[1].to_string();
    let history = offline(dir.path(), &["history", AGENT, "--changes", "--json"]).await;
    assert_eq!(json(&history)["turns"], online["turns"]);
    let ran = offline(dir.path(), &["diff", AGENT, &first]).await;
    assert!(ran.stdout.contains("  - /repoOwner  \"first\"\n"), "{ran:?}");
    for args in [vec!["restore", AGENT, "--at", &first, "--yes"], vec!["fork", AGENT, "b"]] {
        let ran = offline(dir.path(), &args).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let ran = offline(dir.path(), &["history", "coder-agent/aa"]).await;
    assert!(ran.stderr.starts_with("agent_not_found: "), "{ran:?}");
    let ran = offline(dir.path(), &["history", "codr-agent/a"]).await;
    assert!(ran.stderr.ends_with("fix: did you mean coder-agent/a?\n"), "{ran:?}");
    let server = Server::start(dir.path()).await;
    assert_eq!((owner(&server, AGENT).await, owner(&server, "coder-agent/b").await), ("first".into(), "first".into()));
    assert_eq!(numbers(&server, AGENT).await[1..], all);
}

async fn offline(dir: &Path, args: &[&str]) -> Ran {
    run(&[args, &["--data", dir.to_str().expect("text")]].concat()).await
}

#[tokio::test]
async fn a_directory_that_a_server_runs_on_or_that_is_none_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let ran = offline(dir.path(), &["history", AGENT]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("is no data directory"), "{ran:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "looking has made something");
    let _server = Server::start(dir.path()).await;
    let ran = offline(dir.path(), &["history", AGENT]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("storage_locked: A server runs on "), "{ran:?}");
    assert!(ran.stderr.contains("--url"), "{ran:?}");
}

#[tokio::test]
async fn the_list_of_classes_says_how_much_history_each_has() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    with_two_turns(&server).await;
    assert_eq!(server.terminate().await, Some(0));
    let server = Server::start(dir.path()).await;
    // It counts when it is sorted, which happens beside the server's other work.
    for _ in 0..500 {
        let ran = server.run(&["agents"]).await;
        let row: Vec<&str> = ran.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect();
        assert_eq!(row[..5], ["CoderAgent", "/coder-agent/…", "1", "0", "0"], "{ran:?}");
        if row.len() == 7 && row[5] != "0" {
            return;
        }
    }
    panic!("no history was counted");
}

#[tokio::test]
async fn a_class_without_history_says_so_and_how_to_keep_some() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), &["--history-age", "off"]).await;
    with_two_turns(&server).await;
    let ran = server.run(&["history", AGENT]).await;
    assert!(ran.stderr.starts_with("history_off: ") && ran.stderr.contains("fix: set history_age"), "{ran:?}");
}

#[tokio::test]
async fn history_that_is_switched_on_later_begins_with_a_restore_to_now() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), &["--history-age", "off"]).await;
    set(&server, AGENT, "first").await;
    assert_eq!(server.terminate().await, Some(0));
    let server = Server::start(dir.path()).await;
    let ran = server.run(&["restore", AGENT, "--at", "now", "--yes"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let kept = numbers(&server, AGENT).await[0].to_string();
    set(&server, AGENT, "second").await;
    let ran = server.run(&["restore", AGENT, "--at", &kept, "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(owner(&server, AGENT).await, "first");
}
