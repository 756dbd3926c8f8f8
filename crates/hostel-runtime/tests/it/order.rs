//! Promise 5: what is handled and seen in which order.

use hostel::{Connection, Cx, Message, Result};
use hostel_macros::agent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{Client, memory, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Log {
    seen: Vec<i64>,
}

struct Bells([tokio::sync::Notify; 2]);

#[agent]
impl Log {
    #[callable]
    fn note(&mut self, cx: &Cx<Self>, number: i64) -> i64 {
        cx.broadcast(format!("before {number}"));
        self.seen.push(number);
        cx.broadcast(format!("after {number}"));
        number
    }

    fn on_message(&mut self, _: &Connection, message: Message) {
        self.seen.extend(message.as_text().and_then(|text| text.parse::<i64>().ok()));
    }

    #[callable]
    fn all(&self) -> Vec<i64> {
        self.seen.clone()
    }

    #[callable]
    async fn slow(cx: &Cx<Self>, bell: usize) -> Result<usize> {
        let bells = cx.env::<Bells>()?;
        bells.0[bell].notified().await;
        if bell == 1 {
            bells.0[0].notify_one();
        }
        Ok(bell)
    }

    #[callable]
    fn ring(&self, cx: &Cx<Self>, bell: usize) -> Result<()> {
        cx.env::<Bells>()?.0[bell].notify_one();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_5_order_frames_of_one_connection_are_handled_as_sent() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Log>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Log", "a").await;
    let expected: Vec<i64> = (0..500).collect();
    for number in &expected {
        client.ready().await;
        match number % 2 {
            0 => client.session.receive(Message::from(number.to_string())),
            _ => drop(client.begin("note", json!([number]))),
        }
    }
    assert_eq!(client.result("all", json!([])).await, json!(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_5_order_state_then_effects_then_reply_and_turn_after_turn_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Log>().unwrap().start().await.unwrap();
    let mut caller = Client::greeted(&node, "Log", "a").await;
    let mut other = Client::greeted(&node, "Log", "a").await;
    for number in 0..100 {
        caller.begin("note", json!([number]));
    }
    for number in 0..100 {
        for (client, is_caller) in [(&mut caller, true), (&mut other, false)] {
            let state = client.frame().await;
            assert_eq!(state["state"]["seen"].as_array().map(Vec::len), Some(number + 1), "{state}");
            assert_eq!(client.frame().await, format!("before {number}"));
            assert_eq!(client.frame().await, format!("after {number}"));
            if is_caller {
                assert_eq!(client.frame().await["result"], json!(number));
            }
        }
    }
}

#[tokio::test]
async fn promise_5_order_slow_async_calls_may_be_answered_in_reverse() {
    let node = memory().agent::<Log>().unwrap().env(Bells(Default::default())).start().await.unwrap();
    let mut client = Client::greeted(&node, "Log", "a").await;
    client.begin("slow", json!([0]));
    client.begin("slow", json!([1]));
    client.begin("ring", json!([1]));
    let mut results: Vec<Value> = Vec::new();
    while results.len() < 3 {
        results.push(client.until_type("rpc").await["result"].take());
    }
    assert_eq!(results, [Value::Null, json!(1), json!(0)]);
}
