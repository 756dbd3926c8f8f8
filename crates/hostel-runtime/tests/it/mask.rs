//! Secrets are masked in everything an agent stores or sends, and what cannot be masked is refused.

use std::{path::Path, sync::Arc};

use hostel::{AgentId, Connection, Cx, Error, Masked, Message, Result, Scrub, host::OutgoingCall};
use hostel_macros::agent;
use hostel_runtime::{Node, Options, Outgoing};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, on_disk, sleepy};

const CANARY: &str = "canary-0123456789";

/// Knows one secret.
#[derive(Debug)]
struct One;

impl Scrub for One {
    fn mask(&self, text: &str) -> Option<Masked> {
        let found = || vec!["CANARY".to_owned()];
        text.contains(CANARY).then(|| Masked { text: text.replace(CANARY, "[masked]"), found: found() })
    }

    fn find(&self, bytes: &[u8]) -> Option<String> {
        bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()).then(|| "CANARY".to_owned())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Gossip {
    heard: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mood: Option<Mood>,
}

#[derive(Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Mood(String);

impl TryFrom<String> for Mood {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.starts_with('[') { Err("a mood is no mask") } else { Ok(Self(text)) }
    }
}

impl From<Mood> for String {
    fn from(mood: Mood) -> Self {
        mood.0
    }
}

impl Clone for Mood {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[agent]
impl Gossip {
    fn on_message(&self, from: &Connection, message: Message) {
        from.send(message);
    }

    #[callable]
    fn hear(&mut self, what: String) -> String {
        self.heard.clone_from(&what);
        what
    }

    #[callable]
    fn repeat(&self) -> String {
        self.heard.clone()
    }

    #[callable]
    fn feel(&mut self, mood: String) {
        self.mood = Some(Mood(mood));
    }

    #[callable]
    fn keep(&self, cx: &Cx<Self>, what: String) -> Result<String> {
        cx.sql("create table if not exists kept (what text)", ())?;
        cx.sql("insert into kept values (?)", (what,))?;
        Ok(cx.sql("select what from kept", ())?.value()?.unwrap_or_default())
    }

    #[callable]
    fn keep_bytes(&self, cx: &Cx<Self>, what: String) -> Result<()> {
        cx.sql("create table if not exists bytes (what blob)", ())?;
        cx.sql("insert into bytes values (?)", (what.into_bytes(),)).map(drop)
    }

    #[callable]
    fn keep_in_the_text(&self, cx: &Cx<Self>, what: String) -> Result<()> {
        cx.sql(&format!("select '{what}'"), ()).map(drop)
    }

    #[callable]
    async fn fail(_: &Cx<Self>, why: String) -> Result<()> {
        Err(Error::msg(why))
    }

    #[callable]
    fn later(&self, cx: &Cx<Self>, what: String) -> Result<()> {
        cx.tasks().announce(what).after(std::time::Duration::from_secs(3600)).map(drop)
    }

    #[callable]
    fn begin(&self, cx: &Cx<Self>, what: String) -> Result<()> {
        cx.tasks().deliberate(what).start().map(drop)
    }

    #[task]
    async fn deliberate(cx: &Cx<Self>, _what: String) -> Result<String> {
        cx.stash(&CANARY)?;
        cx.progress(&json!({"at": CANARY}))?;
        let thought = cx.step("think", || async { Ok(CANARY.to_owned()) }).await?;
        cx.broadcast("thought");
        Ok(thought)
    }

    #[task]
    fn announce(&self, cx: &Cx<Self>, what: String) {
        cx.broadcast(what);
    }
}

async fn node(dir: &tempfile::TempDir) -> Node {
    let options = Options { scrub: Some(Arc::new(One)), ..sleepy() };
    on_disk(dir).agent::<Gossip>().unwrap().options(options).start().await.unwrap()
}

fn files_with_the_canary(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_the_canary(&path));
        } else if One.find(&std::fs::read(&path).unwrap()).is_some() {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn a_secret_leaves_an_agent_in_no_frame_and_lies_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let mut client = Client::greeted(&node, "Gossip", "a").await;
    let told = client.result("hear", json!([format!("<{CANARY}>")])).await;
    assert_eq!(told, "<[masked]>");
    assert_eq!(client.result("repeat", json!([])).await, "<[masked]>", "the agent itself goes on from what is stored");
    assert_eq!(client.result("keep", json!([CANARY])).await, "[masked]");
    assert_eq!(client.failure("fail", json!([CANARY])).await["error"], "[masked]");
    client.result("later", json!([CANARY])).await;
    client.session.receive(Message::from(CANARY.to_owned()));
    assert_eq!(client.frame().await, "[masked]");
    let id = client.begin_keyed("hear", json!([CANARY]), Some("key"));
    client.answer(&id).await;
    client.result("begin", json!([CANARY])).await;
    loop {
        let frame = client.frame().await;
        assert!(!frame.to_string().contains(CANARY), "{frame}");
        if frame == "thought" {
            break;
        }
    }
    client.leave();
    Client::open_as(&node, "Gossip", "a", Some(CANARY), "").await.result("hear", json!(["more"])).await;
    node.shutdown(std::time::Duration::from_secs(30)).await;
    drop(node);
    assert_eq!(files_with_the_canary(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_client_that_sets_a_secret_as_state_is_sent_the_masked_state_like_everybody_else() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let mut client = Client::greeted(&node, "Gossip", "a").await;
    client.send(&json!({"type": "cf_agent_state", "state": {"heard": CANARY}}));
    assert_eq!(client.until_type("cf_agent_state").await["state"], json!({"heard": "[masked]"}));
}

#[tokio::test]
async fn a_secret_where_its_mask_does_not_fit_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let mut client = Client::greeted(&node, "Gossip", "a").await;
    for method in ["feel", "keepBytes", "keepInTheText"] {
        let failure = client.failure(method, json!([CANARY])).await;
        assert_eq!(failure["code"], "secret_refused", "{method}: {failure}");
    }
    client.begin("feel", json!(["fine"]));
    assert_eq!(client.until_type("cf_agent_state").await["state"], json!({"heard": "", "mood": "fine"}));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_not_sent_with_a_secret_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let mut client = Client::greeted(&node, "Gossip", "a").await;
    let text = format!("<{CANARY}>");
    for (sent, received) in [(text.as_bytes(), &b"<[masked]>"[..]), (&[text.as_bytes(), b"\xff"].concat(), b"")] {
        client.session.receive(Message::Binary(sent.to_vec().into()));
        match client.next().await {
            Outgoing::Message(Message::Binary(bytes)) => assert_eq!(&*bytes, received),
            other => panic!("expected bytes, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_answer_to_another_agent_or_the_application_is_masked_too() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let call = |method| OutgoingCall::new(AgentId::new("Gossip", "a"), method, json!([CANARY]).to_string());
    assert_eq!(node.call(call("hear")).await.unwrap().as_json(), Some("\"[masked]\""));
    assert_eq!(node.call(call("fail")).await.unwrap_err().message(), "[masked]");
}
