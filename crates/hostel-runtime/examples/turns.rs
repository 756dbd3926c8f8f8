//! What a turn costs through a session and its outbox, and what a sleeping agent with one socket costs to keep.
//!
//! `cargo run --release -p hostel-runtime --example turns`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

// What the macros write compiles against the core as well; the face itself stands on this crate.
extern crate hostel_core as hostel;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use hostel::{AgentId, ConnectRequest, Message};
use hostel_macros::agent;
use hostel_runtime::{Node, Options, Session};
use hostel_store::Store;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

#[agent]
impl Counter {
    #[callable]
    fn ping(&self) -> &'static str {
        "pong"
    }

    #[callable]
    fn increment(&mut self) -> i64 {
        self.count += 1;
        self.count
    }
}

const ROUNDS: u32 = 300_000;
const AGENTS: usize = 100_000;

#[tokio::main]
async fn main() {
    let node = start(Options::default()).await;
    let session = open(&node, "one").await;
    for method in ["ping", "increment"] {
        let frame = Message::from(format!(r#"{{"id":"42","method":"{method}","args":[],"type":"rpc"}}"#));
        let each = measure(&session, &frame);
        println!("{method:>10}: {} ns a call", each.as_nanos());
    }
    drop(session);
    measure_memory().await;
}

async fn start(options: Options) -> Node {
    let store = Store::in_memory(hostel_store::Options::default()).unwrap();
    Node::builder(store).agent::<Counter>().unwrap().options(options).start().await.unwrap()
}

async fn open(node: &Node, name: &str) -> Session {
    let request = ConnectRequest { uri: format!("/agents/counter/{name}"), ..Default::default() };
    let session = node.open(&AgentId::new("Counter", name), request, None, None).await;
    drain(&session);
    session
}

fn drain(session: &Session) {
    while let Some(next) = session.outbox().try_next() {
        black_box(next);
    }
}

fn measure(session: &Session, frame: &Message) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        for _ in 0..ROUNDS / 5 {
            session.receive(frame.clone());
            drain(session);
        }
        fastest = fastest.min(begun.elapsed() / (ROUNDS / 5));
    }
    fastest
}

/// Nothing is ever written, so no database is kept: what is measured is the runtime's own share.
async fn measure_memory() {
    let node = start(Options { idle_after: Duration::ZERO, max_idle_awake: 1, ..Options::default() }).await;
    let mut sessions = Vec::with_capacity(AGENTS);
    let before = resident();
    for name in 0..AGENTS {
        sessions.push(open(&node, &format!("agent-{name}")).await);
    }
    while node.overview().await.unwrap()[0].awake > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let each = resident().saturating_sub(before) / AGENTS;
    println!("{AGENTS} sleeping agents with one idle session each: {each} bytes each");
    drop(sessions);
}

/// Resident memory of this process in bytes, from `/proc` (Linux).
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
