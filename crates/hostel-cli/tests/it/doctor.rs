//! `hostel doctor URL` names each break, and what to change.

use std::net::SocketAddr;

use hostel_protocol::{Code, Refusal};
use serde_json::Value;

use super::fake::{self, Answer, Fake, Handshake, IDENTITY};
use super::run::{doctor, run};

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/agents/counter-agent/a")
}

/// The doctor must stop at `step` with `code`, and the fix must contain `fix`.
async fn finds(args: &[&str], step: &str, code: &str, fix: &str) {
    let (exit, report) = doctor(args).await;
    let problem = &report["problem"];
    let told = (problem["step"].as_str(), problem["code"].as_str());
    assert_eq!(told, (Some(step), Some(code)), "{report:#}");
    assert!(problem["fix"].as_str().unwrap().contains(fix), "{report:#}");
    assert!(!problem["sentence"].as_str().unwrap().is_empty(), "{report:#}");
    assert_eq!(exit, 1);
}

async fn finds_in(fake: Fake, step: &str, code: &str, fix: &str) {
    finds(&[&url(fake.start().await)], step, code, fix).await;
}

fn steps(report: &Value, status: &str) -> Vec<String> {
    let steps = report["steps"].as_array().unwrap().iter();
    let steps = steps.filter(|step| step["status"] == status);
    steps.map(|step| step["step"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_healthy_server_passes_every_step() {
    let address = Fake::hostel(Handshake::Work).start().await;
    let (exit, report) = doctor(&[&url(address), "--dialect-check"]).await;
    assert_eq!((exit, &report["ok"]), (0, &Value::Bool(true)), "{report:#}");
    let passed = ["address", "name", "port", "server", "ready", "upgrade", "identity", "state", "call", "dialect"];
    assert_eq!(steps(&report, "passed"), passed, "{report:#}");
    assert_eq!(steps(&report, "skipped"), ["tls", "history", "cors"], "{report:#}");
}

#[tokio::test]
async fn a_program_of_ones_own_that_serves_only_agents_is_healthy() {
    let nothing = Refusal::new(Code::NoRoute, "Nothing is served at /healthz.");
    let mut fake = Fake::hostel(Handshake::Work);
    fake.health = Answer::problem(&nothing);
    fake.ready = Answer::problem(&nothing);
    let (exit, report) = doctor(&[&url(fake.start().await)]).await;
    assert_eq!((exit, &report["ok"]), (0, &Value::Bool(true)), "{report:#}");
}

#[tokio::test]
async fn the_report_for_people_ends_with_one_sentence_and_one_change() {
    let closed = fake::closed_port();
    let address = closed.address;
    let ran = run(&["doctor", &url(address)]).await;
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], format!("Examining {}", url(address)));
    assert!(lines.contains(&"  ✗ port      port_closed"), "{ran:?}");
    assert!(lines[lines.len() - 2].starts_with(&format!("Nothing listens on {address}")), "{ran:?}");
    assert!(lines[lines.len() - 1].starts_with("Change: "), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn a_wrong_port_is_named_whether_closed_or_taken_by_something_else() {
    let closed = fake::closed_port();
    finds(&[&url(closed.address)], "port", "port_closed", "port").await;
    let address = fake::raw(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    finds(&[&url(address)], "server", "no_http", "port").await;
    let web = Fake::stranger(Handshake::Answer(Answer::new(404, "text/plain", "not here")));
    finds_in(web, "upgrade", "refused", "Correct host and port").await;
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    finds(&["ws://no-such-host.invalid/agents/a/b"], "name", "name_not_found", "host name").await;
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_named() {
    finds(&["coder-agent"], "address", "bad_address", "coder-agent/default").await;
    finds(&["ftp://h/agents/a/b"], "address", "bad_address", "ws://").await;
}

#[tokio::test]
async fn wss_against_a_plain_port_is_named() {
    let address = Fake::hostel(Handshake::Work).start().await;
    let wss = format!("wss://{address}/agents/counter-agent/a");
    finds(&[&wss], "tls", "plain_port", &format!("ws://{address}/agents/counter-agent/a")).await;
}

#[tokio::test]
async fn plain_text_against_a_tls_port_is_named() {
    let address = Fake::hostel(Handshake::Work).start_tls().await;
    finds(&[&url(address)], "tls", "tls_port", &format!("wss://{address}/agents/counter-agent/a")).await;
}

#[tokio::test]
async fn a_certificate_is_judged_and_a_trusted_one_passes() {
    let address = Fake::hostel(Handshake::Work).start_tls().await;
    let named = format!("wss://localhost:{}/agents/counter-agent/a", address.port());
    finds(&[&named], "tls", "certificate_unknown", "--ca-file").await;
    let numbered = format!("wss://127.0.0.1:{}/agents/counter-agent/a", address.port());
    finds(&[&numbered, "--ca-file", &IDENTITY.certificate], "tls", "certificate_wrong_name", "127.0.0.1").await;
    let (exit, report) = doctor(&[&named, "--ca-file", &IDENTITY.certificate]).await;
    assert_eq!(exit, 0, "{report:#}");
}

#[tokio::test]
async fn a_misspelt_agent_is_named_with_the_right_spelling() {
    let refusal = Refusal::new(Code::UnknownAgent, "No agent class is called codr-agent.");
    let address = Fake::hostel(Handshake::Refuse(refusal)).start().await;
    let misspelt = format!("ws://{address}/agents/codr-agent/x");
    finds(&[&misspelt], "routing", "unknown_agent", &format!("ws://{address}/agents/coder-agent/x")).await;
}

#[tokio::test]
async fn a_slug_that_the_agents_sdk_does_not_know_is_named() {
    let sdk = Handshake::Answer(Answer::new(400, "text/plain;charset=UTF-8", "Invalid request"));
    finds_in(Fake::stranger(sdk), "routing", "unknown_agent", "kebab case").await;
}

#[tokio::test]
async fn a_missing_name_is_named_in_either_form_of_refusal() {
    let refusal = Refusal::new(Code::MissingName, "No name.");
    for handshake in [Handshake::Refuse(refusal.clone()), Handshake::Answer(Answer::problem(&refusal))] {
        let address = Fake::hostel(handshake).start().await;
        let nameless = format!("ws://{address}/agents/coder-agent");
        finds(&[&nameless], "routing", "missing_name", "/agents/coder-agent/default").await;
    }
    let not_found = Handshake::Answer(Answer::new(404, "text/plain", "Not found"));
    let address = Fake::stranger(not_found).start().await;
    let nameless = format!("ws://{address}/agents/coder-agent");
    finds(&[&nameless], "routing", "missing_name", "/agents/coder-agent/default").await;
}

#[tokio::test]
async fn a_wrong_prefix_is_named_with_the_path_that_was_meant() {
    let refusal = Refusal::new(Code::NoRoute, "Nothing is served there.");
    let address = Fake::hostel(Handshake::Refuse(refusal)).start().await;
    let wrong = format!("ws://{address}/api/agent/coder-agent/x");
    finds(&[&wrong], "routing", "no_route", &format!("ws://{address}/agents/coder-agent/x")).await;
}

#[tokio::test]
async fn a_stray_sub_path_is_named_unless_it_is_meant() {
    let address = Fake::hostel(Handshake::Work).start().await;
    let stray = format!("{}/agents", url(address));
    finds(&[&stray], "path", "stray_sub_path", &url(address)).await;
    let (exit, _) = doctor(&[&stray, "--allow-sub-path"]).await;
    assert_eq!(exit, 0);
}

#[tokio::test]
async fn a_stripped_upgrade_is_named_however_it_shows() {
    let refusal = Refusal::new(Code::UpgradeStripped, "The Upgrade header was lost.").with_fix("Repair the proxy.");
    for answer in [Answer::new(200, "text/html", "<html>"), Answer::new(426, "text/plain", "Upgrade Required")] {
        finds_in(Fake::hostel(Handshake::Answer(answer)), "upgrade", "upgrade_stripped", "proxy").await;
    }
    let answer = Answer::problem(&refusal);
    finds_in(Fake::hostel(Handshake::Answer(answer)), "upgrade", "upgrade_stripped", "Repair the proxy.").await;
}

#[tokio::test]
async fn other_things_in_the_way_of_the_upgrade_are_named() {
    let moved = Answer::new(301, "text/plain", "").header("location", "https://elsewhere.example/");
    finds_in(Fake::hostel(Handshake::Answer(moved)), "upgrade", "redirected", "https://elsewhere.example/").await;
    let gateway = Answer::new(502, "text/html", "Bad Gateway");
    finds_in(Fake::hostel(Handshake::Answer(gateway)), "upgrade", "bad_gateway", "proxy").await;
    finds_in(Fake::hostel(Handshake::FalseAccept), "upgrade", "false_upgrade", "101").await;
    let login = Answer::new(401, "text/plain", "who are you?");
    finds_in(Fake::hostel(Handshake::Answer(login)), "auth", "unauthorized", "credentials").await;
}

#[tokio::test]
async fn a_foreign_origin_is_named() {
    let refusal = Refusal::new(Code::OriginRefused, "Pages of that origin are refused.");
    let address = Fake::hostel(Handshake::Refuse(refusal)).start().await;
    let args = [&url(address), "--origin", "https://evil.example"];
    finds(&args, "origin", "origin_refused", "--allow-origin").await;
}

#[tokio::test]
async fn a_foreign_host_name_is_named_by_the_first_answer() {
    let refusal = Refusal::new(Code::HostRefused, "That host name is not served.").with_fix("Allow it.");
    let mut fake = Fake::hostel(Handshake::Work);
    fake.health = Answer::problem(&refusal);
    finds_in(fake, "origin", "host_refused", "Allow it.").await;
}

#[tokio::test]
async fn cors_that_is_missing_for_an_origin_is_named() {
    let origin = "https://app.example";
    let address = Fake::hostel(Handshake::Work).start().await;
    finds(&[&url(address), "--origin", origin], "cors", "cors_missing", "--allow-origin https://app.example").await;
    let mut fake = Fake::hostel(Handshake::Work);
    fake.plain = Answer::new(200, "application/json", "[]").header("access-control-allow-origin", origin);
    let (exit, report) = doctor(&[&url(fake.start().await), "--origin", origin]).await;
    assert_eq!(exit, 0, "{report:#}");
    assert!(steps(&report, "passed").contains(&"cors".to_owned()), "{report:#}");
}

#[tokio::test]
async fn a_foreign_frame_dialect_is_named_even_by_a_server_that_drops_it() {
    for handshake in [Handshake::Work, Handshake::WorkSilently] {
        let address = Fake::hostel(handshake).start().await;
        let args = [&url(address), "--frame", r#"{"type":"call","method":"x"}"#];
        finds(&args, "frame", "foreign_dialect", r#"{"type":"rpc""#).await;
    }
}

#[tokio::test]
async fn a_malformed_frame_is_named_and_a_good_one_passes() {
    let address = url(Fake::hostel(Handshake::Work).start().await);
    let numeric = r#"{"type":"rpc","id":1,"method":"echo","args":[]}"#;
    finds(&[&address, "--frame", numeric], "frame", "malformed_frame", "Send").await;
    let good = r#"{"type":"rpc","id":"1","method":"echo","args":[]}"#;
    let (exit, report) = doctor(&[&address, "--frame", good]).await;
    assert_eq!(exit, 0, "{report:#}");
}

#[tokio::test]
async fn an_agent_that_crashes_in_on_start_is_named() {
    let start = Refusal::new(Code::AgentStartFailed, "CoderAgent/a failed to start: boom");
    finds_in(Fake::hostel(Handshake::Refuse(start.clone())), "agent", "agent_start_failed", "on_start").await;
    finds_in(Fake::hostel(Handshake::Answer(Answer::problem(&start))), "agent", "agent_start_failed", "on_start").await;
    let paused = Refusal::new(Code::AgentQuarantined, "It crashed too often.");
    finds_in(Fake::hostel(Handshake::Refuse(paused)), "agent", "agent_quarantined", "hostel agents clear").await;
    let sdk = r#"{"error":"Error: start boom\n    at onStart"}"#.to_owned();
    let sdk = Handshake::Say(vec![sdk], 1011, "Uncaught exception during session setup");
    finds_in(Fake::stranger(sdk), "agent", "connect_failed", "log").await;
}

#[tokio::test]
async fn the_text_of_an_agent_with_connection_issues_is_understood() {
    let text = hostel_protocol::refusal::connection_issues_text("CoderAgent", "a", Code::AgentStartFailed);
    let answer = Handshake::Answer(Answer::new(503, "text/plain", text));
    finds_in(Fake::hostel(answer), "agent", "agent_start_failed", "on_start").await;
    let missing = hostel_protocol::refusal::missing_namespace_or_room("CoderAgent").message;
    let answer = Handshake::Answer(Answer::new(500, "text/plain", format!("Error: {missing}\n  at x")));
    finds_in(Fake::stranger(answer), "upgrade", "missing_namespace_or_room", "router").await;
}

#[tokio::test]
async fn a_full_disk_and_other_trouble_with_storage_are_named() {
    for (code, fix) in
        [(Code::StorageFull, "Free space"), (Code::StorageReadOnly, "writable"), (Code::StorageCorrupt, "backup")]
    {
        let refusal = Refusal::new(code, "No.");
        finds_in(Fake::hostel(Handshake::Refuse(refusal.clone())), "storage", code.as_str(), fix).await;
        let mut fake = Fake::hostel(Handshake::Work);
        fake.ready = Answer::problem(&refusal);
        finds_in(fake, "storage", code.as_str(), fix).await;
        // A client that lost the error frame still has the close reason.
        let (close, reason) = (code.close_code(), "storage_full: No.");
        finds_in(Fake::hostel(Handshake::Say(vec![], close, reason)), "storage", "storage_full", "Free space").await;
    }
}

#[tokio::test]
async fn a_server_that_sends_nothing_or_breaks_off_is_named() {
    finds_in(Fake::hostel(Handshake::Mute), "identity", "no_frames", "proxy").await;
    finds_in(Fake::hostel(Handshake::Say(vec![], 4001, "go away")), "identity", "closed", "log").await;
}
