//! `export`, `import`, `backup`, `verify`: agents that leave and arrive.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::run::{Ran, hostel, run};
use super::server::Server;

const AGENT: &str = "coder-agent/a";

async fn set(server: &Server, owner: &str) {
    let ran = server.run(&["state", "set", AGENT, &json!({"repoOwner": owner}).to_string()]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

async fn state(server: &Server, agent: &str) -> Value {
    json(&server.run(&["state", "get", agent]).await)
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[tokio::test]
async fn an_exported_agent_arrives_elsewhere_under_another_name_with_its_history() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Less than the file has: what an operator sends is not measured by what clients may send.
    let flags = ["--max-body-bytes", "16KiB"];
    let (from, to) = (Server::start(here.path()).await, Server::start_with(there.path(), &flags).await);
    set(&from, "first").await;
    set(&from, "second").await;
    let file = here.path().join("a.hostel");
    let ran = from.run(&["export", AGENT, "-o", text(&file)]).await;
    assert!(ran.stdout.starts_with("coder-agent/a is in "), "{ran:?}");
    let ran = to.run(&["import", text(&file), "--as", "CoderAgent/b"]).await;
    assert_eq!(ran.stdout, "coder-agent/b is here, with 2 turns of history.\n", "{ran:?}");
    assert_eq!(state(&to, "coder-agent/b").await, json!({"repoOwner": "second"}));
    let ran = to.run(&["restore", "coder-agent/b", "--at", "-2", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(state(&to, "coder-agent/b").await, json!({"repoOwner": "first"}));
}

#[tokio::test]
async fn an_agent_that_is_there_is_replaced_only_when_told_and_can_be_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    set(&server, "first").await;
    let file = dir.path().join("a.hostel");
    server.run(&["export", AGENT, "-o", text(&file), "--no-history"]).await;
    set(&server, "second").await;
    let ran = server.run(&["import", text(&file)]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("agent_exists: ") && ran.stderr.contains("--replace"), "{ran:?}");
    assert_eq!(state(&server, AGENT).await, json!({"repoOwner": "second"}));
    let ran = server.run(&["import", text(&file), "--replace"]).await;
    assert_eq!(ran.stdout, "coder-agent/a is here, without history.\n", "{ran:?}");
    assert_eq!(state(&server, AGENT).await, json!({"repoOwner": "first"}));
    let turns = json(&server.run(&["history", AGENT, "--json"]).await);
    let second = turns["turns"][1]["turn"].to_string();
    let ran = server.run(&["restore", AGENT, "--at", &second, "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(state(&server, AGENT).await, json!({"repoOwner": "second"}));
}

#[tokio::test]
async fn an_agent_goes_to_a_durable_object_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    set(&server, "first").await;
    let file = dir.path().join("a.sqlite");
    let ran = server.run(&["export", AGENT, "--durable-object", "-o", text(&file)]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(std::fs::read(&file).unwrap().starts_with(b"SQLite format 3\0"));
    let ran = server.run(&["import", text(&file), "--as", "coder-agent/b"]).await;
    assert!(ran.stderr.contains("fix: ") && ran.stderr.contains("--durable-object"), "{ran:?}");
    let ran = server.run(&["import", text(&file), "--as", "coder-agent/b", "--durable-object"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(state(&server, "coder-agent/b").await, json!({"repoOwner": "first"}));
}

#[tokio::test]
async fn a_file_that_is_not_whole_makes_no_agent() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    set(&server, "first").await;
    let file = dir.path().join("a.hostel");
    server.run(&["export", AGENT, "-o", text(&file)]).await;
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = server.run(&["import", text(&file), "--as", "coder-agent/b"]).await;
    assert_eq!((ran.code, ran.stderr.starts_with("export_invalid: ")), (1, true), "{ran:?}");
    let ran = server.run(&["history", "coder-agent/b"]).await;
    assert!(ran.stderr.starts_with("agent_not_found: "), "{ran:?}");
    let ran = server.run(&["export", "coder-agent/nobody", "-o", text(&dir.path().join("b.hostel"))]).await;
    assert!(ran.stderr.starts_with("agent_not_found: "), "{ran:?}");
    let left = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("hostel")).collect();
    assert_eq!(left, ["a.hostel"], "a file that was not finished is left");
}

#[tokio::test]
async fn an_export_that_breaks_off_leaves_no_file() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cut = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        let half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
        stream.write_all(half).await.unwrap();
    });
    let dir = tempfile::tempdir().unwrap();
    let ran = run(&["export", AGENT, "-o", text(&dir.path().join("a.hostel")), "--url", &url]).await;
    cut.await.unwrap();
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.starts_with("The server broke off before its answer was complete.\nfix: "), "{ran:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_stopped_directory_exports_and_imports_by_itself() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&here, &there] {
        let server = Server::start(dir.path()).await;
        set(&server, "first").await;
        assert_eq!(server.terminate().await, Some(0));
    }
    let file = here.path().join("a.hostel");
    let ran = run(&["export", AGENT, "-o", text(&file), "--data", text(here.path())]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let import = ["import", text(&file), "--data", text(there.path())];
    let ran = run(&import).await;
    assert!(ran.stderr.starts_with("agent_exists: ") && ran.stderr.contains("--replace"), "{ran:?}");
    let ran = run(&[&import[..], &["--as", "coder-agent/b"]].concat()).await;
    assert_eq!(ran.stdout, "coder-agent/b is here, with 1 turn of history.\n", "{ran:?}");
    let server = Server::start(there.path()).await;
    assert_eq!(state(&server, "coder-agent/b").await, json!({"repoOwner": "first"}));
}

#[tokio::test]
async fn verify_finds_a_flipped_byte_and_says_whose_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    set(&server, "first").await;
    let ran = run(&["verify", text(dir.path())]).await;
    assert!(ran.stderr.starts_with("storage_locked: "), "{ran:?}");
    assert_eq!(server.terminate().await, Some(0));
    let ran = run(&["verify", text(dir.path())]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("✓ Everything is as it was written: 1 database"), "{ran:?}");
    let database = database(&dir.path().join("agents"));
    let mut bytes = std::fs::read(&database).unwrap();
    let at = bytes.windows(5).rposition(|window| window == b"first").expect("the state");
    bytes[at] ^= 1;
    std::fs::write(&database, bytes).unwrap();
    let ran = run(&["verify", text(dir.path())]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("✗ agents/coder-agent/") && ran.stdout.contains("(coder-agent/a)"), "{ran:?}");
    assert!(ran.stdout.contains("\n1 problem found in "), "{ran:?}");
}

#[tokio::test]
async fn the_backup_of_a_running_server_can_be_verified_and_served() {
    let (dir, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, backup) = (Server::start(dir.path()).await, backups.path().join("b"));
    set(&server, "first").await;
    let ran = server.run(&["backup", text(&backup)]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    set(&server, "second").await;
    let done = json(&server.run(&["backup", text(&backup), "--json"]).await);
    assert!(done["copied"].as_u64().is_some_and(|copied| copied > 0), "{done}");
    set(&server, "third").await;
    let ran = run(&["verify", text(&backup)]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = run(&["history", AGENT, "--data", text(&backup)]).await;
    assert!(ran.stderr.contains("is a backup") && ran.stderr.contains("fix: open a copy of it"), "{ran:?}");
    let served = Server::start(&backup).await;
    assert_eq!(state(&served, AGENT).await, json!({"repoOwner": "second"}));
    let turns = json(&served.run(&["history", AGENT, "--json"]).await);
    assert_eq!(turns["turns"].as_array().map(Vec::len), Some(2), "{turns}");
    assert_eq!(state(&server, AGENT).await, json!({"repoOwner": "third"}));
}

#[tokio::test]
async fn a_backup_is_refused_where_something_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let ran = server.run(&["backup", text(&dir.path().join("b"))]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("choose another directory"), "{ran:?}");
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("thesis.txt"), "x").unwrap();
    let ran = server.run(&["backup", text(other.path())]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("thesis.txt"), "{ran:?}");
}

/// The one database below `dir`.
fn database(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.filter_map(|path| match path.is_dir() {
        true => Some(database(&path)),
        false => path.extension().is_some_and(|end| end == "db").then_some(path),
    });
    found.last().expect("a database")
}

#[tokio::test]
async fn an_export_that_is_broken_off_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut command = hostel(&["export", AGENT, "--url", &url]);
    let mut child = command.current_dir(dir.path()).spawn().unwrap();
    // A server that sends the beginning, and never the end.
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 1024];
    let _asked = stream.read(&mut request).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbeginning").await.unwrap();
    let files = || std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files(), 1, "it is written beside the place where it will be");
    let id = child.id().unwrap().to_string();
    let sent = tokio::process::Command::new("kill").args(["-INT", &id]).status().await.unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn what_is_on_order_in_a_stopped_directory_is_listed_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    set(&server, "first").await;
    let data = ["--data", text(dir.path())];
    let ran = run(&[&["schedules", AGENT][..], &data].concat()).await;
    assert!(ran.code == 1 && ran.stderr.starts_with("storage_locked: "), "{ran:?}");
    assert_eq!(server.terminate().await, Some(0));
    for (what, list) in [("schedules", "schedules"), ("dead-letters", "deadLetters"), ("runs", "runs")] {
        let listed = json(&run(&[&[what, AGENT, "--json"][..], &data].concat()).await);
        assert!(listed[list].is_array(), "{what}: {listed}");
        let ran = run(&[&[what, "coder-agent/nobody"][..], &data].concat()).await;
        assert!(ran.code == 1 && ran.stderr.starts_with("agent_not_found: "), "{ran:?}");
    }
    for change in [&["schedules", AGENT][..], &["dead-letters", AGENT]] {
        let verb = if change[0] == "schedules" { "cancel" } else { "discard" };
        let ran = run(&[change, &data, &[verb, "x"]].concat()).await;
        assert!(ran.code == 2 && ran.stderr.contains("start it"), "{ran:?}");
    }
    let ran = run(&[&["runs", AGENT][..], &data, &["show", "x"]].concat()).await;
    assert!(ran.stderr.starts_with("run_unknown: "), "{ran:?}");
}
