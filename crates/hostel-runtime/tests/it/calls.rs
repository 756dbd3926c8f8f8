//! Calls between agents: cycles, chains, deadlines, services and props.

use std::{sync::Arc, time::Duration};

use hostel::{AgentId, Body, Cx, Error, Request, Response, Result, host::OutgoingCall};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Collision, Node, Options};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, memory, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Link {
    visits: i64,
}

#[agent]
impl Link {
    /// Goes there and back again: whom it calls, calls it.
    #[callable]
    async fn ask(cx: &Cx<Self>, other: String) -> Result<i64> {
        cx.update(|me| me.visits += 1)?;
        cx.agent::<Self>(&other).ask_back(cx.name().to_owned()).await
    }

    #[callable]
    async fn ask_back(cx: &Cx<Self>, first: String) -> Result<i64> {
        let theirs = cx.agent::<Self>(&first).visit().await?;
        cx.update(|me| me.visits += 1)?;
        Ok(theirs)
    }

    #[callable]
    fn visit(&mut self) -> i64 {
        self.visits += 1;
        self.visits
    }

    #[callable]
    async fn chain(cx: &Cx<Self>, left: u32) -> Result<u32> {
        cx.update(|me| me.visits += 1)?;
        match left {
            0 => Ok(0),
            _ => Ok(cx.agent::<Self>(&left.to_string()).chain(left - 1).await? + 1),
        }
    }

    #[callable]
    async fn forever(cx: &Cx<Self>) {
        cx.sleep(Duration::from_secs(1_000_000)).await;
    }

    #[callable]
    async fn impatient(cx: &Cx<Self>) -> Result<String> {
        let gave_up = cx.agent::<Self>("slow").forever().timeout(Duration::from_secs(5)).await;
        Ok(gave_up.unwrap_err().label().unwrap_or_default().to_owned())
    }

    #[callable]
    fn secret(&self, cx: &Cx<Self>) -> Result<(String, Option<i64>)> {
        Ok((cx.env::<String>()?.to_string(), cx.props()?))
    }

    #[callable]
    async fn forward(cx: &Cx<Self>, other: String) -> Result<String> {
        let request =
            http::Request::builder().uri("http://agent/any/path").body(Body::from("to whom it may concern"))?;
        let response = cx.agent::<Self>(&other).fetch(request).await?;
        Ok(String::from_utf8_lossy(&response.into_body().bytes(1000).await?).into_owned())
    }

    async fn on_request(cx: &Cx<Self>, request: Request) -> Result<Response> {
        let path = request.uri().path().to_owned();
        if path == "/fail" {
            return Err(Error::msg("cannot answer"));
        }
        let body = request.into_body().bytes(1000).await?;
        Ok(Response::new(Body::from(format!("{} got {} bytes at {path}", cx.name(), body.len()))))
    }
}

async fn links() -> Node {
    memory().agent::<Link>().unwrap().env("a shared word".to_owned()).start().await.unwrap()
}

fn long() -> Options {
    Options { call_hops: 2000, ..Options::default() }
}

async fn long_links() -> Node {
    memory().agent::<Link>().unwrap().options(long()).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_call_each_other_in_a_circle_do_not_lock_up() {
    let node = links().await;
    assert_eq!(node.agent::<Link>("a").ask("b".to_owned()).await.unwrap(), 2);
    assert_eq!(node.agent::<Link>("self").ask("self".to_owned()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_a_thousand_agents_answers() {
    assert_eq!(long_links().await.agent::<Link>("first").chain(1000).await.unwrap(), 1000);
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Link>().unwrap().options(long()).start().await.unwrap();
    assert_eq!(
        node.agent::<Link>("first").chain(100).await.unwrap(),
        100,
        "and one whose every link waits for its disk"
    );
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_chain_of_a_thousand_agents_answers_on_one_thread() {
    assert_eq!(long_links().await.agent::<Link>("first").chain(1000).await.unwrap(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_give_up_waiting_and_is_told_so() {
    let node = links().await;
    assert_eq!(node.agent::<Link>("a").impatient().await.unwrap(), "call_timeout");
    let error = node.agent::<Link>("b").forever().timeout(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::CallTimeout));
}

#[tokio::test]
async fn agents_find_services_and_props() {
    let node = links().await;
    let id = AgentId::new("Link", "a");
    node.wake(&id, Some(Arc::new(json!(42)))).await.unwrap();
    let (word, props) = node.agent::<Link>("a").secret().await.unwrap();
    assert_eq!((word.as_str(), props), ("a shared word", Some(42)));
    assert_eq!(node.agent::<Link>("b").secret().await.unwrap().1, None);
    let poor = memory().agent::<Link>().unwrap().start().await.unwrap();
    assert!(poor.agent::<Link>("a").secret().await.unwrap_err().fix().is_some());
}

#[tokio::test]
async fn http_requests_reach_agents_from_outside_and_from_each_other() {
    let node = links().await;
    assert_eq!(node.agent::<Link>("a").forward("b".to_owned()).await.unwrap(), "b got 22 bytes at /any/path");
    let request = http::Request::builder().uri("http://host/fail").body(Body::empty()).unwrap();
    let error = node.request(&AgentId::new("Link", "a"), request, None).await.unwrap_err();
    assert_eq!(error.message(), "cannot answer");
}

#[tokio::test]
async fn calls_that_cannot_be_made_say_why() {
    let node = links().await;
    let call = |class: &str, method: &str| OutgoingCall::new(AgentId::new(class, "a"), method, "[]");
    let code = async |class: &str, method: &str| node.call(call(class, method)).await.unwrap_err().code();
    assert_eq!(code("Link", "nonsense").await, Some(Code::MethodNotFound));
    assert_eq!(code("Link", "ask").await, Some(Code::InvalidArguments));
    assert_eq!(code("Nobody", "ask").await, Some(Code::UnknownAgent));
}

#[derive(Default, Serialize, Deserialize)]
struct Other;

#[agent(name = "LINK")]
impl Other {}

#[tokio::test]
async fn classes_whose_spellings_collide_are_refused_together() {
    let Err(Collision { first, second, .. }) = memory().agent::<Link>().unwrap().agent::<Other>() else {
        panic!("`Link` and `LINK` are one spelling");
    };
    assert_eq!((first.as_str(), second.as_str()), ("Link", "LINK"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Link>().unwrap().start().await.unwrap();
    let second = hostel_store::Store::open(dir.path(), hostel_store::Options::default());
    assert_eq!(second.unwrap_err().code(), "storage_locked");
    let mut client = Client::greeted(&node, "Link", "a").await;
    assert_eq!(client.result("visit", json!([])).await, 1);
}
