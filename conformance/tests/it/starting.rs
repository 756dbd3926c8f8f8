//! An agent that cannot be started says so: in the words people know over HTTP, and with a code that makes sockets come
//! back later.

use hostel::App;

use super::{
    agents::broken::CoderAgent,
    support::{Server, in_development},
};

const TEXT: &str = "The CoderAgent is experiencing connection issues. Please try again later.\n\nTechnical details: The \
                    system tried to connect to CoderAgent/default but was unable to establish a connection.";

#[tokio::test]
async fn an_agent_that_cannot_be_started_answers_http_with_the_known_text_and_our_code() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let answer = server.get("/agents/coder-agent/default").await;
    assert_eq!(answer.status, 503);
    let (known, ours) = answer.body.split_at(TEXT.len());
    assert_eq!(known, TEXT);
    assert_eq!(ours, "\n\nReason: agent_start_failed: The agent failed to start");
    assert_eq!(answer.header("x-hostel-code"), "agent_start_failed");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn a_socket_to_an_agent_that_cannot_be_started_hears_the_same_reason_and_comes_back_later() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    assert_eq!(server.socket("/agents/coder-agent/default").await.refusal().await, ("agent_start_failed".into(), 1013));
}

#[tokio::test]
async fn in_development_the_cause_is_shown_over_http() {
    let server = Server::start(in_development(App::new().agent::<CoderAgent>().in_memory())).await;
    let answer = server.get("/agents/coder-agent/default").await;
    assert!(answer.body.contains("the key in /etc/secret is missing"), "{}", answer.body);
}

#[tokio::test]
async fn an_agent_that_cannot_be_started_affects_no_other() {
    let app = App::new().agent::<CoderAgent>().agent::<super::agents::Loud>().in_memory();
    let server = Server::start(app).await;
    assert_eq!(server.get("/agents/coder-agent/default").await.status, 503);
    let mut loud = server.socket("/agents/loud/a").await;
    assert_eq!(loud.call("ping", serde_json::json!([])).await["result"], "pong");
}
