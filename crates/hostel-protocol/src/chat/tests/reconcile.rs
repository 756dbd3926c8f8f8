//! Merging a client's list into ours, and answers to tool calls.

use serde_json::{Value, json};

use crate::chat::{NO, ToolAnswer, UiMessage, YES, apply_approval, apply_tool_result, reconcile};

fn assistant(id: &str, parts: &Value) -> UiMessage {
    UiMessage::from_value(json!({"id": id, "role": "assistant", "parts": parts})).unwrap()
}

fn call(state: &str) -> Value {
    json!({"type": "tool-t", "toolCallId": "c", "toolName": "t", "state": state, "input": {}})
}

fn text(text: &str) -> Value {
    json!([{"type": "text", "text": text, "state": "done"}])
}

#[test]
fn a_list_with_anything_new_deletes_nothing() {
    let stored = [UiMessage::user("u1", "a"), assistant("a1", &text("b"))];
    let result = reconcile(&stored, vec![UiMessage::user("u2", "c")], true);
    assert_eq!((result.upserts.len(), result.deletions.len()), (1, 0));
}

#[test]
fn a_list_of_nothing_but_stored_messages_deletes_the_others() {
    let stored = [UiMessage::user("u1", "a"), assistant("a1", &text("b"))];
    let result = reconcile(&stored, vec![stored[0].clone()], true);
    assert_eq!((result.upserts.len(), result.deletions), (0, vec!["a1".to_owned()]));
    assert!(reconcile(&stored, vec![stored[0].clone()], false).deletions.is_empty());
    assert!(reconcile(&stored, vec![], true).deletions.is_empty());
}

#[test]
fn a_client_that_is_behind_undoes_nothing() {
    let mut done = call("output-available");
    done["output"] = json!(1);
    let stored = [assistant("a1", &json!([done, {"type": "text", "text": "more"}]))];
    let behind = assistant("a1", &json!([call("input-available")]));
    assert!(reconcile(&stored, vec![behind.clone()], true).upserts.is_empty());
    let result = reconcile(&stored, vec![behind], false);
    assert_eq!(result.upserts[0].parts[0]["output"], json!(1));
}

#[test]
fn the_metadata_of_a_repeated_answer_is_kept() {
    let stored = [assistant("a1", &text("b"))];
    let mut sent = stored[0].clone();
    sent.metadata = Some(json!({"finishReason": "stop"}));
    assert_eq!(reconcile(&stored, vec![sent.clone()], true).upserts, [sent]);
}

#[test]
fn an_answer_under_another_id_is_the_stored_one() {
    let stored = [
        assistant("a1", &text("same")),
        assistant("a2", &text("same")),
        assistant("a3", &json!([call("output-error")])),
    ];
    let sent = vec![assistant("x", &text("same")), assistant("y", &text("same")), assistant("z", &text("same"))];
    let ids = |list: &[UiMessage]| list.iter().map(|message| message.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&reconcile(&stored, sent, false).upserts), ["z"]);
    let sent = vec![assistant("x", &json!([call("input-available")]))];
    assert!(reconcile(&stored, sent, true).upserts.is_empty());
}

#[test]
fn a_stale_copy_of_a_settled_call_is_left_out() {
    let mut done = call("output-available");
    done["output"] = json!(1);
    let stored = [assistant("a1", &json!([done]))];
    let copy = assistant("x", &json!([{"type": "step-start"}, call("input-available")]));
    let result = reconcile(&stored, vec![copy, stored[0].clone(), UiMessage::user("u2", "go on")], true);
    assert_eq!(result.upserts, [UiMessage::user("u2", "go on")]);
}

#[test]
fn results_inside_a_request_are_answers() {
    let stored = [assistant("a1", &json!([call("input-available")]))];
    let mut done = call("output-available");
    done["output"] = json!({"x": 1});
    let result = reconcile(&stored, vec![assistant("a1", &json!([done]))], true);
    assert_eq!(result.answers, [("c".to_owned(), ToolAnswer::Output(json!({"x": 1})))]);
    assert_eq!(result.upserts[0].parts[0]["state"], "output-available");
}

#[test]
fn the_words_of_old_answer_the_question_of_today() {
    for (word, answer, state) in
        [(YES, ToolAnswer::Approved, "approval-responded"), (NO, ToolAnswer::Denied(None), "output-denied")]
    {
        let stored = [assistant("a1", &json!([call("approval-requested")]))];
        let mut said = call("output-available");
        said["output"] = json!(word);
        let result = reconcile(&stored, vec![assistant("a1", &json!([said]))], true);
        assert_eq!(result.answers, [("c".to_owned(), answer)]);
        assert_eq!(result.upserts[0].parts[0]["state"], state);
    }
}

#[test]
fn the_first_word_about_a_call_counts() {
    let mut message = assistant("a1", &json!([call("approval-requested")]));
    assert!(apply_approval(&mut message, "c", false, Some("too dear")));
    assert!(!apply_approval(&mut message, "c", true, None));
    assert!(!apply_tool_result(&mut message, "c", &ToolAnswer::Output(json!(1))));
    assert_eq!(message.parts[0]["approval"], json!({"id": "c", "approved": false, "reason": "too dear"}));
    assert_eq!(message.parts[0]["state"], "output-denied");
    assert!(!apply_approval(&mut message, "unknown", true, None));
}
