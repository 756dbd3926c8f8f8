//! Headers that only the router may set, and those that say what a client believes.

use hostel::{App, axum};
use serde_json::{Value, json};

use super::{
    agents::{CoderAgent, Context},
    support::{Ending, Server},
};

const MISSING: &str = "Missing namespace or room headers when connecting to CoderAgent. Did you try connecting directly to \
                       this Durable Object? Try using getServerByName(namespace, id) instead.";

const SPOOFED: [&str; 12] = [
    "X-PartyKit-Namespace",
    "x-partykit-namespace",
    "x_partykit_namespace",
    "X-PartyKit-Room",
    "x-partykit_room",
    "X-PartyKit-Props",
    "x-agents-lifecycle-props",
    "X-Forwarded-For",
    "x_forwarded_host",
    "Forwarded",
    "X-Real-IP",
    "CF-Connecting-IP",
];

#[tokio::test]
async fn threat_6_the_router_alone_sets_namespace_and_room_and_drops_copies_from_outside() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    for name in SPOOFED {
        let seen = server.get_with("/agents/coder-agent/mine", &[(name, "evil"), (name, "evil twice")]).await.json();
        assert_eq!(seen["name"], "mine", "{name}");
        let headers = seen["headers"].as_object().unwrap();
        assert_eq!(headers["x-partykit-namespace"], "coder-agent", "{name}");
        assert_eq!(headers["x-partykit-room"], "mine", "{name}");
        assert!(!headers.values().any(|value| value.to_string().contains("evil")), "{name}: {headers:?}");
        let mut client = server.socket_with("/agents/coder-agent/mine", &[(name, "evil")]).await;
        assert_eq!(client.greeted().await["name"], "mine", "{name}");
    }
}

#[tokio::test]
async fn threat_6_props_come_from_the_application_alone() {
    let plain = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let spoofed = [("x-partykit-props", r#"{"admin":true}"#), ("x-agents-props", r#"{"admin":true}"#)];
    let seen = plain.get_with("/agents/coder-agent/a", &spoofed).await.json();
    assert_eq!(seen["props"], Value::Null);
    let app = App::new().agent::<CoderAgent>().in_memory().routing(|router| router.props(json!({"user": "ünal"})));
    let server = Server::start(app).await;
    assert_eq!(server.get_with("/agents/coder-agent/a", &spoofed).await.json()["props"], json!({"user": "ünal"}));
}

/// The mistake itself: an agent's host, mounted without the router.
fn direct(edge: &hostel::Edge) -> axum::Router {
    axum::Router::new().route_service("/direct", edge.host::<CoderAgent>().unwrap())
}

#[tokio::test]
async fn an_agent_host_called_directly_answers_with_the_known_sentence_our_code_and_a_fix() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory().routes(direct)).await;
    let forged = [("x-partykit-namespace", "coder-agent"), ("x-partykit-room", "default")];
    for headers in [&[][..], &forged] {
        let answer = server.get_with("/direct", headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "missing_namespace_or_room"));
        assert_eq!(answer.json()["detail"], MISSING);
        let Ending { frames, code, reason } = server.socket_with("/direct", headers).await.ending().await;
        let frame: Value = serde_json::from_str(&frames[0]).unwrap();
        assert_eq!((&frame["error"], &frame["code"]), (&MISSING.into(), &"missing_namespace_or_room".into()));
        assert_eq!(code, 4400);
        assert!(reason.starts_with("missing_namespace_or_room: Missing namespace or room headers"), "{reason}");
    }
}

#[tokio::test]
async fn an_agent_by_name_answers_http_and_sockets_under_a_path_of_ones_own() {
    async fn mine(
        axum::extract::State(edge): axum::extract::State<hostel::Edge>,
        request: axum::extract::Request,
    ) -> axum::response::Response {
        let agent = edge.get_server_by_name::<CoderAgent>("ünal").await.unwrap();
        agent.set_project_context(Context { branch: "main".to_owned() }).await.unwrap();
        agent.fetch(request).await
    }
    let routes =
        |edge: &hostel::Edge| axum::Router::new().route("/mine", axum::routing::any(mine)).with_state(edge.clone());
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory().routes(routes)).await;
    let seen = server.get_with("/mine?q=1", &[("x-partykit-room", "evil")]).await.json();
    assert_eq!(seen["name"], "ünal");
    assert!(seen["url"].as_str().unwrap().ends_with("/mine?q=1"), "{seen}");
    let mut client = server.socket("/mine?_pk=me").await;
    assert_eq!(client.greeted().await["name"], "ünal");
    assert_eq!(client.call("getBranch", json!([])).await["result"], "main");
}

#[tokio::test]
async fn a_client_that_believes_in_another_prefix_is_told_so() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let path = "/agents/coder-agent/default";
    for wrong in ["parties", "/api/v1/", "Agents", ""] {
        let header = [("X-Agents-Namespace", wrong)];
        let answer = server.get_with(path, &header).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "namespace_mismatch"), "{wrong}");
        assert!(answer.json()["fix"].as_str().unwrap().contains("\"agents\""), "{answer:?}");
        assert_eq!(server.socket_with(path, &header).await.refusal().await, ("namespace_mismatch".into(), 4400));
    }
    for right in ["agents", "/agents", "agents/"] {
        let header = [("X-Agents-Namespace", right)];
        assert_eq!(server.get_with(path, &header).await.status, 200, "{right}");
        server.socket_with(path, &header).await.greeted().await;
    }
}

#[tokio::test]
async fn an_upgrade_that_was_lost_on_the_way_is_answered_426_with_a_sentence_about_the_proxy() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let path = "/agents/coder-agent/default";
    let meant = [("X-Agents-Force-WebSocket", "true")];
    let answer = server.get_with(path, &meant).await;
    assert_eq!((answer.status, answer.code().as_str()), (426, "upgrade_stripped"));
    assert!(answer.json()["fix"].as_str().unwrap().contains("proxy"), "{answer:?}");
    assert_eq!(answer.header("upgrade"), "websocket", "RFC 9110, 15.5.22: a 426 names the protocol");
    server.socket_with(path, &meant).await.greeted().await;
    assert_eq!(server.get_with(path, &[("X-Agents-Force-WebSocket", "false")]).await.status, 200);
}
