//! Tests of the client parser.

use std::borrow::Cow;

use super::*;
use crate::refusal::Code;

mod properties;

fn rpc(text: &str) -> RpcRequest<'_> {
    match parse(text) {
        ClientFrame::Rpc(call) => call,
        other => panic!("{text}: {other:?}"),
    }
}

fn fault(text: &str) -> FrameFault {
    match parse(text) {
        ClientFrame::Unknown(fault) => fault,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn recorded_calls_are_understood() {
    let table = [
        (r#"{"args":[1,2],"id":"1","method":"add","type":"rpc"}"#, "1", "add", "[1,2]"),
        (r#"{"type":"rpc","id":"r1","method":"inc","args":[2]}"#, "r1", "inc", "[2]"),
        (r#"{"args":[],"id":"6c","method":"__proto__","type":"rpc"}"#, "6c", "__proto__", "[]"),
        (r#"{"args":[1,"throw"],"id":"s2","method":"count","type":"rpc"}"#, "s2", "count", r#"[1,"throw"]"#),
    ];
    for (text, id, method, args) in table {
        let call = rpc(text);
        assert_eq!((call.id.as_ref(), call.method.as_ref(), call.args.get()), (id, method, args));
        assert_eq!(call.idempotency_key, None);
    }
}

#[test]
fn a_plain_call_borrows_everything() {
    let call = rpc(r#"{"args":[1,2],"id":"b5512d18-078a","method":"add","type":"rpc","idempotencyKey":"k"}"#);
    assert!(matches!(call.id, Cow::Borrowed("b5512d18-078a")));
    assert!(matches!(call.method, Cow::Borrowed("add")));
    assert!(matches!(call.idempotency_key, Some(Cow::Borrowed("k"))));
}

#[test]
fn escapes_in_keys_and_values_are_undone() {
    let call = rpc(r#"{"\u0074ype":"r\u0070c","id":"\"1\"","method":"a\\b","args":[ ]}"#);
    assert_eq!((call.id.as_ref(), call.method.as_ref()), ("\"1\"", "a\\b"));
}

#[test]
fn the_last_of_equal_keys_counts_and_extra_keys_do_not() {
    let call =
        rpc(r#" {"type":"x","id":1,"id":"2","method":"m","args":{},"args":[],"type":"rpc","extra":{"type":"y"}} "#);
    assert_eq!((call.id.as_ref(), call.args.get()), ("2", "[]"));
    assert_eq!(fault(r#"{"type":"rpc","id":"2","id":1,"method":"m","args":[]}"#).kind, FaultKind::Malformed);
}

#[test]
fn any_json_value_is_a_state() {
    for state in ["{\"count\":5}", "null", "0", "\"\\ud800\"", "1e999999", "[[]]"] {
        let text = format!(r#"{{"type":"cf_agent_state","state":{state},"extra":true}}"#);
        match parse(&text) {
            ClientFrame::State(update) => assert_eq!(update.state.get(), state),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_chat_frame_is_recognised_by_its_type() {
    for kind in ChatKind::ALL {
        let text = format!(r#"{{"type":"{}","id":"c1"}}"#, kind.as_str());
        match parse(&text) {
            ClientFrame::Chat(chat) => assert_eq!((chat.kind, chat.id.as_deref()), (kind, Some("c1"))),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(parse(r#"{"type":"cf_agent_chat_clear"}"#), ClientFrame::Chat(_)));
    assert_eq!(fault(r#"{"type":"cf_agent_use_chat_request"}"#).kind, FaultKind::Malformed);
}

#[test]
fn recorded_malformed_frames_name_the_field() {
    let table = [
        (
            r#"{"type":"rpc","id":1,"method":"add","args":[1,2]}"#,
            "`id` of a frame of type `rpc` must be a string; it is a number.",
        ),
        (
            r#"{"type":"rpc","id":"m1","method":"add"}"#,
            "`args` of a frame of type `rpc` must be an array; it is missing.",
        ),
        (
            r#"{"type":"rpc","id":"m2","method":"add","args":{}}"#,
            "`args` of a frame of type `rpc` must be an array; it is an object.",
        ),
        (r#"{"type":"rpc","id":"m3","args":[]}"#, "`method` of a frame of type `rpc` must be a string; it is missing."),
        (
            r#"{"type":"rpc","method":"add","args":[1,2]}"#,
            "`id` of a frame of type `rpc` must be a string; it is missing.",
        ),
        (
            r#"{"type":"rpc","id":"m4","method":null,"args":[]}"#,
            "`method` of a frame of type `rpc` must be a string; it is null.",
        ),
        (
            r#"{"type":"rpc","id":"m5","method":"a","args":[],"idempotencyKey":true}"#,
            "`idempotencyKey` of a frame of type `rpc` must be a string; it is a boolean.",
        ),
        (
            r#"{"type":"rpc","id":"\ud800","method":"a","args":[]}"#,
            "`id` of a frame of type `rpc` must be a string; its text has an unpaired surrogate escape.",
        ),
        (
            r#"{"type":"cf_agent_state"}"#,
            "`state` of a frame of type `cf_agent_state` must be any JSON value; it is missing.",
        ),
    ];
    for (text, message) in table {
        let fault = fault(text);
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Malformed, message));
        assert_eq!(fault.refusal().code, Code::MalformedFrame);
    }
}

#[test]
fn a_malformed_call_keeps_its_id_to_be_answered_with() {
    assert_eq!(fault(r#"{"type":"rpc","id":"m1","method":"add"}"#).call_id.as_deref(), Some("m1"));
    assert_eq!(fault(r#"{"type":"rpc","id":7,"method":"add"}"#).call_id, None);
}

#[test]
fn a_null_idempotency_key_is_none() {
    let call = rpc(r#"{"type":"rpc","id":"1","method":"m","args":[],"idempotencyKey":null}"#);
    assert_eq!(call.idempotency_key, None);
}

#[test]
fn recorded_application_messages_are_no_frames() {
    let table = [
        ("not json", FaultKind::NotJson),
        ("ping", FaultKind::NotJson),
        ("", FaultKind::NotJson),
        ("{", FaultKind::NotJson),
        (r#"{"type":"rpc"} x"#, FaultKind::NotJson),
        ("null", FaultKind::NotObject),
        ("5", FaultKind::NotObject),
        ("\"str\"", FaultKind::NotObject),
        ("[]", FaultKind::NotObject),
        ("{}", FaultKind::NoType),
        (r#"{"type":5}"#, FaultKind::NoType),
        (r#"{"type":"whatever"}"#, FaultKind::UnknownType),
        (r#"{"type":"cf_agent_identity","name":"a","agent":"b"}"#, FaultKind::UnknownType),
    ];
    for (text, kind) in table {
        let fault = fault(text);
        assert_eq!(fault.kind, kind, "{text}");
        assert_eq!(fault.refusal().code, Code::UnknownFrame);
        assert!(!fault.message.is_empty() && !fault.fix.is_empty());
    }
}

#[test]
fn frames_of_other_protocols_are_told_the_word_of_ours() {
    let table = [
        (r#"{"type":"call","method":"add"}"#, Some("rpc")),
        (r#"{"type":"state","state":{}}"#, Some("cf_agent_state")),
        (r#"{"type":"setState","state":{}}"#, Some("cf_agent_state")),
        (r#"{"type":"handshake"}"#, None),
        (r#"{"type":"hello"}"#, None),
        (r#"{"type":"ping"}"#, None),
        (r#"{"type":"subscribe"}"#, None),
        (r#"{"type":"chat"}"#, Some("cf_agent_use_chat_request")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"add","params":[1]}"#, Some("rpc")),
        (r#"{"jsonrpc":"2.0","type":"odd"}"#, Some("rpc")),
    ];
    for (text, nearest) in table {
        let fault = fault(text);
        assert_eq!((fault.kind, fault.nearest), (FaultKind::Foreign, nearest), "{text}");
        assert_eq!(fault.refusal().code, Code::ForeignDialect);
    }
}

#[test]
fn a_misspelt_type_is_told_the_right_one() {
    let table =
        [("RPC", "rpc"), ("rcp", "rpc"), ("cf_agent_sate", "cf_agent_state"), ("cfAgentState", "cf_agent_state")];
    for (wrong, right) in table {
        let fault = fault(&format!(r#"{{"type":"{wrong}"}}"#));
        assert_eq!((fault.kind, fault.nearest), (FaultKind::UnknownType, Some(right)));
        assert!(fault.fix.starts_with(&format!("Did you mean `{right}`?")));
    }
}

#[test]
fn an_object_without_a_type_is_told_what_it_looks_like() {
    assert_eq!(fault(r#"{"id":"1","method":"add","args":[]}"#).nearest, Some("rpc"));
    assert_eq!(fault(r#"{"state":{}}"#).nearest, Some("cf_agent_state"));
    assert_eq!(fault(r#"{"a":1}"#).nearest, None);
}

#[test]
fn a_long_type_is_shown_shortened() {
    let fault = fault(&format!(r#"{{"type":"{}"}}"#, "é".repeat(100_000)));
    assert!(fault.type_name.unwrap().len() <= 64);
    assert!(fault.message.len() < 200);
}

#[test]
fn hostile_texts_end_in_a_typed_fault() {
    let many = 1_000_000;
    let table = [
        ("[".repeat(many), FaultKind::TooDeep),
        (r#"{"a":"#.repeat(many), FaultKind::TooDeep),
        (format!("{{\"type\":\"rpc\",\"args\":{}", "[".repeat(many)), FaultKind::TooDeep),
        (format!("{{{}\"a\":1}}", r#""a":1,"#.repeat(many)), FaultKind::TooManyValues),
        (format!("{{\"args\":[{}1]}}", "1,".repeat(many)), FaultKind::TooManyValues),
        (format!("{{\"type\":{}}}", "1".repeat(many)), FaultKind::NoType),
        (format!("{{{}", " ".repeat(many)), FaultKind::NotJson),
        ("1e999999".to_owned(), FaultKind::NotObject),
        (r#""\ud800""#.to_owned(), FaultKind::NotObject),
        (r#"{"type":"\ud800"}"#.to_owned(), FaultKind::NoType),
        (r#"{"\ud800":1}"#.to_owned(), FaultKind::NoType),
    ];
    for (text, kind) in table {
        assert_eq!(fault(&text).kind, kind, "{:.40}", text);
    }
}

#[test]
fn depth_is_limited_in_short_texts_too() {
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"type":"cf_agent_state","state":{open}{close}}}"#)
    };
    assert!(matches!(parse(&deep(128)), ClientFrame::State(_)));
    assert_eq!(fault(&deep(129)).kind, FaultKind::TooDeep);
    let limits = JsonLimits { max_depth: 3, max_values: 5 };
    assert!(matches!(parse_with(&deep(3), &limits), ClientFrame::State(_)));
    assert!(matches!(parse_with(&deep(4), &limits), ClientFrame::Unknown(_)));
}

#[test]
fn a_state_frame_may_say_which_version_it_replaces() {
    let version = |text| match parse(text) {
        ClientFrame::State(update) => update.if_version.map(|version| version.into_owned()),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(version(r#"{"type":"cf_agent_state","state":1}"#), None);
    assert_eq!(version(r#"{"type":"cf_agent_state","state":1,"if_version":null}"#), None);
    assert_eq!(version(r#"{"type":"cf_agent_state","state":1,"if_version":"a"}"#).as_deref(), Some("a"));
    let written = crate::server::state_update_if("1", "\"");
    assert_eq!(version(&written).as_deref(), Some("\""));
    let wrong = parse(r#"{"type":"cf_agent_state","state":1,"if_version":7}"#);
    let ClientFrame::Unknown(fault) = wrong else { panic!("{wrong:?}") };
    assert_eq!(fault.refusal().code, crate::Code::MalformedFrame);
}
