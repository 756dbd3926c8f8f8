//! Messages that arrive together are handled together: in order, before the goodbye that may follow them, and with one
//! commit for all.

use futures_util::{SinkExt, StreamExt};
use hostel::{AgentId, App, HistoryQuery, Options, prelude::*};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use super::support::{Client, Server};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Abacus {
    beads: u32,
    #[serde(default)]
    filler: String,
}

#[agent]
impl Abacus {
    #[callable]
    fn push(&mut self) -> u32 {
        self.beads += 1;
        self.beads
    }

    #[callable]
    fn look(&self) -> u32 {
        self.beads
    }

    #[callable]
    fn fail(&mut self) -> Result<()> {
        self.beads = 1000;
        Err(Error::msg("no"))
    }
}

/// However slow the machine, no turn counts as long.
fn at_once() -> Options {
    Options { heavy_turn: std::time::Duration::from_secs(3600), ..Options::default() }
}

fn call(id: usize, method: &str) -> Message {
    Message::text(json!({"type": "rpc", "id": id.to_string(), "method": method, "args": []}).to_string())
}

async fn greeted(server: &Server) -> Client {
    let mut client = server.socket("/agents/abacus/one").await;
    client.greeted().await;
    client
}

/// Writes all messages at once.
async fn send(client: &mut Client, messages: impl IntoIterator<Item = Message>) {
    let mut all = futures_util::stream::iter(messages.into_iter().map(Ok));
    client.socket.send_all(&mut all).await.unwrap();
}

/// The answers in the order in which they come.
async fn answers(client: &mut Client, count: usize) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    while told.len() < count {
        let frame = client.json().await;
        if frame["type"] == "rpc" {
            let result = if frame["success"] == true { &frame["result"] } else { &frame["error"] };
            told.push((frame["id"].as_str().unwrap().to_owned(), result.clone()));
        }
    }
    told
}

#[tokio::test]
async fn calls_that_arrive_together_are_answered_in_order_and_share_commits() {
    let dir = tempfile::tempdir().unwrap();
    let home = App::new().agent::<Abacus>().data(dir.path()).options(at_once()).start().await.unwrap();
    let node = home.edge().node().clone();
    let server = Server::of(home).await;
    let mut client = greeted(&server).await;
    client.call("push", json!([])).await;
    let calls = (0..40).map(|n| call(n, if n % 10 == 7 { "fail" } else { "push" }));
    send(&mut client, calls).await;
    let mut beads = 1;
    for (n, (id, result)) in answers(&mut client, 40).await.into_iter().enumerate() {
        beads += u32::from(n % 10 != 7);
        let expected = if n % 10 == 7 { json!("no") } else { json!(beads) };
        assert_eq!((id, result), (n.to_string(), expected));
    }
    let id = AgentId::new("Abacus", "one");
    let turns = node.history(&id, HistoryQuery::default()).await.unwrap().turns;
    let shared = |turn: &hostel::TurnEntry| turn.shared.iter().map(|run| run.turns).sum::<u32>().max(1);
    assert_eq!(turns.iter().map(shared).sum::<u32>(), beads);
    // The system may hand over the bytes in pieces.
    assert!(turns.len() < 20, "{}", turns.len());
    server.stop().await;
}

#[tokio::test]
async fn what_is_asked_right_before_a_goodbye_is_answered_before_it() {
    let server = Server::start(App::new().agent::<Abacus>().in_memory()).await;
    for asked in [1, 2, 5] {
        let mut client = greeted(&server).await;
        let close = Message::Close(Some(CloseFrame { code: 4001.into(), reason: "done".into() }));
        send(&mut client, (0..asked).map(|n| call(n, "look")).chain([close])).await;
        let ending = client.ending().await;
        let ids: Vec<Value> =
            ending.frames.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["id"].clone()).collect();
        assert_eq!(ids, (0..asked).map(|n| json!(n.to_string())).collect::<Vec<_>>());
        assert_eq!(ending.code, 4001);
    }
    server.stop().await;
}

#[tokio::test]
async fn more_messages_than_are_read_at_once_and_long_ones_among_them_all_arrive_in_order() {
    let server = Server::start(App::new().agent::<Abacus>().in_memory()).await;
    let mut client = greeted(&server).await;
    let state = |n: usize, length: usize| {
        let state = json!({"beads": n, "filler": "x".repeat(length)});
        Message::text(json!({"type": "cf_agent_state", "state": state}).to_string())
    };
    let messages = (1..=300).flat_map(|n| [state(n, [0, 10_000, 3][n % 3]), call(n, "look")]);
    let told = {
        let Client { socket, .. } = &mut client;
        let (mut write, mut read) = socket.split();
        let writing = async {
            let mut all = futures_util::stream::iter(messages.map(Ok));
            write.send_all(&mut all).await.unwrap();
        };
        let reading = async {
            let mut told = Vec::new();
            while told.len() < 300 {
                let text = read.next().await.unwrap().unwrap().into_text().unwrap();
                let frame: Value = serde_json::from_str(&text).unwrap();
                told.extend((frame["type"] == "rpc").then(|| frame["result"].as_u64().unwrap()));
            }
            told
        };
        futures_util::join!(writing, reading).1
    };
    assert_eq!(told, (1..=300).collect::<Vec<u64>>());
    server.stop().await;
}
