//! Tests of writers and readers.

use proptest::prelude::*;

use super::*;
use crate::refusal::{Code, Refusal};

/// What the writers make equals what the reference server of version 0.32.0
/// was recorded sending.
#[test]
fn writers_equal_the_recorded_frames_byte_for_byte() {
    let table = [
        (
            identity("counter-agent", "nap0b4", true),
            r#"{"type":"cf_agent_identity","name":"nap0b4","agent":"counter-agent","stateFollows":true}"#,
        ),
        (
            identity("plain-agent", "x%20y", false),
            r#"{"type":"cf_agent_identity","name":"x%20y","agent":"plain-agent"}"#,
        ),
        (state_initial(r#"{"count":0}"#), r#"{"type":"cf_agent_state","state":{"count":0}}"#),
        (state(r#"{"count":5}"#), r#"{"state":{"count":5},"type":"cf_agent_state"}"#),
        (state("null"), r#"{"state":null,"type":"cf_agent_state"}"#),
        (
            state_error("State update rejected", None),
            r#"{"type":"cf_agent_state_error","error":"State update rejected"}"#,
        ),
        (
            state_error("Connection is readonly", None),
            r#"{"type":"cf_agent_state_error","error":"Connection is readonly"}"#,
        ),
        (
            MCP_SERVERS_EMPTY.to_owned(),
            r#"{"mcp":{"prompts":[],"resources":[],"servers":{},"tools":[]},"type":"cf_agent_mcp_servers"}"#,
        ),
        (rpc_result("1", Some("3")), r#"{"done":true,"id":"1","result":3,"success":true,"type":"rpc"}"#),
        (rpc_result("ret-undefined", None), r#"{"done":true,"id":"ret-undefined","success":true,"type":"rpc"}"#),
        (
            rpc_result("ret-null", Some("null")),
            r#"{"done":true,"id":"ret-null","result":null,"success":true,"type":"rpc"}"#,
        ),
        (rpc_chunk("s1", r#"{"i":0}"#), r#"{"done":false,"id":"s1","result":{"i":0},"success":true,"type":"rpc"}"#),
        (rpc_end("s1", None), r#"{"done":true,"id":"s1","success":true,"type":"rpc"}"#),
        (
            rpc_end("s5", Some(r#"{"final":true}"#)),
            r#"{"done":true,"id":"s5","result":{"final":true},"success":true,"type":"rpc"}"#,
        ),
        (
            rpc_error("2", "Method missing does not exist", None),
            r#"{"error":"Method missing does not exist","id":"2","success":false,"type":"rpc"}"#,
        ),
        (
            session_error("Error: connect boom\n    at onConnect"),
            r#"{"error":"Error: connect boom\n    at onConnect"}"#,
        ),
        (rpc_request("1", "add", "[1,2]", None), r#"{"args":[1,2],"id":"1","method":"add","type":"rpc"}"#),
    ];
    for (written, recorded) in table {
        assert_eq!(written, recorded);
    }
}

#[test]
fn our_additions_come_after_the_known_keys() {
    let refusal = Refusal::new(Code::StateShape, "m").with_fix("f");
    assert_eq!(
        state_error("e", Some(&refusal)),
        r#"{"type":"cf_agent_state_error","error":"e","code":"state_shape","reason":"m","fix":"f"}"#
    );
    assert_eq!(
        rpc_error("1", "e", Some(("call_failed", None))),
        r#"{"error":"e","id":"1","success":false,"type":"rpc","code":"call_failed"}"#
    );
    assert_eq!(
        rpc_error("1", "e", Some(("call_failed", Some("f")))),
        r#"{"error":"e","id":"1","success":false,"type":"rpc","code":"call_failed","fix":"f"}"#
    );
    assert_eq!(
        rpc_request("1", "m", "[]", Some("k")),
        r#"{"args":[],"id":"1","idempotencyKey":"k","method":"m","type":"rpc"}"#
    );
}

#[test]
fn versions_come_after_the_known_keys_and_are_read_back() {
    let frames = [
        (state_versioned("1", "v"), r#"{"state":1,"type":"cf_agent_state","version":"v"}"#),
        (state_initial_versioned("1", "v"), r#"{"type":"cf_agent_state","state":1,"version":"v"}"#),
        (state_accepted("v"), r#"{"type":"hostel_state_accepted","version":"v"}"#),
    ];
    for (written, expected) in &frames {
        assert_eq!(written, expected);
    }
    let read = |text: &str| match parse_server(text) {
        ServerFrame::State { state, version } => (state.get().to_owned(), version),
        ServerFrame::StateAccepted { version } => ("1".to_owned(), Some(version)),
        other => panic!("{text}: {other:?}"),
    };
    for (written, _) in &frames {
        assert_eq!(read(written), ("1".to_owned(), Some("v".to_owned())));
    }
}

#[test]
fn a_conflict_brings_the_present_state_and_its_version() {
    let refusal = Refusal::new(Code::StateConflict, "m");
    let frame = state_conflict("e", &refusal, "{}", "v");
    let expected =
        r#"{"type":"cf_agent_state_error","error":"e","code":"state_conflict","reason":"m","state":{},"version":"v"}"#;
    assert_eq!(frame, expected);
    let ServerFrame::StateError { error, current, version, .. } = parse_server(&frame) else { panic!("{frame}") };
    assert_eq!(error, "m");
    assert_eq!(current.map(|raw| raw.get().to_owned()).as_deref(), Some("{}"));
    assert_eq!(version.as_deref(), Some("v"));
}

#[test]
fn a_warning_names_its_fields() {
    let refusal = Refusal::new(Code::StateKeysDropped, "m").with_fix("f");
    let frame = refusal.to_warning_frame(&["a", "b\n"]);
    let expected =
        r#"{"type":"hostel_warning","code":"state_keys_dropped","warning":"m","fields":["a","b\n"],"fix":"f"}"#;
    assert_eq!(frame, expected);
    let ServerFrame::HostelWarning { code, warning, fix, fields } = parse_server(&frame) else { panic!("{frame}") };
    assert_eq!((code.as_str(), warning.as_str(), fix.as_deref()), ("state_keys_dropped", "m", Some("f")));
    assert_eq!(fields, ["a", "b\n"]);
}

fn answer(text: &str) -> RpcResponse {
    match parse_server(text) {
        ServerFrame::Rpc(answer) => answer,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn an_absent_result_is_not_null() {
    let done = |text| match answer(text).outcome {
        RpcOutcome::Done(value) => value.map(|v| v.get().to_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(done(r#"{"done":true,"id":"1","success":true,"type":"rpc"}"#), None);
    let null = r#"{"done":true,"id":"1","result":null,"success":true,"type":"rpc"}"#;
    assert_eq!(done(null).as_deref(), Some("null"));
    let undone = r#"{"id":"1","result":2,"success":true,"type":"rpc"}"#;
    assert_eq!(done(undone).as_deref(), Some("2"));
}

#[test]
fn frames_of_older_servers_are_read_in_any_key_order() {
    let text = r#"{"name":"n","agent":"a","type":"cf_agent_identity"}"#;
    assert!(matches!(parse_server(text), ServerFrame::Identity { state_follows: false, .. }));
}

#[test]
fn whatever_is_no_frame_is_kept_as_it_came() {
    for text in ["[1]", r#"{"type":"tick"}"#, r#"{"type":"rpc","id":1}"#, r#"{"type":"cf_agent_state"}"#, "1e999999"] {
        assert!(matches!(parse_server(text), ServerFrame::Other(raw) if raw.get() == text));
    }
    for text in ["hey", "", "{", "echo:{}"] {
        assert!(matches!(parse_server(text), ServerFrame::Text(kept) if kept == text));
    }
}

#[test]
fn a_deep_answer_costs_no_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let text = rpc_result("1", Some(&deep));
    assert!(matches!(answer(&text).outcome, RpcOutcome::Done(Some(_))));
    assert!(matches!(parse_server(&"[".repeat(1_000_000)), ServerFrame::Text(_)));
}

#[test]
fn the_error_frame_of_a_refusal_is_read_back() {
    let refusal = Refusal::new(Code::UnknownFrame, "what?").with_fix("that");
    match parse_server(&refusal.to_error_frame()) {
        ServerFrame::HostelError { code, error, fix } => {
            assert_eq!((code.as_str(), error.as_str(), fix.as_deref()), ("unknown_frame", "what?", Some("that")));
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        let _ = parse_server(&text);
    }

    #[test]
    fn a_written_identity_is_read_back(agent in any::<String>(), name in any::<String>(), follows in any::<bool>()) {
        match parse_server(&identity(&agent, &name, follows)) {
            ServerFrame::Identity { agent: a, name: n, state_follows } => prop_assert_eq!((a, n, state_follows), (agent, name, follows)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_written_state_is_read_back(value in any::<Vec<String>>(), initial in any::<bool>()) {
        let json = serde_json::to_string(&value).unwrap();
        let text = if initial { state_initial(&json) } else { state(&json) };
        match parse_server(&text) {
            ServerFrame::State { state, version: None } => prop_assert_eq!(state.get(), json),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_written_answer_is_read_back(id in any::<String>(), value in any::<Option<Vec<String>>>(), last in any::<bool>()) {
        let json = value.map(|value| serde_json::to_string(&value).unwrap());
        let text = match (&json, last) {
            (Some(json), false) => rpc_chunk(&id, json),
            _ => rpc_result(&id, json.as_deref()),
        };
        let got = answer(&text);
        prop_assert_eq!(got.id, id);
        let (wanted_last, read) = match got.outcome {
            RpcOutcome::Done(value) => (true, value),
            RpcOutcome::Chunk(value) => (false, value),
            RpcOutcome::Failed { error, .. } => panic!("{error}"),
        };
        prop_assert_eq!(wanted_last, last || json.is_none());
        prop_assert_eq!(read.map(|raw| raw.get().to_owned()), json);
    }

    #[test]
    fn a_written_failure_is_read_back(id in any::<String>(), text in any::<String>(), code in any::<String>(), fix in any::<Option<String>>()) {
        let got = answer(&rpc_error(&id, &text, Some((&code, fix.as_deref()))));
        prop_assert_eq!(got.id, id);
        match got.outcome {
            RpcOutcome::Failed { error, code: c, fix: f } => prop_assert_eq!((error, c, f), (text, Some(code), fix)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_written_state_error_is_read_back_with_its_reason(text in any::<String>(), fix in any::<String>()) {
        let refusal = Refusal::new(Code::StateRejected, text.clone()).with_fix(fix.clone());
        match parse_server(&state_error("State update rejected", Some(&refusal))) {
            ServerFrame::StateError { error, code, fix: f, current: None, version: None } => {
                prop_assert_eq!((error, code.as_deref(), f), (text, Some("state_rejected"), Some(fix)));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_written_session_error_is_read_back(text in any::<String>()) {
        match parse_server(&session_error(&text)) {
            ServerFrame::SessionError { error } => prop_assert_eq!(error, text),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
