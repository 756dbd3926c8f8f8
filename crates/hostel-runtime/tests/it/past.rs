//! Restores and forks: between turns, whole, seen by everybody, and never the end of what was before.

use std::{
    any::TypeId,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use hostel::{AgentId, Cx, Error, Result, host::OutgoingCall};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, NodeBuilder};
use hostel_store::{AgentKey, HistoryQuery, Moment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{Blocking, Client, Disk, TestClock, awake, memory, on_disk, sleepy, until, until_asleep};

#[derive(Default, Serialize, Deserialize)]
struct Board {
    text: String,
    /// Makes `on_start` fail.
    cursed: bool,
    #[serde(default)]
    rung: u32,
}

/// What a test lets happen inside an agent.
#[derive(Default)]
struct Stage {
    /// A method waits here for the test.
    curtain: Mutex<Option<mpsc::Receiver<()>>>,
    reached: AtomicBool,
    starts_hang: AtomicBool,
}

impl Stage {
    fn wait(&self) {
        let curtain = self.curtain.lock().unwrap().take().unwrap();
        self.reached.store(true, Ordering::SeqCst);
        curtain.recv().unwrap();
    }

    fn draw(&self) -> mpsc::Sender<()> {
        let (open, curtain) = mpsc::channel();
        *self.curtain.lock().unwrap() = Some(curtain);
        self.reached.store(false, Ordering::SeqCst);
        open
    }
}

#[agent]
impl Board {
    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists notes (text text)", ())?;
        let stage = cx.env::<Stage>()?;
        if stage.starts_hang.load(Ordering::SeqCst) {
            stage.reached.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        if cx.read(|me| me.cursed)? { Err(Error::msg("cursed")) } else { Ok(()) }
    }

    #[callable]
    fn set(&mut self, cx: &Cx<Self>, text: String) -> Result<()> {
        cx.sql("insert into notes values (?)", (text.as_str(),))?;
        self.text = text;
        Ok(())
    }

    #[callable]
    fn get(&self, cx: &Cx<Self>) -> Result<(String, i64)> {
        Ok((self.text.clone(), cx.sql("select count(*) from notes", ())?.value()?.unwrap_or(-1)))
    }

    #[callable]
    fn curse(&mut self) {
        self.cursed = true;
    }

    #[callable]
    fn crash(&self) {
        panic!("crash")
    }

    #[callable]
    fn destroy(&self, cx: &Cx<Self>) {
        cx.destroy();
    }

    /// A turn that lasts as long as the test wants.
    #[callable]
    fn linger(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.env::<Stage>()?.wait();
        self.text = "lingered".into();
        Ok(())
    }

    /// Async work that is between two waits when the agent is put back.
    #[callable]
    async fn persist(cx: &Cx<Self>) -> Result<()> {
        let stage = cx.env::<Stage>()?;
        cx.sleep(Duration::from_millis(1)).await;
        tokio::task::block_in_place(|| stage.wait());
        cx.update(|me| me.text = "too late".into())
    }

    #[callable]
    async fn wait(cx: &Cx<Self>) -> Result<()> {
        cx.sleep(Duration::from_secs(3600)).await;
        cx.update(|me| me.text = "much too late".into())
    }

    #[callable]
    fn count(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.rung += 1;
        cx.sql("insert into notes values ('counted')", ())?;
        Ok(())
    }

    #[callable]
    async fn count_later(cx: &Cx<Self>) -> Result<()> {
        tokio::task::yield_now().await;
        let own = cx.clone();
        cx.try_update(move |me| me.count(&own))
    }

    #[callable]
    fn counts(&self, cx: &Cx<Self>) -> Result<(u32, u32)> {
        Ok((self.rung, cx.sql("select count(*) from notes", ())?.value()?.unwrap_or(0)))
    }

    #[callable]
    fn alarm_in(&self, cx: &Cx<Self>, seconds: i64) -> Result<()> {
        cx.set_alarm(cx.now() + jiff::SignedDuration::from_secs(seconds))
    }

    #[callable]
    fn alarm_off(&self, cx: &Cx<Self>) -> Result<()> {
        cx.delete_alarm()
    }

    #[callable]
    fn rung(&self) -> u32 {
        self.rung
    }

    fn on_alarm(&mut self) {
        self.rung += 1;
    }
}

fn id(name: &str) -> AgentId {
    AgentId::new("Board", name)
}

async fn start(builder: NodeBuilder) -> (Node, Arc<Stage>) {
    let stage = Arc::new(Stage::default());
    let builder = builder.agent::<Board>().unwrap().env_arc(TypeId::of::<Stage>(), stage.clone());
    (builder.start().await.unwrap(), stage)
}

fn call(method: &str) -> OutgoingCall {
    OutgoingCall::new(id("a"), method, "[]")
}

/// The latest turn.
async fn latest(node: &Node, name: &str) -> i64 {
    node.history(&id(name), HistoryQuery { limit: 1, ..HistoryQuery::default() }).await.unwrap().turns[0].turn
}

async fn turns(node: &Node, name: &str) -> Vec<String> {
    let page = node.history(&id(name), HistoryQuery { limit: 100, ..HistoryQuery::default() }).await.unwrap();
    page.turns.iter().rev().map(|turn| turn.cause.to_string()).collect()
}

async fn get(client: &mut Client) -> Value {
    client.result("get", json!([])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_reaches_every_connected_client_as_a_state_frame_and_takes_rows_along() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir)).await;
    let mut one = Client::greeted(&node, "Board", "a").await;
    one.result("set", json!(["before"])).await;
    let good = latest(&node, "a").await;
    one.result("set", json!(["mistake"])).await;
    let mut two = Client::greeted(&node, "Board", "a").await;
    one.waiting();

    let restored = node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    assert_eq!(restored.turn, good);
    for client in [&mut one, &mut two] {
        let frame = client.frame().await;
        assert_eq!((&frame["type"], &frame["state"]["text"]), (&json!("cf_agent_state"), &json!("before")));
        assert_eq!(get(client).await, json!(["before", 1]));
    }
    one.result("set", json!(["onwards"])).await;
    assert_eq!(get(&mut two).await, json!(["onwards", 2]), "it goes on from there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_reaches_the_sockets_of_a_hibernated_agent_and_lets_one_without_sockets_sleep() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir).options(sleepy())).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["before"])).await;
    let good = latest(&node, "a").await;
    client.result("set", json!(["mistake"])).await;
    client.waiting();
    until_asleep(&node).await;
    node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    assert_eq!(client.frame().await["state"]["text"], "before");
    assert_eq!(get(&mut client).await, json!(["before", 1]));

    client.leave();
    until_asleep(&node).await;
    until(|| node.agents_in_memory() == 0).await;
    node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    assert_eq!((awake(&node).await, node.agents_in_memory()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_and_its_undoing_are_two_turns_and_nothing_of_before_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    for text in ["one", "two", "three"] {
        client.result("set", json!([text])).await;
    }
    let before = turns(&node, "a").await;
    let three = latest(&node, "a").await;
    let one = node.history(&id("a"), HistoryQuery { limit: 3, ..HistoryQuery::default() }).await.unwrap().turns[2].turn;

    node.restore(&id("a"), Moment::Turn(one)).await.unwrap();
    assert_eq!(get(&mut client).await, json!(["one", 1]));
    node.restore(&id("a"), Moment::Turn(three)).await.unwrap();
    assert_eq!(get(&mut client).await, json!(["three", 3]));

    let after = turns(&node, "a").await;
    assert_eq!(after[..before.len()], before);
    let added = [format!("restore #{one} by operator"), format!("restore #{three} by operator")];
    assert_eq!(after[before.len()..], added);
    let back = node.difference(&id("a"), Moment::Turn(three), Moment::Now, 10).await.unwrap();
    assert!(back.state.is_empty() && back.tables.is_empty(), "{back:?}");
    // It holds after a restart as well.
    node.shutdown(Duration::from_secs(5)).await;
    drop((node, client));
    let (node, _) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    assert_eq!(get(&mut client).await, json!(["three", 3]));
    assert_eq!(turns(&node, "a").await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_held_back_after_failures_is_put_back_and_starts() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir).options(sleepy())).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["sound"])).await;
    let good = latest(&node, "a").await;
    client.result("curse", json!([])).await;
    client.leave();
    until_asleep(&node).await;
    for _ in 0..4 {
        node.wake(&id("a"), None).await.unwrap_err();
    }
    assert_eq!(node.wake(&id("a"), None).await.unwrap_err().code(), Some(Code::AgentQuarantined));

    node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    assert!(node.quarantined().is_empty());
    let mut client = Client::greeted(&node, "Board", "a").await;
    assert_eq!(get(&mut client).await, json!(["sound", 1]));
    // Into a moment in which it cannot start, too: the clients see what is stored.
    let cursed = good + 1;
    node.restore(&id("a"), Moment::Turn(cursed)).await.unwrap();
    assert_eq!(client.until_type("cf_agent_state").await["state"]["cursed"], true);
    assert_eq!(node.wake(&id("a"), None).await.unwrap_err().code(), Some(Code::AgentStartFailed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_agent_is_put_back_to_its_last_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir).options(sleepy())).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["sound"])).await;
    client.leave();
    until_asleep(&node).await;
    let file = find(&dir.path().join("agents"));
    std::fs::write(&file, vec![7; 8192]).unwrap();
    assert_eq!(node.wake(&id("a"), None).await.unwrap_err().code(), Some(Code::StorageCorrupt));

    node.restore(&id("a"), Moment::Now).await.unwrap();
    let mut client = Client::greeted(&node, "Board", "a").await;
    assert_eq!(get(&mut client).await, json!(["sound", 1]));
}

/// The one database below a directory.
fn find(dir: &std::path::Path) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.find(|path| path.is_dir() || path.extension().is_some_and(|end| end == "db")).unwrap();
    if found.is_dir() { find(&found) } else { found }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_agent_is_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["alive"])).await;
    let good = latest(&node, "a").await;
    client.begin("destroy", json!([]));
    assert_eq!(client.closed().await.0, 1001);
    node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    let mut client = Client::greeted(&node, "Board", "a").await;
    assert_eq!(get(&mut client).await, json!(["alive", 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_wait_during_a_restore_are_served_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let (node, stage) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["before"])).await;
    let good = latest(&node, "a").await;
    client.waiting();

    let open = stage.draw();
    let lingering = tokio::spawn({
        let node = node.clone();
        async move { node.call(call("linger")).await }
    });
    until(|| stage.reached.load(Ordering::SeqCst)).await;
    let restore = tokio::spawn({
        let node = node.clone();
        async move { node.restore(&id("a"), Moment::Turn(good)).await }
    });
    // The restore gets in line somewhere between these.
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(client.begin("get", json!([])));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    open.send(()).unwrap();
    lingering.await.unwrap().unwrap();
    restore.await.unwrap().unwrap();
    calls.push(client.begin("get", json!([])));

    let (mut answers, mut state) = (Vec::new(), json!("before"));
    while answers.len() < calls.len() {
        let frame = client.frame().await;
        match frame["type"].as_str() {
            Some("cf_agent_state") => state = frame["state"]["text"].clone(),
            _ => answers.push((frame["id"].clone(), frame["result"][0].clone() == state)),
        }
    }
    let all: Vec<_> = calls.iter().map(|id| (json!(id), true)).collect();
    assert_eq!(answers, all, "each in its order, with the state that was shown before it");
    assert_eq!(state, "before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn async_work_under_way_is_broken_off_and_changes_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let (node, stage) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["before"])).await;
    let good = latest(&node, "a").await;

    let open = stage.draw();
    let running = tokio::spawn({
        let node = node.clone();
        async move { node.call(call("persist")).await }
    });
    until(|| stage.reached.load(Ordering::SeqCst)).await;
    let waiting = client.begin("wait", json!([]));
    node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    assert_eq!(client.answer(&waiting).await["code"], "agent_unavailable");
    open.send(()).unwrap();
    assert_eq!(running.await.unwrap().unwrap_err().code(), Some(Code::AgentUnavailable));
    assert_eq!(get(&mut client).await, json!(["before", 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn restores_in_the_middle_of_everything_leave_state_and_rows_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir).options(sleepy())).await;
    node.call(call("count")).await.unwrap();
    let first = latest(&node, "a").await;
    let busy = |method: &'static str| {
        let node = node.clone();
        tokio::spawn(async move {
            for _ in 0..60 {
                match node.call(call(method)).await {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.code(), Some(Code::AgentUnavailable), "{error:?}"),
                }
            }
        })
    };
    let work = [busy("count"), busy("count"), busy("countLater"), busy("countLater")];
    let mut to = first;
    for _ in 0..12 {
        assert_eq!(node.restore(&id("a"), Moment::Turn(to)).await.unwrap().turn, to);
        let seen = node.call(call("counts")).await.unwrap().parse::<(u32, u32)>().unwrap();
        assert_eq!(seen.0, seen.1);
        to = latest(&node, "a").await;
    }
    for work in work {
        work.await.unwrap();
    }
    node.restore(&id("a"), Moment::Turn(first)).await.unwrap();
    assert_eq!(node.call(call("counts")).await.unwrap().parse::<(u32, u32)>().unwrap(), (1, 1));
    node.shutdown(Duration::from_secs(5)).await;
    drop(node);
    let (node, _) = start(on_disk(&dir)).await;
    assert_eq!(node.call(call("counts")).await.unwrap().parse::<(u32, u32)>().unwrap(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_start_that_hangs_does_not_keep_an_agent_from_being_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let (node, stage) = start(on_disk(&dir).options(sleepy())).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["before"])).await;
    let good = latest(&node, "a").await;
    client.leave();
    until_asleep(&node).await;
    stage.starts_hang.store(true, Ordering::SeqCst);
    let stuck = tokio::spawn({
        let node = node.clone();
        async move { node.wake(&id("a"), None).await }
    });
    until(|| stage.reached.load(Ordering::SeqCst)).await;
    node.restore(&id("a"), Moment::Turn(good)).await.unwrap();
    stage.starts_hang.store(false, Ordering::SeqCst);
    stuck.await.unwrap().unwrap_err();
    let mut client = Client::greeted(&node, "Board", "a").await;
    assert_eq!(get(&mut client).await, json!(["before", 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_begins_as_the_original_was_and_leaves_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["one"])).await;
    let one = latest(&node, "a").await;
    client.result("alarmIn", json!([3600])).await;
    client.result("set", json!(["two"])).await;
    let original = turns(&node, "a").await;

    let forked = node.fork(&id("a"), "b", Moment::Turn(one)).await.unwrap();
    assert_eq!(forked.turn, one);
    let mut fork = Client::greeted(&node, "Board", "b").await;
    assert_eq!(get(&mut fork).await, json!(["one", 1]));
    fork.result("set", json!(["three"])).await;
    node.fork(&id("a"), "c", Moment::Now).await.unwrap();
    assert_eq!(get(&mut client).await, json!(["two", 2]));
    assert_eq!(turns(&node, "a").await, original);
    assert_eq!(turns(&node, "b").await[0], format!("fork board/a #{one} by operator"));

    let taken = node.fork(&id("a"), "b", Moment::Now).await.unwrap_err();
    assert_eq!(taken.code(), Some(Code::AgentExists));
    assert_eq!(get(&mut fork).await, json!(["three", 2]));
    // A wake-up belongs to the original.
    let mut copy = Client::greeted(&node, "Board", "c").await;
    assert_eq!(get(&mut copy).await, json!(["two", 2]));
    assert_eq!(node.image(&id("c"), Moment::Now).await.unwrap().alarm().unwrap(), None);
    assert!(node.image(&id("a"), Moment::Now).await.unwrap().alarm().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_copied_as_it_is_where_no_history_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let none = hostel_store::Options { history: hostel_store::HistoryOptions::off(), ..Default::default() };
    let store = hostel_store::Store::open(dir.path(), none).unwrap();
    let (node, _) = start(Node::builder(store)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["one"])).await;
    node.fork(&id("a"), "b", Moment::Now).await.unwrap();
    let mut fork = Client::greeted(&node, "Board", "b").await;
    assert_eq!(get(&mut fork).await, json!(["one", 1]));
    let refused = node.restore(&id("a"), Moment::Time(0)).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::HistoryOff));
    assert!(refused.fix().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_image_that_cannot_be_put_in_place_leaves_the_agent_and_its_work_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (node, stage) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["before"])).await;
    let image = node.image(&id("a"), Moment::Now).await.unwrap();
    client.result("set", json!(["after"])).await;
    let turns_before = turns(&node, "a").await;
    client.waiting();
    let open = stage.draw();
    let working = tokio::spawn({
        let node = node.clone();
        async move { node.call(call("persist")).await }
    });
    until(|| stage.reached.load(Ordering::SeqCst)).await;

    // Its state can be read, but it is no whole database any more.
    use std::io::Write;
    std::fs::OpenOptions::new().append(true).open(image.path()).unwrap().write_all(b"torn").unwrap();
    let refused = node.install(&id("a"), image, "import", true).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::StorageCorrupt), "{refused:?}");
    assert!(client.waiting().is_empty(), "nobody hears of it");
    assert_eq!(get(&mut client).await, json!(["after", 2]));
    assert_eq!(turns(&node, "a").await, turns_before);
    open.send(()).unwrap();
    working.await.unwrap().unwrap();
    assert_eq!(get(&mut client).await, json!(["too late", 2]), "its work went on");
}

/// The same agents, after a change of their class that lost the way back.
mod newer {
    use hostel_macros::agent;
    use serde::{Deserialize, Serialize};

    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct Board {
        text: Vec<String>,
    }

    #[agent]
    impl Board {
        #[callable]
        fn add(&mut self, line: String) {
            self.text.push(line);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_the_class_cannot_read_any_more_is_refused_before_anything_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir)).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["old"])).await;
    let old = latest(&node, "a").await;
    client.begin("destroy", json!([]));
    client.closed().await;
    node.shutdown(Duration::from_secs(5)).await;
    drop((node, client));

    let node = on_disk(&dir).agent::<newer::Board>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("add", json!(["new"])).await;
    let before = turns(&node, "a").await;
    client.waiting();
    let refused = node.restore(&id("a"), Moment::Turn(old)).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::StateShape));
    assert_eq!(node.fork(&id("a"), "b", Moment::Turn(old)).await.unwrap_err().code(), Some(Code::StateShape));
    assert!(client.waiting().is_empty());
    assert_eq!(turns(&node, "a").await, before);
    client.result("add", json!(["newer"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_said_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir)).await;
    for refused in [
        node.restore(&id("nobody"), Moment::Now).await.unwrap_err(),
        node.fork(&id("nobody"), "other", Moment::Now).await.unwrap_err(),
        node.history(&id("nobody"), HistoryQuery::default()).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Some(Code::AgentNotFound), "{refused:?}");
    }
    let unknown = node.restore(&AgentId::new("Stranger", "a"), Moment::Now).await.unwrap_err();
    assert_eq!(unknown.code(), Some(Code::UnknownAgent));
    assert_eq!(node.agents_in_memory(), 0);

    let (node, _) = start(memory()).await;
    let refused = node.history(&id("a"), HistoryQuery::default()).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::HistoryOff));
}

async fn with_clock(dir: &tempfile::TempDir) -> Node {
    start(on_disk(dir).clock(TestClock::new()).durability(Blocking)).await.0
}

fn registered(dir: &tempfile::TempDir) -> Vec<i64> {
    let store = hostel_store::Store::open(dir.path(), hostel_store::Options::default()).unwrap();
    store.alarms().unwrap().into_iter().map(|(_, at)| at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_comes_back_with_its_moment_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = with_clock(&dir).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("set", json!(["quiet"])).await;
    let quiet = latest(&node, "a").await;
    client.result("alarmIn", json!([3600])).await;
    let set = latest(&node, "a").await;
    client.result("alarmOff", json!([])).await;

    node.restore(&id("a"), Moment::Turn(set)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3590)).await;
    assert_eq!(client.result("rung", json!([])).await, 0);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(client.result("rung", json!([])).await, 1);
    // Due meanwhile: it comes at once.
    node.restore(&id("a"), Moment::Turn(set)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.result("rung", json!([])).await, 1, "put back to none, and rung once since");

    client.result("alarmIn", json!([60])).await;
    node.restore(&id("a"), Moment::Turn(quiet)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7200)).await;
    assert_eq!(client.result("rung", json!([])).await, 0);
    node.shutdown(Duration::from_secs(5)).await;
    drop((node, client));
    assert_eq!(registered(&dir), [] as [i64; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wake_up_of_a_restored_agent_is_in_the_register_before_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let store = hostel_store::Store::open(dir.path(), hostel_store::Options::default()).unwrap();
    let disk = Disk::new();
    let (node, _) = start(Node::builder(store.clone()).durability(disk.clone())).await;
    let mut client = Client::greeted(&node, "Board", "a").await;
    client.result("alarmIn", json!([3600])).await;
    let set = latest(&node, "a").await;
    client.result("alarmIn", json!([7200])).await;
    let wanted = node.image(&id("a"), Moment::Turn(set)).await.unwrap().alarm().unwrap();
    assert!(wanted.is_some());

    // Nothing is told to be durable, so nothing is done that waits for it.
    let held = disk.hold();
    client.begin("count", json!([]));
    let restore = tokio::spawn({
        let node = node.clone();
        async move { node.restore(&id("a"), Moment::Turn(set)).await }
    });
    until(|| store.registered_alarm(&AgentKey::new("board", "a")).unwrap() == wanted).await;
    assert!(!restore.is_finished());
    drop(held);
    restore.await.unwrap().unwrap();
    assert_eq!(node.image(&id("a"), Moment::Now).await.unwrap().alarm().unwrap(), wanted);
}
