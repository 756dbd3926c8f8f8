//! Messages that nobody understands are answered; nothing is dropped in silence.

use futures_util::SinkExt;
use hostel::App;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    agents::CoderAgent,
    support::{Client, Server},
};

async fn greeted(server: &Server) -> Client {
    let mut client = server.socket("/agents/coder-agent/default").await;
    client.greeted().await;
    client
}

/// Sends each message and expects exactly one answer to it, with this code.
async fn answered(messages: &[(&str, &str)]) -> Vec<Value> {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let mut client = greeted(&server).await;
    let mut answers = Vec::new();
    for (message, code) in messages {
        client.send(message).await;
        let answer = client.json().await;
        assert_eq!(answer["code"], *code, "{message}: {answer}");
        for field in ["error", "fix"] {
            assert_ne!(answer[field].as_str().unwrap_or_default(), "", "{field} for {message}: {answer}");
        }
        answers.push(answer);
    }
    // Had a message been answered twice, this would not be the next frame.
    assert_eq!(client.call("getBranch", json!([])).await["success"], true);
    answers
}

#[tokio::test]
async fn frames_of_foreign_dialects_are_told_what_is_spoken_here() {
    let answers = answered(&[
        (r#"{"type":"call","id":"1","method":"getBranch","args":[]}"#, "foreign_dialect"),
        (r#"{"type":"state","state":{"branch":"x"}}"#, "foreign_dialect"),
        (r#"{"type":"handshake","name":"default"}"#, "foreign_dialect"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getBranch"}"#, "foreign_dialect"),
    ])
    .await;
    for (answer, ours) in answers.iter().zip(["`rpc`", "`cf_agent_state`", "no greeting", "`rpc`"]) {
        assert!(answer["error"].as_str().unwrap().contains(ours), "{answer}");
    }
    assert!(answers[0]["fix"].as_str().unwrap().contains(r#"{"type":"rpc""#), "{}", answers[0]);
}

#[tokio::test]
async fn unknown_and_malformed_frames_are_answered_by_an_agent_that_takes_no_messages() {
    answered(&[
        ("hello", "unknown_frame"),
        ("", "unknown_frame"),
        ("null", "unknown_frame"),
        ("[]", "unknown_frame"),
        ("{}", "unknown_frame"),
        (r#"{"type":5}"#, "unknown_frame"),
        (r#"{"type":"rcp","id":"1"}"#, "unknown_frame"),
        (r#"{"type":"rpc"}"#, "malformed_frame"),
        (r#"{"type":"rpc","id":1,"method":"getBranch","args":[]}"#, "malformed_frame"),
        (r#"{"type":"rpc","id":"1","method":"getBranch","args":{}}"#, "malformed_frame"),
        (r#"{"type":"cf_agent_state"}"#, "malformed_frame"),
    ])
    .await;
}

#[tokio::test]
async fn a_chat_frame_is_answered_that_this_agent_does_not_chat() {
    let frame = r#"{"type":"cf_agent_use_chat_request","id":"1","init":{"method":"POST","body":"{\"messages\":[]}"}}"#;
    answered(&[(frame, "chat_not_available")]).await;
}

#[tokio::test]
async fn a_binary_message_is_answered_by_an_agent_that_takes_none() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let mut client = greeted(&server).await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    let answer = client.json().await;
    assert_eq!(answer["code"], "unknown_frame");
    assert!(answer["error"].as_str().unwrap().contains("binary"), "{answer}");
}

#[tokio::test]
async fn a_state_of_the_wrong_shape_is_rejected_with_its_reason() {
    let answers = answered(&[(r#"{"type":"cf_agent_state","state":{"branch":5}}"#, "state_shape")]).await;
    assert_eq!(answers[0]["type"], "cf_agent_state_error");
    assert_eq!(answers[0]["error"], "State update rejected", "the text is the protocol's");
}
