//! Hostile names and markup in URLs and headers.

use std::{collections::HashSet, path::Path};

use hostel::App;
use serde_json::json;

use super::{
    agents::{CoderAgent, broken},
    support::{Answer, Server, in_development},
};

/// Names as they stand in a request line; each must be an agent of its own.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "..",
        "...",
        "..%2f",
        "%2e%2e%2f",
        "%2e%2e",
        "..%5c..%5c",
        "%00",
        "a%00b",
        "con",
        "CON",
        "aux.txt",
        "nul",
        "a",
        "A",
        "a.",
        "a%20",
        "%C3%A9",
        "e%CC%81",
        "%E4%BD%A0",
        "~root",
        "*",
        "-rf",
        "$(id)",
        "a;b",
        "%ff%fe",
        ".hidden",
        "a:b",
        "|",
        "%0d%0aSet-Cookie:x",
        "default.sqlite",
        "default.sqlite-wal",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(1024));
    names
}

fn files(root: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn threat_9_hostile_names_stay_in_the_data_directory_and_never_meet() {
    let outside = tempfile::tempdir().unwrap();
    let data = outside.path().join("data");
    let server = Server::start(App::new().agent::<CoderAgent>().data(&data)).await;
    for name in names() {
        let path = format!("/agents/coder-agent/{name}");
        assert_eq!(server.get(&path).await.json()["name"], *name, "a name is taken as it stands");
        let mut client = server.socket(&path).await;
        let before = client.call("getBranch", json!([])).await["result"].clone();
        assert_eq!(before, json!(null), "{name} met another agent: {before}");
        client.call("setProjectContext", json!([{"branch": name}])).await;
    }
    for name in names() {
        let mut client = server.socket(&format!("/agents/coder-agent/{name}")).await;
        assert_eq!(client.call("getBranch", json!([])).await["result"], *name);
    }
    server.stop().await;
    let beside: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["data"], "nothing was written beside the data directory");
    let mut found = Vec::new();
    files(&data, &mut found);
    let folded: HashSet<_> = found.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), found.len(), "file names that only case tells apart");
    assert!(found.iter().all(|name| name.len() <= 200 && name.is_ascii()), "{found:?}");
}

#[tokio::test]
async fn threat_9_names_beyond_the_limit_are_refused() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let path = format!("/agents/coder-agent/{}", "x".repeat(1025));
    let answer = server.get(&path).await;
    assert_eq!((answer.status, answer.code().as_str()), (414, "name_too_long"));
    assert_eq!(server.socket(&path).await.refusal().await, ("name_too_long".into(), 4414));
    let answer = server.get(&format!("/agents/coder-agent/{}", "x".repeat(64 << 10))).await;
    assert!([414, 431].contains(&answer.status), "{}", answer.status);
}

/// A body may repeat a stranger's text only where no browser takes it for markup.
fn is_harmless(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    let kind = answer.header("content-type");
    assert!(kind == "application/problem+json" || kind.starts_with("text/plain"), "{answer:?}");
    if kind == "application/problem+json" {
        answer.code();
    }
}

#[tokio::test]
async fn threat_29_markup_in_names_and_headers_is_never_sent_back_as_markup() {
    let script = "<script>alert(1)</script>";
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let server = Server::start(in_development(App::new().agent::<CoderAgent>().in_memory())).await;
    for path in ["/", "/agents/", "/agents/x", "/agents/coder-agent", "/agents/nope/"] {
        for text in [script, encoded] {
            let answer = server.get(&format!("{path}{text}")).await;
            if answer.status == 200 {
                continue;
            }
            is_harmless(&answer);
        }
    }
    for header in ["Origin", "X-Agents-Namespace", "Host"] {
        let answer = server.get_with("/agents/coder-agent/a", &[(header, script)]).await;
        assert!(answer.status >= 400, "{answer:?}");
        is_harmless(&answer);
    }
    let broken = Server::start(in_development(App::new().agent::<broken::CoderAgent>().in_memory())).await;
    let answer = broken.get(&format!("/agents/coder-agent/{encoded}")).await;
    assert_eq!(answer.status, 503);
    is_harmless(&answer);
}

#[tokio::test]
async fn threat_29_an_agents_own_failure_is_plain_text_that_nobody_sniffs() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(hostel_conformance::app(data.path().to_owned())).await;
    let answer = server.get("/agents/counter-agent/a/boom").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, "Error: boom http"));
    is_harmless(&answer);
}
