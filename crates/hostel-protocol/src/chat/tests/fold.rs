//! What chunks make of a message.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::{Chunk, Fold, ToolState, UiMessage, stamp};

fn folded(chunks: &[Chunk]) -> UiMessage {
    let mut fold = Fold::new("m");
    for chunk in chunks {
        fold.apply(chunk);
    }
    fold.into_message()
}

fn called() -> Vec<Chunk> {
    vec![
        Chunk::start("m"),
        Chunk::start_step(),
        Chunk::tool_input_start("c", "clock"),
        Chunk::tool_input_delta("c", "{\"zone\":\"UTC\"}"),
        Chunk::tool_input_available("c", "clock", json!({"zone": "UTC"})),
    ]
}

#[test]
fn a_call_told_again_changes_nothing_and_is_stale() {
    let mut fold = Fold::new("m");
    let mut chunks = called();
    chunks.push(Chunk::tool_output_available("c", json!("noon")));
    for chunk in &chunks {
        assert!(!fold.is_stale(chunk), "{chunk:?}");
        fold.apply(chunk);
    }
    let before = fold.message().clone();
    for chunk in &chunks[2..] {
        fold.apply(chunk);
    }
    fold.apply(&Chunk::tool_output_available("c", json!("midnight")));
    fold.apply(&Chunk::tool_approval_request("a", "c"));
    assert_eq!(fold.message(), &before);
    assert!(chunks[2..5].iter().all(|chunk| fold.is_stale(chunk)));
    assert!(fold.is_stale(&Chunk::tool_approval_request("a", "c")));
}

#[test]
fn an_answered_question_is_not_asked_again() {
    let mut fold = Fold::new("m");
    for chunk in called() {
        fold.apply(&chunk);
    }
    fold.apply(&Chunk::tool_approval_request("a", "c"));
    assert_eq!(fold.message().tool_state("c"), Some(ToolState::ApprovalRequested));
    fold.apply(&Chunk::new("tool-approval-response").with("approvalId", "a").with("approved", true));
    fold.apply(&Chunk::tool_approval_request("a2", "c"));
    fold.apply(&Chunk::tool_output_denied("c"));
    let part = fold.message().tool_part("c").unwrap();
    assert_eq!(part["state"], "approval-responded");
    assert_eq!(part["approval"], json!({"id": "a", "approved": true}));
}

#[test]
fn interleaved_texts_grow_each_on_its_own() {
    let message = folded(&[
        Chunk::text_start("1"),
        Chunk::text_start("2"),
        Chunk::text_delta("1", "a"),
        Chunk::text_delta("2", "x"),
        Chunk::text_delta("1", "b"),
        Chunk::text_end("1"),
        Chunk::text_delta("2", "y"),
    ]);
    assert_eq!(
        message.parts,
        [
            json!({"type": "text", "text": "ab", "state": "done"}),
            json!({"type": "text", "text": "xy", "state": "streaming"}),
        ]
    );
}

#[test]
fn an_id_used_again_in_the_next_step_begins_another_text() {
    let one = [Chunk::start_step(), Chunk::text_start("0"), Chunk::text_delta("0", "a"), Chunk::text_end("0")];
    let message = folded(&[one.clone(), one].concat());
    assert_eq!(message.text(), "aa");
    assert_eq!(message.parts.len(), 4);
}

#[test]
fn a_signature_at_the_end_of_reasoning_joins_what_was_said_before() {
    let message = folded(&[
        Chunk::reasoning_start("r").with("providerMetadata", json!({"p": {"a": 1}})),
        Chunk::reasoning_delta("r", "hm"),
        Chunk::reasoning_end("r").with("providerMetadata", json!({"p": {"signature": "s"}})),
    ]);
    assert_eq!(message.parts[0]["providerMetadata"], json!({"p": {"a": 1, "signature": "s"}}));
}

#[test]
fn data_with_an_id_is_replaced_and_transient_data_is_not_kept() {
    let message = folded(&[
        Chunk::data("load", json!(1)).with("id", "x"),
        Chunk::data("load", json!(2)),
        Chunk::data("load", json!(3)).with("id", "x"),
        Chunk::data("load", json!(4)).with("transient", true),
    ]);
    assert_eq!(
        message.parts,
        [json!({"type": "data-load", "id": "x", "data": 3}), json!({"type": "data-load", "data": 2}),]
    );
}

#[test]
fn why_an_answer_ended_is_not_kept_but_other_metadata_is() {
    let mut end = Chunk::finish("stop").with("messageMetadata", json!({"cost": 1}));
    stamp(&mut end, Some("m"));
    assert_eq!(end.get("messageMetadata"), Some(&json!({"cost": 1, "finishReason": "stop"})));
    let message = folded(&[Chunk::message_metadata(json!({"model": {"name": "x"}})), end]);
    assert_eq!(message.metadata, Some(json!({"model": {"name": "x"}, "cost": 1})));
}

#[test]
fn a_continuation_keeps_its_id_and_loses_it_on_the_wire() {
    let mut chunk = Chunk::start("other");
    let mut fold = Fold::continuing(UiMessage::user("m", "hi"));
    fold.apply(&chunk);
    assert_eq!(fold.message().id, "m");
    stamp(&mut chunk, None);
    assert_eq!(chunk.to_json(), r#"{"type":"start"}"#);
}

#[test]
fn the_input_of_a_call_is_always_an_object() {
    for (input, kept) in [
        (json!({"a": 1}), json!({"a": 1})),
        (json!("{\"a\":1}"), json!({"a": 1})),
        (json!("no"), json!({})),
        (json!([1]), json!({})),
        (Value::Null, json!({})),
    ] {
        let message = folded(&[Chunk::tool_input_available("c", "t", input)]);
        assert_eq!(message.parts[0]["input"], kept);
    }
}

#[test]
fn interim_output_is_replaced_until_the_final_one() {
    let mut chunks = called();
    chunks.push(Chunk::tool_output_available("c", json!(1)).with("preliminary", true));
    chunks.push(Chunk::tool_output_available("c", json!(2)));
    chunks.push(Chunk::tool_output_error("c", "late"));
    let message = folded(&chunks);
    let part = message.tool_part("c").unwrap();
    assert_eq!((&part["output"], part.get("preliminary"), part.get("errorText")), (&json!(2), None, None));
}

#[test]
fn chunks_of_tomorrow_pass_and_change_nothing() {
    let chunk = Chunk::parse(r#"{"type":"hologram","x":[1]}"#).unwrap();
    assert_eq!(chunk.to_json(), r#"{"type":"hologram","x":[1]}"#);
    assert_eq!(folded(&[chunk]), UiMessage::new("m", crate::chat::Role::Assistant));
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let id = || prop::sample::select(vec!["1", "2"]);
    let text = "[a-zé]{0,4}";
    prop_oneof![
        Just(Chunk::start("m")),
        Just(Chunk::start_step()),
        Just(Chunk::finish_step()),
        Just(Chunk::finish("stop")),
        id().prop_map(Chunk::text_start),
        (id(), text).prop_map(|(id, text)| Chunk::text_delta(id, &text)),
        id().prop_map(Chunk::text_end),
        id().prop_map(Chunk::reasoning_start),
        (id(), text).prop_map(|(id, text)| Chunk::reasoning_delta(id, &text)),
        id().prop_map(|id| Chunk::tool_input_start(id, "t")),
        (id(), text).prop_map(|(id, text)| Chunk::tool_input_delta(id, &text)),
        id().prop_map(|id| Chunk::tool_input_available(id, "t", json!({"i": id}))),
        id().prop_map(|id| Chunk::tool_input_error(id, "t", json!("x"), "bad")),
        id().prop_map(|id| Chunk::tool_approval_request("a", id)),
        id().prop_map(Chunk::tool_output_denied),
        (id(), text).prop_map(|(id, text)| Chunk::tool_output_available(id, json!(text))),
        id().prop_map(|id| Chunk::tool_output_error(id, "bad")),
        (id(), text).prop_map(|(id, text)| Chunk::data("d", json!(text)).with("id", id)),
        text.prop_map(|text| Chunk::source_url("s", &text)),
    ]
}

proptest! {
    #[test]
    fn a_replay_from_anywhere_changes_nothing(
        chunks in prop::collection::vec(chunk(), 0..30),
        cuts in prop::collection::vec((0usize..30, 0usize..30), 0..4),
    ) {
        let whole = folded(&chunks);
        let mut fold = Fold::new("m");
        for (from, to) in cuts.into_iter().chain([(0, chunks.len())]) {
            // A client that was cut off gets everything again from some chunk on; it never lacks one in between.
            let from = from.min(chunks.len()).min(usize::try_from(fold.seen()).unwrap());
            for (seq, chunk) in chunks.iter().enumerate().take(to.min(chunks.len())).skip(from) {
                fold.apply_at(seq as u64, chunk);
            }
        }
        prop_assert_eq!(fold.message(), &whole);
    }

    #[test]
    fn where_a_text_is_cut_makes_no_difference(text in "[a-zé]{0,12}", at in 0usize..12) {
        let at = text.char_indices().map(|(at, _)| at).nth(at).unwrap_or(text.len());
        let one = folded(&[Chunk::text_start("1"), Chunk::text_delta("1", &text)]);
        let two = [Chunk::text_start("1"), Chunk::text_delta("1", &text[..at]), Chunk::text_delta("1", &text[at..])];
        prop_assert_eq!(one, folded(&two));
    }

    #[test]
    fn folding_before_or_after_the_stamp_is_the_same(chunks in prop::collection::vec(chunk(), 0..20)) {
        let mut stamped = chunks.clone();
        for chunk in &mut stamped {
            stamp(chunk, Some("m"));
        }
        prop_assert_eq!(folded(&chunks), folded(&stamped));
    }

    #[test]
    fn a_settled_call_never_changes(chunks in prop::collection::vec(chunk(), 0..40)) {
        let mut fold = Fold::new("m");
        let mut settled: Vec<Option<Value>> = vec![None, None];
        for chunk in &chunks {
            fold.apply(chunk);
            for (at, call) in ["1", "2"].into_iter().enumerate() {
                let part = fold.message().tool_part(call).cloned().map(Value::Object);
                if let Some(before) = &settled[at] {
                    prop_assert_eq!(part.as_ref(), Some(before));
                } else if fold.message().tool_state(call).is_some_and(ToolState::is_settled) {
                    settled[at] = part;
                }
            }
        }
    }

    #[test]
    fn any_object_folds_without_panic(text in "\\{\"type\":\"(text-delta|tool-[a-z-]{1,20}|data-x|start|finish)\"(,\"(id|toolCallId|delta|input|messageMetadata)\":(1|null|\"a\"|\\[\\]|\\{\\}))*\\}") {
        if let Ok(chunk) = Chunk::parse(&text) {
            let mut fold = Fold::new("m");
            fold.apply(&chunk);
            fold.apply(&chunk);
            prop_assert!(UiMessage::parse(&fold.message().to_json()).is_ok());
        }
    }
}
