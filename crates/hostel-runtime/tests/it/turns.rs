//! Promises 1, 2 and 3: turns, their undoing, and what happens between them.

use hostel::{Connection, Cx, Error, Result, SqlValue};
use hostel_macros::agent;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::support::{Client, memory, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    total: i64,
    #[serde(skip)]
    scratch: i64,
}

#[agent]
impl Ledger {
    fn on_start(&self, cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists entries (amount integer)", ())?;
        Ok(())
    }

    #[callable]
    fn book(&mut self, cx: &Cx<Self>, amount: i64, end: String) -> Result<i64> {
        self.total += amount;
        self.scratch += amount;
        cx.sql("insert into entries values (?)", (amount,))?;
        cx.set_alarm(cx.now() + std::time::Duration::from_secs(3600))?;
        cx.broadcast("booked");
        let me = cx.connection().expect("a client calls");
        me.set_state(&amount)?;
        me.set_readonly(amount > 1000);
        let again = cx.clone();
        cx.spawn(async move {
            again.update(|me| me.total += 100_000).expect("the agent is awake");
        });
        match end.as_str() {
            "fine" => Ok(self.total),
            "err" => Err(Error::msg("not today")),
            _ => panic!("the ledger burns"),
        }
    }

    #[callable]
    fn look(&self, cx: &Cx<Self>) -> Result<(i64, i64, i64, bool, Option<i64>, bool)> {
        let rows = cx.sql("select count(*) from entries", ())?.value()?.unwrap_or(-1);
        let me = cx.connection().expect("a client calls");
        Ok((self.total, self.scratch, rows, cx.alarm()?.is_some(), me.state()?, me.is_readonly()))
    }

    #[callable]
    fn veto(&mut self) {
        self.total = 13;
    }

    fn validate_state_change(&self) -> Result<()> {
        if self.total == 13 { Err(Error::msg("not that number")) } else { Ok(()) }
    }

    #[callable]
    async fn nested(cx: &Cx<Self>) -> Result<String> {
        let inner = cx.clone();
        let error = cx.update(move |_| inner.update(|me| me.total = 5).unwrap_err())?;
        Ok(error.label().unwrap_or_default().to_owned())
    }

    #[callable]
    fn nested_read(&self, cx: &Cx<Self>) -> String {
        cx.read(|me| me.total).unwrap_err().label().unwrap_or_default().to_owned()
    }

    #[callable]
    async fn try_update(cx: &Cx<Self>, amount: i64) -> Result<i64> {
        cx.try_update(|me| {
            me.total += amount;
            Err::<(), _>(Error::msg("changed my mind"))
        })
        .unwrap_err();
        cx.read(|me| me.total)
    }

    fn on_connect(&self, connection: &Connection) {
        connection.send("welcome");
    }
}

#[tokio::test]
async fn promise_1_a_turn_is_a_transaction_of_state_rows_alarm_connection_and_effects() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Ledger>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Ledger", "a").await;
    assert_eq!(client.result("book", json!([5, "fine"])).await, 5);
    // What the turn spawned began once it had committed.
    assert_eq!(client.until_type("cf_agent_state").await["state"]["total"], 100_005);
    assert_eq!(client.result("look", json!([])).await, json!([100_005, 5, 1, true, 5, false]));
}

#[tokio::test]
async fn promise_2_err_rolls_the_turn_back_and_so_does_a_panic() {
    let node = memory().agent::<Ledger>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Ledger", "a").await;
    assert_eq!(client.frame().await, "welcome");
    for (end, error) in [("err", "not today"), ("panic", "The agent's code panicked; nothing was changed.")] {
        let id = client.begin("book", json!([5000, end]));
        let only = client.frame().await;
        assert_eq!((&only["id"], &only["error"]), (&json!(id), &json!(error)), "no broadcast, no state: {only}");
        assert_eq!(client.result("look", json!([])).await, json!([0, 0, 0, false, null, false]));
    }
}

#[tokio::test]
async fn promise_2_a_veto_rolls_the_turn_back() {
    let node = memory().agent::<Ledger>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Ledger", "a").await;
    assert_eq!(client.failure("veto", json!([])).await["error"], "not that number");
    client.send(&json!({"type": "cf_agent_state", "state": {"total": 13}}));
    assert_eq!(client.until_type("cf_agent_state_error").await["error"], "State update rejected");
    assert_eq!(client.result("look", json!([])).await[0], 0);
}

#[tokio::test]
async fn a_failing_update_changes_nothing_and_nested_turns_are_refused_with_a_code() {
    let node = memory().agent::<Ledger>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Ledger", "a").await;
    assert_eq!(client.result("tryUpdate", json!([4])).await, 0);
    assert_eq!(client.result("nested", json!([])).await, "nested_turn");
    assert_eq!(client.result("nestedRead", json!([])).await, "nested_turn");
}

#[derive(Default, Serialize, Deserialize)]
struct Slow {
    count: i64,
    cancelled: bool,
}

struct Doorbell(tokio::sync::Notify);

#[agent]
impl Slow {
    #[callable]
    async fn wait_then_add(cx: &Cx<Self>) -> Result<(i64, i64)> {
        let before = cx.read(|me| me.count)?;
        cx.env::<Doorbell>()?.0.notified().await;
        Ok((
            before,
            cx.update(|me| {
                me.count += 1;
                me.count
            })?,
        ))
    }

    #[callable]
    fn add(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    #[callable]
    fn cancel(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.cancelled = true;
        cx.env::<Doorbell>()?.0.notify_one();
        Ok(())
    }
}

#[tokio::test]
async fn promise_3_async_methods_interleave_between_turns_and_never_block_their_agent() {
    let doorbell = Doorbell(tokio::sync::Notify::new());
    let node = memory().agent::<Slow>().unwrap().env(doorbell).start().await.unwrap();
    let mut client = Client::greeted(&node, "Slow", "a").await;
    let slow = client.begin("waitThenAdd", json!([]));
    assert_eq!(client.result("add", json!([])).await, 1);
    assert_eq!(client.result("add", json!([])).await, 2);
    client.begin("cancel", json!([]));
    assert_eq!(client.answer(&slow).await["result"], json!([0, 3]));
}

/// A class whose every line of serde may panic.
#[derive(Default)]
struct Brittle(i64);

impl Serialize for Brittle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != 7, "seven cannot be written");
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Brittle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        assert!(value != 8, "eight cannot be read");
        Ok(Self(value))
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(self.0 != 9 || std::thread::panicking(), "nine cannot be dropped");
    }
}

/// An argument that panics while it is read.
struct Bomb;

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("an argument explodes")
    }
}

impl Serialize for Bomb {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("an answer explodes")
    }
}

#[agent]
impl Brittle {
    #[callable]
    fn set(&mut self, value: i64) -> i64 {
        self.0 = value;
        value
    }

    #[callable]
    fn set_and_fail(&mut self, value: i64) -> Result<()> {
        self.0 = value;
        Err(Error::msg("undone"))
    }

    #[callable]
    fn get(&self) -> i64 {
        self.0
    }

    #[callable]
    fn take(&self, _bomb: Bomb) {}

    #[callable]
    async fn take_async(_cx: &Cx<Self>, _bomb: Bomb) {}

    #[callable]
    fn give(&self) -> Bomb {
        Bomb
    }

    #[callable]
    fn null(&self, cx: &Cx<Self>) -> Result<usize> {
        Ok(cx.sql("select ?", [SqlValue::Null])?.len())
    }
}

#[tokio::test]
async fn promise_2_no_panic_of_the_authors_code_is_left_uncaught_and_each_call_is_answered() {
    let node = memory().agent::<Brittle>().unwrap().start().await.unwrap();
    for (name, method, args) in [
        ("write", "set", json!([7])),
        ("take", "take", json!([1])),
        ("take-async", "takeAsync", json!([1])),
        ("give", "give", json!([])),
    ] {
        let mut client = Client::greeted(&node, "Brittle", name).await;
        assert_eq!(client.failure(method, args).await["code"], "turn_panicked", "{name}");
        assert_eq!(client.result("get", json!([])).await, 0, "{name}");
        assert_eq!(client.result("set", json!([2])).await, 2, "{name}");
    }
    // A state that cannot be read is refused, a value that cannot be dropped holds nothing up.
    let mut client = Client::greeted(&node, "Brittle", "drop").await;
    client.send(&json!({"type": "cf_agent_state", "state": 8}));
    client.until_type("cf_agent_state_error").await;
    client.failure("setAndFail", json!([9])).await;
    let mut next = Client::greeted(&node, "Brittle", "drop").await;
    assert_eq!(next.result("get", json!([])).await, 0);
}

#[tokio::test]
async fn a_stored_state_that_panics_while_it_is_read_is_a_failed_start_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = hostel_store::Store::open(dir.path(), hostel_store::Options::default()).unwrap();
        let mut db = store.agent("brittle", "a").unwrap();
        db.set_state("8").unwrap();
        db.commit().unwrap();
    }
    let node = on_disk(&dir).agent::<Brittle>().unwrap().start().await.unwrap();
    let mut client = Client::open(&node, "Brittle", "a").await;
    assert_eq!(client.frame().await["code"], "agent_start_failed");
    assert_eq!(client.closed().await.0, 1013);
    let mut other = Client::greeted(&node, "Brittle", "b").await;
    assert_eq!(other.result("get", json!([])).await, 0);
}
