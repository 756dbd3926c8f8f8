//! A client without a socket, a disk that can be held or broken, and a clock that follows tokio's.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use hostel::{AgentId, BoxFuture, CloseEvent, ConnectRequest, Error, Message, Result};
use hostel_protocol::refusal::Code;
use hostel_runtime::{Clock, Durability, Node, NodeBuilder, Options, Outgoing, Session};
use hostel_store::{Commit, Store};
use serde_json::{Value, json};

/// How long a frame may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn memory() -> NodeBuilder {
    Node::builder(Store::in_memory(hostel_store::Options::default()).unwrap())
}

/// For tests with tokio's paused clock: it stands still while a blocking task runs, and runs away while the journal's thread,
/// of which it knows nothing, is at work.
#[derive(Debug)]
pub(crate) struct Blocking;

impl Durability for Blocking {
    fn is_durable(&self, commit: &Commit) -> bool {
        commit.is_durable()
    }

    fn make_durable(&self, commit: &Commit) -> Result<()> {
        hostel_store::make_durable(commit).map_err(Error::msg)
    }
}

pub(crate) fn on_disk(dir: &tempfile::TempDir) -> NodeBuilder {
    Node::builder(Store::open(dir.path(), hostel_store::Options::default()).unwrap())
}

/// Agents go to sleep as soon as nothing happens.
pub(crate) fn sleepy() -> Options {
    Options { idle_after: Duration::ZERO, max_idle_awake: 1, ..Options::default() }
}

/// Waits until `done`, looking again whenever other tasks have run.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it happens in time");
}

pub(crate) async fn awake(node: &Node) -> usize {
    node.overview().await.unwrap().iter().map(|class| class.awake).sum()
}

pub(crate) async fn until_asleep(node: &Node) {
    let wait = async {
        while awake(node).await > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("agents go to sleep in time");
}

/// Waits until the kinds of what an agent has on order are these.
pub(crate) async fn until_in_step(node: &Node, id: &AgentId, kinds: &str) {
    let wait = async {
        loop {
            let schedules = node.schedules(id).await.unwrap();
            let found: Vec<_> = schedules.iter().map(|schedule| schedule.kind().as_str()).collect();
            if found.join(" ") == kinds {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("agents are brought in step in time");
}

pub(crate) async fn until_sockets(node: &Node, sockets: usize) {
    let wait = async {
        while node.overview().await.unwrap()[0].sockets != sockets {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("sockets come and go in time");
}

pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) next_id: u64,
}

impl Client {
    pub(crate) async fn open(node: &Node, class: &str, name: &str) -> Self {
        Self::open_as(node, class, name, None, "").await
    }

    pub(crate) async fn open_as(node: &Node, class: &str, name: &str, id: Option<&str>, query: &str) -> Self {
        let request = ConnectRequest { uri: format!("http://host/agents/x/{name}?{query}"), ..Default::default() };
        let session = node.open(&AgentId::new(class, name), request, id, None).await;
        Self { session, next_id: 0 }
    }

    /// Opens a connection and reads past what it is told first.
    pub(crate) async fn greeted(node: &Node, class: &str, name: &str) -> Self {
        let mut client = Self::open(node, class, name).await;
        client.until_type("cf_agent_mcp_servers").await;
        client
    }

    pub(crate) async fn ready(&mut self) {
        poll_fn(|cx| self.session.poll_ready(cx)).await;
    }

    pub(crate) fn send(&self, frame: &Value) {
        self.session.receive(Message::from(frame.to_string()));
    }

    /// Sends a call that another message follows at once.
    pub(crate) fn queue(&mut self, method: &str, args: Value) -> String {
        self.queue_keyed(method, args, None)
    }

    pub(crate) fn queue_keyed(&mut self, method: &str, args: Value, key: Option<&str>) -> String {
        self.next_id += 1;
        let id = self.next_id.to_string();
        let frame = json!({"type": "rpc", "id": id, "method": method, "args": args, "idempotencyKey": key});
        self.session.receive_with_next(Message::from(frame.to_string()));
        id
    }

    /// Sends a call; its answer is read with [`Client::answer`].
    pub(crate) fn begin(&mut self, method: &str, args: Value) -> String {
        self.begin_keyed(method, args, None)
    }

    pub(crate) fn begin_keyed(&mut self, method: &str, args: Value, key: Option<&str>) -> String {
        self.next_id += 1;
        let id = self.next_id.to_string();
        self.send(&json!({"type": "rpc", "id": id, "method": method, "args": args, "idempotencyKey": key}));
        id
    }

    pub(crate) async fn next(&mut self) -> Outgoing {
        let next = poll_fn(|cx| {
            // Also drives `on_connect`, as the owner of a socket does.
            let _ready = self.session.poll_ready(cx);
            match self.session.outbox().poll_ready(cx) {
                Poll::Ready(()) => Poll::Ready(self.session.outbox().try_next().expect("something waits")),
                Poll::Pending => Poll::Pending,
            }
        });
        tokio::time::timeout(PATIENCE, next).await.expect("a frame comes in time")
    }

    /// The next frame as JSON; text that is none as a JSON string.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.next().await {
            Outgoing::Message(Message::Text(text)) => serde_json::from_str(&text).unwrap_or(json!(&*text)),
            other => panic!("expected a text frame, got {other:?}"),
        }
    }

    pub(crate) async fn until_type(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The last frame of the call `id`; other frames are dropped.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == "rpc" && frame["id"] == id && frame["done"] != json!(false) {
                return frame;
            }
        }
    }

    pub(crate) async fn call(&mut self, method: &str, args: Value) -> Value {
        let id = self.begin(method, args);
        self.answer(&id).await
    }

    pub(crate) async fn result(&mut self, method: &str, args: Value) -> Value {
        let answer = self.call(method, args).await;
        assert_eq!(answer["success"], json!(true), "{answer}");
        answer["result"].clone()
    }

    pub(crate) async fn failure(&mut self, method: &str, args: Value) -> Value {
        let answer = self.call(method, args).await;
        assert_eq!(answer["success"], json!(false), "{answer}");
        answer
    }

    /// Reads on until the close, which it returns.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Outgoing::Close { code, reason } = self.next().await {
                return (code, reason);
            }
        }
    }

    /// What waits, without waiting for more.
    pub(crate) fn waiting(&self) -> Vec<Outgoing> {
        std::iter::from_fn(|| self.session.outbox().try_next()).collect()
    }

    pub(crate) fn leave(self) {
        self.session.close(CloseEvent { code: 1000, reason: "bye".into(), was_clean: true });
    }
}

/// A clock that follows tokio's, which a test may pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestClock {
    base: jiff::Timestamp,
    start: tokio::time::Instant,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { base: "2026-11-22T00:00:00Z".parse().unwrap(), start: tokio::time::Instant::now() }
    }
}

impl Clock for TestClock {
    fn now(&self) -> jiff::Timestamp {
        self.base + self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Hold,
    Fail,
}

/// A disk whose syncs can be held back or made to fail.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<(std::sync::Mutex<(Mode, usize)>, std::sync::Condvar)>);

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new((std::sync::Mutex::new((Mode::Pass, 0)), std::sync::Condvar::new())))
    }

    fn set(&self, mode: Mode) {
        self.0.0.lock().unwrap().0 = mode;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        self.set(Mode::Pass);
    }

    /// Holds syncs back until the result is dropped.
    pub(crate) fn hold(&self) -> Held {
        self.set(Mode::Hold);
        Held(self.clone())
    }

    pub(crate) fn fail(&self) {
        self.set(Mode::Fail);
    }

    /// How many syncs have begun.
    pub(crate) fn begun(&self) -> usize {
        self.0.0.lock().unwrap().1
    }
}

/// Lets syncs go on when dropped.
pub(crate) struct Held(Disk);

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.0.0.lock().unwrap().0 == Mode::Hold {
            self.0.pass();
        }
    }
}

impl Durability for Disk {
    fn is_durable(&self, _: &Commit) -> bool {
        false
    }

    fn make_durable(&self, commit: &Commit) -> Result<()> {
        let mut state = self.0.0.lock().unwrap();
        state.1 += 1;
        while state.0 == Mode::Hold {
            state = self.0.1.wait(state).unwrap();
        }
        let mode = state.0;
        drop(state);
        if mode == Mode::Fail {
            return Err(Error::coded(Code::StorageFailed, "the disk does not answer"));
        }
        hostel_store::make_durable(commit).map_err(Error::msg)
    }
}
