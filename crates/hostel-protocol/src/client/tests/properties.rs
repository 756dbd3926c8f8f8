//! Properties of the client parser over generated frames.

use proptest::prelude::*;

use super::*;
use crate::server::{rpc_request, state_update};

/// A text with a few characters taken out and others put in.
fn mutated(text: &str, at: usize, cut: usize, put: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let from = at % chars.len();
    let to = (from + cut).min(chars.len());
    chars.splice(from..to, put.chars());
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn a_mutated_frame_is_parsed_without_panic(
        state in any::<bool>(), at in any::<usize>(), cut in 0usize..5, put in "[\\[\\]{}:,\"\\\\u0-9a-z]{0,5}",
    ) {
        let whole = match state {
            true => state_update(r#"{"a":[1,"\ud83d\ude00",null]}"#),
            false => rpc_request("id", "method", r#"[1,{"a":"b"}]"#, Some("key")),
        };
        let text = mutated(&whole, at, cut, &put);
        if let ClientFrame::Unknown(fault) = parse(&text) {
            prop_assert!(!fault.message.is_empty());
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(fault.kind == FaultKind::NotJson, !is_json);
        }
    }

    #[test]
    fn a_written_call_is_read_back(
        id in any::<String>(), method in any::<String>(), args in any::<Vec<String>>(), key in any::<Option<String>>(),
    ) {
        let args = serde_json::to_string(&args).unwrap();
        let text = rpc_request(&id, &method, &args, key.as_deref());
        let call = rpc(&text);
        prop_assert_eq!(call.id.as_ref(), id);
        prop_assert_eq!(call.method.as_ref(), method);
        prop_assert_eq!(call.args.get(), args);
        prop_assert_eq!(call.idempotency_key.as_deref(), key.as_deref());
    }

    #[test]
    fn a_written_state_is_read_back(state in any::<Vec<String>>()) {
        let state = serde_json::to_string(&state).unwrap();
        let text = state_update(&state);
        match parse(&text) {
            ClientFrame::State(update) => prop_assert_eq!(update.state.get(), state),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
