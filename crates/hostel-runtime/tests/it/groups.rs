//! Turns that queue up share a commit: each undone alone, none shown before all are durable, none lost without its caller
//! being told.

use std::{collections::HashSet, time::Duration};

use futures_util::poll;
use hostel::{AgentId, Cx, Error, Message, Result, host::OutgoingCall};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, Options, Outgoing};
use hostel_store::{AgentKey, HistoryQuery, Moment, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{Client, Disk, until};

#[derive(Default, Serialize, Deserialize)]
struct Till {
    coins: i64,
    changes_seen: i64,
}

#[agent]
impl Till {
    fn on_start(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists notes (n integer)", ())?;
        Ok(())
    }

    #[callable]
    fn add(&mut self) -> i64 {
        self.coins += 1;
        self.coins
    }

    #[callable]
    fn note(&mut self, cx: &Cx<Self>) -> Result<i64> {
        self.coins += 1;
        cx.sql("insert into notes values (?)", (self.coins,))?;
        Ok(self.coins)
    }

    #[callable]
    fn note_and_fail(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.note(cx)?;
        cx.set_alarm(cx.now())?;
        cx.broadcast("never heard");
        Err(Error::msg("on second thought"))
    }

    #[callable]
    fn note_and_panic(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.note(cx)?;
        panic!("as a test of the others")
    }

    #[callable]
    fn get(&self, cx: &Cx<Self>) -> Result<(i64, i64)> {
        Ok((self.coins, cx.sql("select count(*) from notes", ())?.value()?.unwrap_or(-1)))
    }

    #[callable]
    fn look(&self) -> i64 {
        self.coins
    }

    #[callable]
    fn wake_in(&self, cx: &Cx<Self>, seconds: i64) -> Result<()> {
        cx.set_alarm(cx.now() + jiff::SignedDuration::from_secs(seconds))
    }

    #[callable]
    async fn add_async(cx: &Cx<Self>) -> Result<i64> {
        cx.update(|me| {
            me.coins += 1;
            me.coins
        })
    }

    #[callable]
    async fn add_later(cx: &Cx<Self>) -> Result<i64> {
        tokio::task::yield_now().await;
        cx.update(|me| {
            me.coins += 1;
            me.coins
        })
    }

    #[callable]
    async fn until_durable(cx: &Cx<Self>) -> Result<i64> {
        cx.durable().await?;
        cx.read(|me| me.coins)
    }

    /// Waits for what is durable where nothing should wait.
    #[callable]
    async fn block_until_durable(cx: &Cx<Self>) -> Result<()> {
        tokio::task::block_in_place(|| futures_util::FutureExt::now_or_never(cx.durable()));
        let durable = cx.durable();
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(durable))
    }

    #[callable]
    fn destroy(&mut self, cx: &Cx<Self>) -> i64 {
        self.coins += 1;
        cx.destroy();
        self.coins
    }
}

fn id() -> AgentId {
    AgentId::new("Till", "a")
}

/// However slow the machine, neither a turn nor a group is long.
fn at_once() -> Options {
    Options { heavy_turn: Duration::from_secs(3600), ..Options::default() }
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
    disk: Disk,
    node: Node,
}

impl World {
    async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(dir: tempfile::TempDir) -> Self {
        let mut opened = None;
        // Whoever had it before may still be letting go of it.
        until(|| {
            opened = Store::open(dir.path(), hostel_store::Options::default()).ok();
            opened.is_some()
        })
        .await;
        let store = opened.unwrap();
        let disk = Disk::new();
        let builder = Node::builder(store.clone()).agent::<Till>().unwrap().options(at_once());
        let node = builder.durability(disk.clone()).start().await.unwrap();
        Self { dir, store, disk, node }
    }

    /// As after a restart of the process.
    async fn again(self, client: Client) -> Self {
        self.node.shutdown(Duration::from_secs(5)).await;
        let Self { dir, store, disk, node } = self;
        drop((client, store, disk, node));
        Self::on(dir).await
    }

    /// A client of an agent that exists: its first turn is always alone.
    async fn client(&self) -> Client {
        let mut client = Client::greeted(&self.node, "Till", "a").await;
        client.result("add", json!([])).await;
        client.waiting();
        client
    }

    fn records(&self) -> u64 {
        self.store.journal_counts().entries
    }

    async fn turns(&self) -> Vec<Vec<String>> {
        let page = self.node.history(&id(), HistoryQuery { limit: 100, ..HistoryQuery::default() }).await.unwrap();
        let shown = |turn: &hostel_store::TurnEntry| match turn.shared.as_slice() {
            [] => vec![turn.cause.what.clone()],
            shared => shared.iter().map(|run| format!("{} {}", run.turns, run.cause.what)).collect(),
        };
        page.turns.iter().rev().map(shown).collect()
    }
}

/// Queues all of them, and has them run.
fn send(client: &mut Client, methods: &[&str]) -> Vec<String> {
    let (last, first) = methods.split_last().unwrap();
    let mut ids: Vec<_> = first.iter().map(|method| client.queue(method, json!([]))).collect();
    ids.push(client.begin(last, json!([])));
    ids
}

/// The answers in the order in which they come: each call's id, and its result or its error.
async fn answers(client: &mut Client, count: usize) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    while all.len() < count {
        let frame = client.until_type("rpc").await;
        let answer = if frame["success"] == true { &frame["result"] } else { &frame["error"] };
        all.push((frame["id"].as_str().unwrap().to_owned(), answer.clone()));
    }
    all
}

fn in_order(ids: Vec<String>, results: Value) -> Vec<(String, Value)> {
    ids.into_iter().zip(results.as_array().unwrap().clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_that_queue_up_share_one_record_and_are_answered_in_order() {
    let world = World::new().await;
    let mut client = world.client().await;
    let before = world.records();
    let ids = send(&mut client, &["add"; 16]);
    assert_eq!(answers(&mut client, 16).await, in_order(ids, json!((2..=17).collect::<Vec<_>>())));
    assert_eq!(world.records() - before, 1);
    let before = world.records();
    let ids = send(&mut client, &["note", "add", "look", "note"]);
    assert_eq!(answers(&mut client, 4).await, in_order(ids, json!([18, 19, 19, 20])));
    assert_eq!(world.records() - before, 1);
    assert_eq!(client.result("get", json!([])).await, json!([20, 2]));
    assert_eq!(world.turns().await[2..], [vec!["16 add"], vec!["1 note", "1 add", "1 note"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_alone_is_committed_at_once() {
    let world = World::new().await;
    let mut client = world.client().await;
    let held = world.disk.hold();
    let before = (world.records(), world.disk.begun());
    client.begin("add", json!([]));
    until(|| world.disk.begun() > before.1).await;
    drop(held);
    assert_eq!(answers(&mut client, 1).await[0].1, 2);
    assert_eq!(world.records() - before.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_group_is_shown_before_all_of_it_is_durable() {
    let world = World::new().await;
    let mut writer = world.client().await;
    let mut watcher = Client::greeted(&world.node, "Till", "a").await;
    let (held, before) = (world.disk.hold(), world.disk.begun());
    let mut ids = send(&mut writer, &["add", "note", "look", "noteAndFail", "add"]);
    until(|| world.disk.begun() > before).await;
    // Turns that come while the group is on its way, one of them reading only.
    ids.extend(send(&mut writer, &["look", "add", "look"]));
    tokio::task::yield_now().await;
    assert!(writer.waiting().is_empty() && watcher.waiting().is_empty());
    drop(held);
    let expected = json!([2, 3, 3, "on second thought", 4, 4, 5, 5]);
    assert_eq!(answers(&mut writer, 8).await, in_order(ids, expected));
    for coins in 2..=5 {
        let state = watcher.until_type("cf_agent_state").await;
        assert_eq!(state["state"]["coins"], coins);
    }
    assert!(watcher.waiting().is_empty(), "the failed turn said nothing");
    assert!(world.disk.begun() - before <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_fails_in_the_middle_is_undone_alone() {
    for (bad, told) in
        [("noteAndFail", "on second thought"), ("noteAndPanic", "The agent's code panicked; nothing was changed.")]
    {
        let world = World::new().await;
        let mut client = world.client().await;
        let before = world.records();
        let ids = send(&mut client, &["add", "note", bad, "note", bad, "add"]);
        assert_eq!(answers(&mut client, 6).await, in_order(ids, json!([2, 3, told, 4, told, 5])), "{bad}");
        assert_eq!(world.records() - before, 1, "{bad}");
        assert_eq!(client.result("get", json!([])).await, json!([5, 2]), "{bad}");
        assert_eq!(world.store.registered_alarm(&AgentKey::new("till", "a")).unwrap(), None, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_turn_of_a_group_may_fail_and_those_before_it_are_kept() {
    let world = World::new().await;
    let mut client = world.client().await;
    let ids = send(&mut client, &["add", "noteAndFail"]);
    assert_eq!(answers(&mut client, 2).await, in_order(ids, json!([2, "on second thought"])));
    let ids = send(&mut client, &["add", "no such method"]);
    let told = answers(&mut client, 2).await;
    assert_eq!((&told[0], &told[1].0), (&(ids[0].clone(), json!(3)), &ids[1]));
    let ids = send(&mut client, &["add", "look"]);
    assert_eq!(answers(&mut client, 2).await, in_order(ids, json!([4, 4])));
}

/// A new client, and what it finds. The second group may be lost after the first, and whoever came between is sent away too.
async fn come_back(node: &Node) -> (Client, Value) {
    loop {
        let mut client = Client::open(node, "Till", "a").await;
        let asked = client.begin("get", json!([]));
        loop {
            match client.next().await {
                Outgoing::Close { code: 1013, .. } => break,
                Outgoing::Message(Message::Text(text)) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] == "rpc" && frame["id"] == asked.as_str() {
                        return (client, frame["result"].clone());
                    }
                }
                other => panic!("neither an answer nor a close that is not final: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_lost_is_shown_to_nobody_and_every_caller_is_told() {
    let world = World::new().await;
    let mut writer = world.client().await;
    let mut watcher = Client::greeted(&world.node, "Till", "a").await;
    let (held, before) = (world.disk.hold(), world.disk.begun());
    send(&mut writer, &["add", "note", "look", "add"]);
    until(|| world.disk.begun() > before).await;
    // A second group, that was never given to the disk.
    send(&mut writer, &["note", "add"]);
    let call = OutgoingCall {
        target: id(),
        method: "look".into(),
        args: "[]".into(),
        timeout: None,
        idempotency_key: None,
        cancel_on_drop: false,
        tap: None,
        back: None,
    };
    let mut waiter = Box::pin(world.node.call(call));
    assert!(poll!(waiter.as_mut()).is_pending());
    world.disk.fail();
    drop(held);
    for client in [&mut writer, &mut watcher] {
        match client.next().await {
            Outgoing::Close { code: 1013, reason } => assert_eq!(reason, "storage_failed: the disk does not answer"),
            other => panic!("nothing but the close is shown, got {other:?}"),
        }
    }
    assert_eq!(waiter.await.unwrap_err().code(), Some(Code::StorageFailed));
    world.disk.pass();
    let (mut again, seen) = come_back(&world.node).await;
    assert!([json!([1, 0]), json!([4, 1]), json!([6, 2])].contains(&seen), "groups are whole: {seen}");
    assert_eq!(again.result("add", json!([])).await, seen[0].as_i64().unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wake_ups_and_results_of_held_turns_are_kept_as_those_of_others() {
    let world = World::new().await;
    let mut client = world.client().await;
    let ids = [
        client.queue_keyed("note", json!([]), Some("once")),
        client.queue("wakeIn", json!([3000])),
        client.queue_keyed("note", json!([]), Some("once")),
        client.queue("wakeIn", json!([2000])),
        client.queue_keyed("note", json!([]), Some("twice")),
        client.begin("wakeIn", json!([1000])),
    ];
    let told = answers(&mut client, 6).await;
    assert_eq!(told.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), ids);
    let notes: Vec<_> = told.iter().step_by(2).map(|(_, result)| result.clone()).collect();
    assert_eq!(notes, [2, 2, 3]);
    let registered = world.store.registered_alarm(&AgentKey::new("till", "a")).unwrap().unwrap();
    let world = world.again(client).await;
    assert_eq!(world.store.registered_alarm(&AgentKey::new("till", "a")).unwrap(), Some(registered));
    let mut client = Client::greeted(&world.node, "Till", "a").await;
    let again = client.begin_keyed("note", json!([]), Some("twice"));
    assert_eq!(client.answer(&again).await["result"], 3);
    assert_eq!(client.result("get", json!([])).await, json!([3, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn async_work_ends_a_group_and_may_wait_for_what_came_before_it_in_any_way() {
    let world = World::new().await;
    let mut client = world.client().await;
    let ids = send(&mut client, &["add", "untilDurable", "add", "blockUntilDurable", "note", "addAsync", "add"]);
    let told: Vec<_> = answers(&mut client, 7).await;
    let result = |at: usize| told.iter().find(|(id, _)| *id == ids[at]).unwrap().1.clone();
    assert_eq!([result(0), result(2), result(4), result(5), result(6)], [2, 3, 4, 5, 6]);
    assert!(result(1).as_i64().unwrap() >= 2);
    assert_eq!(result(3), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_destroyed_in_a_queue_is_gone_with_what_came_before_and_the_next_is_a_new_one() {
    let world = World::new().await;
    let mut client = world.client().await;
    send(&mut client, &["add", "note", "destroy", "add"]);
    let mut told = Vec::new();
    let closed = loop {
        match client.next().await {
            Outgoing::Close { code, .. } => break code,
            Outgoing::Message(message) => told.push(message.as_text().unwrap().to_owned()),
        }
    };
    assert_eq!(closed, 1001);
    let results = told.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
    let results: Vec<_> = results.filter(|frame| frame["type"] == "rpc").map(|frame| frame["result"].clone()).collect();
    assert_eq!(results, [2, 3]);
    let mut again = Client::greeted(&world.node, "Till", "a").await;
    assert_eq!(again.result("get", json!([])).await, json!([0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_put_back_and_shut_down_behind_turns_that_queue_up() {
    let world = World::new().await;
    let mut client = world.client().await;
    let good = world.node.history(&id(), HistoryQuery::default()).await.unwrap().turns[0].turn;
    let ids: Vec<_> = ["add", "note"].map(|method| client.queue(method, json!([]))).into();
    let restored = world.node.restore(&id(), Moment::Turn(good)).await.unwrap();
    assert_eq!(restored.turn, good);
    assert_eq!(answers(&mut client, 2).await, in_order(ids, json!([2, 3])));
    assert_eq!(client.result("get", json!([])).await, json!([1, 0]));
    assert_eq!(world.turns().await[2..], [vec!["1 add", "1 note"], vec![&format!("#{good}")]]);

    let ids: Vec<_> = ["add", "note"].map(|method| client.queue(method, json!([]))).into();
    world.node.shutdown(Duration::from_secs(5)).await;
    let (mut acknowledged, mut closed) = (1, false);
    while let Some(next) = { client.session.outbox().try_next() } {
        closed |= matches!(next, Outgoing::Close { .. });
        let answered = matches!(next, Outgoing::Message(message) if message.as_text().unwrap().contains("rpc"));
        assert!(!(closed && answered));
        acknowledged += i64::from(answered);
    }
    let world = world.again(client).await;
    let mut client = Client::greeted(&world.node, "Till", "a").await;
    let coins = client.result("look", json!([])).await.as_i64().unwrap();
    assert!(coins >= acknowledged && coins <= 1 + ids.len() as i64, "{coins} of {acknowledged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_turns_than_are_run_in_one_go_are_run_in_several_groups_and_none_is_forgotten() {
    let world = World::new().await;
    let mut client = world.client().await;
    let before = world.records();
    let ids = send(&mut client, &["add"; 200]);
    assert_eq!(answers(&mut client, 200).await, in_order(ids, json!((2..=201).collect::<Vec<_>>())));
    assert_eq!(world.records() - before, 4);
}

/// Several of a client's calls at once, the others async work of its own, on many threads.
async fn race(node: Node, client: usize) -> Vec<i64> {
    let mut results = Vec::new();
    let mut socket = Client::greeted(&node, "Till", "a").await;
    for round in 0..60 {
        let methods: Vec<_> =
            (0..8).map(|n| ["add", "note", "addLater", "addAsync", "note"][(n + round + client) % 5]).collect();
        let ids = send(&mut socket, &methods);
        let told = answers(&mut socket, ids.len()).await;
        let turns = methods.iter().zip(&ids).filter(|(method, _)| !method.contains("Later"));
        let of = |id: &String| told.iter().find(|(other, _)| other == id).unwrap().1.as_i64().unwrap();
        let in_turn: Vec<_> = turns.map(|(_, id)| of(id)).collect();
        assert!(in_turn.is_sorted(), "{in_turn:?}");
        results.extend(ids.iter().map(of));
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn groups_of_many_clients_and_async_updates_lose_no_turn_and_count_none_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), hostel_store::Options::default()).unwrap();
    let options = Options { idle_after: Duration::ZERO, max_idle_awake: 1, ..Options::default() };
    let node = Node::builder(store.clone()).agent::<Till>().unwrap().options(options).start().await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    (0..6).for_each(|client| drop(all.spawn(race(node.clone(), client))));
    let mut seen = HashSet::new();
    while let Some(results) = all.join_next().await {
        for result in results.unwrap() {
            assert!(seen.insert(result), "{result} was answered twice");
        }
    }
    assert_eq!(seen, (1..=6 * 60 * 8).collect());
    assert!(store.journal_counts().entries < 6 * 60 * 8);
    node.shutdown(Duration::from_secs(10)).await;
}
