//! Tokens of a real server: made with the command line, shown in every way, and found nowhere afterwards.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    run::{Ran, finish, hostel},
    secrets::files_with,
    server::Server,
};

/// A token that nobody gave out; as long as one that somebody did.
const WRONG: &str = "hst_canary-that-nobody-gave-out-0123456789abcdef";

pub(crate) async fn new_token(subject: &str, flags: &[&str]) -> (String, String) {
    let ran = finish(hostel(&[&["token", "new", subject], flags].concat()), "").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let entry = ran.stderr.split_once("[[auth.token]]").unwrap().1;
    (ran.stdout.trim().to_owned(), format!("[[auth.token]]{entry}\n"))
}

/// The server with everything it writes in files; it listens where others could reach it.
async fn serve(place: &Path) -> Server {
    let mut command = hostel(&["serve", "--listen", "127.0.0.1:0", "--data", "data", "--log-level", "trace"]);
    let log = std::fs::File::create(place.join("log")).unwrap();
    command.current_dir(place).stderr(Stdio::from(log));
    Server::of(command).await
}

async fn with_token(server: &Server, token: &str, args: &[&str]) -> Ran {
    let url = server.url();
    let mut command = hostel(args);
    command.env("HOSTEL_TOKEN", token).env("HOSTEL_URL", url);
    finish(command, "").await
}

/// Sends a head as it is, and reads the answer: to its end, or the head of one that opens a socket.
async fn raw(server: &Server, head: &str) -> String {
    let address = format!("127.0.0.1:{}", server.port);
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = head.replace("HOST", &address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while stream.read_buf(&mut answer).await.unwrap() > 0 {
        if is_whole(&answer) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether nothing more belongs to the answer, on a connection that may stay open.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    head.starts_with("HTTP/1.1 101") || length.is_some_and(|length: usize| body.len() >= length)
}

#[tokio::test]
async fn threat_4_a_token_in_a_url_is_in_no_log_no_file_no_metric_and_no_frame() {
    let place = tempfile::tempdir().unwrap();
    let (root, operator) = new_token("root", &["--operator"]).await;
    let (ada, user) = new_token("ada", &["--role", "editor"]).await;
    let config = format!("[auth]\nquery = [\"token\", \"_token\"]\ntickets = \"30s\"\n\n{operator}\n{user}");
    std::fs::write(place.path().join("hostel.toml"), config).unwrap();
    let server = serve(place.path()).await;
    let mut seen = String::new();
    for token in [&*ada, WRONG] {
        for path in ["/agents/coder-agent/me", "/agents/coder-agent/x/more", "/agents/nope/x", "/elsewhere", "/metrics"]
        {
            for name in ["token", "_token"] {
                let target = format!("{path}?{name}={token}&_pk=1");
                let referer = format!("Referer: http://HOST/page?token={token}\r\n");
                seen += &raw(
                    &server,
                    &format!("GET {target} HTTP/1.1\r\nHost: HOST\r\n{referer}Connection: close\r\n\r\n"),
                )
                .await;
                let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
                seen += &raw(&server, &format!("GET {target} HTTP/1.1\r\nHost: HOST\r\n{referer}{upgrade}\r\n")).await;
            }
        }
        let context = "{\"repoOwner\":\"a\",\"repoName\":\"b\",\"branch\":\"main\"}";
        for args in [
            &["call", "coder-agent/me", "setProjectContext", context][..],
            &["state", "get", "coder-agent/me"],
            &["doctor", "coder-agent/me"],
        ] {
            let ran = with_token(&server, token, args).await;
            assert_eq!(ran.code == 0, token == ada, "{ran:?}");
            seen += &ran.stdout;
            seen += &ran.stderr;
        }
    }
    let history = with_token(&server, &root, &["history", "coder-agent/ada", "--changes"]).await;
    assert!(history.code == 0 && history.stdout.contains("user ada"), "{history:?}");
    let closed = raw(&server, "GET /metrics HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n").await;
    assert!(closed.starts_with("HTTP/1.1 401"), "{closed}");
    let shown = format!("Authorization: Bearer {root}\r\nConnection: close\r\n");
    let metrics = raw(&server, &format!("GET /metrics HTTP/1.1\r\nHost: HOST\r\n{shown}\r\n")).await;
    assert!(metrics.contains("hostel_refusals_total"), "{metrics}");
    seen += &history.stdout;
    seen += &metrics;
    server.terminate().await;
    for canary in [&*ada, &*root, WRONG] {
        assert!(!seen.contains(canary), "{seen}");
        assert_eq!(files_with(canary, place.path()), Vec::<String>::new());
    }
    let log = std::fs::read_to_string(place.path().join("log")).unwrap();
    assert!(log.contains("token_invalid") && log.contains("ada"), "{log}");
}

#[tokio::test]
async fn the_command_line_says_what_to_do_without_a_token_and_with_the_wrong_one() {
    let place = tempfile::tempdir().unwrap();
    let (root, operator) = new_token("root", &["--operator"]).await;
    let (ada, user) = new_token("ada", &[]).await;
    let rules = "[agents.coder-agent]\nallow = \"owner\"\n";
    std::fs::write(place.path().join("hostel.toml"), format!("[auth]\n\n{operator}\n{user}\n{rules}")).unwrap();
    let server = serve(place.path()).await;
    let get = ["call", "coder-agent/x", "getProjectContext"];
    let nobody = server.run(&get).await;
    assert!(
        nobody.code == 1 && nobody.stderr.contains("unauthorized") && nobody.stderr.contains("--token"),
        "{nobody:?}"
    );
    let wrong = with_token(&server, WRONG, &get).await;
    assert!(wrong.stderr.contains("token_invalid") && wrong.stderr.contains("another token"), "{wrong:?}");
    let forbidden = with_token(&server, &ada, &get).await;
    assert!(forbidden.stderr.contains("forbidden") && forbidden.stderr.contains("somebody who may"), "{forbidden:?}");
    assert_eq!(with_token(&server, &root, &get).await.code, 0);
    let examined = with_token(&server, &root, &["doctor", "coder-agent/x"]).await;
    assert!(
        examined.code == 0
            && examined.stdout.contains("the token is good, you are root (operator)")
            && examined.stdout.contains("tokens (given out by hand) are taken by header, subprotocol"),
        "{examined:?}"
    );
    let examined = with_token(&server, WRONG, &["doctor", "coder-agent/x"]).await;
    assert!(
        examined.code == 1 && examined.stdout.contains("token_invalid") && !examined.stdout.contains("upgrade"),
        "{examined:?}"
    );
    let examined = with_token(&server, &ada, &["doctor", "coder-agent/x"]).await;
    assert!(
        examined.stdout.contains("you are ada;") && examined.stdout.contains("forbidden"),
        "known, and not let in: {examined:?}"
    );
    let not_hers = with_token(&server, &ada, &["history", "coder-agent/x"]).await;
    assert!(not_hers.code == 1 && not_hers.stderr.contains("forbidden"), "{not_hers:?}");
    server.terminate().await;
}

#[tokio::test]
async fn a_mistake_in_auth_is_named_with_its_line_and_nobody_is_let_in_by_it() {
    let place = tempfile::tempdir().unwrap();
    let config = |text: &str| std::fs::write(place.path().join("hostel.toml"), text).unwrap();
    let run = async |args: &[&str]| {
        let mut command = hostel(args);
        command.current_dir(place.path());
        finish(command, "").await
    };
    for (text, line, word) in [
        ("[auth]\ncookies = \"x\"\n", 2, "cookies"),
        ("[auth]\ndefault_allow = \"admins\"\n", 2, "is no rule"),
        ("[[auth.token]]\nsubject = \"a\"\nhash = \"sha256:x\"\n", 3, "64 hexadecimal digits"),
        ("[[auth.issuer]]\nname = \"a\"\naudience = \"b\"\nalgorithms = [\"none\"]\n", 4, "HS256"),
        ("[agents.coder-agent]\nallow = \"role:\"\n", 2, "is no rule"),
    ] {
        config(text);
        let ran = run(&["config"]).await;
        assert!(
            ran.code == 2 && ran.stderr.contains(&format!("hostel.toml:{line}:")) && ran.stderr.contains(word),
            "{ran:?}"
        );
    }
    config("allow_origins = [\"*\"]\n[auth]\ncookie = \"session\"\n");
    let ran = run(&["serve", "--listen", "127.0.0.1:0", "--data", "data"]).await;
    assert!(ran.code != 0 && ran.stderr.contains("name the origins"), "{ran:?}");
    for (text, word) in [
        ("[auth]\n", "nobody could come in"),
        ("[[auth.token]]\nsubject = \"a\"\ntoken = \"short\"\n", "can be guessed"),
        ("[[auth.issuer]]\nname = \"a\"\naudience = \"b\"\nkeys_url = \"http://id.example/k\"\n", "https://"),
    ] {
        config(text);
        let ran = run(&["serve", "--listen", "127.0.0.1:0", "--data", "data"]).await;
        assert!(ran.code != 0 && ran.stderr.contains(word), "{ran:?}");
    }
}
