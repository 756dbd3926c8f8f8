//! The client against a server that is played by the test.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hostel_protocol::client::{ClientFrame, parse};
use hostel_protocol::refusal::{Code, Refusal};
use hostel_protocol::server::{
    MCP_SERVERS_EMPTY, identity, rpc_chunk, rpc_error, rpc_result, state, state_accepted, state_conflict, state_error,
    state_versioned,
};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use yawc::close::CloseCode;
use yawc::frame::{Frame, OpCode};
use yawc::{HttpWebSocket, WebSocket};

use super::*;

/// The server's end of one connection.
struct Played(HttpWebSocket);

impl Played {
    async fn say(&mut self, text: impl Into<String>) {
        self.0.send(Frame::text(text.into())).await.unwrap();
    }

    async fn greet(&mut self) {
        self.say(identity("counter", "a", true)).await;
        self.say(state(r#"{"count":1}"#)).await;
        self.say(MCP_SERVERS_EMPTY).await;
    }

    /// Id and method of the next call.
    async fn call(&mut self) -> (String, String) {
        let text = self.text().await;
        match parse(&text) {
            ClientFrame::Rpc(call) => (call.id.into_owned(), call.method.into_owned()),
            _ => panic!("no call: {text}"),
        }
    }

    async fn text(&mut self) -> String {
        loop {
            let frame = self.0.next().await.expect("a frame");
            if frame.opcode() == OpCode::Text {
                return frame.as_str().to_owned();
            }
        }
    }

    async fn close(mut self, code: u16, reason: &str) {
        self.0.send(Frame::close(CloseCode::from(code), reason)).await.unwrap();
        while self.0.next().await.is_some() {}
    }

    /// The code with which the client closes.
    async fn closed(mut self) -> Option<u16> {
        while let Some(frame) = self.0.next().await {
            if frame.opcode() == OpCode::Close {
                return frame.close_code().map(u16::from);
            }
        }
        None
    }
}

async fn connected() -> (Client, Events, Played) {
    connected_with(&Options::default()).await
}

async fn connected_with(options: &Options) -> (Client, Events, Played) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, socket) = oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let (response, socket) = WebSocket::upgrade(&mut request).unwrap();
            let sender = sender.lock().unwrap().take().unwrap();
            tokio::spawn(async move { drop(sender.send(socket.await.unwrap())) });
            let response = response.map(|_| Full::<Bytes>::default());
            async move { Ok::<_, Infallible>(response) }
        });
        let server = hyper::server::conn::http1::Builder::new();
        server.serve_connection(TokioIo::new(stream), service).with_upgrades().await.unwrap();
    });
    let target = Target::parse(&format!("ws://{address}/agents/counter/a"), "").unwrap();
    let (client, events) = Client::connect_with_events(&target, options).await.unwrap();
    (client, events, Played(socket.await.unwrap()))
}

fn call(method: &str) -> Call {
    Call::new(method, vec![])
}

#[tokio::test]
async fn identity_and_state_are_what_the_server_says() {
    let (client, _events, mut server) = connected().await;
    server.greet().await;
    let expect = Identity { agent: "counter".into(), name: "a".into(), state_follows: true };
    assert_eq!(client.identity().await.unwrap(), expect);
    assert_eq!(client.state().await.unwrap(), Some(json!({"count": 1})));
}

#[tokio::test]
async fn an_agent_without_state_has_none() {
    let (client, _events, mut server) = connected().await;
    server.say(identity("counter", "a", false)).await;
    server.say(MCP_SERVERS_EMPTY).await;
    assert_eq!(client.state().await.unwrap(), None);
}

#[tokio::test]
async fn calls_in_flight_get_their_own_answers_in_any_order() {
    let (client, _events, mut server) = connected().await;
    let (one, two) = (client.clone(), client.clone());
    let one = tokio::spawn(async move { one.call(call("one")).await });
    let first = server.call().await;
    let two = tokio::spawn(async move { two.call(call("two")).await });
    let second = server.call().await;
    for (id, method) in [second, first] {
        server.say(rpc_result(&id, Some(&format!("{method:?}")))).await;
    }
    assert_eq!(one.await.unwrap().unwrap(), json!("one"));
    assert_eq!(two.await.unwrap().unwrap(), json!("two"));
}

#[tokio::test]
async fn a_stream_comes_piece_by_piece() {
    let (client, _events, mut server) = connected().await;
    let mut parts = client.call_streaming(call("count")).await.unwrap();
    let (id, _) = server.call().await;
    server.say(rpc_chunk(&id, "1")).await;
    assert_eq!(parts.next().await.unwrap(), Part::Chunk(json!(1)));
    server.say(rpc_chunk(&id, "2")).await;
    server.say(rpc_result(&id, None)).await;
    assert_eq!(parts.next().await.unwrap(), Part::Chunk(json!(2)));
    assert_eq!(parts.next().await.unwrap(), Part::Done(None));
}

#[tokio::test]
async fn a_failed_call_has_sentence_code_and_fix() {
    let (client, _events, mut server) = connected().await;
    let answer = tokio::spawn(async move { client.call(call("x")).await });
    let (id, _) = server.call().await;
    server.say(rpc_error(&id, "No.", Some(("method_not_found", Some("Yes."))))).await;
    let error = answer.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Call(_)), "{error:?}");
    let told = (error.to_string(), error.code(), error.fix());
    assert_eq!(told, ("No.".to_owned(), Some("method_not_found".to_owned()), Some("Yes.".to_owned())));
}

#[tokio::test]
async fn a_call_without_an_answer_times_out_and_the_late_answer_harms_nobody() {
    let (client, _events, mut server) = connected().await;
    let error = client.call(call("slow").timeout(Duration::from_millis(10))).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    let (late, _) = server.call().await;
    let answer = tokio::spawn(async move { client.call(call("next")).await });
    let (id, _) = server.call().await;
    server.say(rpc_result(&late, Some("1"))).await;
    server.say(rpc_result(&id, Some("2"))).await;
    assert_eq!(answer.await.unwrap().unwrap(), json!(2));
}

#[tokio::test]
async fn a_close_fails_open_calls_with_the_last_error_frame() {
    let (client, _events, mut server) = connected().await;
    let caller = client.clone();
    let answer = tokio::spawn(async move { caller.call(call("x")).await });
    server.call().await;
    server.say(r#"{"type":"hostel_error","code":"shutting_down","error":"Bye.","fix":"Wait."}"#).await;
    server.close(1012, "shutting_down: Bye.").await;
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!((error.code().as_deref(), error.fix().as_deref()), (Some("shutting_down"), Some("Wait.")));
    let closed = client.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (1012, "shutting_down: Bye."));
    let error = client.call(call("y")).await.unwrap_err();
    assert!(matches!(error, Error::Closed(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_off_counts_as_1006() {
    let (client, _events, server) = connected().await;
    drop(server);
    assert_eq!(client.closed().await.code, 1006);
    assert!(matches!(client.identity().await, Err(Error::Closed(_))));
}

#[tokio::test]
async fn a_new_state_is_done_once_the_call_behind_it_is_answered() {
    let (client, _events, mut server) = connected().await;
    for refused in [false, true] {
        let setter = client.clone();
        let set = tokio::spawn(async move { setter.set_state(&json!({"count": 2})).await });
        assert_eq!(server.text().await, r#"{"state":{"count":2},"type":"cf_agent_state"}"#);
        let (id, _) = server.call().await;
        if refused {
            server.say(state_error("State update rejected", None)).await;
        }
        server.say(rpc_error(&id, "Method does not exist", None)).await;
        let result = set.await.unwrap();
        assert_eq!(matches!(result, Err(Error::State(_))), refused, "{result:?}");
        assert_eq!(result.is_ok(), !refused);
    }
}

#[tokio::test]
async fn a_new_state_that_was_taken_brings_its_version_and_the_warnings_about_it() {
    let options = Options { state_versions: true, ..Options::default() };
    let (client, _events, mut server) = connected_with(&options).await;
    server.greet().await;
    assert_eq!(client.versioned_state().await.unwrap().version, None);
    server.say(state_versioned(r#"{"count":1}"#, "v1")).await;
    let setter = client.clone();
    let set = tokio::spawn(async move { setter.set_state_if("v1", &json!({"count": 2})).await });
    let frame = r#"{"if_version":"v1","state":{"count":2},"type":"cf_agent_state"}"#;
    assert_eq!(server.text().await, frame);
    let (id, _) = server.call().await;
    server.say(r#"{"type":"hostel_warning","code":"c","warning":"Hm.","fields":["a"]}"#).await;
    server.say(state_accepted("v2")).await;
    server.say(rpc_error(&id, "Method does not exist", None)).await;
    let warning = Warning { code: "c".into(), message: "Hm.".into(), fix: None, fields: vec!["a".into()] };
    let accepted = Accepted { version: Some("v2".into()), warnings: vec![warning] };
    assert_eq!(set.await.unwrap().unwrap(), accepted);
}

#[tokio::test]
async fn a_conflict_brings_the_present_state() {
    let (client, _events, mut server) = connected().await;
    server.greet().await;
    let setter = client.clone();
    let set = tokio::spawn(async move { setter.set_state_if("old", &json!(1)).await });
    server.text().await;
    let (id, _) = server.call().await;
    let refusal = Refusal::new(Code::StateConflict, "Changed.").with_fix("Again.");
    server.say(state_conflict("State update rejected", &refusal, r#"{"count":7}"#, "new")).await;
    server.say(rpc_error(&id, "Method does not exist", None)).await;
    let error = set.await.unwrap().unwrap_err();
    assert_eq!((error.code().as_deref(), error.fix().as_deref()), (Some("state_conflict"), Some("Again.")));
    let Error::Conflict(conflict) = error else { panic!("{error:?}") };
    assert_eq!((conflict.state, conflict.version.as_str()), (json!({"count": 7}), "new"));
    let known = Versioned { state: Some(json!({"count": 7})), version: Some("new".into()) };
    assert_eq!(client.versioned_state().await.unwrap(), known);
}

#[tokio::test]
async fn a_server_that_never_becomes_ready_is_not_waited_for_forever() {
    let options = Options { ready_timeout: Duration::from_millis(10), ..Options::default() };
    let (client, _events, _server) = connected_with(&options).await;
    assert!(matches!(client.state().await, Err(Error::Timeout { .. })));
}

#[tokio::test]
async fn events_show_both_directions_and_end_with_the_close() {
    let (client, mut events, mut server) = connected().await;
    client.send_text("hello").await.unwrap();
    assert_eq!(server.text().await, "hello");
    server.say("world").await;
    server.close(4001, "go").await;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(match event {
            Event::Sent(text) => format!("> {text}"),
            Event::Text { text, .. } => format!("< {text}"),
            Event::Binary(bytes) => format!("< {} bytes", bytes.len()),
            Event::Closed(closed) => format!("{} {}", closed.code, closed.reason),
        });
    }
    assert_eq!(seen, ["> hello", "< world", "4001 go"]);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_with_1000() {
    let (client, events, server) = connected().await;
    drop(events);
    drop(client);
    assert_eq!(server.closed().await, Some(1000));
}
