//! Every committed turn says why in the history: which event, what exactly, and who.

use std::time::Duration;

use hostel::{
    AgentId, Body, CloseEvent, ConnectRequest, Connection, Cx, Message, Request, Response, Result, host::OutgoingCall,
};
use hostel_macros::agent;
use hostel_runtime::Node;
use hostel_store::HistoryQuery;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Diary {
    lines: Vec<String>,
}

#[agent]
impl Diary {
    fn on_start(&mut self) {
        self.note("start");
    }

    fn get_connection_tags(&self, cx: &Cx<Self>, _: &ConnectRequest) -> Result<Vec<String>> {
        cx.sql("create table if not exists seen (at text)", ())?;
        Ok(vec![])
    }

    fn on_connect(&mut self, _: &Connection) {
        self.note("connect");
    }

    fn on_message(&mut self, _: &Connection, _: Message) {
        self.note("message");
    }

    async fn on_close(cx: &Cx<Self>, _: &Connection, _: CloseEvent) -> Result<()> {
        cx.update(|me| me.note("close"))
    }

    fn on_request(&mut self, _: Request) -> Response {
        self.note("request");
        Response::new(Body::empty())
    }

    fn on_alarm(&mut self) {
        self.note("alarm");
    }

    #[callable]
    fn write(&mut self, line: String) {
        self.note(&line);
    }

    #[callable]
    fn look(&self) -> usize {
        self.lines.len()
    }

    #[callable]
    fn wake_me(&self, cx: &Cx<Self>) -> Result<()> {
        cx.set_alarm(cx.now())
    }

    #[callable]
    async fn think(cx: &Cx<Self>) -> Result<()> {
        cx.update(|me| me.note("first thought"))?;
        cx.sleep(Duration::from_millis(1)).await;
        cx.sql("insert into seen values ('later')", ())?;
        cx.spawn({
            let cx = cx.clone();
            async move {
                cx.sleep(Duration::from_millis(1)).await;
                cx.update(|me| me.note("afterthought")).unwrap();
            }
        });
        Ok(())
    }

    #[callable]
    async fn tell(cx: &Cx<Self>, other: String) -> Result<()> {
        cx.agent::<Self>(&other).think().await?;
        cx.agent::<Self>(&other).write("told".into()).await
    }
}

impl Diary {
    fn note(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

fn id(name: &str) -> AgentId {
    AgentId::new("Diary", name)
}

async fn diary(dir: &tempfile::TempDir) -> Node {
    on_disk(dir).agent::<Diary>().unwrap().start().await.unwrap()
}

/// The causes of an agent's turns, oldest first.
async fn causes(node: &Node, name: &str) -> Vec<String> {
    let query = HistoryQuery { limit: 1000, ..HistoryQuery::default() };
    let page = node.history(&id(name), query).await.unwrap();
    page.turns.iter().rev().map(|turn| turn.cause.to_string()).collect()
}

async fn until_lines(node: &Node, name: &str, lines: usize) {
    let wait = async {
        loop {
            let state = node.safe_state(&id(name)).await.unwrap().state.unwrap();
            let state: Diary = serde_json::from_str(state.get()).unwrap();
            if state.lines.len() >= lines {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it is noted in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_event_is_named_in_the_history_with_who_brought_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = diary(&dir).await;
    let mut ann = Client::open_as(&node, "Diary", "a", Some("ann"), "").await;
    ann.until_type("cf_agent_mcp_servers").await;
    ann.result("write", json!(["by call"])).await;
    ann.result("look", json!([])).await;
    ann.send(&json!({"type": "cf_agent_state", "state": {"lines": []}}));
    ann.send(&json!({"hello": "there"}));
    ann.result("look", json!([])).await;
    node.request(&id("a"), http::Request::post("http://host/").body(Body::empty()).unwrap(), None).await.unwrap();
    let write = OutgoingCall::new(id("a"), "write", r#"["from outside"]"#);
    node.call(write).await.unwrap();
    ann.result("wakeMe", json!([])).await;
    until_lines(&node, "a", 4).await;
    ann.leave();
    until_lines(&node, "a", 5).await;

    assert_eq!(
        causes(&node, "a").await,
        [
            "start by agent",
            "connect by request",
            "connect by connection ann",
            "call write by connection ann",
            "state by connection ann",
            "message by connection ann",
            "request POST by request",
            "call write by application",
            "call wakeMe by connection ann",
            "alarm by schedule",
            "alarm by schedule",
            "update on_close by connection ann",
        ],
        "`look` wrote nothing; the second alarm turn takes the wake-up back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_async_work_writes_on_its_way_is_told_apart_by_method_and_caller() {
    let dir = tempfile::tempdir().unwrap();
    let node = diary(&dir).await;
    let mut bob = Client::open_as(&node, "Diary", "a", Some("bob"), "").await;
    bob.until_type("cf_agent_mcp_servers").await;
    bob.result("think", json!([])).await;
    until_lines(&node, "a", 4).await;
    assert_eq!(
        causes(&node, "a").await[3..],
        ["update think by connection bob", "update think by connection bob", "update think by connection bob",],
        "an update, a row, and what `cx.spawn` did later"
    );

    let other = Client::greeted(&node, "Diary", "b").await;
    bob.result("tell", json!(["b"])).await;
    until_lines(&node, "b", 5).await;
    let told = causes(&node, "b").await;
    assert_eq!(told[3], "update think by agent diary/a", "{told:?}");
    assert!(told.contains(&"call write by agent diary/a".to_owned()), "{told:?}");
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_result_of_an_async_call_is_kept_on_behalf_of_its_caller() {
    let dir = tempfile::tempdir().unwrap();
    let node = diary(&dir).await;
    let mut cid = Client::open_as(&node, "Diary", "a", Some("cid"), "").await;
    cid.until_type("cf_agent_mcp_servers").await;
    let call = cid.begin_keyed("think", json!([]), Some("once"));
    cid.answer(&call).await;
    let causes = causes(&node, "a").await;
    assert!(causes.contains(&"call think by connection cid".to_owned()), "{causes:?}");
}
