//! Reading streams that are cut anywhere.

use futures_util::{FutureExt, stream};

use super::*;
use crate::{
    FinishReason, Request, Scripted,
    fake::{self, Speaks},
    scripted::Step,
};

const SCRIPT: &str = "on *\n think hm 🤔\n say Größe \"q\"\n call! look {\"at\": \"ö\"}\n usage 7 9";

fn decoder(speaks: Speaks) -> Box<dyn Decoder> {
    match speaks {
        Speaks::OpenAi => Box::new(crate::openai::OpenAi::default()),
        Speaks::Anthropic => Box::new(crate::anthropic::Anthropic::default()),
        Speaks::Google => Box::new(crate::google::Google::default()),
    }
}

fn wire(speaks: Speaks) -> String {
    let steps = Scripted::new(SCRIPT).unwrap().steps(&Request::default());
    let emitted = |step| match step {
        Step::Emit(event) => Some(event),
        _ => None,
    };
    fake::text(speaks, &steps.into_iter().filter_map(emitted).collect::<Vec<_>>())
}

/// What comes of these bytes. Nothing waits, so it is there at once.
fn read(speaks: Speaks, parts: &[&[u8]]) -> Result<Vec<Event>, Failure> {
    let parts: Vec<Result<Bytes, Broken>> = parts.iter().map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    let first = Instant::now() + Duration::from_secs(60);
    let mut live = Live::of(stream::iter(parts), decoder(speaks), first, Duration::from_secs(60));
    let mut events = Vec::new();
    loop {
        events.push(live.next().now_or_never().expect("everything is there")?);
        if matches!(events.last(), Some(Event::Finish { .. })) {
            return Ok(events);
        }
    }
}

/// Ids a provider did not give are made up, and differ.
fn without_ids(events: Vec<Event>) -> Vec<Event> {
    let nameless = |event| match event {
        Event::ToolInputStart { name, .. } => Event::ToolInputStart { id: String::new(), name },
        Event::ToolInputDelta { delta, .. } => Event::ToolInputDelta { id: String::new(), delta },
        Event::ToolCall { name, input, signature, .. } => Event::ToolCall { id: String::new(), name, input, signature },
        other => other,
    };
    events.into_iter().map(nameless).collect()
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_gives_the_same_events() {
    for speaks in Speaks::ALL {
        let wire = wire(speaks);
        let whole = without_ids(read(speaks, &[wire.as_bytes()]).unwrap());
        assert!(whole.len() > 10, "{whole:?}");
        for at in 0..=wire.len() {
            let (head, tail) = wire.as_bytes().split_at(at);
            assert_eq!(without_ids(read(speaks, &[head, tail]).unwrap()), whole, "{speaks:?}, cut at {at}");
        }
        for wire in [wire.clone(), wire.replace('\n', "\r\n")] {
            let single: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
            assert_eq!(without_ids(read(speaks, &single).unwrap()), whole, "{speaks:?}, byte by byte");
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_early_is_cut_wherever_it_ends() {
    for speaks in Speaks::ALL {
        let wire = wire(speaks);
        // From the reason to finish on, the answer is whole, whatever of the rest is missing.
        let reason = ["finish_reason\":\"tool_calls", "stop_reason", "finishReason"];
        let reason = reason.iter().find_map(|word| wire.find(word)).unwrap();
        for at in 0..reason {
            let failure = read(speaks, &[&wire.as_bytes()[..at]]).unwrap_err();
            assert_eq!(failure.kind, FaultKind::Cut, "{speaks:?}, ended at {at}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_too_large() {
    let part = vec![b'x'; 1 << 20];
    let parts = vec![part.as_slice(); 65];
    assert_eq!(read(Speaks::OpenAi, &parts).unwrap_err().kind, FaultKind::TooLarge);
}

fn openai(chunks: &[&str]) -> Result<Vec<Event>, Failure> {
    let wire: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    read(Speaks::OpenAi, &[wire.as_bytes()])
}

/// The calls among events: id, name, input.
fn calls(events: &[Event]) -> Vec<(String, String, String)> {
    let call = |event: &Event| match event {
        Event::ToolCall { id, name, input, .. } => {
            Some((id.clone(), name.clone(), input.as_ref().map_or_else(Clone::clone, ToString::to_string)))
        }
        _ => None,
    };
    events.iter().filter_map(call).collect()
}

fn tool_chunks(deltas: &[&str]) -> Vec<(String, String, String)> {
    let mut chunks: Vec<String> =
        deltas.iter().map(|delta| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{delta}]}}}}]}}"#)).collect();
    chunks.push(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned());
    chunks.push("[DONE]".to_owned());
    let events = openai(&chunks.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert!(matches!(events.last(), Some(Event::Finish { reason: FinishReason::ToolCalls, .. })), "{events:?}");
    calls(&events)
}

fn call(id: &str, name: &str, input: &str) -> (String, String, String) {
    (id.to_owned(), name.to_owned(), input.to_owned())
}

#[tokio::test]
async fn calls_are_told_apart_whatever_gateways_leave_out() {
    let by_the_book = [
        r#"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}"#,
        r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{\"x\""}}"#,
        r#"{"index":0,"function":{"arguments":"{}"}}"#,
        r#"{"index":1,"function":{"arguments":":1}"}}"#,
    ];
    assert_eq!(tool_chunks(&by_the_book), [call("a", "f", "{}"), call("b", "g", r#"{"x":1}"#)]);
    let all_with_index_0 = [
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
        r#"{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}"#,
    ];
    assert_eq!(tool_chunks(&all_with_index_0), [call("a", "f", "{}"), call("b", "f", r#"{"x":2}"#)]);
    let without_index = [
        r#"{"id":"a","function":{"name":"f","arguments":"{\"x\""}}"#,
        r#"{"function":{"arguments":":3}"}}"#,
        r#"{"id":"b","function":{"name":"f","arguments":{"x":4}}}"#,
    ];
    assert_eq!(tool_chunks(&without_index), [call("a", "f", r#"{"x":3}"#), call("b", "f", r#"{"x":4}"#)]);
    let name_later_and_again = [
        r#"{"index":0,"id":"a","function":{"arguments":"{\"x\""}}"#,
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":":5"}}"#,
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}"#,
    ];
    assert_eq!(tool_chunks(&name_later_and_again), [call("a", "f", r#"{"x":5}"#)]);
}

#[tokio::test]
async fn calls_without_ids_get_ones_that_differ() {
    let nameless = [r#"{"function":{"name":"f","arguments":"{}"}}"#, r#"{"function":{"name":"f"}}"#];
    let calls = tool_chunks(&nameless);
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0].0, calls[1].0);
    assert_eq!((calls[1].1.as_str(), calls[1].2.as_str()), ("f", "{}"));
}

fn short(events: &[Event]) -> String {
    let text = |event: &Event| match event {
        Event::TextDelta { delta, .. } => delta.clone(),
        Event::ReasoningDelta { delta, .. } => format!("({delta})"),
        Event::ReasoningEnd { signature: Some(signature), .. } => format!("<{signature}>"),
        Event::Source { url, .. } => format!("[{url}]"),
        Event::File { media_type, data, .. } => format!("[{media_type} {data:?}]"),
        Event::Finish { reason, .. } => format!(" {}", reason.as_str()),
        _ => String::new(),
    };
    events.iter().map(text).collect()
}

#[tokio::test]
async fn what_gateways_write_differently_is_understood() {
    let delta = |delta: &str| format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
    let table = [
        (vec![delta(r#"{"reasoning":"a"}"#), delta(r#"{"content":"b"}"#)], "(a)b stop"),
        (vec![delta(r#"{"reasoning_content":"a","content":null}"#), delta(r#"{"content":"b"}"#)], "(a)b stop"),
        (
            vec![delta(
                r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},{"type":"text","text":"b"}]}"#,
            )],
            "(a)b stop",
        ),
        (
            vec![
                r#"{"choices":[{"message":{"role":"assistant","content":"whole"},"finish_reason":"eos"}]}"#.to_owned(),
            ],
            "whole stop",
        ),
        (vec![r#"{"choices":null}"#.to_owned(), delta(r#"{"content":"","refusal":"no"}"#)], "no stop"),
        (
            vec![delta(r#"{"content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"u"}}]}"#)],
            "a[u] stop",
        ),
        (
            vec![delta(r#"{"images":[{"image_url":{"url":"data:image/webp;base64,AA"}}]}"#)],
            "[image/webp Base64(\"AA\")] stop",
        ),
        (
            vec![delta(r#"{"content":"a"}"#), r#"{"choices":[{"delta":null,"finish_reason":"odd"}]}"#.to_owned()],
            "a other",
        ),
        (
            vec![
                delta(r#"{"reasoning_details":[{"type":"reasoning.text","text":"a","index":0}],"reasoning":"a"}"#),
                delta(
                    r#"{"reasoning_details":[{"type":"reasoning.text","text":"b","signature":"s","index":0}],"reasoning":"b"}"#,
                ),
                delta(r#"{"content":"c"}"#),
            ],
            r#"(a)(b)<[{"type":"reasoning.text","text":"ab","index":0,"signature":"s"}]>c stop"#,
        ),
    ];
    for (mut chunks, expected) in table {
        chunks.push("[DONE]".to_owned());
        let events = openai(&chunks.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(short(&events), expected);
    }
}

#[tokio::test]
async fn usage_is_read_wherever_it_stands_and_need_not_be_there() {
    let usage = |last: &str| {
        let events =
            openai(&[r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":null}"#, last, "[DONE]"]);
        match events.unwrap().pop() {
            Some(Event::Finish { usage, .. }) => (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens),
            other => panic!("{other:?}"),
        }
    };
    let full = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6.0,"prompt_tokens_details":{"cached_tokens":2}}}"#;
    assert_eq!(usage(full), (Some(5), Some(2), Some(6)));
    assert_eq!(usage(r#"{"x_groq":{"usage":{"prompt_tokens":5,"completion_tokens":6}}}"#), (Some(5), None, Some(6)));
    assert_eq!(usage(r#"{"choices":[]}"#), (None, None, None));
}

#[tokio::test]
async fn errors_in_the_middle_end_the_answer() {
    let kind = |chunk: &str| openai(&[r#"{"choices":[{"delta":{"content":"a"}}]}"#, chunk]).unwrap_err().kind;
    assert_eq!(kind(r#"{"error":{"message":"Provider returned error","code":502}}"#), FaultKind::Provider);
    assert_eq!(
        kind(r#"{"choices":[{"delta":{},"error":{"code":429,"message":"slow down"}}]}"#),
        FaultKind::RateLimited
    );
    assert_eq!(kind(r#"{"error":"it broke"}"#), FaultKind::Provider);
    assert_eq!(kind("{nonsense"), FaultKind::Malformed);
}

#[tokio::test]
async fn thoughts_only_the_provider_can_read_are_kept_for_it() {
    let events = [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"xyz"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s","name":"web"}}"#,
        r#"{"type":"a_later_invention"}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let wire: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    assert_eq!(short(&read(Speaks::Anthropic, &[wire.as_bytes()]).unwrap()), "<redacted:xyz> stop");
}
