//! Methods: arguments, results, forms, stubs.

use std::sync::Arc;

use hostel::{Agent, Cx, Reply, Result, Stream, erased::ClassOf};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::second_host::{SecondHost, World};

#[derive(Debug, Default, Deserialize)]
struct OnlyReceived {
    by: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

/// A counter.
///
/// Of anything.
#[agent(name = "CounterAgent", send_identity_on_connect = false)]
impl Counter {
    /// Adds `by`.
    #[callable]
    fn increment(&mut self, by: i64) -> i64 {
        self.count += by;
        self.count
    }

    #[callable]
    fn reset(&mut self, cx: &Cx<Self>) {
        self.count = 0;
        cx.broadcast("reset");
    }

    #[callable(name = "describe")]
    fn long_name(&self, prefix: &str, numbers: &[i64], suffix: &Option<String>) -> String {
        format!("{prefix}{}{numbers:?}{suffix:?}", self.count)
    }

    // Names that generated code might use, too.
    #[callable]
    fn echo(&self, me: i64, cx: i64, args: i64, book: i64, r#type: i64) -> (i64, i64, i64, i64, i64) {
        (me, cx, args, book, r#type)
    }

    #[callable]
    fn add(&mut self, change: &OnlyReceived) -> &i64 {
        self.count += change.by;
        &self.count
    }

    #[callable]
    fn parse(&mut self, text: &str) -> Result<i64, std::num::ParseIntError> {
        self.count = 99;
        self.count = text.parse()?;
        Ok(self.count)
    }

    #[callable]
    fn choose(&self, nothing: bool) -> Result<Reply> {
        if nothing { Ok(Reply::undefined()) } else { Reply::json("something") }
    }

    #[callable]
    fn id(&self) -> &str {
        "its own"
    }

    #[callable]
    fn pick<'a>(&'a self, first: &'a str, second: &str) -> &'a str {
        if first.len() < second.len() { "the second" } else { first }
    }

    #[callable]
    fn maybe(&self) -> Option<i64> {
        None
    }

    #[callable(cancel_on_disconnect)]
    async fn follow(cx: &Cx<Self>, other: &str) -> Result<i64> {
        let theirs = cx.agent::<Self>(other).increment(0).await?;
        cx.update(|me| me.count = theirs)?;
        Ok(theirs)
    }

    #[callable]
    async fn owned_context(cx: Cx<Self>) -> Result<String> {
        let name = cx.name().to_owned();
        Ok(name)
    }

    #[callable]
    async fn call_all(cx: &Cx<Self>, other: String) -> Result<Vec<Value>> {
        let stub = cx.agent::<Counter>(&other);
        stub.reset().await?;
        let described = stub.describe_twice("a").await?;
        let text: String = stub.call("describe", &("b", [1])).await?;
        let chosen = stub.choose(false).await?;
        assert_eq!(stub.id().await?, "its own");
        Ok(vec![described.into(), text.into(), chosen, stub.long_name("c", &[2], &None).await?.into()])
    }

    #[callable]
    fn describe_twice(&self, prefix: &str) -> String {
        format!("{prefix}{prefix}")
    }

    /// Counts.
    #[callable(streaming)]
    async fn count_to(_cx: &Cx<Self>, stream: Stream<i64>, to: i64) -> Result<()> {
        for number in 1..=to {
            stream.send(&number)?;
        }
        if to > 2 { Err(hostel::Error::msg("too far")) } else { Ok(()) }
    }

    #[callable(streaming)]
    async fn no_arguments(_cx: Cx<Self>, stream: &Stream<String>) -> Result<()> {
        stream.send(&"one".to_owned())?;
        stream.end_with(&2)
    }

    #[cfg(any())]
    #[callable]
    fn compiled_out(&self, _nothing: DoesNotExist) {}

    #[allow(dead_code, reason = "clients may find its name, and are told that it is closed")]
    fn secret_helper(&self) -> i64 {
        self.count
    }

    #[allow(dead_code, reason = "belongs to no instance, so it is no method")]
    fn constructor(count: i64) -> Self {
        Self { count }
    }
}

fn counter() -> Arc<SecondHost> {
    World::new(vec![Box::new(ClassOf::<Counter>::new())]).agent("CounterAgent", "a").expect("it starts")
}

fn check(method: &str, args: &str, expected: Option<&str>) {
    let reply = counter().call(method, args).unwrap_or_else(|error| panic!("{method}{args}: {error}"));
    assert_eq!(reply.as_json(), expected, "{method}{args}");
}

#[test]
fn arguments_are_read_by_position_and_results_are_json() {
    check("increment", "[2]", Some("2"));
    check("describe", r#"["x",[1,2],"y"]"#, Some(r#""x0[1, 2]Some(\"y\")""#));
    check("describe", r#"["x",[]]"#, Some(r#""x0[]None""#));
    check("echo", "[1,2,3,4,5]", Some("[1,2,3,4,5]"));
    check("add", r#"[{"by":3}]"#, Some("3"));
    check("maybe", "[]", Some("null"));
    check("pick", r#"["abc","d"]"#, Some(r#""abc""#));
}

#[test]
fn nothing_is_undefined() {
    check("reset", "[]", None);
    check("choose", "[true]", None);
    check("choose", "[false]", Some(r#""something""#));
}

#[test]
fn extra_arguments_do_no_harm() {
    check("increment", r#"[2,"more"]"#, Some("2"));
    // Without parameters they are not even read.
    check("reset", "not json", None);
}

#[test]
fn any_error_reaches_the_caller_and_undoes_the_turn() {
    let counter = counter();
    let error = counter.call("parse", r#"["x"]"#).unwrap_err();
    assert_eq!((error.code(), error.message()), (None, "invalid digit found in string"));
    assert_eq!(counter.state(), r#"{"count":0}"#);
}

#[test]
fn a_wrong_argument_is_named() {
    let error = counter().call("echo", "[1,2,3,4,null]").unwrap_err();
    assert_eq!(error.code(), Some(Code::InvalidArguments));
    assert!(error.message().starts_with("Argument 5 (`type`) of echo does not fit"), "{error}");
}

#[test]
fn async_methods_call_other_agents_through_typed_stubs() {
    let world = World::new(vec![Box::new(ClassOf::<Counter>::new())]);
    world.agent("CounterAgent", "a").unwrap().call("increment", "[7]").unwrap();
    let b = world.agent("CounterAgent", "b").unwrap();
    assert_eq!(b.call("follow", r#"["a"]"#).unwrap().as_json(), Some("7"));
    assert_eq!(b.state(), r#"{"count":7}"#);
    assert_eq!(b.call("ownedContext", "[]").unwrap().as_json(), Some(r#""b""#));
    let all = b.call("callAll", r#"["a"]"#).unwrap();
    assert_eq!(all.as_json(), Some(r#"["aa","b0[1]None","something","c0[2]None"]"#));
}

#[test]
fn streams_send_chunks_then_end() {
    let counter = counter();
    let connection = counter.connect("c", "/").unwrap();
    let frames = |method: &str, args: &str| {
        counter.stream(&connection, method, args).unwrap();
        let frames = counter.take_texts().into_iter().map(|text| serde_json::from_str::<Value>(&text).unwrap());
        frames
            .map(|frame| (frame["done"] == true, frame["success"] == true, frame["result"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(frames("countTo", "[1]"), [(false, true, 1.into()), (true, true, Value::Null)]);
    assert_eq!(frames("countTo", "[3]").last().map(|last| last.1), Some(false));
    assert_eq!(frames("noArguments", "[]"), [(false, true, "one".into()), (true, true, 2.into())]);
}

#[test]
fn a_class_is_described_without_an_instance() {
    let class = ClassOf::<Counter>::new();
    let info = hostel::erased::Class::info(&class);
    assert_eq!(
        (&*info.class, &*info.namespace, &*info.doc),
        ("CounterAgent", "counter-agent", "A counter.\n\nOf anything.")
    );
    assert!(!info.options.send_identity_on_connect);
    let method = |name: &str| &info.methods[info.method(name).unwrap_or_else(|| panic!("{name} is missing"))];
    assert_eq!(method("increment").doc, "Adds `by`.");
    assert!(method("follow").cancel_on_disconnect && !method("increment").cancel_on_disconnect);
    assert!(method("countTo").streaming && method("countTo").callable);
    assert!(!method("secretHelper").callable);
    assert_eq!(info.method("constructor"), None);
    assert_eq!(info.method("compiledOut"), None);
}

#[test]
fn the_initial_state_is_the_default() {
    assert_eq!(Counter::OPTIONS, hostel::ClassOptions::DEFAULT.send_identity_on_connect(false));
    assert_eq!(counter().state(), r#"{"count":0}"#);
}
