//! `call`, `state`, `connect`, `agents`, `config`, and exit codes.

use std::process::Stdio;

use hostel_protocol::{Code, Refusal};
use serde_json::{Value, json};

use super::fake::{self, Answer, Fake, Handshake};
use super::run::{fed, finish, hostel, run};

async fn working() -> String {
    format!("http://{}", Fake::hostel(Handshake::Work).start().await)
}

async fn call(args: &[&str]) -> super::run::Ran {
    let url = working().await;
    run(&[&["call", "counter-agent/a"], args, &["--url", &url]].concat()).await
}

#[tokio::test]
async fn call_prints_the_result_as_json() {
    let ran = call(&["echo", "1", "\"x\"", "{\"a\":null}", "-5"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "[1,\"x\",{\"a\":null},-5]\n"), "{ran:?}");
    assert_eq!(call(&["nothing"]).await.stdout, "null\n");
    assert_eq!(call(&["key", "--idempotency-key", "k1"]).await.stdout, "\"k1\"\n");
}

#[tokio::test]
async fn call_prints_a_stream_one_piece_a_line() {
    assert_eq!(call(&["count"]).await.stdout, "1\n2\n");
}

#[tokio::test]
async fn a_failed_call_exits_with_1_and_says_code_sentence_and_fix() {
    let ran = call(&["fail"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert_eq!(ran.stderr, "call_failed: It failed.\nfix: Repair it.\n");
}

#[tokio::test]
async fn a_call_without_an_answer_ends_at_its_timeout() {
    let ran = call(&["never", "--timeout", "0.2"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "the call of never took longer than 0.2 s\n"), "{ran:?}");
}

#[tokio::test]
async fn arguments_that_are_no_json_exit_with_2() {
    let ran = run(&["call", "counter-agent/a", "echo", "text"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("'\"text\"'"), "{ran:?}");
    assert_eq!(run(&["call", "counter-agent", "echo"]).await.code, 2);
}

#[tokio::test]
async fn a_refused_connection_says_the_servers_code_and_fix() {
    let refusal = Refusal::new(Code::UnknownAgent, "No such agent.").with_fix("Use another.");
    for handshake in [Handshake::Refuse(refusal.clone()), Handshake::Answer(Answer::problem(&refusal))] {
        let url = format!("http://{}", Fake::hostel(handshake).start().await);
        let ran = run(&["call", "x/a", "echo", "--url", &url]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.starts_with("unknown_agent: "), "{ran:?}");
        assert!(ran.stderr.contains("No such agent."), "{ran:?}");
        assert!(ran.stderr.ends_with("fix: Use another.\n"), "{ran:?}");
    }
    let closed = fake::closed_port();
    let ran = run(&["call", "x/a", "echo", "--url", &format!("http://{}", closed.address)]).await;
    assert!(ran.stderr.contains("fix: Start the server"), "{ran:?}");
}

#[tokio::test]
async fn the_server_can_be_named_by_a_variable() {
    let mut command = hostel(&["call", "counter-agent/a", "echo", "7"]);
    command.env("HOSTEL_URL", working().await);
    assert_eq!(finish(command, "").await.stdout, "[7]\n");
}

#[tokio::test]
async fn state_is_read_replaced_and_refused() {
    let url = working().await;
    let ran = run(&["state", "get", "counter-agent/a", "--url", &url]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "{\"count\":1}\n"), "{ran:?}");
    let ran = fed(&["state", "set", "counter-agent/a", "-", "--url", &url], "{\"count\":5}").await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let ran = run(&["state", "set", "counter-agent/a", "\"refuse\"", "--url", &url]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "State update rejected\n"), "{ran:?}");
    assert_eq!(run(&["state", "set", "counter-agent/a", "{", "--url", &url]).await.code, 2);
}

#[tokio::test]
async fn connect_shows_decoded_frames_and_waits_for_answers_to_piped_lines() {
    let url = working().await;
    let typed = "/call echo 1 2\n{\"type\":\"call\"}\n/state {\"count\":2}\n";
    let ran = fed(&["connect", "counter-agent/a", "--url", &url], typed).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "← identity counter-agent/a",
        "← state {\"count\":1}",
        "→ call #0 echo(1,2)",
        "← result #0 [1,2]",
        "← error foreign_dialect: ",
        "  fix: ",
        "→ state {\"count\":2}",
        "× closed 1000",
    ] {
        assert!(ran.stdout.lines().any(|shown| shown.starts_with(line)), "{line}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn connect_exits_with_1_when_the_server_ends_it() {
    let url = format!("http://{}", Fake::hostel(Handshake::Say(vec![], 4001, "go")).start().await);
    let mut command = hostel(&["connect", "counter-agent/a", "--url", &url]);
    // A pipe that stays open: the end comes from the server.
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let _open = child.stdin.take();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "× closed 4001 go\n");
}

#[tokio::test]
async fn agents_lists_classes_and_quarantines() {
    let url = working().await;
    let ran = run(&["agents", "--url", &url]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("CLASS"), "{ran:?}");
    assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>()[2..], ["2", "1", "3", "-"], "{ran:?}");
    assert!(lines[2].contains("coder-agent/bad failed to start 4 times"), "{ran:?}");
    let ran = run(&["agents", "--json", "--url", &url]).await;
    let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(listed["classes"][0]["namespace"], json!("coder-agent"));
}

#[tokio::test]
async fn config_prints_each_value_with_its_origin() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hostel.toml"), "data = \"d\"\n").unwrap();
    let mut command = hostel(&["config", "--listen", "127.0.0.1:9000", "--production"]);
    command.current_dir(dir.path()).env("HOSTEL_PREFIX", "api/v1").env("HOSTEL_PREFX", "x");
    let ran = finish(command, "").await;
    let row = |name: &str| -> Vec<String> {
        let line = ran.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    assert_eq!(row("listen"), ["127.0.0.1:9000", "--listen"]);
    assert_eq!(row("prefix"), ["api/v1", "HOSTEL_PREFIX"]);
    assert_eq!(row("data"), ["d", "hostel.toml:1"]);
    assert_eq!(row("mode"), ["production", "--mode"]);
    assert_eq!(row("compression"), ["true", "default"]);
    assert!(ran.stderr.contains("Did you mean HOSTEL_PREFIX?"), "{ran:?}");
}

#[tokio::test]
async fn config_prints_what_single_classes_keep_of_their_history() {
    let dir = tempfile::tempdir().unwrap();
    let text = "history_age = \"7d\"\n[history.CoderAgent]\nbytes = \"off\"\n[history.codr]\nage = \"1d\"\n";
    std::fs::write(dir.path().join("hostel.toml"), text).unwrap();
    let mut command = hostel(&["config"]);
    command.current_dir(dir.path());
    let ran = finish(command, "").await;
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [["history_age", "7d", "hostel.toml:1"], ["history.coder-agent.bytes", "off", "hostel.toml:3"]] {
        assert!(rows.contains(&row.to_vec()), "{ran:?}");
    }
    assert!(ran.stderr.contains("hostel.toml:4: no agent class is called codr"), "{ran:?}");
    assert!(ran.stderr.contains("Did you mean [history.coder]?"), "{ran:?}");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_exits_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.toml");
    std::fs::write(&path, "data = \"d\"\nlissten = \"x\"\n").unwrap();
    let ran = run(&["serve", "--config", path.to_str().unwrap()]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("h.toml:2: lissten: there is no such setting; did you mean listen?"), "{ran:?}");
}

#[tokio::test]
async fn listening_beyond_loopback_exits_with_2_unless_asked_for_by_name() {
    let ran = run(&["--listen", "0.0.0.0:0"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("--insecure-no-auth"), "{ran:?}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let mut command = hostel(&["config"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn every_command_has_a_help_text_with_an_example() {
    let commands: [&[&str]; 18] = [
        &["serve"],
        &["connect"],
        &["call"],
        &["state", "get"],
        &["state", "set"],
        &["state", "watch"],
        &["agents"],
        &["history"],
        &["diff"],
        &["restore"],
        &["fork"],
        &["export"],
        &["import"],
        &["backup"],
        &["verify"],
        &["types"],
        &["config"],
        &["doctor"],
    ];
    for command in commands {
        let ran = run(&[command, &["--help"]].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("Example"), "{command:?}: {}", ran.stdout);
        assert!(ran.stdout.contains(&format!("  hostel {}", command.join(" "))), "{command:?}: {}", ran.stdout);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_takes_as_many_descriptors_as_it_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "ulimit -Sn 256; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_hostel")).arg(dir.path()).kill_on_drop(true);
    let server = super::server::Server::of(command).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = files.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert!(numbers.len() == 2 && numbers[0] == numbers[1], "{files}");
}
