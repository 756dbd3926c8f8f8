//! Frames in and out, good and bad.

use serde_json::{Value, json};

use crate::chat::{
    ChatFault, ChatIn, ChatRequest, Dialect, ResponseFrame, ToolAnswer, ToolApproval, ToolResult, Trigger, UiMessage,
    message_updated, messages_at_connect, messages_frame, recovering, resume_none, stream_pending, stream_resuming,
};
use crate::client::ChatKind;

fn request(body: &Value) -> Result<ChatRequest, ChatFault> {
    let init = json!({"method": "POST", "body": body.to_string()});
    ChatRequest::parse(&json!({"id": "r", "type": "cf_agent_use_chat_request", "init": init}).to_string())
}

#[test]
fn a_request_gives_what_the_application_gets() {
    let read = request(&json!({
        "messages": [{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
        "trigger": "regenerate-message", "messageId": "a1", "mine": 1,
        "clientTools": [{"name": "t", "parameters": {"type": "object"}}, {"nameless": true}],
    }));
    let read = read.unwrap();
    assert_eq!((read.trigger, read.dialect), (Trigger::Regenerate, Dialect::Tolerant));
    assert_eq!(Value::Object(read.body.clone()), json!({"messageId": "a1", "mine": 1}));
    assert_eq!(read.client_tools.len(), 1);
    assert_eq!(read.message_ids(), ["u1"]);
}

#[test]
fn the_generation_of_a_client_is_seen_in_its_request() {
    let messages = json!([{"id": "u", "role": "user", "content": "hi", "parts": [{"type": "text", "text": "hi"}]}]);
    let old = json!({"id": "r", "url": "/api/chat", "init": {"method": "POST", "headers": {},
        "body": json!({"id": "c", "messages": messages}).to_string()}});
    assert_eq!(ChatRequest::parse(&old.to_string()).unwrap().dialect, Dialect::V4);
    let body = json!({"id": "c", "trigger": "submit-message", "messages": []}).to_string();
    let middle = json!({"id": "r", "url": "/api/chat", "init": {"method": "POST", "body": body, "headers": {}}});
    assert_eq!(ChatRequest::parse(&middle.to_string()).unwrap().dialect, Dialect::Strict);
}

#[test]
fn a_request_that_means_nothing_ends_with_a_reason_under_its_id() {
    for (text, part) in [
        (r#"{"id":"r"}"#, "`init`"),
        (r#"{"id":"r","init":{"method":"GET","body":"{}"}}"#, "`init.method`"),
        (r#"{"id":"r","init":{"method":"POST"}}"#, "`init.body`"),
        (r#"{"id":"r","init":{"method":"POST","body":"{"}}"#, "no JSON"),
        (r#"{"id":"r","init":{"method":"POST","body":"[]"}}"#, "a JSON object"),
        (r#"{"id":"r","init":{"method":"POST","body":"{}"}}"#, "`messages`"),
        (r#"{"id":"r","init":{"method":"POST","body":"{\"messages\":[1]}"}}"#, "a message"),
        (
            r#"{"id":"r","init":{"method":"POST","body":"{\"messages\":[{\"id\":\"a\",\"role\":\"user\"}]}"}}"#,
            "`parts`",
        ),
    ] {
        let fault = ChatRequest::parse(text).unwrap_err();
        assert!(fault.message.to_lowercase().contains(part) || fault.message.contains(part), "{fault}");
        let answer: Value = serde_json::from_str(&fault.to_frame()).unwrap();
        assert_eq!((&answer["id"], &answer["done"], &answer["error"]), (&json!("r"), &json!(true), &json!(true)));
    }
}

#[test]
fn half_a_character_does_not_cost_the_message() {
    let body =
        r#"{"messages":[{"id":"u","role":"user","parts":[{"type":"text","text":"a\ud83d \ud83d\ude00 \\ud83d"}]}]}"#;
    let frame = json!({"id": "r", "init": {"method": "POST", "body": body}});
    let read = ChatRequest::parse(&frame.to_string()).unwrap();
    assert_eq!(read.messages[0].text(), "a\u{fffd} 😀 \\ud83d");
}

#[test]
fn depth_in_the_inner_text_is_bounded_too() {
    let body = format!("{{\"messages\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let frame = json!({"id": "r", "init": {"method": "POST", "body": body}});
    assert!(ChatRequest::parse(&frame.to_string()).unwrap_err().message.contains("nested deeper"));
}

#[test]
fn a_tool_result_says_what_came_of_it() {
    let read = ToolResult::parse(r#"{"toolCallId":"c","toolName":"t","output":{"a":1},"autoContinue":true}"#).unwrap();
    assert_eq!((read.answer, read.auto_continue), (ToolAnswer::Output(json!({"a": 1})), true));
    let read = ToolResult::parse(r#"{"toolCallId":"c","output":null,"state":"output-error"}"#).unwrap();
    assert_eq!(read.answer, ToolAnswer::Error("Tool execution denied by user".to_owned()));
    assert!(ToolResult::parse(r#"{"output":1}"#).is_err());
}

#[test]
fn only_a_plain_yes_approves() {
    assert!(ToolApproval::parse(r#"{"toolCallId":"c","approved":true}"#).unwrap().approved);
    assert!(!ToolApproval::parse(r#"{"toolCallId":"c","approved":false}"#).unwrap().approved);
    for said in ["\"true\"", "1", "null", "{}"] {
        assert!(ToolApproval::parse(&format!(r#"{{"toolCallId":"c","approved":{said}}}"#)).is_err(), "{said}");
    }
}

#[test]
fn small_frames_are_written_as_recorded() {
    assert_eq!(stream_resuming("r1", Some("pb")), r#"{"type":"cf_agent_stream_resuming","id":"r1","probeId":"pb"}"#);
    assert_eq!(stream_pending(Some("r1"), None), r#"{"type":"cf_agent_stream_pending","id":"r1"}"#);
    let none = r#"{"type":"cf_agent_stream_resume_none","reason":"idle","probeId":"p"}"#;
    assert_eq!(resume_none(Some("idle"), Some("p")), none);
    assert_eq!(recovering(true, Some("r")), r#"{"type":"cf_agent_chat_recovering","recovering":true,"id":"r"}"#);
    let user = UiMessage::user("u", "é\"");
    let json = r#"{"id":"u","role":"user","parts":[{"type":"text","text":"é\""}]}"#;
    assert_eq!(
        messages_frame(std::slice::from_ref(&user)),
        format!(r#"{{"messages":[{json}],"type":"cf_agent_chat_messages"}}"#)
    );
    assert_eq!(message_updated(&user), format!(r#"{{"type":"cf_agent_message_updated","message":{json}}}"#));
    assert_eq!(messages_frame(&[]), r#"{"messages":[],"type":"cf_agent_chat_messages"}"#);
    let at_connect = r#"{"connect":true,"messages":[],"type":"cf_agent_chat_messages"}"#;
    assert_eq!(messages_at_connect([""; 0]), at_connect);
    let failed =
        r#"{"error":true,"body":"no","done":true,"id":"r","type":"cf_agent_use_chat_response","outcome":"error"}"#;
    assert_eq!(ResponseFrame::failed("r", "no").to_json(), failed);
}

#[test]
fn unknown_keys_and_parts_of_a_message_stay() {
    let text = r#"{"id":"a","role":"critic","metadata":null,"parts":[{"type":"hologram","x":1},7],"mood":"good"}"#;
    assert_eq!(UiMessage::parse(text).unwrap().to_json(), text);
}

#[test]
fn nothing_a_client_sends_panics() {
    for kind in ChatKind::ALL {
        for text in ["", "{", "[]", "{}", "1", "\"a\"", r#"{"id":1}"#, r#"{"messages":{}}"#, r#"{"toolCallId":[]}"#] {
            let _ = ChatIn::parse(kind, text).map_err(|fault| fault.to_frame());
        }
    }
}
