//! The commands against `hostel serve` itself.

use std::path::Path;

use super::fake::IDENTITY;
use super::run::{doctor, run};
use super::server::Server;

impl Server {
    /// The doctor must stop at `step` with `code`, and the fix must contain `fix`.
    async fn finds(&self, path: &str, flags: &[&str], step: &str, code: &str, fix: &str) {
        let (exit, report) = doctor(&[&[self.ws(path).as_str()], flags].concat()).await;
        let problem = &report["problem"];
        let told = (problem["step"].as_str(), problem["code"].as_str());
        assert_eq!(told, (Some(step), Some(code)), "{report:#}");
        assert!(problem["fix"].as_str().is_some_and(|text| text.contains(fix)), "{report:#}");
        assert_eq!(exit, 1);
    }
}

const CONTEXT: &str = r#"{"repoOwner":"a","repoName":"b"}"#;

#[tokio::test]
async fn what_was_set_is_still_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let ran = server.run(&["call", "CoderAgent/default", "setProjectContext", CONTEXT]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    server.kill().await;
    let server = Server::start(dir.path()).await;
    let ran = server.run(&["call", "coderagent/default", "getProjectContext"]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, CONTEXT), "{ran:?}");
    let ran = server.run(&["state", "get", "coder-agent/default"]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, CONTEXT), "{ran:?}");
}

#[tokio::test]
async fn a_state_is_replaced_only_while_it_has_the_version_that_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let agent = "coder-agent/versions";
    server.run(&["call", agent, "setProjectContext", CONTEXT]).await;
    let ran = server.run(&["state", "get", agent, "--version"]).await;
    let read: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let (version, state) = (read["version"].as_str().unwrap(), read["state"].to_string());
    let ran = server.run(&["state", "set", agent, &state, "--if-version", version]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, version), "{ran:?}");
    let ran = server.run(&["state", "set", agent, &state, "--if-version", "0000000000000000"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("state_conflict: ") && ran.stderr.contains("fix: "), "{ran:?}");
    let ran = server.run(&["state", "set", agent, "{}"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("warning: state_keys_dropped: "), "{ran:?}");
}

#[tokio::test]
async fn operators_see_classes_agents_and_states_without_waking_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    server.run(&["call", "coder-agent/seen", "setProjectContext", CONTEXT]).await;
    server.kill().await;
    let server = Server::start(dir.path()).await;
    let ran = server.run(&["state", "get", "coder-agent/seen", "--safe"]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, CONTEXT), "{ran:?}");
    let ran = server.run(&["agents", "coder-agent"]).await;
    let row: Vec<&str> = ran.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!(row, ["seen", "no", "0"], "{ran:?}");
    let ran = server.run(&["agents"]).await;
    assert!(ran.stdout.contains("CoderAgent"), "{ran:?}");
    let ran = server.run(&["agents", "clear", "coder-agent/seen"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test]
async fn sigterm_ends_the_server_without_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn types_are_those_of_the_built_in_agents() {
    let ran = run(&["types"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("export interface CoderAgent"), "{ran:?}");
}

#[tokio::test]
async fn the_doctor_finds_nothing_wrong_with_a_healthy_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    for path in ["/agents/coder-agent/default", "/agents/CoderAgent/default", "/agents/coderagent/default"] {
        let (exit, report) = doctor(&[&server.ws(path), "--dialect-check"]).await;
        assert_eq!(exit, 0, "{report:#}");
    }
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong_with_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let right = server.ws("/agents/coder-agent/x");
    server.finds("/agents/codr-agent/x", &[], "routing", "unknown_agent", &right).await;
    server.finds("/api/agent/coder-agent/x", &[], "routing", "no_route", &right).await;
    server.finds("/agents/coder-agent/x/agents", &[], "path", "stray_sub_path", &right).await;
    let default = server.ws("/agents/coder-agent/default");
    server.finds("/agents/coder-agent", &[], "routing", "missing_name", &default).await;
    let wss = right.replace("ws://", "wss://");
    let (_, report) = doctor(&[&wss]).await;
    assert_eq!(report["problem"]["code"], "plain_port", "{report:#}");
}

#[tokio::test]
async fn the_doctor_names_a_client_that_is_not_let_in_or_not_understood() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let path = "/agents/coder-agent/x";
    let origin = ["--origin", "https://evil.example"];
    server.finds(path, &origin, "origin", "origin_refused", "--allow-origin https://evil.example").await;
    let host = ["--header", "Host: evil.example"];
    server.finds(path, &host, "origin", "host_refused", "--allow-host").await;
    let frame = ["--frame", r#"{"type":"call","method":"x"}"#];
    server.finds(path, &frame, "frame", "foreign_dialect", r#"{"type":"rpc""#).await;
}

#[tokio::test]
async fn the_doctor_tells_plain_text_from_tls_and_trusts_the_file_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        Server::start_with(dir.path(), &["--tls-cert", &IDENTITY.certificate, "--tls-key", &IDENTITY.key]).await;
    server.finds("/agents/coder-agent/x", &[], "tls", "tls_port", "wss://").await;
    let wss = format!("wss://localhost:{}/agents/coder-agent/x", server.port);
    let (exit, report) = doctor(&[&wss, "--ca-file", &IDENTITY.certificate]).await;
    assert_eq!(exit, 0, "{report:#}");
}

#[tokio::test]
async fn the_doctor_names_a_damaged_database_which_can_be_put_back_while_other_agents_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    server.run(&["call", "coder-agent/hurt", "setProjectContext", CONTEXT]).await;
    assert_eq!(server.terminate().await, Some(0));
    let damaged = damage(&dir.path().join("agents"));
    assert!(damaged > 0, "no database was found");
    let server = Server::start(dir.path()).await;
    server.finds("/agents/coder-agent/hurt", &[], "storage", "storage_corrupt", "hostel restore").await;
    let (exit, report) = doctor(&[&server.ws("/agents/coder-agent/other")]).await;
    assert_eq!(exit, 0, "{report:#}");
    let ran = server.run(&["restore", "coder-agent/hurt", "--at", "now", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = server.run(&["call", "coder-agent/hurt", "getProjectContext"]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, CONTEXT), "{ran:?}");
}

/// Overwrites every database below `dir`; says how many there were.
fn damage(dir: &Path) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            damaged += damage(&path);
        } else if std::fs::read(&path).unwrap().starts_with(b"SQLite format 3") {
            std::fs::write(&path, b"this was a database once").unwrap();
            damaged += 1;
        }
    }
    damaged
}

#[tokio::test]
async fn what_waits_for_an_agent_and_what_was_given_up_can_be_asked_for_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let agent = "coder-agent/orders";
    server.run(&["call", agent, "setProjectContext", CONTEXT]).await;
    let ran = server.run(&["schedules", agent]).await;
    assert_eq!((ran.code, &*ran.stderr), (0, "Nothing waits for coder-agent/orders.\n"), "{ran:?}");
    let ran = server.run(&["dead-letters", agent, "--json"]).await;
    assert_eq!((ran.code, &*ran.stdout), (0, "{\"deadLetters\":[]}\n"), "{ran:?}");
    for command in [["schedules", agent, "cancel", "-x"], ["dead-letters", agent, "discard", "-x"]] {
        let ran = server.run(&command).await;
        assert!(ran.code == 1 && ran.stderr.contains("run_unknown: "), "{ran:?}");
    }
    let ran = server.run(&["dead-letters", agent, "retry", "x", "--args", "1"]).await;
    assert!(ran.code == 2 && ran.stderr.contains("JSON array"), "{ran:?}");
    let ran = server.run(&["schedules", "coder-agent/order"]).await;
    assert!(ran.code == 1 && ran.stderr.contains("did you mean coder-agent/orders?"), "{ran:?}");
}
