//! Clients of other times.

use serde_json::json;

use crate::chat::{Chunk, DataStream, UiMessage, strict, to_strict, to_v4};

#[test]
fn a_tool_call_on_the_data_stream() {
    let mut stream = DataStream::new("m");
    let lines: String = [
        Chunk::start_step(),
        Chunk::reasoning_delta("r", "hm"),
        Chunk::tool_input_start("c", "t"),
        Chunk::tool_input_delta("c", "{}"),
        Chunk::tool_input_available("c", "t", json!({})),
        Chunk::tool_output_available("c", json!(0)).with("preliminary", true),
        Chunk::tool_output_available("c", json!(1)),
        Chunk::finish_step(),
        Chunk::start_step(),
        Chunk::text_delta("t", "ok"),
        Chunk::finish_step(),
        Chunk::finish("stop"),
    ]
    .iter()
    .filter_map(|chunk| stream.encode(chunk))
    .collect();
    let unknown = r#""usage":{"promptTokens":null,"completionTokens":null}"#;
    let wanted = [
        r#"f:{"messageId":"m"}"#.to_owned(),
        r#"g:"hm""#.to_owned(),
        r#"b:{"toolCallId":"c","toolName":"t"}"#.to_owned(),
        r#"c:{"toolCallId":"c","argsTextDelta":"{}"}"#.to_owned(),
        r#"9:{"toolCallId":"c","toolName":"t","args":{}}"#.to_owned(),
        r#"a:{"toolCallId":"c","result":1}"#.to_owned(),
        format!(r#"e:{{"finishReason":"tool-calls",{unknown},"isContinued":false}}"#),
        r#"f:{"messageId":"m"}"#.to_owned(),
        r#"0:"ok""#.to_owned(),
        format!(r#"e:{{"finishReason":"stop",{unknown},"isContinued":false}}"#),
        format!(r#"d:{{"finishReason":"stop",{unknown}}}"#),
    ];
    assert_eq!(lines, wanted.join("\n") + "\n");
}

#[test]
fn an_error_is_a_line_and_the_message_has_an_id_even_without_a_step() {
    let mut stream = DataStream::default();
    stream.encode(&Chunk::start("m"));
    assert_eq!(stream.encode(&Chunk::error("no")).unwrap(), "f:{\"messageId\":\"m\"}\n3:\"no\"\n");
}

#[test]
fn messages_without_parts_get_them() {
    let old = json!({
        "id": "a", "role": "assistant", "content": "done", "reasoning": "hm",
        "toolInvocations": [
            {"state": "result", "toolCallId": "c", "toolName": "t", "args": {"a": 1}, "result": 2},
            {"state": "call", "toolCallId": "d", "toolName": "t", "args": {}},
        ],
        "experimental_attachments": [{"name": "x", "contentType": "text/plain", "url": "https://x.example/x"}],
    });
    let today = UiMessage::from_value(old).unwrap();
    let kinds: Vec<_> = today.parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "tool-t", "tool-t", "text", "file"]);
    assert_eq!((&today.parts[1]["output"], &today.parts[2]["state"]), (&json!(2), &json!("input-available")));
    assert!(today.rest.is_empty());
}

#[test]
fn old_parts_become_new_ones_and_old_again() {
    let old = json!({
        "id": "a", "role": "assistant", "content": "x",
        "toolInvocations": [{"state": "result", "toolCallId": "c", "toolName": "t", "args": {}, "result": 1}],
        "parts": [
            {"type": "step-start"},
            {"type": "reasoning", "reasoning": "hm", "details": [{"type": "text", "text": "hm"}]},
            {"type": "tool-invocation", "toolInvocation":
                {"state": "result", "toolCallId": "c", "toolName": "t", "args": {}, "result": 1}},
            {"type": "source", "source": {"sourceType": "url", "id": "s", "url": "https://x.example"}},
            {"type": "file", "mimeType": "image/png", "data": "AAAA"},
            {"type": "text", "text": "x"},
        ],
    });
    assert_eq!(to_v4(&UiMessage::from_value(old.clone()).unwrap()), old);
}

#[test]
fn strict_clients_see_only_what_they_know() {
    let shown = strict(&Chunk::finish("stop")).unwrap();
    assert_eq!(shown.to_json(), r#"{"type":"finish","messageMetadata":{"finishReason":"stop"}}"#);
    let output = Chunk::tool_output_available("c", json!(1));
    assert_eq!(strict(&output.clone().with("preliminary", false)).unwrap(), output);
    assert_eq!(strict(&output.with("preliminary", true)), None);
    assert_eq!(strict(&Chunk::new("hologram")), None);
    assert_eq!(strict(&Chunk::tool_output_denied("c")).unwrap().kind(), "tool-output-error");
    assert_eq!(strict(&Chunk::abort().with("reason", "x")).unwrap(), Chunk::abort());
}

#[test]
fn a_question_looks_like_a_waiting_call_to_strict_clients() {
    let part = json!({"type": "tool-t", "toolCallId": "c", "state": "approval-requested", "input": {}});
    let mut message = UiMessage::user("a", "x");
    message.parts.push(part);
    assert_eq!(to_strict(&message).parts[1]["state"], "input-available");
}
