//! A conversation, frame by frame.

use serde_json::{Value, json};

use super::*;

fn piece(request: &str, seq: u64, chunk: &Value) -> String {
    json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": seq})
        .to_string()
}

fn replayed(request: &str, seq: u64, chunk: &Value) -> String {
    let mut frame: Value = serde_json::from_str(&piece(request, seq, chunk)).unwrap();
    frame["replay"] = true.into();
    frame.to_string()
}

fn done(request: &str) -> String {
    json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true}).to_string()
}

fn chunks(words: &[&str]) -> Vec<Value> {
    let start = [json!({"type": "start", "messageId": "a1"}), json!({"type": "text-start", "id": "t"})];
    let deltas = words.iter().map(|word| json!({"type": "text-delta", "id": "t", "delta": word}));
    start.into_iter().chain(deltas).collect()
}

fn text(chat: &Conversation) -> String {
    chat.messages().iter().map(|message| message.text()).collect::<Vec<_>>().join("|")
}

/// What a frame says, by its type and one key.
fn sent(frame: &str, key: &str) -> (String, Value) {
    let frame: Value = serde_json::from_str(frame).unwrap();
    (frame["type"].as_str().unwrap().to_owned(), frame[key].clone())
}

fn probe_of(step: &Step) -> Value {
    sent(step.send.last().unwrap(), "probeId").1
}

#[test]
fn a_stream_becomes_a_message_and_ends_once() {
    let mut chat = Conversation::default();
    let (request, frame) = chat.submit("hi");
    assert_eq!(sent(&frame, "id").1, request);
    for (seq, chunk) in (0..).zip(chunks(&["Hel", "lo"])) {
        chat.receive(&piece(&request, seq, &chunk));
    }
    assert_eq!((text(&chat).as_str(), chat.under_way()), ("hi|Hello", Some(&*request)));
    let step = chat.receive(&done(&request));
    let [Change::Ended(end)] = &step.changes[..] else { panic!("{step:?}") };
    assert!(end.is_complete() && !end.elsewhere);
    assert_eq!((text(&chat).as_str(), chat.under_way()), ("hi|Hello", None));
}

#[test]
fn a_cut_at_every_frame_gives_the_same_message() {
    let all = chunks(&["one ", "two ", "three"]);
    for cut in 0..=all.len() {
        let mut chat = Conversation::default();
        let (request, _) = chat.submit("hi");
        let own = chat.messages()[0].clone();
        for (seq, chunk) in (0..).zip(&all[..cut]) {
            chat.receive(&piece(&request, seq, chunk));
        }
        let step = chat.connected(vec![own]);
        let resuming = json!({"type": "cf_agent_stream_resuming", "id": request, "probeId": probe_of(&step)});
        let acknowledged = chat.receive(&resuming.to_string());
        assert_eq!(
            sent(&acknowledged.send[0], "id"),
            ("cf_agent_stream_resume_ack".to_owned(), request.clone().into())
        );
        let again = cut.max(2);
        for (seq, chunk) in (0..).zip(&all[..again]) {
            chat.receive(&replayed(&request, seq, chunk));
        }
        let caught_up = json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": false,
            "replay": true, "replayComplete": true});
        chat.receive(&caught_up.to_string());
        for (seq, chunk) in (0..).zip(&all).skip(again) {
            chat.receive(&piece(&request, seq, chunk));
        }
        chat.receive(&done(&request));
        assert_eq!(text(&chat), "hi|one two three", "cut at {cut}");
    }
}

#[test]
fn a_piece_that_comes_twice_is_taken_once() {
    let mut chat = Conversation::default();
    for (seq, chunk) in (0..).zip(chunks(&["x"])).chain((0..).zip(chunks(&["x"]))) {
        chat.receive(&piece("r", seq, &chunk));
    }
    assert_eq!(text(&chat), "x");
}

#[test]
fn a_volunteered_stream_waits_for_the_answer_to_our_question() {
    let mut chat = Conversation::default();
    let step = chat.connected(Vec::new());
    let volunteered = json!({"type": "cf_agent_stream_resuming", "id": "r"});
    assert_eq!(chat.receive(&volunteered.to_string()).send, Vec::<String>::new());
    let answer = json!({"type": "cf_agent_stream_resuming", "id": "r", "probeId": probe_of(&step)});
    assert_eq!(chat.receive(&answer.to_string()).send.len(), 1);
    // Later ones, when a turn that waited begins, come unasked and count.
    assert_eq!(chat.receive(&volunteered.to_string()).send.len(), 1);
}

#[test]
fn what_was_said_into_a_lost_connection_is_said_again() {
    let mut chat = Conversation::default();
    let (_, frame) = chat.submit("hi");
    let own = chat.messages()[0].clone();
    assert_eq!(chat.connected(Vec::new()).send[0], frame);
    // Once the server has it, it is not.
    assert_eq!(chat.connected(vec![own]).send.len(), 1);
}

#[test]
fn a_transcript_that_crosses_a_question_takes_it_from_nobody() {
    let mut chat = Conversation::default();
    let (request, _) = chat.submit("hi");
    let before = json!({"type": "cf_agent_chat_messages", "messages": [{"id": "u0", "role": "user", "parts": [{"type": "text", "text": "before"}]}]});
    chat.receive(&before.to_string());
    assert_eq!(text(&chat), "before|hi");
    for (seq, chunk) in (0..).zip(chunks(&["Hello"])) {
        chat.receive(&piece(&request, seq, &chunk));
    }
    chat.receive(&before.to_string());
    chat.receive(&done(&request));
    assert_eq!(text(&chat), "before|hi|Hello");
}

#[test]
fn a_turn_that_ended_while_away_is_over() {
    let mut chat = Conversation::default();
    let (request, _) = chat.submit("hi");
    let own = chat.messages()[0].clone();
    let mut answer = UiMessage::user("a1", "Hello");
    answer.role = Role::Assistant;
    let step = chat.connected(vec![own, answer]);
    let none = json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": probe_of(&step)});
    let step = chat.receive(&none.to_string());
    let end = End { request, outcome: Outcome::Completed, error: None, elsewhere: true };
    assert_eq!(step.changes, [Change::Ended(end), Change::Idle]);
}

#[test]
fn an_idle_answer_to_an_old_question_does_not_end_a_new_turn() {
    let mut chat = Conversation::default();
    let step = chat.connected(Vec::new());
    let (request, _) = chat.submit("hi");
    let none = json!({"type": "cf_agent_stream_resume_none", "probeId": probe_of(&step)});
    assert_eq!(chat.receive(&none.to_string()).changes, [Change::Idle]);
    assert_eq!(chat.under_way(), Some(&*request));
}

#[test]
fn a_failure_has_its_reason() {
    let mut chat = Conversation::default();
    let (request, _) = chat.submit("hi");
    let error =
        json!({"type": "cf_agent_use_chat_response", "id": request, "body": "no key", "done": false, "error": true});
    chat.receive(&error.to_string());
    let last =
        json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": "error"});
    let step = chat.receive(&last.to_string());
    let [Change::Ended(end)] = &step.changes[..] else { panic!("{step:?}") };
    assert_eq!((end.outcome, end.error.as_deref()), (Outcome::Error, Some("no key")));
}

#[test]
fn a_continuation_goes_on_with_the_message_before_it() {
    let mut chat = Conversation::default();
    let mut said = UiMessage::user("a1", "Let me see.");
    said.role = Role::Assistant;
    chat.connected(vec![UiMessage::user("u1", "hi"), said]);
    for (seq, chunk) in
        [json!({"type": "text-start", "id": "t"}), json!({"type": "text-delta", "id": "t", "delta": " Yes."})]
            .into_iter()
            .enumerate()
    {
        let mut frame: Value = serde_json::from_str(&piece("r2", seq as u64, &chunk)).unwrap();
        frame["continuation"] = true.into();
        chat.receive(&frame.to_string());
    }
    assert_eq!(text(&chat), "hi|Let me see. Yes.");
}

#[test]
fn regenerating_sends_what_was_said_up_to_the_last_question() {
    let mut chat = Conversation::default();
    assert_eq!(chat.regenerate(), None);
    let mut said = UiMessage::user("a1", "no");
    said.role = Role::Assistant;
    chat.connected(vec![UiMessage::user("u1", "hi"), said]);
    let (_, frame) = chat.regenerate().unwrap();
    let body: Value = serde_json::from_str(sent(&frame, "init").1["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["trigger"], &body["messageId"]), (&json!("regenerate-message"), &json!("a1")));
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_frame_of_chat_changes_nothing() {
    let mut chat = Conversation::default();
    for frame in
        ["", "hello", "{}", r#"{"type":"cf_agent_state","state":{}}"#, r#"{"type":"cf_agent_use_chat_response"}"#]
    {
        assert_eq!(chat.receive(frame), Step::default(), "{frame}");
    }
}
