//! Many threads, one agent, and hibernation whenever possible: nothing is lost, nothing is said twice.

use std::{collections::HashSet, time::Duration};

use hostel::{AgentId, Cx, Result, host::OutgoingCall};
use hostel_macros::agent;
use hostel_runtime::Options;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, awake, memory, on_disk, sleepy};

#[derive(Default, Serialize, Deserialize)]
struct Tally {
    count: i64,
}

#[agent]
impl Tally {
    #[callable]
    fn add(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    #[callable]
    async fn add_async(cx: &Cx<Self>) -> Result<i64> {
        cx.sleep(Duration::from_micros(200)).await;
        cx.update(|me| {
            me.count += 1;
            me.count
        })
    }

    #[callable]
    fn get(&self) -> i64 {
        self.count
    }

    fn on_close(&mut self) {}
}

const THREADS: usize = 8;
const EACH: usize = 400;

async fn work(node: hostel_runtime::Node, thread: usize) -> Vec<i64> {
    let mut results = Vec::new();
    let mut client = Client::greeted(&node, "Tally", "one").await;
    for round in 0..EACH {
        if round % 100 == 99 {
            client.leave();
            client = Client::greeted(&node, "Tally", "one").await;
        }
        let method = if (round + thread).is_multiple_of(3) { "addAsync" } else { "add" };
        results.push(client.result(method, json!([])).await.as_i64().unwrap());
        if round % 7 == 0 {
            let call = OutgoingCall::new(AgentId::new("Tally", "one"), "get", "[]");
            assert!(node.call(call).await.unwrap().parse::<i64>().unwrap() >= *results.last().unwrap());
            tokio::task::yield_now().await;
        }
        if round % 50 == 0 {
            // Long enough without an event to be put to sleep under everybody's feet.
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn eight_clients_and_constant_hibernation_lose_no_increment_and_double_no_reply() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Tally>().unwrap().options(sleepy()).start().await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    (0..THREADS).for_each(|thread| drop(all.spawn(work(node.clone(), thread))));
    let mut seen = HashSet::new();
    while let Some(results) = all.join_next().await {
        for result in results.unwrap() {
            assert!(seen.insert(result), "{result} was answered twice");
        }
    }
    let total = i64::try_from(THREADS * EACH).unwrap();
    assert_eq!(seen, (1..=total).collect());
    node.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_agents_come_and_go_while_only_a_few_may_stay_awake() {
    let options = Options { max_idle_awake: 10, idle_after: Duration::from_secs(3600), ..Options::default() };
    let node = memory().agent::<Tally>().unwrap().options(options).start().await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for part in 0..4 {
        let node = node.clone();
        all.spawn(async move {
            for round in 1..=3 {
                for name in 0..250 {
                    let mut client = Client::greeted(&node, "Tally", &format!("{part} {name}")).await;
                    assert_eq!(client.result("add", json!([])).await, json!(round));
                }
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    let wait = async {
        while awake(&node).await > 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the others are put to sleep");
}
