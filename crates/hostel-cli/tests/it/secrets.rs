//! Secrets of a real server: kept with the command line, taken out of its environment, and found nowhere afterwards.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use super::{
    run::{Ran, finish, hostel},
    server::Server,
};

const IN_FILE: &str = "canary-in-the-file-1f0c";
const IN_ENVIRONMENT: &str = "canary-in-the-environment-77ab";
const LOOKS_LIKE_ONE: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("hostel.toml"), "[vault]\nkey_file = \"key\"\nfile = \"hostel.vault\"\n").unwrap();
    place
}

async fn run_in(place: &Path, args: &[&str], stdin: &str) -> Ran {
    let mut command = hostel(args);
    command.current_dir(place);
    finish(command, stdin).await
}

/// The server with everything it writes in files.
async fn serve(place: &Path) -> Server {
    let mut command = hostel(&["serve", "--listen", "127.0.0.1:0", "--data", "data", "--log-level", "trace"]);
    let log = std::fs::File::create(place.join("log")).unwrap();
    command.current_dir(place).env("HOSTEL_SECRET_OF_ENVIRONMENT", IN_ENVIRONMENT).stderr(Stdio::from(log));
    Server::of(command).await
}

pub(crate) fn files_with(needle: &str, directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with(needle, &path));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|part| part == needle.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn threat_24_after_a_full_run_no_log_no_file_no_history_and_no_answer_has_a_secret() {
    let place = place();
    let place = place.path();
    assert_eq!(run_in(place, &["vault", "init"], "").await.code, 0);
    assert_eq!(run_in(place, &["secret", "set", "OF_FILE"], IN_FILE).await.code, 0);
    let server = serve(place).await;
    let mut seen = String::new();
    for canary in [IN_FILE, IN_ENVIRONMENT, LOOKS_LIKE_ONE] {
        let context = format!("{{\"repoOwner\":\"{canary}\",\"repoName\":\"x-{canary}\",\"branch\":\"main\"}}");
        for args in [
            &["call", "coder-agent/default", "setProjectContext", &context][..],
            &["call", "coder-agent/default", "getProjectContext"],
            &["call", "coder-agent/default", canary],
            &["state", "set", "coder-agent/default", &format!("{{\"messages\":[],\"note\":\"{canary}\"}}")],
            &["state", "get", "coder-agent/default"],
            &["history", "coder-agent/default", "--changes"],
        ] {
            let ran = server.run(args).await;
            seen += &ran.stdout;
            seen += &ran.stderr;
        }
    }
    assert!(seen.contains("[masked]"), "{seen}");
    server.terminate().await;
    for canary in [IN_FILE, IN_ENVIRONMENT, LOOKS_LIKE_ONE] {
        assert!(!seen.contains(canary), "{seen}");
        assert_eq!(files_with(canary, place), Vec::<String>::new());
    }
    let log = std::fs::read_to_string(place.join("log")).unwrap();
    for found in ["secret_masked", "OF_FILE", "OF_ENVIRONMENT", "github token"] {
        assert!(log.contains(found), "the log names what was masked: {found}");
    }
}

#[tokio::test]
async fn threat_24_neither_the_environment_nor_the_command_line_of_the_server_shows_a_secret() {
    let place = place();
    assert_eq!(run_in(place.path(), &["vault", "init"], "").await.code, 0);
    let server = serve(place.path()).await;
    for file in ["environ", "cmdline"] {
        let text = std::fs::read(format!("/proc/{}/{file}", server.id())).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(IN_ENVIRONMENT), "{file}");
        assert!(!text.contains("HOSTEL_SECRET_OF"), "{file}");
        assert!(file != "cmdline" || text.contains("serve\0--listen"), "it is the same program as before: {text}");
    }
    server.terminate().await;
}

#[tokio::test]
async fn secrets_are_kept_listed_and_removed_and_a_running_server_notices() {
    let place = place();
    let place = place.path();
    assert_eq!(run_in(place, &["vault", "init"], "").await.code, 0);
    assert_ne!(run_in(place, &["vault", "init"], "").await.code, 0, "a vault is not overwritten");
    let server = serve(place).await;
    assert_eq!(run_in(place, &["secret", "set", "user:alice#TOKEN"], IN_FILE).await.code, 0);
    assert_eq!(run_in(place, &["secret", "list"], "").await.stdout, "user:alice#TOKEN\n");
    let context = format!("{{\"repoOwner\":\"{IN_FILE}\",\"repoName\":\"x\",\"branch\":\"main\"}}");
    loop {
        server.run(&["call", "coder-agent/default", "setProjectContext", &context]).await;
        let context = server.run(&["call", "coder-agent/default", "getProjectContext"]).await.stdout;
        if context.contains("[masked]") {
            break;
        }
    }
    assert_eq!(run_in(place, &["secret", "remove", "user:alice#TOKEN"], "").await.code, 0);
    assert_eq!(run_in(place, &["secret", "remove", "user:alice#TOKEN"], "").await.code, 1);
    server.terminate().await;
}

#[tokio::test]
async fn a_passphrase_in_the_environment_opens_the_vault() {
    let place = tempfile::tempdir().unwrap();
    let with = |args: &[&str]| -> Command {
        let mut command = hostel(args);
        command.current_dir(place.path()).env("HOSTEL_VAULT_PASSPHRASE", "open sesame");
        command
    };
    assert_eq!(finish(with(&["vault", "init"]), "").await.code, 0);
    assert_eq!(finish(with(&["secret", "set", "A"]), "some value\n").await.code, 0);
    assert_eq!(finish(with(&["secret", "list"]), "").await.stdout, "A\n");
    let mut other = with(&["secret", "list"]);
    other.env("HOSTEL_VAULT_PASSPHRASE", "another");
    let ran = finish(other, "").await;
    assert!(ran.code == 1 && ran.stderr.contains("passphrase"), "{ran:?}");
}

#[tokio::test]
async fn a_mistake_in_the_section_is_named_with_its_line() {
    let place = tempfile::tempdir().unwrap();
    for (text, line, word) in [
        ("[vault]\nkeyfile = \"x\"\n", 2, "key_file"),
        ("\n[vault]\ncommand_timeout = \"soon\"\n", 3, "expected a time"),
        ("vault = 1\n", 1, "[vault]"),
    ] {
        std::fs::write(place.path().join("hostel.toml"), text).unwrap();
        let ran = run_in(place.path(), &["config"], "").await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(&format!("hostel.toml:{line}:")) && ran.stderr.contains(word), "{ran:?}");
    }
}
