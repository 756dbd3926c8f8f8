//! What is shown of messages that grow, and of tools.

use serde_json::json;

use super::*;

fn message(role: &str, parts: &Value) -> UiMessage {
    UiMessage::from_value(json!({"id": "m1", "role": role, "parts": parts})).unwrap()
}

#[allow(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
fn rest(shown: &mut Shown, parts: Value) -> Vec<(Kind, String)> {
    shown.rest(&message("assistant", &parts)).into_iter().map(|piece| (piece.kind, piece.text)).collect()
}

#[test]
fn a_message_that_grows_is_shown_by_what_is_new() {
    let mut shown = Shown::default();
    let said = |text: &str| vec![(Kind::Said, text.to_owned())];
    assert_eq!(rest(&mut shown, json!([{"type": "step-start"}, {"type": "text", "text": "Grü"}])), said("Grü"));
    assert_eq!(rest(&mut shown, json!([{"type": "step-start"}, {"type": "text", "text": "Grüße"}])), said("ße"));
    // A stream that begins anew after a reconnect is shorter for a while.
    assert_eq!(rest(&mut shown, json!([{"type": "step-start"}, {"type": "text", "text": "Gr"}])), []);
    assert_eq!(rest(&mut shown, json!([{"type": "step-start"}, {"type": "text", "text": "Grüße!"}])), said("!"));
}

#[test]
fn a_tool_is_shown_once_when_it_is_called_and_once_when_it_is_done() {
    let mut shown = Shown::default();
    let part =
        |state: &str| json!([{"type": "tool-add", "toolCallId": "c", "state": state, "input": {"a": 1}, "output": 2}]);
    assert_eq!(rest(&mut shown, part("input-streaming")), []);
    assert_eq!(rest(&mut shown, part("input-available")), [(Kind::Called, "add {\"a\":1}".to_owned())]);
    assert_eq!(rest(&mut shown, part("approval-requested")), []);
    assert_eq!(rest(&mut shown, part("output-available")), [(Kind::Returned, "2".to_owned())]);
    assert_eq!(rest(&mut shown, part("output-available")), []);
}

#[test]
fn a_failure_and_a_denial_say_so() {
    let failed = json!([{"type": "dynamic-tool", "toolName": "x", "state": "output-error", "errorText": "no"},
        {"type": "tool-y", "state": "output-denied", "input": {}}]);
    let found = rest(&mut Shown::default(), failed);
    let expect = [(Kind::Called, "x "), (Kind::Failed, "no"), (Kind::Called, "y {}"), (Kind::Failed, "denied")];
    assert_eq!(found, expect.map(|(kind, text)| (kind, text.to_owned())));
}

#[test]
fn a_long_result_is_cut_and_a_question_is_not() {
    let long = "x".repeat(5_000);
    let found = rest(&mut Shown::default(), json!([{"type": "tool-a", "state": "output-available", "output": long}]));
    assert!(found[1].1.ends_with("… (5000 bytes)") && found[1].1.len() < 500, "{found:?}");
    let asked = message(
        "assistant",
        &json!([{"type": "tool-rm", "toolCallId": "c1", "state": "approval-requested",
        "input": {"path": long}, "approval": {"id": "a1"}}]),
    );
    let [question] = &questions([&asked])[..] else { panic!("one question") };
    assert_eq!((&*question.tool, &*question.tool_call, &*question.approval), ("rm", "c1", "a1"));
    assert!(question.input.contains(&long));
}

#[test]
fn whether_always_is_remembered_says_what_was_shown_with_the_question() {
    let each_time = |shown: &serde_json::Value| {
        let parts = json!([{"type": "data-preview", "id": "other", "data": {"toolCallId": "other", "eachTime": true}},
            {"type": "data-preview", "id": "c1", "data": shown},
            {"type": "tool-rm", "toolCallId": "c1", "state": "approval-requested", "approval": {"id": "a1"}}]);
        questions([&message("assistant", &parts)])[0].each_time
    };
    assert!(each_time(&json!({"toolCallId": "c1", "eachTime": true})));
    assert!(!each_time(&json!({"toolCallId": "c1", "always": "rm x"})));
}

#[test]
fn people_and_the_agent_are_told_apart() {
    let asked = message("user", &json!([{"type": "text", "text": "hi"}]));
    assert_eq!(Shown::default().rest(&asked)[0].kind, Kind::Asked);
    let mut shown = Shown::default();
    shown.skip(&asked);
    assert_eq!(shown.rest(&asked), []);
}

#[test]
fn a_yes_given_beforehand_is_for_the_answer_to_what_was_said_and_for_nothing_else() {
    let of = |id: &str, role: &str, parts: Value| {
        UiMessage::from_value(json!({"id": id, "role": role, "parts": parts})).unwrap()
    };
    let asks =
        |call: &str| json!([{"type": "tool-rm", "toolCallId": call, "state": "approval-requested", "input": {}}]);
    let transcript = [
        of("u1", "user", json!([])),
        of("a1", "assistant", asks("old")),
        of("mine", "user", json!([])),
        of("a2", "assistant", asks("ours")),
        of("u3", "user", json!([])),
        of("a3", "assistant", asks("another's")),
    ];
    let calls = |said| questions_about(&transcript, said).into_iter().map(|found| found.tool_call).collect::<Vec<_>>();
    assert_eq!(calls("mine"), ["ours"]);
    assert_eq!(calls("u3"), ["another's"]);
    assert!(calls("never said").is_empty());
}

#[test]
fn what_a_command_says_is_shown_as_it_comes_and_once() {
    let mut shown = Shown::default();
    let mut said = |part: serde_json::Value| {
        let pieces = shown.rest(&UiMessage { parts: vec![part], ..UiMessage::user("m", "") });
        pieces.into_iter().map(|piece| (piece.kind, piece.text)).collect::<Vec<_>>()
    };
    let mut run = serde_json::json!({"type": "tool-run_command", "toolCallId": "c", "state": "output-available", "input": {},
        "preliminary": true, "output": {"running": true, "output": "one\n"}});
    assert_eq!(said(run.clone())[1..], [(Kind::Output, "one\n".to_owned())]);
    run["output"]["output"] = "one\ntwo\n".into();
    assert_eq!(said(run.clone()), [(Kind::Output, "two\n".to_owned())]);
    assert_eq!(said(run.clone()), []);
    run["preliminary"] = false.into();
    run["output"] =
        serde_json::json!({"exitCode": 3, "success": false, "ended": "exit code 3", "output": "one\ntwo\nthree\n"});
    let end = [(Kind::Output, "three\n".to_owned()), (Kind::Failed, "exit code 3".to_owned())];
    assert_eq!(said(run), end);
}

#[test]
fn a_preview_and_a_change_show_their_difference() {
    let mut shown = Shown::default();
    let preview =
        serde_json::json!({"type": "data-preview", "id": "c", "data": {"toolCallId": "c", "diff": "-a\n+b\n"}});
    let change = serde_json::json!({"type": "tool-replace", "toolCallId": "c", "state": "output-available", "input": {},
        "output": {"changed": "changed a.txt (+1 -1)", "diff": "-a\n+b\n"}});
    let message = UiMessage { parts: vec![preview, change], ..UiMessage::user("m", "") };
    let pieces: Vec<_> = shown.rest(&message).into_iter().map(|piece| piece.kind).collect();
    assert_eq!(pieces, [Kind::Diff, Kind::Called, Kind::Returned, Kind::Diff]);
    assert_eq!(shown.rest(&message), []);
}

#[test]
fn what_was_answered_is_open_until_something_comes_of_it() {
    let of = |state: &str| {
        let part = json!({"type": "tool-run_command", "toolCallId": "c1", "state": state, "input": {}});
        let message = |id: &str, role: &str, parts: Value| {
            UiMessage::from_value(json!({"id": id, "role": role, "parts": parts})).unwrap()
        };
        has_open_answers(&[message("u1", "user", json!([])), message("a1", "assistant", json!([part]))], "u1")
    };
    assert!(of("approval-responded"));
    assert!(!of("approval-requested") && !of("output-available") && !of("output-denied"));
}
