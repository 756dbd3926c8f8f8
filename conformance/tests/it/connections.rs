//! What a connection may rely on: its id gives nobody else power over it, and a server that stops says so.

use std::time::Duration;

use hostel::{App, Limits, prelude::*};
use serde_json::json;

use super::{agents::CoderAgent, support::Server};

#[tokio::test]
async fn threat_7_two_sockets_with_one_id_get_neither_each_others_frames_nor_state() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let path = "/agents/coder-agent/default?_pk=victim";
    let (mut victim, mut thief) = (server.socket(path).await, server.socket(path).await);
    victim.greeted().await;
    thief.greeted().await;
    assert_eq!(victim.call("mark", json!(["private"])).await["result"], json!(null));
    assert_eq!(thief.call("mark", json!(["stolen"])).await["result"], json!(null), "the state is the victim's alone");
    assert_eq!(victim.call("mark", json!(["private"])).await["result"], "private");
    victim.send(&json!({"type": "rpc", "id": "w", "method": "whisper", "args": ["for the victim"]}).to_string()).await;
    assert_eq!(victim.text().await, "for the victim");
    assert_eq!(victim.json().await["id"], "w");
    // The thief's next frame is the answer to its own call: it heard nothing of the whisper and its answer.
    thief.send(&json!({"type": "rpc", "id": "t", "method": "crowd", "args": []}).to_string()).await;
    let next = thief.json().await;
    assert_eq!((&next["id"], &next["result"]), (&"t".into(), &json!(["victim", "victim"])));
    drop(thief);
    assert_eq!(victim.call("getBranch", json!([])).await["success"], true, "the victim stays when the thief leaves");
}

#[tokio::test]
async fn threat_7_an_id_beyond_128_bytes_is_replaced() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    for (id, kept) in [("k".repeat(128), true), ("k".repeat(129), false), (String::new(), false)] {
        let mut client = server.socket(&format!("/agents/coder-agent/{}?_pk={id}", id.len())).await;
        let crowd = client.call("crowd", json!([])).await["result"].clone();
        assert_eq!(crowd == json!([id]), kept, "{crowd}");
        assert_ne!(crowd[0].as_str().unwrap(), "");
    }
}

#[tokio::test]
async fn a_server_that_stops_tells_every_client_to_come_back() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let mut client = server.socket("/agents/coder-agent/default").await;
    client.greeted().await;
    let (ending, ()) = tokio::join!(client.ending(), server.stop());
    assert_eq!(ending.code, 1012);
    assert!(ending.reason.starts_with("shutting_down: "), "{}", ending.reason);
}

#[derive(Default, Serialize, Deserialize)]
struct Ponderer {
    count: u32,
}

#[agent]
impl Ponderer {
    async fn on_connect(cx: &Cx<Self>) {
        cx.sleep(Duration::from_secs(3)).await;
    }

    #[callable]
    fn count(&mut self) -> u32 {
        self.count += 1;
        self.count
    }
}

#[tokio::test]
async fn a_client_is_not_given_up_because_its_agent_takes_long_to_let_it_in() {
    let limits = Limits {
        ping_interval: Duration::from_millis(200),
        ping_deadline: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = Server::start(App::new().agent::<Ponderer>().in_memory().limits(limits)).await;
    let mut client = server.socket("/agents/ponderer/default").await;
    assert_eq!(client.call("count", json!([])).await["result"], 1);
}
