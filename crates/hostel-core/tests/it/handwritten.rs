//! A counter without a macro: what `#[agent]` writes, written by hand, on the second host.

use std::time::Duration;

use hostel_core::{
    Agent, Args, Cx, Error, Handler, Hooks, Method, MethodKind, Offer, Reply, Result, Stub, TaskOrders,
    erased::ClassOf,
    host::Effect,
    typescript::{Signature, TypeBook},
};
use hostel_protocol::refusal::Code;
use serde::{Deserialize, Serialize};

use crate::second_host::{SecondHost, World};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
    #[serde(skip)]
    woken: bool,
}

fn untyped(_: &mut TypeBook) -> Signature {
    Signature::new()
}

const fn method(name: &'static str, kind: MethodKind<Counter>) -> Method<Counter> {
    Method { name, doc: "", kind, cancel_on_disconnect: false, allow: &[], offer: Offer::Tool, signature: untyped }
}

impl Agent for Counter {
    const CLASS: &'static str = "Counter";
    const METHODS: &'static [Method<Self>] = &[
        method("increment", MethodKind::Plain(Handler::Turn(|me, cx, args| me.increment(cx, &args)))),
        method("get", MethodKind::Plain(Handler::Read(|me, _, _| Reply::json(&(me.count, me.woken))))),
        method("tick", MethodKind::Plain(Handler::Task(|cx, _| Box::pin(Self::tick(cx))))),
        method("set_if", MethodKind::Plain(Handler::Turn(|me, cx, args| me.set_if(cx, &args)))),
        method("follow", MethodKind::Plain(Handler::Task(|cx, args| Box::pin(Self::follow(cx, args))))),
        method("version", MethodKind::Plain(Handler::Read(|_, cx, _| Reply::json(&cx.state_version()?)))),
        method("copy", MethodKind::Plain(Handler::Task(|cx, args| Box::pin(Self::copy(cx, args))))),
        Method::closed("secret"),
    ];
    const HOOKS: Hooks<Self> = Hooks {
        on_start: Some(Handler::Turn(|me, _, ()| {
            me.woken = true;
            Ok(())
        })),
        validate_state_change: Some(Handler::Read(|me, _, _| match me.count {
            13 => Err(Error::msg("not that number")),
            _ => Ok(()),
        })),
        ..Hooks::NONE
    };

    type Stub = Stub;
    type Tasks = TaskOrders;
}

impl Counter {
    fn increment(&mut self, cx: &Cx<Self>, args: &Args) -> Result<Reply> {
        self.count += args.reader("increment")?.next::<i64>("by")?;
        cx.broadcast("changed");
        if self.count < 0 {
            return Err(Error::msg("a counter is not negative"));
        }
        Reply::json(&self.count)
    }

    fn set_if(&mut self, cx: &Cx<Self>, args: &Args) -> Result<Reply> {
        let mut args = args.reader("set_if")?;
        self.count = args.next("count")?;
        cx.expect_version(&args.next::<String>("version")?)?;
        Reply::json(&self.count)
    }

    async fn follow(cx: Cx<Self>, args: Args) -> Result<Reply> {
        let version: String = args.reader("follow")?.next("version")?;
        cx.update_if(&version, |me| me.count += 1)?;
        Reply::json(&cx.state_version()?)
    }

    async fn tick(cx: Cx<Self>) -> Result<Reply> {
        cx.sleep(Duration::from_secs(60)).await;
        let seconds = cx.now().as_second();
        cx.update(|me| me.count = seconds)?;
        cx.durable().await?;
        Reply::json(&cx.read(|me| me.count)?)
    }

    async fn copy(cx: Cx<Self>, args: Args) -> Result<Reply> {
        let other: String = args.reader("copy")?.next("other")?;
        let count: i64 = cx.agent::<Self>(&other).call("increment", &(0,)).await?;
        cx.update(|me| me.count = count)?;
        Reply::json(&count)
    }
}

fn world() -> std::sync::Arc<World> {
    World::new(vec![Box::new(ClassOf::<Counter>::new())])
}

fn counter() -> std::sync::Arc<SecondHost> {
    world().agent("Counter", "a").expect("it starts")
}

#[test]
fn an_agent_lives_on_a_second_host() {
    let counter = counter();
    assert_eq!(counter.call("increment", "[2]").unwrap().as_json(), Some("2"));
    assert_eq!(counter.call("get", "[]").unwrap().as_json(), Some("[2,true]"));
    assert_eq!(counter.state(), r#"{"count":2}"#);
    assert!(matches!(counter.take_effects()[..], [Effect::Broadcast { .. }, Effect::PushState]));
}

#[test]
fn a_failing_turn_leaves_nothing_behind() {
    let counter = counter();
    let error = counter.call("increment", "[-1]").unwrap_err();
    assert_eq!(error.message(), "a counter is not negative");
    assert_eq!(counter.state(), r#"{"count":0}"#);
    assert!(counter.take_effects().is_empty());
}

#[test]
fn a_vetoed_state_leaves_nothing_behind() {
    let counter = counter();
    assert_eq!(counter.call("increment", "[13]").unwrap_err().message(), "not that number");
    assert_eq!(counter.state(), r#"{"count":0}"#);
}

#[test]
fn a_task_waits_between_turns() {
    assert_eq!(counter().call("tick", "[]").unwrap().as_json(), Some("60"));
}

#[test]
fn agents_call_each_other() {
    let world = world();
    world.agent("Counter", "a").unwrap().call("increment", "[7]").unwrap();
    let b = world.agent("counter", "b").unwrap();
    assert_eq!(b.call("copy", r#"["a"]"#).unwrap().as_json(), Some("7"));
    assert_eq!(b.state(), r#"{"count":7}"#);
}

#[test]
fn a_closed_method_exists_and_is_refused() {
    let counter = counter();
    assert_eq!(counter.call("secret", "[]").unwrap_err().code(), Some(Code::MethodNotCallable));
    assert_eq!(counter.call("nothing", "[]").unwrap_err().code(), Some(Code::MethodNotFound));
}

#[test]
fn a_change_that_rests_on_a_version_is_made_only_while_the_state_has_it() {
    let counter = counter();
    let version = |counter: &SecondHost| counter.call("version", "[]").unwrap().as_json().unwrap().to_owned();
    let zero = version(&counter);
    assert_eq!(counter.call("set_if", &format!("[5,{zero}]")).unwrap().as_json(), Some("5"));
    let five = version(&counter);
    assert_ne!(zero, five);
    let error = counter.call("set_if", &format!("[6,{zero}]")).unwrap_err();
    assert_eq!(error.code(), Some(Code::StateConflict));
    assert!(error.message().contains(five.trim_matches('"')), "{}", error.message());
    assert_eq!(counter.call("follow", &format!("[{zero}]")).unwrap_err().code(), Some(Code::StateConflict));
    assert_eq!(counter.state(), r#"{"count":5}"#);
    let six = counter.call("follow", &format!("[{five}]")).unwrap();
    assert_eq!(six.as_json(), Some(&*version(&counter)));
    counter.call("increment", "[-6]").unwrap();
    assert_eq!(version(&counter), zero, "the same content has the same version");
}
