//! Promise 6 and connections: nothing before `on_start`, no message before `on_connect`, namesakes kept apart.

use std::{any::TypeId, pin::pin, sync::Arc};

use futures_util::poll;
use hostel::{AgentId, CloseEvent, ConnectRequest, Connection, Cx, Error, Message, Result, Stub};
use hostel_macros::agent;
use hostel_runtime::{Node, Outgoing};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, memory, until_sockets};

#[derive(Default, Serialize, Deserialize)]
struct Porch {
    log: Vec<String>,
}

#[derive(Default)]
struct Gates {
    start: tokio::sync::Notify,
    connect: tokio::sync::Notify,
}

#[agent]
impl Porch {
    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        cx.update(|me| me.log.push("start begins".into()))?;
        cx.env::<Gates>()?.start.notified().await;
        cx.update(|me| me.log.push("start ends".into()))
    }

    async fn on_connect(cx: &Cx<Self>, connection: &Connection) -> Result<()> {
        let id = connection.id().to_owned();
        cx.update(|me| me.log.push(format!("connect {id} begins")))?;
        cx.env::<Gates>()?.connect.notified().await;
        if id == "unwanted" {
            return Err(Error::msg("go away"));
        }
        cx.update(|me| me.log.push(format!("connect {id} ends")))
    }

    fn on_message(&mut self, connection: &Connection, message: Message) {
        self.log.push(format!("message {} of {}", message.as_text().unwrap_or("?"), connection.id()));
    }

    fn on_close(&mut self, connection: &Connection, close: CloseEvent) {
        self.log.push(format!("close {} {}", connection.id(), close.code));
    }

    #[callable]
    fn log(&self, cx: &Cx<Self>) -> (String, String, Vec<String>) {
        (cx.id().namespace().to_owned(), cx.name().to_owned(), self.log.clone())
    }
}

async fn porch() -> (Node, Arc<Gates>) {
    let gates = Arc::new(Gates::default());
    let builder = memory().agent::<Porch>().unwrap().env_arc(TypeId::of::<Gates>(), gates.clone());
    (builder.start().await.unwrap(), gates)
}

async fn log(stub: &Stub) -> (String, String, Vec<String>) {
    stub.call("log", &[(); 0]).await.unwrap()
}

#[tokio::test]
async fn promise_6_identity_and_no_handler_before_on_start_no_message_before_on_connect() {
    let (node, gates) = porch().await;
    let id = AgentId::new("Porch", "Größe 1");
    let stub = node.stub(id.clone());
    let early = stub.clone();
    let early = tokio::spawn(async move { log(&early).await });
    tokio::task::yield_now().await;
    assert!(!early.is_finished());
    gates.start.notify_one();
    let (namespace, name, lines) = early.await.unwrap();
    assert_eq!((namespace.as_str(), name.as_str()), ("porch", "Größe 1"));
    assert_eq!(lines, ["start begins", "start ends"]);

    let mut client = Client::open_as(&node, "Porch", "Größe 1", Some("c1"), "").await;
    assert!(poll!(pin!(client.ready())).is_pending(), "on_connect is at work");
    gates.connect.notify_one();
    client.ready().await;
    client.session.receive(Message::from("hi"));
    client.leave();
    let lines = log(&stub).await.2;
    assert_eq!(lines[2..], ["connect c1 begins", "connect c1 ends", "message hi of c1", "close c1 1000"]);
}

#[tokio::test]
async fn a_failing_async_on_connect_closes_the_socket_and_the_agent_hears_nothing_of_it() {
    let (node, gates) = porch().await;
    gates.start.notify_one();
    gates.connect.notify_one();
    let mut client = Client::open_as(&node, "Porch", "a", Some("unwanted"), "").await;
    assert_eq!(client.closed().await, (1011, "Uncaught exception during session setup".to_owned()));
    client.session.receive(Message::from("hi"));
    let lines = log(&node.stub(AgentId::new("Porch", "a"))).await.2;
    assert!(!lines.iter().any(|line| line.starts_with("message")), "{lines:?}");
}

#[tokio::test]
async fn an_open_that_is_given_up_half_way_leaves_no_connection_behind() {
    let (node, gates) = porch().await;
    for _ in 0..2 {
        let mut opening = Box::pin(Client::open(&node, "Porch", "a"));
        assert!(poll!(opening.as_mut()).is_pending(), "on_start is at work");
        drop(opening);
        gates.start.notify_one();
    }
    log(&node.stub(AgentId::new("Porch", "a"))).await;
    until_sockets(&node, 0).await;
    let client = Client::open(&node, "Porch", "a").await;
    until_sockets(&node, 1).await;
    drop(client);
    until_sockets(&node, 0).await;
}

#[derive(Default, Serialize, Deserialize)]
struct Room {
    topic: String,
}

#[agent]
impl Room {
    fn get_connection_tags(&self, request: &ConnectRequest) -> Vec<String> {
        request.query("tag").into_iter().collect()
    }

    fn should_connection_be_readonly(&self, _: &Connection, request: &ConnectRequest) -> bool {
        request.query("readonly").is_some()
    }

    fn should_send_protocol_messages(&self, _: &Connection, request: &ConnectRequest) -> bool {
        request.query("plain").is_none()
    }

    fn on_connect(&mut self, cx: &Cx<Self>, connection: &Connection) -> Result<()> {
        if connection.id() == "changer" {
            self.topic = "changed on connect".into();
        }
        if connection.id() == "refused" {
            self.topic = "refused".into();
            cx.broadcast("somebody was refused");
            return Err(Error::msg("no"));
        }
        Ok(())
    }

    #[callable]
    fn set_topic(&mut self, topic: String) {
        self.topic = topic;
    }

    #[callable]
    fn tags(&self, cx: &Cx<Self>) -> Vec<String> {
        cx.connection().map(|me| me.tags().map(str::to_owned).collect()).unwrap_or_default()
    }

    #[callable]
    fn shut(&self, cx: &Cx<Self>) -> Result<bool> {
        let me = cx.connection().expect("a client calls");
        me.close(4001, "enough")?;
        me.send("after the close");
        Ok(me.is_open())
    }
}

async fn room() -> Node {
    memory().agent::<Room>().unwrap().start().await.unwrap()
}

#[tokio::test]
async fn a_connection_is_told_who_where_and_what_in_this_order_before_anything_else() {
    let node = room().await;
    let mut client = Client::open_as(&node, "Room", "a", Some("changer"), "").await;
    let identity = client.frame().await;
    assert_eq!((&identity["type"], &identity["stateFollows"]), (&json!("cf_agent_identity"), &json!(true)));
    assert_eq!(client.frame().await["state"]["topic"], "");
    assert_eq!(client.frame().await["type"], "cf_agent_mcp_servers");
    assert_eq!(client.frame().await["state"]["topic"], "changed on connect");
}

#[tokio::test]
async fn a_refused_connection_hears_an_error_and_changes_nothing() {
    let node = room().await;
    let mut witness = Client::greeted(&node, "Room", "a").await;
    let mut client = Client::open_as(&node, "Room", "a", Some("refused"), "").await;
    assert!(client.frame().await["error"].as_str().is_some_and(|error| error.contains("no")));
    assert_eq!(client.closed().await.0, 1011);
    assert!(witness.waiting().is_empty());
    assert_eq!(node.overview().await.unwrap()[0].sockets, 1);
    assert_eq!(witness.result("tags", json!([])).await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn hooks_decide_tags_read_only_and_protocol_frames() {
    let node = room().await;
    let mut tagged = Client::open_as(&node, "Room", "a", Some("me"), "tag=blue").await;
    assert_eq!(tagged.result("tags", json!([])).await, json!(["me", "blue"]));
    let mut reader = Client::open_as(&node, "Room", "a", None, "readonly").await;
    assert_eq!(reader.failure("setTopic", json!(["x"])).await["error"], "Connection is readonly");
    reader.send(&json!({"type": "cf_agent_state", "state": {"topic": "x"}}));
    assert_eq!(reader.until_type("cf_agent_state_error").await["error"], "Connection is readonly");
    let mut plain = Client::open_as(&node, "Room", "a", None, "plain").await;
    tagged.result("setTopic", json!(["y"])).await;
    assert_eq!(plain.call("tags", json!([])).await["success"], json!(true));
    assert!(plain.waiting().is_empty());
}

#[tokio::test]
async fn threat_7_namesakes_get_their_own_replies_and_see_each_others_state() {
    let node = room().await;
    let mut one = Client::open_as(&node, "Room", "a", Some("same"), "").await;
    let mut two = Client::open_as(&node, "Room", "a", Some("same"), "").await;
    for client in [&mut one, &mut two] {
        client.until_type("cf_agent_mcp_servers").await;
    }
    one.result("tags", json!([])).await;
    assert!(two.waiting().is_empty(), "a reply goes to its caller alone");
    one.send(&json!({"type": "cf_agent_state", "state": {"topic": "from one"}}));
    assert_eq!(two.frame().await["state"]["topic"], "from one");
    assert!(one.waiting().is_empty(), "the sender is not told its own state");
    drop(two);
    assert_eq!(one.result("tags", json!([])).await, json!(["same"]));
}

#[tokio::test]
async fn what_an_agent_sends_after_it_closed_a_socket_reaches_nobody() {
    let node = room().await;
    let mut client = Client::greeted(&node, "Room", "a").await;
    client.begin("shut", json!([]));
    assert_eq!(client.next().await, Outgoing::Close { code: 4001, reason: "enough".into() });
    assert!(client.waiting().is_empty());
}

#[tokio::test]
async fn a_frame_nobody_understands_is_answered_with_a_reason() {
    let node = room().await;
    let mut client = Client::greeted(&node, "Room", "a").await;
    client.session.receive(Message::from("gibberish"));
    assert_eq!(client.frame().await["type"], "hostel_error");
    client.session.receive(Message::from(vec![1, 2, 3]));
    assert_eq!(client.frame().await["code"], "unknown_frame");
    assert_eq!(client.failure("setTopik", json!(["x"])).await["code"], "method_not_found");
    assert_eq!(client.failure("onConnect", json!([])).await["code"], "method_not_callable");
    assert_eq!(client.failure("setTopic", json!([5])).await["code"], "invalid_arguments");
    client.send(&json!({"type": "cf_agent_use_chat_request", "id": "x", "init": {}}));
    assert_eq!(client.frame().await["code"], "chat_not_available");
    client.send(&json!({"type": "cf_agent_state", "state": 5}));
    assert_eq!(client.frame().await["type"], "cf_agent_state_error");
}
