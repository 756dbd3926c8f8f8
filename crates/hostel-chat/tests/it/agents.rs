//! Agents as tools of other agents: what pages of the one above see, across crashes, and that stopping it stops them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hostel::prelude::*;
use hostel_chat::{
    AgentTask, Answering, Chat, ChatAgent, ChatSetup, Room, Tool, ToolCx,
    model::{Models, Scripted},
};
use hostel_testing::{Peer, TestHome};
use serde_json::{Value, json};

use super::support::{Gate, ask, stored, texts, until_end, user};

const SCRIPT: &str = "\
on find *
  call research {\"task\": \"$1\"}
then
  say Found: $result
on both
  call two {}
then
  say Both: $result
on dig *
  say I dig. 
  call dig {}
then
  say The $1 is $result.
on ask *
  call pay {}
then
  say $result
on break
  fault overloaded The provider is busy.
on *
  say You said: $text
";

/// How often was dug, in all lives of the host.
#[derive(Clone, Default)]
struct Spade(Arc<AtomicUsize>);

#[derive(Default, Serialize, Deserialize)]
struct Desk;

#[agent(extend = Chat)]
impl Desk {
    #[callable]
    fn runs(&self, cx: &Cx<Self>) -> Result<Value> {
        Ok(serde_json::to_value(Room::of(cx).agent_runs()?)?)
    }

    #[callable]
    async fn asked(cx: &Cx<Self>) -> Result<Value> {
        Ok(serde_json::to_value(Room::of(cx).approvals_below().await?)?)
    }

    #[callable]
    async fn answer(cx: &Cx<Self>, id: &str) -> Result<Option<bool>> {
        Ok(Room::of(cx).decide_below(id, &Answering::yes()).await?.map(|decided| decided.accepted))
    }

    #[callable]
    fn below(&self, cx: &Cx<Self>) -> Result<usize> {
        Ok(cx.list_sub_agents()?.len())
    }

    #[callable]
    async fn standing(cx: &Cx<Self>, name: &str) -> Result<String> {
        cx.sub_agent::<Digger>(name)?.standing().await
    }

    #[callable]
    async fn allow(cx: &Cx<Self>, name: &str) -> Result<()> {
        cx.sub_agent::<Digger>(name)?.allow().await
    }
}

impl ChatAgent for Desk {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        let two = |cx: ToolCx<Self>, (): ()| async move {
            let task = |name: &str, order| AgentTask::new(name).key(name, order).display(name);
            let (one, two) = futures_util::try_join!(
                cx.run_agent::<Digger>(task("one", 0)),
                cx.run_agent::<Digger>(task("break", 1))
            )?;
            Ok(json!([one.into_output(), two.into_output()]))
        };
        ChatSetup::new()
            .tool(Tool::agent::<Digger>("research", "Finds something."))
            .tool(Tool::new("two", "Two at once.", two).repeatable())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Digger;

#[agent(extend = Chat)]
impl Digger {
    #[callable]
    fn standing(&self, cx: &Cx<Self>) -> Result<String> {
        Ok(Room::of(cx).last_turn()?.map(|turn| turn.state).unwrap_or_default())
    }

    #[callable]
    fn allow(&self, cx: &Cx<Self>) -> Result<()> {
        let room = Room::of(cx);
        room.approvals()?.iter().try_for_each(|one| room.decide(&one.id, &Answering::yes()).map(drop))
    }
}

impl ChatAgent for Digger {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        let dig = |cx: ToolCx<Self>, (): ()| async move {
            cx.env::<Spade>()?.0.fetch_add(1, Ordering::SeqCst);
            cx.env::<Gate>()?.0.acquire().await?.forget();
            Ok("gold")
        };
        let pay = |_: ToolCx<Self>, (): ()| async { Ok("paid") };
        ChatSetup::new().tool(Tool::new("dig", "Digs.", dig).repeatable()).tool(Tool::new("pay", "Pays.", pay).ask())
    }
}

async fn home(gate: &Gate) -> (TestHome, Spade) {
    let spade = Spade::default();
    let (shared, gate) = (spade.clone(), gate.clone());
    let app = move || {
        let model = Scripted::new(SCRIPT).unwrap();
        let app = App::new().agent::<Desk>().sub_agent::<Digger>();
        app.env(Models::one(model)).env(shared.clone()).env(gate.clone())
    };
    (TestHome::start(app).await, spade)
}

/// The events of runs among frames.
fn events(frames: &[Value]) -> Vec<&Value> {
    frames.iter().filter(|frame| frame["type"] == "agent-tool-event").collect()
}

/// What a page folds from events: by their places, each once, without what only passes.
fn kinds(events: &[&Value]) -> Vec<(u64, String)> {
    let mut seen = std::collections::BTreeMap::new();
    for event in events {
        let body: Value = serde_json::from_str(event["event"]["body"].as_str().unwrap_or("null")).unwrap();
        if body["transient"] != true {
            let kind = body["type"].as_str().or(event["event"]["kind"].as_str()).unwrap();
            seen.insert(event["sequence"].as_u64().unwrap(), kind.to_owned());
        }
    }
    seen.into_iter().collect()
}

const DUG: [&str; 17] = [
    "started",
    "start",
    "start-step",
    "text-start",
    "text-delta",
    "text-end",
    "tool-input-start",
    "tool-input-available",
    "tool-output-available",
    "finish-step",
    "start-step",
    "text-start",
    "text-delta",
    "text-end",
    "finish-step",
    "finish",
    "finished",
];

/// The kinds alone. How a text is cut into deltas is up to the moment.
fn only_kinds(events: &[&Value]) -> Vec<String> {
    let kinds = kinds(events).into_iter().map(|(_, kind)| kind);
    let mut kinds: Vec<String> = kinds.filter(|kind| kind != "tool-input-delta").collect();
    kinds.dedup();
    kinds
}

/// Frames up to one that is wanted, that one included.
async fn until(page: &mut Peer, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame: Value = serde_json::from_str(&page.until(|_| true).await).unwrap();
        let found = wanted(&frame);
        frames.push(frame);
        if found {
            return frames;
        }
    }
}

fn is_chunk(frame: &Value, kind: &str) -> bool {
    let body: Value = serde_json::from_str(frame["event"]["body"].as_str().unwrap_or("null")).unwrap();
    frame["type"] == "agent-tool-event" && body["type"] == kind
}

fn is_over(frame: &Value) -> bool {
    frame["id"] == "r1" && frame["done"] == true
}

async fn runs(page: &mut Peer) -> Vec<Value> {
    page.call("runs", json!([])).await.as_array().unwrap().clone()
}

async fn answer(home: &TestHome) -> String {
    texts(&stored(home, "desk/x").await).pop().unwrap().1
}

#[tokio::test]
async fn what_an_agent_below_does_is_shown_above_and_its_answer_is_the_tools_output() {
    let gate = Gate::closed();
    gate.open(1);
    let (home, _) = home(&gate).await;
    let mut page = home.connect("desk/x").await;
    page.send(ask("r1", &[user("u1", "find dig treasure")])).await;
    let frames = until(&mut page, is_over).await;
    let events = events(&frames);
    let run = runs(&mut page).await.remove(0);
    let id = run["runId"].as_str().unwrap();
    assert_eq!(id, format!("agent-tool:{}", run["toolCallId"].as_str().unwrap()));
    let started = json!({
        "type": "agent-tool-event",
        "parentToolCallId": run["toolCallId"],
        "sequence": 0,
        "event": {"kind": "started", "runId": id, "agentType": "Digger", "inputPreview": "{\"task\":\"dig treasure\"}", "order": 0},
    });
    assert_eq!(*events[0], started);
    assert_eq!(only_kinds(&events), DUG);
    let places: Vec<u64> = kinds(&events).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, (0..places.len() as u64).collect::<Vec<_>>());
    let last = &events.last().unwrap()["event"];
    assert_eq!(*last, json!({"kind": "finished", "runId": id, "summary": "I dig.The treasure is gold."}));
    assert_eq!(answer(&home).await, "Found: I dig.The treasure is gold.");

    // A page that is loaded later sees the same, behind what every agent says.
    let mut later = home.connect("desk/x").await;
    let mut replayed = until(&mut later, |frame| frame["type"] == "cf_agent_mcp_servers").await;
    assert!(self::events(&replayed).is_empty());
    replayed = until(&mut later, |frame| frame["event"]["kind"] == "finished").await;
    assert!(replayed.iter().all(|frame| frame["replay"] == true));
    assert_eq!(kinds(&self::events(&replayed)), kinds(&events));
}

#[tokio::test]
async fn after_a_crash_both_go_on_where_they_were_and_nothing_is_shown_twice() {
    let gate = Gate::closed();
    let (mut home, spade) = home(&gate).await;
    let mut page = home.connect("desk/x").await;
    page.send(ask("r1", &[user("u1", "find dig treasure")])).await;
    let mut frames = until(&mut page, |frame| is_chunk(frame, "tool-input-available")).await;
    home.crash().await;
    let mut page = home.connect("desk/x").await;
    gate.open(10);
    frames.extend(until(&mut page, |frame| frame["event"]["kind"] == "finished").await);
    home.settle().await;
    assert_eq!(only_kinds(&events(&frames)), DUG);
    assert_eq!(answer(&home).await, "Found: I dig.The treasure is gold.");
    assert_eq!(spade.0.load(Ordering::SeqCst), 2, "a tool that may run twice was broken off once");
    assert_eq!(runs(&mut page).await.len(), 1);
}

#[tokio::test]
async fn a_run_that_is_over_is_not_done_again_after_a_crash() {
    let gate = Gate::closed();
    let (mut home, spade) = home(&gate).await;
    let mut page = home.connect("desk/x").await;
    page.send(ask("r1", &[user("u1", "both")])).await;
    // One of the two has failed; the other may be over as well.
    until(&mut page, |frame| frame["event"]["kind"] == "error").await;
    home.crash().await;
    home.settle().await;
    assert_eq!(answer(&home).await.matches("You said: one").count(), 1);
    assert!(answer(&home).await.contains("The provider is busy."));
    let mut page = home.connect("desk/x").await;
    assert_eq!(runs(&mut page).await.len(), 2);
    assert_eq!(spade.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn stopping_the_answer_stops_the_agent_below_also_across_a_crash() {
    let gate = Gate::closed();
    let (mut home, spade) = home(&gate).await;
    let mut page = home.connect("desk/x").await;
    page.send(ask("r1", &[user("u1", "find dig treasure")])).await;
    until(&mut page, |frame| is_chunk(frame, "tool-input-available")).await;
    page.send(json!({"type": "cf_agent_chat_request_cancel", "id": "r1"}).to_string()).await;
    let frames = until(&mut page, is_over).await;
    assert_eq!(events(&frames).last().unwrap()["event"]["kind"], "aborted");
    home.crash().await;
    let mut page = home.connect("desk/x").await;
    let run = runs(&mut page).await.remove(0);
    assert_eq!(run["state"], "aborted");
    // A stop that the crash broke off is ordered again after a pause.
    while page.call("standing", json!([run["runId"]])).await != "cancelled" {
        home.advance(std::time::Duration::from_secs(1)).await;
    }
    gate.open(10);
    home.settle().await;
    let below = format!("desk/x/sub/digger/{}", run["runId"].as_str().unwrap().replace(':', "%3A"));
    let kept = stored(&home, &below).await;
    assert!(!texts(&kept).pop().unwrap().1.contains("gold"), "{kept:?}");
    assert!(spade.0.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn an_agent_below_that_asks_is_waited_for() {
    let (home, _) = home(&Gate::closed()).await;
    let mut page = home.connect("desk/x").await;
    page.send(ask("r1", &[user("u1", "find ask please")])).await;
    until(&mut page, |frame| is_chunk(frame, "finish")).await;
    let run = runs(&mut page).await.remove(0);
    assert_eq!(run["state"], "running");
    page.call("allow", json!([run["runId"]])).await;
    home.advance(std::time::Duration::from_secs(60)).await;
    home.settle().await;
    assert_eq!(answer(&home).await, "Found: paid");
}

#[tokio::test]
async fn what_an_agent_below_asks_is_seen_and_answered_at_the_agent_above() {
    for by_frame in [false, true] {
        let (home, _) = home(&Gate::closed()).await;
        let mut page = home.connect("desk/x").await;
        page.send(ask("r1", &[user("u1", "find ask please")])).await;
        until(&mut page, |frame| is_chunk(frame, "finish")).await;
        let waiting = page.call("asked", json!([])).await;
        assert_eq!(waiting[0]["tool"], "pay", "{waiting}");
        let agent = waiting[0]["agent"].as_str().unwrap();
        assert!(agent.starts_with("desk/x/sub/digger/"), "{waiting}");
        let id = waiting[0]["id"].as_str().unwrap();
        if by_frame {
            let answer = json!({"type": "cf_agent_tool_approval", "toolCallId": id, "approved": true});
            page.send(answer.to_string()).await;
        } else {
            assert_eq!(page.call("answer", json!([id])).await, true);
            assert_eq!(page.call("answer", json!([id])).await, false, "the first answer counts");
        }
        while page.call("asked", json!([])).await != json!([]) {
            home.settle().await;
        }
        home.advance(std::time::Duration::from_secs(60)).await;
        home.settle().await;
        assert_eq!(answer(&home).await, "Found: paid");
    }
}

#[tokio::test]
async fn clearing_the_conversation_deletes_the_agents_below() {
    let gate = Gate::closed();
    gate.open(1);
    let (home, _) = home(&gate).await;
    let mut page = home.connect("desk/x").await;
    page.send(ask("r1", &[user("u1", "find dig treasure")])).await;
    until_end(&mut page, "r1").await;
    assert_eq!(page.call("below", json!([])).await, 1);
    page.send(json!({"type": "cf_agent_chat_clear"}).to_string()).await;
    assert_eq!(page.call("below", json!([])).await, 0);
    assert!(runs(&mut page).await.is_empty());
}
