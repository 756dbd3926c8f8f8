//! State with manners: declared fields, dropped keys, versions.

use std::collections::BTreeMap;

use hostel::{Cx, Error, Result, Source};
use hostel_macros::{State, agent};
use hostel_runtime::{Node, Options};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{Client, memory, on_disk};

#[derive(Default, Serialize, Deserialize, State)]
struct Game {
    board: Vec<u8>,
    title: String,
    #[state(server)]
    score: f64,
    #[state(private)]
    solution: String,
}

#[agent]
impl Game {
    #[callable]
    fn begin(&mut self, solution: String) {
        self.solution = solution;
        self.score = 1.0;
    }

    #[callable]
    fn solution(&self) -> String {
        self.solution.clone()
    }

    #[callable]
    fn push(&self, cx: &Cx<Self>) {
        cx.push_state();
    }

    #[callable]
    fn version(&self, cx: &Cx<Self>) -> Result<String> {
        cx.state_version()
    }

    #[callable]
    fn rename(&mut self, cx: &Cx<Self>, title: String, version: String) -> Result<()> {
        cx.expect_version(&version)?;
        self.title = title;
        Ok(())
    }

    #[callable]
    async fn rename_later(cx: &Cx<Self>, title: String) -> Result<String> {
        let version = cx.state_version()?;
        cx.update(|me| me.title += "!")?;
        let refused = cx.update_if(&version, |me| me.title = title.clone()).err();
        cx.update_if(&cx.state_version()?, |me| me.title = title)?;
        Ok(refused.and_then(|error| error.code()).map(|code| code.to_string()).unwrap_or_default())
    }

    fn validate_state_change(&self, source: &Source) -> Result<()> {
        match source {
            Source::Client(_) if self.solution != "secret" => Err(Error::msg("the server's own fields are there")),
            _ => Ok(()),
        }
    }
}

/// Anything a client sets, with a private key, and no macro's knowledge of fields.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Free(BTreeMap<String, Value>);

#[agent]
impl Free {
    #[callable]
    fn get(&self) -> Value {
        json!(self.0)
    }
}

async fn game() -> (Node, Client) {
    let node = memory().agent::<Game>().unwrap().agent::<Free>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Game", "a").await;
    client.result("begin", json!(["secret"])).await;
    (node, client)
}

async fn open(node: &Node, class: &str, query: &str) -> (Client, Value) {
    let mut client = Client::open_as(node, class, "a", None, query).await;
    let state = client.until_type("cf_agent_state").await;
    client.until_type("cf_agent_mcp_servers").await;
    (client, state)
}

fn set(client: &Client, state: &Value) {
    client.send(&json!({"type": "cf_agent_state", "state": state}));
}

/// Everything the client is sent before the answer to its next call.
async fn heard(client: &mut Client) -> Vec<Value> {
    let id = client.begin("nothing", json!([]));
    let mut frames = Vec::new();
    loop {
        let frame = client.frame().await;
        if frame["id"] == id {
            return frames;
        }
        frames.push(frame);
    }
}

const SHOWN: &str = r#"{"board":[],"title":"","score":1.0}"#;

#[tokio::test]
async fn private_fields_reach_no_client_and_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Game>().unwrap().start().await.unwrap();
    let mut first = Client::greeted(&node, "Game", "a").await;
    let (mut second, _) = open(&node, "Game", "").await;
    first.result("begin", json!(["secret"])).await;
    first.result("push", json!([])).await;
    set(&first, &json!({"board": [1], "title": "t", "score": 1}));
    for _ in 0..3 {
        let frame = second.until_type("cf_agent_state").await;
        assert_eq!(frame["state"].as_object().unwrap().keys().collect::<Vec<_>>(), ["board", "title", "score"]);
    }
    node.shutdown(std::time::Duration::from_secs(5)).await;
    drop((first, second, node));
    let node = on_disk(&dir).agent::<Game>().unwrap().start().await.unwrap();
    let (mut third, greeting) = open(&node, "Game", "").await;
    assert_eq!(greeting["state"], json!({"board": [1], "title": "t", "score": 1.0}));
    assert_eq!(third.result("solution", json!([])).await, "secret");
}

#[tokio::test]
async fn a_client_that_sends_back_what_it_was_shown_changes_nothing_else_and_hears_nothing() {
    let (node, mut client) = game().await;
    let (mut other, greeting) = open(&node, "Game", "").await;
    assert_eq!(greeting["state"], serde_json::from_str::<Value>(SHOWN).unwrap());
    heard(&mut client).await;
    // JavaScript writes 1.0 as 1.
    set(&client, &json!({"board": [7], "title": "", "score": 1}));
    assert_eq!(heard(&mut client).await, Vec::<Value>::new());
    assert_eq!(other.until_type("cf_agent_state").await["state"], json!({"board": [7], "title": "", "score": 1.0}));
    assert_eq!(client.result("solution", json!([])).await, "secret");
}

#[tokio::test]
async fn fields_that_are_not_a_clients_to_write_keep_the_servers_values() {
    let (node, mut client) = game().await;
    let (mut other, _) = open(&node, "Game", "").await;
    heard(&mut client).await;
    set(&client, &json!({"board": [7], "title": "t", "score": 99, "solution": "mine"}));
    let frames = heard(&mut client).await;
    let corrected = json!({"board": [7], "title": "t", "score": 1.0});
    assert_eq!(frames[0]["state"], corrected);
    assert_eq!(frames[1]["type"], "hostel_warning");
    assert_eq!(frames[1]["code"], "state_fields_kept");
    assert_eq!(frames[1]["fields"], json!(["score", "solution"]));
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(other.until_type("cf_agent_state").await["state"], corrected);
    assert_eq!(client.result("solution", json!([])).await, "secret");
}

#[tokio::test]
async fn a_state_that_is_no_object_cannot_get_past_the_names_of_declared_fields() {
    let (_node, mut client) = game().await;
    heard(&mut client).await;
    for state in [json!([[7], "t", 99, "mine"]), json!(null), json!("x")] {
        set(&client, &state);
        let frames = heard(&mut client).await;
        assert_eq!(frames[0]["code"], "state_shape", "{state}: {frames:?}");
    }
    assert_eq!(client.result("solution", json!([])).await, "secret");
}

#[tokio::test]
async fn dropped_keys_are_named_to_the_client_that_dropped_them_and_the_write_succeeds() {
    let (node, mut client) = game().await;
    let (mut other, _) = open(&node, "Game", "").await;
    heard(&mut client).await;
    set(&client, &json!({"title": "t", "score": 1}));
    let frames = heard(&mut client).await;
    // The field has its initial value again, which the client does not know.
    assert_eq!(frames[0]["state"], json!({"board": [], "title": "t", "score": 1.0}));
    assert_eq!(frames[1]["type"], "hostel_warning");
    assert_eq!(frames[1]["code"], "state_keys_dropped");
    assert_eq!(frames[1]["fields"], json!(["board"]));
    assert!(frames[1]["fix"].as_str().unwrap().contains("setState({ ...state"), "{frames:?}");
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(other.until_type("cf_agent_state").await["state"]["title"], "t");
    assert!(other.waiting().is_empty(), "nobody else is warned");
}

#[tokio::test]
async fn a_server_field_that_is_left_out_stays_without_a_warning_and_the_client_is_told() {
    let (_node, mut client) = game().await;
    heard(&mut client).await;
    set(&client, &json!({"board": [7], "title": "t"}));
    let frames = heard(&mut client).await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0]["state"], json!({"board": [7], "title": "t", "score": 1.0}));
}

#[tokio::test]
async fn a_state_without_fixed_fields_loses_the_keys_that_are_left_out() {
    let (node, _) = game().await;
    let mut client = Client::greeted(&node, "Free", "a").await;
    set(&client, &json!({"a": 1, "b": {"c": 1, "d": 2}}));
    assert!(heard(&mut client).await.is_empty());
    set(&client, &json!({"b": {"c": 1}}));
    let frames = heard(&mut client).await;
    assert_eq!(frames[0]["fields"], json!(["a"]), "only the top level counts");
    assert_eq!(frames.len(), 1, "what the client has is what is stored: {frames:?}");
    assert_eq!(client.result("get", json!([])).await, json!({"b": {"c": 1}}));
}

#[tokio::test]
async fn a_warning_names_a_few_keys_and_counts_the_rest() {
    let (node, _) = game().await;
    let mut client = Client::greeted(&node, "Free", "a").await;
    let many: serde_json::Map<String, Value> = (10..50).map(|n| (format!("key {n}"), json!(n))).collect();
    set(&client, &Value::Object(many));
    set(&client, &json!({"\u{202e}\n".repeat(100): 1}));
    set(&client, &json!({}));
    let frames = heard(&mut client).await;
    assert_eq!(frames[0]["fields"].as_array().unwrap().len(), 16);
    assert!(frames[0]["warning"].as_str().unwrap().contains(" and 24 more"), "{frames:?}");
    let name = frames[1]["fields"][0].as_str().unwrap();
    assert_eq!(name.chars().count(), 65, "long names are cut");
}

#[tokio::test]
async fn only_who_asks_for_versions_is_told_them() {
    let (node, mut plain) = game().await;
    let (mut asking, greeting) = open(&node, "Game", "state_version=1").await;
    let version = |frame: &Value| frame["version"].as_str().unwrap().to_owned();
    let first = version(&greeting);
    assert_eq!(plain.result("version", json!([])).await, first, "the version is that of what clients see");
    heard(&mut plain).await;
    set(&plain, &json!({"board": [1], "title": "", "score": 1}));
    let second = version(&asking.until_type("cf_agent_state").await);
    assert_ne!(first, second);
    set(&asking, &json!({"board": [], "title": "", "score": 1}));
    let accepted = heard(&mut asking).await;
    assert_eq!(accepted, [json!({"type": "hostel_state_accepted", "version": first})], "same content, same version");
    let frames = heard(&mut plain).await;
    assert!(frames.iter().all(|frame| frame.get("version").is_none()), "{frames:?}");
    let (_, unasked) = open(&node, "Game", "state_version=0").await;
    assert_eq!(unasked.get("version"), None);
}

#[tokio::test]
async fn a_state_that_names_another_version_is_refused_with_the_present_one() {
    let (node, _) = game().await;
    let (mut client, greeting) = open(&node, "Game", "state_version=1").await;
    let state = |title: &str| json!({"board": [], "title": title, "score": 1});
    let set_if = |client: &Client, title: &str, version: &Value| {
        client.send(&json!({"type": "cf_agent_state", "state": state(title), "if_version": version}));
    };
    set_if(&client, "one", &greeting["version"]);
    let one = heard(&mut client).await[0]["version"].clone();
    assert_eq!(client.result("version", json!([])).await, one);
    set_if(&client, "two", &greeting["version"]);
    let frames = heard(&mut client).await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0]["type"], "cf_agent_state_error");
    assert_eq!(frames[0]["error"], "State update rejected");
    assert_eq!(frames[0]["code"], "state_conflict");
    assert_eq!(frames[0]["version"], one);
    assert_eq!(frames[0]["state"], json!({"board": [], "title": "one", "score": 1.0}), "private fields stay private");
    set_if(&client, "two", &one);
    assert_eq!(heard(&mut client).await[0]["type"], "hostel_state_accepted");
}

#[tokio::test]
async fn methods_change_the_state_only_while_it_has_the_version_they_were_given() {
    let (_node, mut client) = game().await;
    let version = client.result("version", json!([])).await;
    client.result("rename", json!(["one", version])).await;
    assert_eq!(client.failure("rename", json!(["two", version])).await["code"], "state_conflict");
    assert_eq!(client.result("renameLater", json!(["three"])).await, "state_conflict");
    let frames = heard(&mut client).await;
    assert!(frames.is_empty(), "{frames:?}");
}

#[tokio::test]
async fn a_state_larger_than_the_outbox_reaches_a_client_that_reads() {
    let node = memory().agent::<Free>().unwrap();
    let options = Options { outbox_bytes: 100_000, state_warn_bytes: 1000, ..Options::default() };
    let node = node.options(options).start().await.unwrap();
    let mut writer = Client::greeted(&node, "Free", "a").await;
    let mut reader = Client::greeted(&node, "Free", "a").await;
    for letter in ["x", "y", "z"] {
        set(&writer, &json!({"text": letter.repeat(5 << 20)}));
    }
    heard(&mut writer).await;
    // Nothing was read meanwhile: only the latest waits.
    let is_latest = |frame: &Value| frame["state"]["text"].as_str() == Some(&"z".repeat(5 << 20));
    assert!(is_latest(&reader.until_type("cf_agent_state").await));
    let (_late, greeting) = open(&node, "Free", "").await;
    assert!(is_latest(&greeting));
    set(&writer, &json!({"text": "small"}));
    assert_eq!(reader.until_type("cf_agent_state").await["state"]["text"], "small");
    assert!(!reader.session.outbox().overflowed());
}
