//! Threats 14, 15, 21 and 32: what one client or agent may cost the others.

use std::time::Duration;

use hostel::{AgentId, Cx, Result};
use hostel_macros::agent;
use hostel_runtime::{Node, Options};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, memory, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Board {
    text: String,
}

#[agent]
impl Board {
    #[callable]
    fn write(&mut self, length: usize, letter: char) -> usize {
        self.text = letter.to_string().repeat(length);
        self.text.len()
    }

    #[callable]
    fn length(&self) -> usize {
        self.text.len()
    }

    #[callable]
    fn empty_frames(&self, cx: &Cx<Self>, count: usize) {
        (0..count).for_each(|_| cx.broadcast(""));
    }

    #[callable]
    fn spin(&self, cx: &Cx<Self>) -> Result<()> {
        let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
        cx.sql(endless, ())?;
        Ok(())
    }

    #[callable]
    fn spin_on(&self, cx: &Cx<Self>) -> Result<usize> {
        Ok((0..1000).filter(|_| self.spin(cx).is_err()).count())
    }

    #[callable]
    async fn wait(cx: &Cx<Self>) {
        cx.sleep(Duration::from_secs(1000)).await;
    }
}

async fn board(options: Options) -> Node {
    memory().agent::<Board>().unwrap().options(options).start().await.unwrap()
}

#[tokio::test]
async fn threat_14_a_large_state_is_warned_of_and_one_over_the_bound_of_the_node_is_refused() {
    let limits = Options::default();
    assert!(limits.state_warn_bytes == 1 << 20 && limits.state_bytes >= 64 << 20, "there is no small hard limit");
    let node = board(Options { state_warn_bytes: 100, state_bytes: 1000, ..limits }).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    let mut witness = Client::greeted(&node, "Board", "a").await;
    let fits = 1000 - r#"{"text":""}"#.len();
    assert_eq!(client.result("write", json!([fits, "x"])).await, json!(fits));
    witness.until_type("cf_agent_state").await;
    assert_eq!(client.failure("write", json!([fits + 1, "y"])).await["code"], "state_too_large");
    client.send(&json!({"type": "cf_agent_state", "state": {"text": "z".repeat(fits + 1)}}));
    assert_eq!(client.until_type("cf_agent_state_error").await["code"], "state_too_large");
    assert_eq!(client.result("length", json!([])).await, json!(fits));
    assert!(witness.waiting().is_empty());
}

#[tokio::test]
async fn threat_15_a_slow_reader_is_bounded_gets_the_last_state_and_holds_nobody_up() {
    let node = board(Options { outbox_bytes: 1 << 20, ..Options::default() }).await;
    let mut quick = Client::greeted(&node, "Board", "a").await;
    let mut slow = Client::greeted(&node, "Board", "a").await;
    for number in 0..100u8 {
        let letter = char::from(b'a' + number % 26);
        assert_eq!(quick.result("write", json!([100_000, letter])).await, 100_000);
        assert!(slow.session.outbox().waiting_bytes() < 400_000, "states coalesce");
    }
    let mut last = String::new();
    for _ in 0..slow.waiting().len() {
        last.clear();
    }
    assert_eq!(quick.result("write", json!([50, "!"])).await, 50);
    last.push_str(slow.until_type("cf_agent_state").await["state"]["text"].as_str().unwrap());
    assert_eq!(last, "!".repeat(50));
}

#[tokio::test]
async fn threat_15_a_reader_that_stands_still_is_closed_with_a_reason_even_if_frames_are_empty() {
    let node = board(Options { outbox_bytes: 1 << 20, ..Options::default() }).await;
    let mut quick = Client::greeted(&node, "Board", "a").await;
    let mut stalled = Client::greeted(&node, "Board", "a").await;
    for _ in 0..20 {
        quick.result("emptyFrames", json!([1000])).await;
        assert!(stalled.session.outbox().waiting_bytes() <= 1 << 20);
    }
    assert!(stalled.session.outbox().overflowed());
    let (code, reason) = stalled.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.starts_with("slow_consumer: "), "{reason}");
    stalled.begin("length", json!([]));
    assert!(stalled.waiting().is_empty(), "nothing follows the close");
    assert_eq!(quick.result("length", json!([])).await, 0);
}

#[tokio::test]
async fn promise_5_order_a_coalesced_state_still_comes_before_the_replies_that_follow_it() {
    let node = board(Options { outbox_bytes: 8 << 20, ..Options::default() }).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    for _ in 0..10 {
        client.begin("write", json!([100_000, "x"]));
    }
    for length in 1..=5 {
        client.begin("write", json!([length, "y"]));
    }
    let mut shown = 0;
    for reply in 0..15 {
        loop {
            let frame = client.frame().await;
            if frame["type"] == "rpc" {
                break;
            }
            shown = frame["state"]["text"].as_str().unwrap().len();
        }
        assert!(shown > 0, "reply {reply} came without a state before it");
    }
    assert_eq!(shown, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threat_21_a_hundred_agents_that_spin_in_sql_are_stopped_and_the_others_answer() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { turn_deadline: Duration::from_millis(30), ..Options::default() };
    let node = on_disk(&dir).agent::<Board>().unwrap().options(options).start().await.unwrap();
    let mut spinning = tokio::task::JoinSet::new();
    for name in 0..100 {
        let node = node.clone();
        spinning.spawn(async move {
            let mut client = Client::greeted(&node, "Board", &format!("spin {name}")).await;
            client.failure("spin", json!([])).await["code"].clone()
        });
    }
    let mut calm = Client::greeted(&node, "Board", "calm").await;
    let mut answered = 0;
    while !spinning.is_empty() {
        assert_eq!(calm.result("length", json!([])).await, 0);
        answered += 1;
        while let Some(code) = spinning.try_join_next() {
            assert_eq!(code.unwrap(), "turn_timeout");
        }
        tokio::task::yield_now().await;
    }
    assert!(answered > 10, "{answered} calls were answered meanwhile");
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threat_21_the_deadline_is_the_turns_and_not_each_statements() {
    let node = board(Options { turn_deadline: Duration::from_millis(100), ..Options::default() }).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    let begun = std::time::Instant::now();
    assert_eq!(client.result("spinOn", json!([])).await, 1000);
    assert!(begun.elapsed() < Duration::from_secs(50), "a thousand deadlines would be a hundred seconds");
}

#[tokio::test]
async fn calls_under_way_are_bounded_per_connection() {
    let node = board(Options { calls_per_connection: 3, ..Options::default() }).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    (0..3).for_each(|_| drop(client.begin("wait", json!([]))));
    assert_eq!(client.failure("length", json!([])).await["code"], "too_many_calls");
    let mut other = Client::greeted(&node, "Board", "a").await;
    for _ in 0..10 {
        other.result("length", json!([])).await;
    }
}

#[test]
fn threat_32_hostile_names_are_one_line_without_control_characters() {
    let id = AgentId::new("Board", "a\nERROR forged \u{1b}[31mred\r\0\u{202e}");
    let (shown, debugged) = (id.to_string(), format!("{id:?}"));
    for text in [shown, debugged] {
        assert!(!text.chars().any(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
    }
}
