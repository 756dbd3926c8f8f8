//! Sub-agents: who is under whom, how they are reached, and how they go.

use std::time::Duration;

use hostel::{
    AgentId, BeforeSubAgent, Body, ConnectRequest, Connection, Cx, Request, Response, Result, SubAgent,
    host::OutgoingCall,
};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, NodeBuilder, Options};
use hostel_store::{ChildRow, Moment, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, Disk, memory, on_disk, sleepy, until, until_asleep};

#[derive(Default, Serialize, Deserialize)]
struct Lobby {
    visits: i64,
}

#[agent]
impl Lobby {
    #[callable]
    async fn note_in(cx: &Cx<Self>, room: String, text: String) -> Result<i64> {
        cx.sub_agent::<Room>(&room)?.note(text).await
    }

    /// What the note in a room within a room is, and who asked for it.
    #[callable]
    async fn note_deep(cx: &Cx<Self>, room: String, inner: String, text: String) -> Result<i64> {
        cx.sub_agent::<Room>(&room)?.note_in(inner, text).await
    }

    #[callable]
    async fn who_am_i_to(cx: &Cx<Self>, room: String) -> Result<(String, Vec<String>, Vec<String>)> {
        cx.sub_agent::<Room>(&room)?.family().await
    }

    /// Keeps a handle over the end of whom it reaches.
    #[callable]
    async fn stale(cx: &Cx<Self>, room: String) -> Result<Option<String>> {
        let handle = cx.sub_agent::<Room>(&room)?;
        cx.delete_sub_agent::<Room>(&room)?;
        Ok(handle.note("after".to_owned()).await.err().and_then(|e| e.label().map(str::to_owned)))
    }

    /// A turn that makes a room, then fails or not.
    #[callable]
    fn make(&mut self, cx: &Cx<Self>, room: String, fails: bool) -> Result<()> {
        self.visits += 1;
        let _handle = cx.sub_agent::<Room>(&room)?;
        if fails { Err(hostel::Error::msg("no")) } else { Ok(()) }
    }

    #[callable]
    fn has(&self, cx: &Cx<Self>, room: String) -> Result<bool> {
        cx.has_sub_agent::<Room>(&room)
    }

    #[callable]
    fn rooms(&self, cx: &Cx<Self>) -> Result<Vec<String>> {
        Ok(cx.list_sub_agents()?.into_iter().map(|child| format!("{}/{}", child.class_name, child.name)).collect())
    }

    #[callable]
    fn delete(&self, cx: &Cx<Self>, room: String) -> Result<bool> {
        cx.delete_sub_agent::<Room>(&room)
    }

    /// Deletes a room and makes a new one of the same name in one turn.
    #[callable]
    fn renew(&self, cx: &Cx<Self>, room: String) -> Result<()> {
        cx.delete_sub_agent::<Room>(&room)?;
        cx.sub_agent::<Room>(&room).map(drop)
    }

    #[callable]
    fn abort(&self, cx: &Cx<Self>, room: String) -> Result<bool> {
        cx.abort_sub_agent::<Room>(&room)
    }

    #[callable]
    fn visit(&mut self) -> i64 {
        self.visits += 1;
        self.visits
    }

    #[callable]
    fn end(&self, cx: &Cx<Self>) {
        cx.destroy();
    }

    fn on_before_sub_agent(&mut self, request: Request, child: &SubAgent) -> BeforeSubAgent {
        self.visits += 1;
        if child.name == "closed" || (child.created_at.is_none() && request.uri().query() == Some("strict")) {
            let mut answer = Response::new(Body::from("no"));
            *answer.status_mut() = http::StatusCode::FORBIDDEN;
            return BeforeSubAgent::Respond(answer);
        }
        BeforeSubAgent::Continue(request)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Room {
    notes: Vec<String>,
}

#[agent]
impl Room {
    #[callable]
    fn note(&mut self, text: String) -> i64 {
        self.notes.push(text);
        self.notes.len() as i64
    }

    #[callable]
    async fn note_in(cx: &Cx<Self>, inner: String, text: String) -> Result<i64> {
        cx.sub_agent::<Room>(&inner)?.note(text).await
    }

    #[callable]
    fn family(&self, cx: &Cx<Self>) -> (String, Vec<String>, Vec<String>) {
        let texts = |path: Vec<AgentId>| path.iter().map(ToString::to_string).collect();
        let caller = cx.caller_agent().map(ToString::to_string).unwrap_or_default();
        (caller, texts(cx.parent_path()), texts(cx.self_path()))
    }

    #[callable]
    async fn visit_parent(cx: &Cx<Self>) -> Result<i64> {
        cx.parent::<Lobby>()?.visit().await
    }

    #[callable]
    fn announce(&self, cx: &Cx<Self>) {
        cx.broadcast("hear, hear");
    }

    #[callable]
    async fn wait(cx: &Cx<Self>) {
        cx.sleep(Duration::from_secs(100_000)).await;
    }

    #[callable]
    fn wake_up(&self, cx: &Cx<Self>) -> Result<()> {
        cx.set_alarm(cx.now())
    }

    fn on_alarm(&mut self) {
        self.notes.push("rang".to_owned());
    }

    fn on_connect(&self, cx: &Cx<Self>, _connection: &Connection, request: &ConnectRequest) {
        cx.broadcast(format!("connected by {}", request.uri));
    }
}

fn classes(builder: NodeBuilder) -> NodeBuilder {
    builder.agent::<Lobby>().unwrap().sub_agent::<Room>().unwrap()
}

async fn house(builder: NodeBuilder) -> Node {
    classes(builder).start().await.unwrap()
}

fn lobby() -> AgentId {
    AgentId::new("Lobby", "a")
}

fn room(name: &str) -> AgentId {
    lobby().sub_agent("Room", name).unwrap()
}

async fn notes(node: &Node, id: &AgentId) -> Option<Vec<String>> {
    let state = node.safe_state(id).await.unwrap().state?;
    Some(serde_json::from_str::<Room>(state.get()).unwrap().notes)
}

async fn enter(node: &Node, id: &AgentId) -> Client {
    let request = ConnectRequest { uri: "http://host/".to_owned(), ..Default::default() };
    Client { session: node.open(id, request, None, None).await, next_id: 0 }
}

/// Whether any database of an agent is left in a data directory.
fn databases(dir: &tempfile::TempDir) -> Vec<String> {
    files(dir).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn files(dir: &tempfile::TempDir) -> Vec<std::path::PathBuf> {
    fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, found),
                false if path.extension().is_some_and(|end| end == "db") => found.push(path),
                false => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&dir.path().join("agents"), &mut found);
    found.sort();
    found
}

#[tokio::test]
async fn a_sub_agent_has_a_state_of_its_own_and_knows_its_parents() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    assert_eq!(lobby_a.note_in("north".into(), "one".into()).await.unwrap(), 1);
    assert_eq!(lobby_a.note_in("south".into(), "two".into()).await.unwrap(), 1);
    assert_eq!(node.agent::<Lobby>("b").note_in("north".into(), "three".into()).await.unwrap(), 1);
    assert_eq!(lobby_a.note_in("north".into(), "four".into()).await.unwrap(), 2);
    let (caller, parents, path) = lobby_a.who_am_i_to("c 1".into()).await.unwrap();
    assert_eq!((caller.as_str(), parents), ("lobby/a", vec!["lobby/a".to_owned()]));
    assert_eq!(path, ["lobby/a", "lobby/a/sub/room/c%201"]);
    let reply = node.call(OutgoingCall::new(room("north"), "visitParent", "[]")).await.unwrap();
    assert_eq!(reply.as_json(), Some("1"));
}

#[tokio::test]
async fn sub_agents_under_each_other_are_apart() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    assert_eq!(lobby_a.note_deep("r".into(), "r".into(), "deep".into()).await.unwrap(), 1);
    assert_eq!(notes(&node, &room("r").sub_agent("Room", "r").unwrap()).await.unwrap(), ["deep"]);
    assert_eq!(notes(&node, &room("r")).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_class_for_under_others_has_no_agents_at_the_top() {
    let node = house(memory()).await;
    let error = node.agent::<Room>("north").note("x".into()).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::UnknownAgent));
    let forged = AgentId::from_stored("sub_room", "no path");
    assert_eq!(
        node.call(OutgoingCall::new(forged, "family", "[]")).await.unwrap_err().code(),
        Some(Code::UnknownAgent)
    );
    assert!(node.directory().resolve("room", true).is_err());
}

#[tokio::test]
async fn a_parent_lists_those_under_it() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    lobby_a.make("two".into(), false).await.unwrap();
    lobby_a.make("one".into(), false).await.unwrap();
    lobby_a.make("one".into(), false).await.unwrap();
    assert!(lobby_a.make("three".into(), true).await.is_err(), "the turn fails, and with it the room");
    assert_eq!(lobby_a.rooms().await.unwrap(), ["Room/one", "Room/two"]);
    assert!(lobby_a.has("one".into()).await.unwrap() && !lobby_a.has("three".into()).await.unwrap());
    assert!(!lobby_a.has("a\0b".into()).await.unwrap());
    assert_eq!(lobby_a.make(String::new(), false).await.unwrap_err().code(), Some(Code::NameInvalid));
    let _client = enter(&node, &room("by door")).await;
    assert_eq!(lobby_a.rooms().await.unwrap().len(), 3, "whoever comes from outside is noted as well");
}

#[tokio::test]
async fn broadcasts_of_parent_and_child_do_not_mix() {
    let node = house(memory()).await;
    let mut parent = Client::greeted(&node, "Lobby", "a").await;
    let mut child = enter(&node, &room("c 1")).await;
    let identity = child.frame().await;
    assert_eq!((&identity["name"], &identity["agent"]), (&json!("c 1"), &json!("room")));
    child.until_type("cf_agent_mcp_servers").await;
    assert_eq!(child.frame().await, "connected by http://host/");
    node.call(OutgoingCall::new(room("c 1"), "announce", "[]")).await.unwrap();
    assert_eq!(child.frame().await, "hear, hear");
    assert_eq!(parent.result("visit", json!([])).await, 1);
    assert!(parent.waiting().is_empty() && child.waiting().is_empty());
}

#[tokio::test]
async fn a_sub_agent_sleeps_wakes_and_has_alarms() {
    let node = house(memory().options(sleepy())).await;
    node.agent::<Lobby>("a").note_in("r".into(), "x".into()).await.unwrap();
    until_asleep(&node).await;
    node.call(OutgoingCall::new(room("r"), "wakeUp", "[]")).await.unwrap();
    while notes(&node, &room("r")).await.unwrap() != ["x", "rang"] {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn deleting_a_sub_agent_takes_everything_of_it() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    lobby_a.note_deep("r".into(), "inner".into(), "deep".into()).await.unwrap();
    lobby_a.note_in("r".into(), "x".into()).await.unwrap();
    let inner = room("r").sub_agent("Room", "inner").unwrap();
    let (mut by_outer, mut by_inner) = (enter(&node, &room("r")).await, enter(&node, &inner).await);
    assert!(lobby_a.delete("r".into()).await.unwrap());
    assert_eq!(by_outer.closed().await, (1001, "Sub-agent deleted".to_owned()));
    assert_eq!(by_inner.closed().await, (1001, "Sub-agent deleted".to_owned()));
    assert!(!lobby_a.has("r".into()).await.unwrap() && !lobby_a.delete("r".into()).await.unwrap());
    while notes(&node, &inner).await.is_some() || notes(&node, &room("r")).await.is_some() {
        tokio::task::yield_now().await;
    }
    until(|| node.agents_in_memory() == 1).await;
    assert_eq!(lobby_a.note_in("r".into(), "new".into()).await.unwrap(), 1, "the next one is a new one");
}

#[tokio::test]
async fn a_room_that_is_deleted_and_made_in_one_turn_is_a_new_one() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    for round in 0..20 {
        assert_eq!(lobby_a.note_in("r".into(), "x".into()).await.unwrap(), 1, "{round}");
        lobby_a.renew("r".into()).await.unwrap();
        assert!(lobby_a.has("r".into()).await.unwrap());
    }
}

#[tokio::test]
async fn a_handle_does_not_bring_back_whom_it_reached() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    assert_eq!(lobby_a.stale("r".into()).await.unwrap().as_deref(), Some("agent_not_found"));
    assert!(lobby_a.rooms().await.unwrap().is_empty());
    // Nor does anything else that goes past the parent: a wake-up that was under way, say.
    lobby_a.note_in("s".into(), "x".into()).await.unwrap();
    node.call(OutgoingCall::new(room("s"), "wakeUp", "[]")).await.unwrap();
    lobby_a.delete("s".into()).await.unwrap();
    until(|| node.agents_in_memory() == 1).await;
    assert_eq!(notes(&node, &room("s")).await, None);
}

#[tokio::test]
async fn an_agent_that_ends_takes_those_under_it_with_it() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    for name in ["one", "two"] {
        lobby_a.note_deep(name.into(), "inner".into(), "x".into()).await.unwrap();
    }
    let mut client = enter(&node, &room("one")).await;
    let mut above = Client::greeted(&node, "Lobby", "a").await;
    lobby_a.end().await.unwrap();
    assert_eq!(client.closed().await.0, 1001);
    assert_eq!(above.closed().await, (1001, "Durable Object destroyed".to_owned()));
    until(|| node.agents_in_memory() == 0).await;
    for id in [lobby(), room("one"), room("two"), room("one").sub_agent("Room", "inner").unwrap()] {
        assert!(node.safe_state(&id).await.unwrap().state.is_none(), "{id}");
    }
    assert!(lobby_a.rooms().await.unwrap().is_empty(), "the next one is a new one");
}

#[tokio::test]
async fn abort_breaks_off_what_a_sub_agent_does_and_keeps_what_it_has() {
    let node = house(memory()).await;
    let lobby_a = node.agent::<Lobby>("a");
    lobby_a.note_in("r".into(), "kept".into()).await.unwrap();
    let mut waiting = Box::pin(node.call(OutgoingCall::new(room("r"), "wait", "[]")));
    let mut client = enter(&node, &room("r")).await;
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    tokio::task::yield_now().await;
    while futures_util::poll!(waiting.as_mut()).is_pending() {
        assert!(lobby_a.abort("r".into()).await.unwrap());
        tokio::task::yield_now().await;
    }
    assert_eq!(client.result("note", json!(["more"])).await, 2, "its connections stay");
    assert!(!lobby_a.abort("nobody".into()).await.unwrap());
}

#[tokio::test]
async fn the_parent_is_asked_before_a_sub_agent_is_reached() {
    let node = house(memory()).await;
    let request =
        |query: &str| http::Request::get(format!("http://host/sub/room/x{query}")).body(Body::empty()).unwrap();
    let asked = async |name: &str, query: &str| node.before_sub_agent(&room(name), request(query)).await.unwrap();
    let refused = |verdict| matches!(verdict, BeforeSubAgent::Respond(answer) if answer.status() == 403);
    assert!(refused(asked("closed", "").await));
    assert!(refused(asked("new", "?strict").await), "it is not there yet");
    node.agent::<Lobby>("a").make("new".into(), false).await.unwrap();
    assert!(matches!(asked("new", "?strict").await, BeforeSubAgent::Continue(_)));
    assert_eq!(node.agent::<Lobby>("a").visit().await.unwrap(), 5, "each of them is a turn of the parent");
}

async fn store_again(dir: &tempfile::TempDir) -> Store {
    // The last of the node's tasks may still hold it.
    let wait = async {
        loop {
            match Store::open(dir.path(), hostel_store::Options::default()) {
                Ok(store) => return store,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the directory is free in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_ended_before_a_crash_is_gone_after_it_with_those_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = house(on_disk(&dir)).await;
    let lobby_a = node.agent::<Lobby>("a");
    for name in ["one", "two", "three"] {
        lobby_a.note_deep(name.into(), "inner".into(), "x".into()).await.unwrap();
    }
    assert_eq!(databases(&dir).len(), 7);
    lobby_a.end().await.unwrap();
    drop((lobby_a, node));
    let node = house(Node::builder(store_again(&dir).await)).await;
    until(|| databases(&dir).is_empty()).await;
    until(|| node.agents_in_memory() == 0).await;
    assert!(node.store().alarms().unwrap().is_empty(), "and nobody is woken for it any more");
    node.shutdown(Duration::from_secs(5)).await;
}

/// Every place where a crash may stop the deletion of a lobby with two rooms, made by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_goes_on_from_wherever_a_crash_has_stopped_it() {
    for stopped in ["decided", "one room is gone", "both are gone", "both are crossed off", "only one room was deleted"]
    {
        let dir = tempfile::tempdir().unwrap();
        let node = house(on_disk(&dir)).await;
        for name in ["one", "two"] {
            node.agent::<Lobby>("a").note_in(name.into(), "x".into()).await.unwrap();
        }
        node.shutdown(Duration::from_secs(5)).await;
        drop(node);
        let store = store_again(&dir).await;
        stop_at(&store, stopped);
        drop(store);
        let node = house(Node::builder(store_again(&dir).await)).await;
        let left = if stopped == "only one room was deleted" { 2 } else { 0 };
        until(|| databases(&dir).len() == left).await;
        until(|| node.store().alarms().unwrap().is_empty()).await;
        let rooms = node.agent::<Lobby>("a").rooms().await.unwrap();
        assert_eq!(rooms.len(), left.saturating_sub(1), "{stopped}: {rooms:?}");
        node.shutdown(Duration::from_secs(5)).await;
    }
}

fn stop_at(store: &Store, stopped: &str) {
    let db = |id: &AgentId| store.agent(id.stored().0, id.stored().1).unwrap();
    let mut parent = db(&lobby());
    store.register_alarm(parent.key(), 0).unwrap();
    if stopped == "only one room was deleted" {
        let row = parent.child("room", "one").unwrap().unwrap();
        parent.put_child(&ChildRow { alive: false, doomed: 7, ..row }).unwrap();
    } else {
        parent.end_with_children(7).unwrap();
    }
    hostel_store::make_durable(&parent.commit().unwrap().unwrap()).unwrap();
    let gone: &[&str] = match stopped {
        "one room is gone" => &["one"],
        "both are gone" | "both are crossed off" => &["one", "two"],
        _ => &[],
    };
    for name in gone {
        db(&room(name)).destroy().unwrap();
        if stopped == "both are crossed off" {
            parent.remove_child("room", name).unwrap();
            hostel_store::make_durable(&parent.commit().unwrap().unwrap()).unwrap();
        }
    }
    parent.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_sub_agent_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let node = house(on_disk(&dir)).await;
    let lobby_a = node.agent::<Lobby>("a");
    lobby_a.visit().await.unwrap();
    let before = files(&dir);
    lobby_a.note_in("r".into(), "x".into()).await.unwrap();
    node.shutdown(Duration::from_secs(5)).await;
    drop((lobby_a, node));
    drop(store_again(&dir).await);
    let own = files(&dir).into_iter().find(|file| !before.contains(file)).unwrap();
    std::fs::write(own, [7; 8192]).unwrap();
    let node = house(Node::builder(store_again(&dir).await)).await;
    let error = node.call(OutgoingCall::new(room("r"), "note", r#"["more"]"#)).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::StorageCorrupt), "{error:?}");
    node.agent::<Lobby>("a").delete("r".into()).await.unwrap();
    until(|| databases(&dir).len() == 1).await;
    until(|| node.store().alarms().unwrap().is_empty()).await;
    assert!(node.agent::<Lobby>("a").rooms().await.unwrap().is_empty());
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_write_is_lost_has_not_happened() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let node = house(on_disk(&dir).durability(disk.clone())).await;
    let lobby_a = node.agent::<Lobby>("a");
    lobby_a.note_in("r".into(), "x".into()).await.unwrap();
    let held = disk.hold();
    let before = disk.begun();
    let mut call = Box::pin(node.call(OutgoingCall::new(lobby(), "delete", r#"["r"]"#)));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    until(|| disk.begun() > before).await;
    disk.fail();
    drop(held);
    assert!(call.await.is_err());
    disk.pass();
    assert_eq!(notes(&node, &room("r")).await.unwrap(), ["x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_put_back_keeps_those_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = house(on_disk(&dir)).await;
    let lobby_a = node.agent::<Lobby>("a");
    lobby_a.visit().await.unwrap();
    lobby_a.note_in("old".into(), "x".into()).await.unwrap();
    lobby_a.note_in("young".into(), "x".into()).await.unwrap();
    lobby_a.delete("old".into()).await.unwrap();
    until(|| databases(&dir).len() == 2).await;
    let listed = node.history(&lobby(), hostel_store::HistoryQuery::default()).await.unwrap();
    let first = listed.turns.iter().map(|turn| turn.turn).min().unwrap();
    node.restore(&lobby(), Moment::Turn(first)).await.unwrap();
    assert_eq!(lobby_a.rooms().await.unwrap(), ["Room/young"], "the list is not a part of the past");
    assert_eq!(notes(&node, &room("young")).await.unwrap(), ["x"]);
    assert_eq!(lobby_a.visit().await.unwrap(), 2, "the state is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_parent_has_nobody_under_it_and_a_copy_of_a_sub_agent_has_the_same_parent() {
    let dir = tempfile::tempdir().unwrap();
    let node = house(on_disk(&dir)).await;
    node.agent::<Lobby>("a").note_in("r".into(), "x".into()).await.unwrap();
    node.fork(&lobby(), "copy", Moment::Now).await.unwrap();
    assert!(node.agent::<Lobby>("copy").rooms().await.unwrap().is_empty());
    node.fork(&room("r"), "twin", Moment::Now).await.unwrap();
    assert_eq!(node.agent::<Lobby>("a").rooms().await.unwrap(), ["Room/r", "Room/twin"]);
    assert_eq!(node.agent::<Lobby>("a").note_in("twin".into(), "y".into()).await.unwrap(), 2);
}

#[tokio::test]
async fn operators_see_who_is_under_whom() {
    let node = house(memory().options(Options::default())).await;
    node.agent::<Lobby>("a").note_in("c 1".into(), "x".into()).await.unwrap();
    let rooms = node.agents("room", 10, None).await.unwrap();
    assert_eq!(rooms.len(), 1);
    assert_eq!((rooms[0].name.as_deref(), rooms[0].parent.as_deref()), (Some("c 1"), Some("lobby/a")));
    assert!(rooms[0].awake);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_agent_that_nobody_lists_is_named_by_the_check_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let node = house(on_disk(&dir)).await;
    for name in ["one", "two"] {
        node.agent::<Lobby>("a").note_deep(name.into(), "inner".into(), "x".into()).await.unwrap();
    }
    node.shutdown(Duration::from_secs(5)).await;
    drop(node);
    let store = store_again(&dir).await;
    let wrong = || hostel_store::verify(dir.path(), &mut |_| {}).unwrap().problems;
    let mut parent = store.agent("lobby", "a").unwrap();
    let row = parent.child("room", "one").unwrap().unwrap();
    drop((parent, store));
    drop(store_again(&dir).await);
    assert_eq!(wrong(), []);
    let store = store_again(&dir).await;
    parent = store.agent("lobby", "a").unwrap();
    parent.put_child(&ChildRow { alive: false, doomed: 7, ..row }).unwrap();
    hostel_store::make_durable(&parent.commit().unwrap().unwrap()).unwrap();
    parent.close().unwrap();
    drop(store);
    drop(store_again(&dir).await);
    assert_eq!(wrong(), [], "one that is to be deleted is listed until it is");
    let store = store_again(&dir).await;
    parent = store.agent("lobby", "a").unwrap();
    parent.remove_child("room", "one").unwrap();
    hostel_store::make_durable(&parent.commit().unwrap().unwrap()).unwrap();
    parent.close().unwrap();
    drop(store);
    drop(store_again(&dir).await);
    let [problem] = wrong().try_into().unwrap();
    assert!(problem.what.contains("no agent lists it"), "{problem:?}");
    assert!(problem.path.contains("one"), "the one within it is on its own list: {problem:?}");
}
