//! What a library adds to a class: frames, greetings, requests, tasks and memory of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hostel::{
    Body, Connection, Cx, Error, Handler, Message, Request, Response, Result, Task,
    extension::{Extends, Extension, Frame, Greeting, Memory, RequestHook},
    host::Effect,
    task::Order,
};
use hostel_macros::agent;
use hostel_runtime::Node;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, memory, sleepy, until_asleep};

/// Counts what it takes, and answers each frame with the count.
struct Parrot;

fn make() -> Memory {
    Arc::new(AtomicU64::new(0))
}

fn count<A>(cx: &Cx<A>) -> Arc<AtomicU64> {
    cx.host().memory(make).downcast().unwrap()
}

fn parrot<A>(_: &A, cx: &Cx<A>, (connection, frame): (Connection, Frame)) -> Result<()> {
    let taken = count(cx).fetch_add(1, Ordering::Relaxed) + 1;
    connection.send_json(&json!({"type": "parrot", "kind": frame.kind.as_str(), "taken": taken}))?;
    if frame.text.contains("\"fail\"") {
        return Err(Error::msg("no more seeds"));
    }
    if frame.text.contains("\"later\"") {
        cx.host().order(Order::new("parrot:sing", &(connection.key().0,))?)?;
    }
    Ok(())
}

fn failed(frame: &Frame, error: &Error) -> Option<Message> {
    let tell = frame.text.contains("cf_agent_chat_clear").then(|| json!({"type": "failed", "why": error.message()}));
    tell.map(|frame| frame.to_string().into())
}

impl<A: 'static> Extends<A> for Parrot {
    const EXTENSION: Extension<A> = Extension {
        on_frame: Some(parrot),
        frame_failed: failed,
        on_greet: Some(|_, cx, c| {
            let first = vec![json!({"type": "hello", "to": c.id(), "in": cx.name()}).to_string().into()];
            let last = if c.id() == "pk" { vec![json!({"type": "enjoy"}).to_string().into()] } else { Vec::new() };
            Ok(Greeting { first, last })
        }),
        on_request: Some(RequestHook {
            wants: |request| request.uri().path().ends_with("/parrot"),
            handler: Handler::Read(|_, cx, _| Ok(Response::new(Body::from(format!("parrot of {}", cx.name()))))),
        }),
        tasks: &[Task {
            name: "parrot:sing",
            doc: "",
            handler: Handler::Task(|cx, args| {
                Box::pin(async move {
                    let key = args.reader("parrot:sing")?.next::<u64>("key")?;
                    let to = [hostel::connection::ConnectionKey(key)].into();
                    cx.host().emit(Effect::Multicast { to, message: json!({"type": "song"}).to_string().into() });
                    Ok(hostel::Reply::undefined())
                })
            }),
            declared: &[],
            timeout: Task::<A>::TIMEOUT,
        }],
    };
}

#[derive(Default, Serialize, Deserialize)]
struct Cage {
    tidied: u32,
}

#[agent(extend = Parrot)]
impl Cage {
    #[callable]
    fn tidy(&mut self, fail: bool) -> Result<u32> {
        self.tidied += 1;
        if fail { Err(Error::msg("it bites")) } else { Ok(self.tidied) }
    }

    #[callable]
    fn tidied(&self) -> u32 {
        self.tidied
    }

    #[task]
    fn feed(&mut self) {
        self.tidied += 10;
    }

    fn on_request(&self, request: Request) -> Response {
        Response::new(Body::from(request.uri().path().to_owned()))
    }

    #[callable]
    fn feed_now(&self, cx: &Cx<Self>) -> Result<()> {
        cx.tasks().feed().now().map(drop)
    }
}

async fn node() -> Node {
    memory().agent::<Cage>().unwrap().start().await.unwrap()
}

fn clear(rest: &str) -> serde_json::Value {
    json!({"type": "cf_agent_chat_clear", "rest": rest})
}

#[tokio::test]
async fn chat_frames_are_the_extensions_and_it_greets_around_the_identity() {
    let node = node().await;
    let mut client = Client::open_as(&node, "Cage", "a", Some("pk"), "").await;
    assert_eq!(client.frame().await, json!({"type": "hello", "to": "pk", "in": "a"}));
    assert_eq!(client.frame().await["type"], "cf_agent_identity");
    client.until_type("cf_agent_mcp_servers").await;
    assert_eq!(client.frame().await, json!({"type": "enjoy"}));
    client.send(&clear(""));
    assert_eq!(client.frame().await, json!({"type": "parrot", "kind": "cf_agent_chat_clear", "taken": 1}));
    assert_eq!(client.result("tidy", json!([false])).await, 1);
}

#[tokio::test]
async fn a_frame_that_fails_leaves_nothing_behind_but_its_answer() {
    let node = node().await;
    let mut client = Client::greeted(&node, "Cage", "a").await;
    client.send(&clear("fail"));
    assert_eq!(client.frame().await, json!({"type": "failed", "why": "no more seeds"}));
    client.send(&json!({"type": "cf_agent_chat_messages", "messages": [], "rest": "fail"}));
    assert_eq!(client.frame().await["code"], "internal");
}

#[tokio::test]
async fn memory_outlives_a_turn_that_is_rolled_back_but_not_hibernation() {
    let node = memory().agent::<Cage>().unwrap().options(sleepy()).start().await.unwrap();
    let mut client = Client::greeted(&node, "Cage", "a").await;
    for _ in 0..2 {
        client.send(&clear(""));
    }
    client.failure("tidy", json!([true])).await;
    until_asleep(&node).await;
    client.send(&clear(""));
    let taken = client.until_type("parrot").await["taken"].clone();
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn requests_that_it_wants_do_not_reach_the_class() {
    let node = node().await;
    let id = hostel::AgentId::new("Cage", "a");
    for (path, answer) in [("/agents/cage/a/parrot", "parrot of a"), ("/agents/cage/a/other", "/agents/cage/a/other")] {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let response = node.request(&id, request, None).await.unwrap();
        let body = response.into_body().bytes(1 << 10).await.unwrap();
        assert_eq!(&body[..], answer.as_bytes());
    }
}

#[tokio::test]
async fn its_tasks_stand_beside_those_of_the_class() {
    let node = node().await;
    let mut client = Client::greeted(&node, "Cage", "a").await;
    client.send(&clear("later"));
    client.until_type("song").await;
    client.result("feedNow", json!([])).await;
    while client.result("tidied", json!([])).await != 10 {
        tokio::task::yield_now().await;
    }
}
