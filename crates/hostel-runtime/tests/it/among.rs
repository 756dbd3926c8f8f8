//! Promise 12: what an agent may count on when it calls another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::{AgentId, Body, Cx, Request, Response, Result, host::OutgoingCall};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, NodeBuilder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

use super::support::{Client, Disk, TestClock, memory, on_disk, sleepy, until, until_asleep};

/// What tests and agents tell each other.
#[derive(Default)]
struct Signals {
    begun: Notify,
    go_on: Notify,
    crossing: AtomicUsize,
}

#[derive(Default, Serialize, Deserialize)]
struct Peer {
    done: Vec<String>,
}

#[agent]
impl Peer {
    #[callable]
    fn who(&self, cx: &Cx<Self>) -> Option<String> {
        cx.caller_agent().map(ToString::to_string)
    }

    #[callable]
    async fn who_calls_later(cx: &Cx<Self>) -> Option<String> {
        cx.sleep(Duration::from_millis(1)).await;
        cx.caller_agent().map(ToString::to_string)
    }

    #[callable]
    async fn ask_who(cx: &Cx<Self>, other: String) -> Result<(Option<String>, Option<String>)> {
        let other = cx.agent::<Self>(&other);
        Ok((other.who().await?, other.who_calls_later().await?))
    }

    #[callable]
    async fn fetch_who(cx: &Cx<Self>, other: String) -> Result<String> {
        let response = cx.agent::<Self>(&other).fetch(Request::new(Body::empty())).await?;
        Ok(String::from_utf8_lossy(&response.into_body().bytes(100).await?).into_owned())
    }

    fn on_request(&self, cx: &Cx<Self>, _request: Request) -> Response {
        Response::new(Body::from(cx.caller_agent().map_or("nobody".to_owned(), ToString::to_string)))
    }

    #[callable]
    fn time_left(&self, cx: &Cx<Self>) -> Option<i64> {
        Some(cx.deadline()?.duration_since(cx.now()).as_secs())
    }

    #[callable]
    async fn ask_time_left(cx: &Cx<Self>) -> Result<(Option<i64>, Option<i64>)> {
        let other = cx.agent::<Self>("other");
        Ok((other.time_left().timeout(Duration::from_secs(90)).await?, other.time_left().await?))
    }

    #[callable]
    async fn slowly(cx: &Cx<Self>, what: String) -> Result<()> {
        wait_and_note(cx, what).await
    }

    #[callable(cancel_on_disconnect)]
    async fn while_wanted(cx: &Cx<Self>, what: String) -> Result<()> {
        wait_and_note(cx, what).await
    }

    /// Makes a call in one of three ways, and gives up at once.
    #[callable]
    async fn give_up(cx: &Cx<Self>, way: String) -> Result<()> {
        let (other, signals) = (cx.agent::<Self>("other"), cx.env::<Signals>()?);
        let call = match way.as_str() {
            "marked" => other.while_wanted(way),
            "asked" => other.slowly(way).cancel_on_drop(),
            _ => other.slowly(way),
        };
        tokio::select! {
            answer = call => answer,
            () = signals.begun.notified() => Ok(()),
        }
    }

    #[callable]
    async fn for_ever(cx: &Cx<Self>, other: String) -> Result<()> {
        cx.update(|me| me.done.push("hop".to_owned()))?;
        cx.agent::<Self>(&other).for_ever(cx.name().to_owned()).await
    }

    #[callable]
    async fn same_key(cx: &Cx<Self>, first: String) -> Result<()> {
        cx.agent::<Self>(&first).same_key_again().idempotency_key("k").await
    }

    #[callable]
    async fn same_key_again(cx: &Cx<Self>) -> Result<()> {
        cx.agent::<Self>("between").same_key(cx.name().to_owned()).await
    }

    /// Calls the same of another with the key of that call, once both are under way.
    #[callable]
    async fn cross(cx: &Cx<Self>, others: Vec<String>) -> Result<()> {
        let signals = cx.env::<Signals>()?;
        signals.crossing.fetch_add(1, Ordering::Relaxed);
        signals.go_on.notified().await;
        let Some((next, rest)) = others.split_first() else { return Ok(()) };
        let circle = [rest, &[next.clone()][..]].concat();
        cx.agent::<Self>(next).cross(circle).idempotency_key("k").await
    }

    #[callable]
    async fn write_and_call(cx: &Cx<Self>) -> Result<()> {
        cx.update(|me| me.done.push("written".to_owned()))?;
        cx.agent::<Self>("other").note("called".to_owned()).await
    }

    #[callable]
    fn note(&mut self, what: String) {
        self.done.push(what);
    }

    #[callable]
    fn notes(&self) -> Vec<String> {
        self.done.clone()
    }
}

async fn wait_and_note(cx: &Cx<Peer>, what: String) -> Result<()> {
    /// Says that the work is over, however it ends.
    struct Over(Arc<Signals>);
    impl Drop for Over {
        fn drop(&mut self) {
            self.0.begun.notify_one();
        }
    }
    let signals = cx.env::<Signals>()?;
    signals.begun.notify_one();
    signals.go_on.notified().await;
    let over = Over(signals);
    cx.update(|me| me.done.push(what))?;
    drop(over);
    Ok(())
}

async fn peers(builder: NodeBuilder) -> (Node, Arc<Signals>) {
    let signals = Arc::new(Signals::default());
    let builder = builder.agent::<Peer>().unwrap().env_arc(std::any::TypeId::of::<Signals>(), signals.clone());
    (builder.start().await.unwrap(), signals)
}

#[tokio::test]
async fn promise_12_calls_say_which_agent_made_them() {
    let (node, _) = peers(memory()).await;
    let peer = node.agent::<Peer>("a");
    let a = Some("peer/a".to_owned());
    assert_eq!(peer.ask_who("b".to_owned()).await.unwrap(), (a.clone(), a.clone()));
    assert_eq!(peer.ask_who("a".to_owned()).await.unwrap(), (a.clone(), a), "also those of an agent by itself");
    assert_eq!(peer.fetch_who("b".to_owned()).await.unwrap(), "peer/a");
    assert_eq!(peer.who().await.unwrap(), None, "the application is no agent");
    assert_eq!(peer.who().timeout(Duration::from_secs(60)).await.unwrap(), None);
    let mut client = Client::greeted(&node, "Peer", "a").await;
    assert_eq!(client.result("who", json!([])).await, json!(null), "nor is a client");
    let request = node.request(&AgentId::new("Peer", "a"), Request::new(Body::empty()), None).await.unwrap();
    assert_eq!(request.into_body().bytes(100).await.unwrap(), "nobody");
}

#[tokio::test(start_paused = true)]
async fn promise_12_calls_tell_how_long_they_are_waited_for() {
    let (node, _) = peers(memory().clock(TestClock::new())).await;
    assert_eq!(node.agent::<Peer>("a").ask_time_left().await.unwrap(), (Some(90), None));
    assert_eq!(node.agent::<Peer>("a").time_left().timeout(Duration::from_secs(60)).await.unwrap(), Some(60));
}

#[tokio::test]
async fn promise_12_calls_go_on_without_their_caller() {
    let (node, signals) = peers(memory()).await;
    node.agent::<Peer>("a").give_up("unmarked".to_owned()).await.unwrap();
    signals.go_on.notify_one();
    signals.begun.notified().await;
    assert_eq!(node.agent::<Peer>("other").notes().await.unwrap(), ["unmarked"]);
}

#[tokio::test]
async fn promise_12_calls_end_with_their_caller_if_method_or_caller_want_that() {
    let (node, signals) = peers(memory()).await;
    for way in ["marked", "asked"] {
        node.agent::<Peer>("a").give_up(way.to_owned()).await.unwrap();
    }
    // Whoever still waited would take this signal, and leave a note.
    until(|| Arc::strong_count(&signals) <= 2).await;
    signals.go_on.notify_waiters();
    assert_eq!(node.agent::<Peer>("other").notes().await.unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn promise_12_calls_end_when_their_time_is_over_if_they_are_to_end_with_their_caller() {
    let (node, signals) = peers(memory()).await;
    let call = node.agent::<Peer>("other").while_wanted("late".to_owned()).timeout(Duration::from_secs(5));
    assert_eq!(call.await.unwrap_err().code(), Some(Code::CallTimeout));
    until(|| Arc::strong_count(&signals) <= 2).await;
}

#[tokio::test]
async fn promise_12_calls_with_a_key_that_two_wait_for_go_on_without_one_of_them() {
    let (node, signals) = peers(memory()).await;
    let call = || {
        let call = OutgoingCall::new(AgentId::new("Peer", "other"), "whileWanted", r#"["shared"]"#);
        node.call(OutgoingCall { idempotency_key: Some("k".to_owned()), ..call })
    };
    let (mut first, mut second) = (Box::pin(call()), Box::pin(call()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    signals.begun.notified().await;
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    tokio::task::yield_now().await;
    signals.go_on.notify_one();
    second.await.unwrap();
    assert_eq!(node.agent::<Peer>("other").notes().await.unwrap(), ["shared"]);
}

#[tokio::test]
async fn promise_12_calls_that_never_end_are_refused() {
    let (node, _) = peers(memory()).await;
    let error = node.agent::<Peer>("a").for_ever("b".to_owned()).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::CallTooDeep));
    let hops =
        node.agent::<Peer>("a").notes().await.unwrap().len() + node.agent::<Peer>("b").notes().await.unwrap().len();
    assert_eq!(hops, 65, "the application's call and 64 of agents");
    assert_eq!(node.agent::<Peer>("a").who().await.unwrap(), None, "and nobody is stuck");
}

#[tokio::test]
async fn promise_12_calls_with_a_key_do_not_wait_for_themselves() {
    let (node, _) = peers(memory()).await;
    let call = || node.agent::<Peer>("a").same_key_again().idempotency_key("k");
    assert_eq!(call().await.unwrap_err().code(), Some(Code::CallCycle));
    let mut client = Client::greeted(&node, "Peer", "a").await;
    let id = client.begin_keyed("sameKeyAgain", json!([]), Some("k"));
    assert_eq!(client.answer(&id).await["code"], "call_cycle");
}

#[tokio::test]
async fn promise_12_calls_with_a_key_that_cross_do_not_wait_for_each_other() {
    for names in [&["a", "b"][..], &["a", "b", "c", "d"]] {
        let (node, signals) = peers(memory()).await;
        let calls: Vec<_> = (0..names.len())
            .map(|first| {
                let circle: Vec<_> =
                    names.iter().cycle().skip(first + 1).take(names.len()).map(|&n| n.to_owned()).collect();
                let call = node.agent::<Peer>(names[first]).cross(circle).idempotency_key("k");
                tokio::spawn(async move { call.await })
            })
            .collect();
        until(|| signals.crossing.load(Ordering::Relaxed) == names.len()).await;
        signals.go_on.notify_waiters();
        for call in calls {
            let error = call.await.unwrap().unwrap_err();
            assert_eq!(error.code(), Some(Code::CallCycle), "{error:?}");
        }
    }
}

#[tokio::test]
async fn promise_12_calls_wake_whom_they_reach() {
    let (node, _) = peers(memory().options(sleepy())).await;
    node.agent::<Peer>("b").note("before".to_owned()).await.unwrap();
    until_asleep(&node).await;
    assert_eq!(node.agent::<Peer>("a").ask_who("b".to_owned()).await.unwrap().0.as_deref(), Some("peer/a"));
    assert_eq!(node.agent::<Peer>("b").notes().await.unwrap(), ["before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_calls_that_rest_on_a_lost_write_are_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let (node, _) = peers(on_disk(&dir).durability(disk.clone())).await;
    let held = disk.hold();
    let before = disk.begun();
    let mut call = Box::pin(node.call(OutgoingCall::new(AgentId::new("Peer", "a"), "writeAndCall", "[]")));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    until(|| disk.begun() > before).await;
    disk.fail();
    drop(held);
    assert!(call.await.is_err());
    disk.pass();
    assert_eq!(node.agent::<Peer>("other").notes().await.unwrap(), [""; 0]);
}

#[derive(Default, Serialize, Deserialize)]
struct Starter;

#[agent]
impl Starter {
    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        match cx.name().split_once(" calls ") {
            Some((_, other)) => cx.agent::<Self>(other).hello().await,
            None if cx.name() == "x" || cx.name() == "y" => {
                let gate = cx.env::<tokio::sync::Barrier>()?;
                gate.wait().await;
                cx.agent::<Self>(if cx.name() == "x" { "y" } else { "x" }).hello().await
            }
            None if cx.name() == "itself" => cx.agent::<Self>("itself").hello().await,
            None if cx.name() == "detour" => cx.agent::<Self>("plain").hello_to("detour".to_owned()).await,
            None => Ok(()),
        }
    }

    #[callable]
    fn hello(&self) {}

    #[callable]
    async fn hello_to(cx: &Cx<Self>, other: String) -> Result<()> {
        cx.agent::<Self>(&other).hello().await
    }
}

async fn starters() -> Node {
    memory().agent::<Starter>().unwrap().env(tokio::sync::Barrier::new(2)).start().await.unwrap()
}

#[tokio::test]
async fn promise_12_calls_of_an_on_start_that_come_back_to_it_are_refused() {
    let node = starters().await;
    let error = async |name: &str| node.agent::<Starter>(name).hello().await.unwrap_err();
    assert!(error("itself").await.message().contains("waits for this call"));
    assert!(error("detour").await.message().contains("waits for this call"));
    node.agent::<Starter>("one calls plain").hello().await.unwrap();
}

#[tokio::test]
async fn promise_12_calls_of_two_on_starts_that_wait_for_each_other_are_refused() {
    let node = starters().await;
    let (x, y) = (node.agent::<Starter>("x"), node.agent::<Starter>("y"));
    let (x, y) = tokio::join!(x.hello().into_future(), y.hello().into_future());
    assert!(x.is_err() || y.is_err(), "one of them has to give in");
    for failed in [x, y].into_iter().filter_map(Result::err) {
        assert!(failed.message().contains("waits for this call"), "{failed:?}");
    }
}
