//! An agent that answers as it is told, and a page that speaks the chat protocol.

use std::sync::Arc;

use hostel::{
    prelude::*,
    protocol::chat::{Chunk, UiMessage},
};
use hostel_chat::{Chat, ChatAgent, ChatSetup, ChatTurn, Policy};
use hostel_testing::{Peer, TestHome};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Answers that wait go on, one for each permit.
#[derive(Clone)]
pub(crate) struct Gate(pub(crate) Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self, times: usize) {
        self.0.add_permits(times);
    }
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Talker {
    begun: u32,
    policy: String,
}

#[agent(extend = Chat)]
impl Talker {
    #[callable]
    fn begun(&self) -> u32 {
        self.begun
    }

    #[callable]
    fn set_policy(&mut self, policy: String) {
        self.policy = policy;
    }

    #[callable]
    fn fail(&mut self) -> Result<()> {
        self.begun += 100;
        Err(Error::msg("on purpose"))
    }

    #[callable]
    fn stop_and_fail(&mut self, cx: &Cx<Self>, turn: String) -> Result<()> {
        hostel_chat::Room::of(cx).cancel(&turn)?;
        Err(Error::msg("on purpose"))
    }

    #[callable]
    fn say(&self, cx: &Cx<Self>, text: String) -> Result<Value> {
        super::room::say(cx, &text)
    }

    #[callable]
    async fn follow(cx: &Cx<Self>, seq: u64) -> Result<Vec<String>> {
        super::room::follow(cx, seq).await
    }

    fn should_connection_be_readonly(&self, _: &Connection, request: &ConnectRequest) -> bool {
        request.query("looks").is_some()
    }

    fn on_request(&self, request: &Request) -> Response {
        Response::new(Body::from(request.uri().path().to_owned()))
    }
}

impl ChatAgent for Talker {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        let policy = match self.policy.as_str() {
            "drop" => Policy::Drop,
            "latest" => Policy::Latest,
            "merge" => Policy::Merge,
            "debounce" => Policy::Debounce(std::time::Duration::from_millis(750)),
            _ => Policy::Queue,
        };
        let setup = ChatSetup::new().concurrency(policy);
        if self.policy == "open" { setup.open_settings() } else { setup }
    }

    fn may_speak(&self, _: &Cx<Self>, request: &Request) -> bool {
        request.uri().query() != Some("looks")
    }

    async fn answer(cx: Cx<Self>, turn: ChatTurn<Self>) -> Result<()> {
        cx.update(|me| me.begun += 1)?;
        if turn.is_continuation() {
            if turn.body().contains_key("gated") {
                pass(&cx).await?;
            }
            return continued(&turn);
        }
        let text = turn.messages()?.last().map(UiMessage::text).unwrap_or_default();
        match text.split(' ').next().unwrap_or_default() {
            "none" => Ok(()),
            "throw" => Err(Error::msg("chat boom")),
            "panic" => panic!("chat panic"),
            "errchunk" => turn.emit_all([
                Chunk::new("start"),
                Chunk::text_start("t1"),
                Chunk::text_delta("t1", "partial"),
                Chunk::error("ERR:mid stream"),
            ]),
            "tool" | "gated-tool" => {
                if text == "gated-tool" {
                    pass(&cx).await?;
                }
                turn.suspend();
                turn.emit_all([
                    Chunk::new("start"),
                    Chunk::start_step(),
                    Chunk::tool_input_available("tc1", "getLocation", json!({"q": 1})),
                    Chunk::finish_step(),
                    Chunk::finish("tool-calls"),
                ])
            }
            "slow-tool" => {
                turn.suspend();
                turn.emit_all([Chunk::new("start"), Chunk::start_step()])?;
                pass(&cx).await?;
                turn.emit(Chunk::tool_input_available("tc1", "getLocation", json!({"q": 1})))?;
                pass(&cx).await?;
                turn.emit_all([Chunk::finish_step(), Chunk::finish("tool-calls")])
            }
            "approval" => {
                turn.suspend();
                turn.emit_all([
                    Chunk::new("start"),
                    Chunk::start_step(),
                    Chunk::tool_input_available("ap1", "danger", json!({"x": 1})),
                    Chunk::tool_approval_request("appr-1", "ap1"),
                    Chunk::finish_step(),
                    Chunk::finish("tool-calls"),
                ])
            }
            "hold" => hold(&cx, &turn, &text).await,
            "batches" => batches(&cx, &turn, &text).await,
            "wait" => {
                pass(&cx).await?;
                said(&turn, &text)
            }
            _ => said(&turn, &text),
        }
    }
}

/// One permit of the gate.
async fn pass(cx: &Cx<Talker>) -> Result<()> {
    cx.env::<Gate>()?.0.acquire().await?.forget();
    Ok(())
}

fn said(turn: &ChatTurn<Talker>, text: &str) -> Result<()> {
    let mut chunks = vec![Chunk::new("start"), Chunk::start_step(), Chunk::text_start("t1")];
    let answer = format!("You said: {text} body={} tools={}", json!(turn.body()), turn.client_tools().len());
    chunks.extend(answer.split_inclusive(' ').map(|word| Chunk::text_delta("t1", word)));
    chunks.extend([Chunk::text_end("t1"), Chunk::finish_step(), Chunk::finish("stop")]);
    turn.emit_all(chunks)
}

/// Says one word for each permit, and goes on where it was.
async fn hold(cx: &Cx<Talker>, turn: &ChatTurn<Talker>, text: &str) -> Result<()> {
    let said = turn.logged()?.len();
    let mut chunks = vec![Chunk::new("start"), Chunk::start_step(), Chunk::text_start("t1")];
    chunks.extend(text.split_inclusive(' ').map(|word| Chunk::text_delta("t1", word)));
    chunks.extend([Chunk::text_end("t1"), Chunk::finish_step(), Chunk::finish("stop")]);
    for (at, chunk) in chunks.into_iter().enumerate().skip(said) {
        if at >= 3 && chunk.kind() == "text-delta" {
            pass(cx).await?;
        }
        turn.emit(chunk)?;
    }
    Ok(())
}

/// An answer with some of everything.
pub(crate) fn everything() -> Vec<Chunk> {
    vec![
        Chunk::new("start"),
        Chunk::start_step(),
        Chunk::reasoning_start("r"),
        Chunk::reasoning_delta("r", "Let me "),
        Chunk::reasoning_delta("r", "see."),
        Chunk::reasoning_end("r"),
        Chunk::tool_input_start("c1", "clock"),
        Chunk::tool_input_delta("c1", "{\"zone\":"),
        Chunk::tool_input_available("c1", "clock", json!({"zone": "UTC"})),
        Chunk::tool_output_available("c1", json!("noon")),
        Chunk::finish_step(),
        Chunk::start_step(),
        Chunk::text_start("t"),
        Chunk::text_delta("t", "It is "),
        Chunk::data("weather", json!({"sun": true})).with("id", "w"),
        Chunk::data("weather", json!({"sun": false})).with("id", "w"),
        Chunk::text_delta("t", "noon."),
        Chunk::text_end("t"),
        Chunk::source_url("s", "https://example.org"),
        Chunk::message_metadata(json!({"model": "clockwork"})),
        Chunk::finish_step(),
        Chunk::finish("stop"),
    ]
}

/// Says everything, in batches of the sizes in the text, one for each permit; and goes on where it was.
async fn batches(cx: &Cx<Talker>, turn: &ChatTurn<Talker>, text: &str) -> Result<()> {
    let mut left = everything();
    let mut said = turn.logged()?.len();
    for size in text.split(' ').skip(1) {
        let size: usize = size.parse()?;
        let batch: Vec<_> = left.drain(..size.min(left.len())).collect();
        if said >= batch.len() {
            said -= batch.len();
            continue;
        }
        pass(cx).await?;
        turn.emit_all(batch)?;
    }
    Ok(())
}

fn continued(turn: &ChatTurn<Talker>) -> Result<()> {
    let whose = turn.body().get("whose").and_then(Value::as_str);
    let continued = whose.map_or_else(|| "continued".to_owned(), |whose| format!("continued for {whose}"));
    turn.emit_all([
        Chunk::new("start"),
        Chunk::start_step(),
        Chunk::text_start("c1"),
        Chunk::text_delta("c1", &continued),
        Chunk::text_end("c1"),
        Chunk::finish_step(),
        Chunk::finish("stop"),
    ])
}

pub(crate) async fn home(gate: &Gate) -> TestHome {
    let gate = gate.clone();
    TestHome::start(move || App::new().agent::<Talker>().env(gate.clone())).await
}

/// A frame that asks for a turn.
pub(crate) fn ask(id: &str, messages: &[Value]) -> String {
    let body = json!({"messages": messages, "trigger": "submit-message"}).to_string();
    json!({"id": id, "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"}).to_string()
}

/// A frame that asks for another answer to the last of these.
pub(crate) fn anew(id: &str, messages: &[Value]) -> String {
    let body = json!({"messages": messages, "trigger": "regenerate-message"}).to_string();
    json!({"id": id, "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"}).to_string()
}

/// A frame that stops a turn.
pub(crate) fn cancel(id: &str) -> String {
    json!({"type": "cf_agent_chat_request_cancel", "id": id}).to_string()
}

pub(crate) fn user(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
}

/// Reads frames of the chat until the end of this turn; the end is the last.
pub(crate) async fn until_end(peer: &mut Peer, id: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame = next(peer).await;
        let is_end = frame["id"] == id && frame["done"] == true;
        frames.push(frame);
        if is_end {
            return frames;
        }
    }
}

/// The next frame of the chat.
pub(crate) async fn next(peer: &mut Peer) -> Value {
    const OTHERS: [&str; 4] = ["cf_agent_identity", "cf_agent_mcp_servers", "cf_agent_state", "rpc"];
    let is_chat = |text: &str| {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        // The transcript that everybody gets on connecting has tests of its own.
        frame["connect"] != true && !OTHERS.contains(&frame["type"].as_str().unwrap_or("rpc"))
    };
    serde_json::from_str(&peer.until(is_chat).await).unwrap()
}

/// The chunks of a turn among frames: number and body.
pub(crate) fn chunks(frames: &[Value], id: &str) -> Vec<(u64, Value)> {
    let of_turn = frames.iter().filter(|frame| frame["id"] == id && frame["done"] == false && frame["error"].is_null());
    let chunks = of_turn.filter(|frame| frame["replayComplete"].is_null() && frame["body"] != "");
    let read = |frame: &Value| {
        let body = frame["body"].as_str().unwrap();
        (frame["seq"].as_u64().unwrap(), serde_json::from_str(body).unwrap())
    };
    chunks.map(read).collect()
}

pub(crate) fn types(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap_or_default()).collect()
}

/// The transcript over HTTP.
pub(crate) async fn stored(home: &TestHome, agent: &str) -> Vec<Value> {
    let target = hostel_client::Target::parse(agent, &home.url()).unwrap();
    let target = target.with_path(&format!("{}/get-messages", target.path()));
    let answer = hostel_client::http::get(&target, &hostel_client::Options::default()).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The texts of messages: role and text.
pub(crate) fn texts(messages: &[Value]) -> Vec<(String, String)> {
    let text = |message: &Value| {
        let parts = message["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().filter_map(|part| part["text"].as_str()).collect::<String>()
    };
    messages.iter().map(|message| (message["role"].as_str().unwrap().to_owned(), text(message))).collect()
}

/// Whether there is a stream to resume?
pub(crate) fn probe(id: &str) -> String {
    json!({"type": "cf_agent_stream_resume_request", "probeId": id}).to_string()
}

/// The stream may be replayed now.
pub(crate) fn ack(id: &str) -> String {
    json!({"type": "cf_agent_stream_resume_ack", "id": id}).to_string()
}
