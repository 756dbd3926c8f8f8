//! Clients that come in the middle of an answer.

use hostel_testing::{Peer, TestHome};
use serde_json::json;

use super::support::{Gate, ack, anew, ask, cancel, chunks, home, next, probe, stored, texts, types, until_end, user};

#[tokio::test]
async fn a_tab_that_comes_in_the_middle_is_told_and_catches_up_when_it_is_ready() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut a = home.connect("talker/x").await;
    a.send(ask("r1", &[user("u1", "hold one two")])).await;
    gate.open(1);
    a.until(|text| text.contains("hold ")).await;

    let mut b = home.connect("talker/x").await;
    assert_eq!(next(&mut b).await, json!({"type": "cf_agent_stream_resuming", "id": "r1"}));
    b.send(probe("p")).await;
    assert_eq!(next(&mut b).await, json!({"type": "cf_agent_stream_resuming", "id": "r1", "probeId": "p"}));
    // Until it is ready it hears nothing of the answer.
    gate.open(1);
    a.until(|text| text.contains("one ")).await;
    b.send(ack("r1")).await;
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &serde_json::Value| frame["replayComplete"] != true) {
        frames.push(next(&mut b).await);
    }
    assert!(frames.iter().all(|frame| frame["replay"] == true && frame["done"] == false), "{frames:?}");
    assert_eq!(chunks(&frames, "r1").len(), 5);
    gate.open(1);
    let live = until_end(&mut b, "r1").await;
    assert!(live.iter().all(|frame| frame["replay"].is_null()));
    frames.extend(live);
    let seen = chunks(&frames, "r1");
    assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    assert_eq!(types(&frames).last(), Some(&"cf_agent_use_chat_response"));
    assert_eq!(frames.last().unwrap()["messageIds"], json!(["u1"]));
    // Behind the end, not before: what a page had seen of the answer before a restart, some put over earlier transcripts.
    assert!(!types(&frames).contains(&"cf_agent_chat_messages"));
    assert_eq!(next(&mut b).await["messages"], json!(stored(&home, "talker/x").await));
}

#[tokio::test]
async fn a_tab_that_never_acknowledges_gets_the_transcript_and_the_end() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut a = home.connect("talker/x").await;
    a.send(ask("r1", &[user("u1", "hold one")])).await;
    gate.open(1);
    a.until(|text| text.contains("hold ")).await;
    let mut b = home.connect("talker/x").await;
    assert_eq!(next(&mut b).await["type"], "cf_agent_stream_resuming");
    gate.open(5);
    let frames = until_end(&mut b, "r1").await;
    assert_eq!(types(&frames), ["cf_agent_use_chat_response"]);
    // What a client has of an answer that it was cut off from, some keep against every transcript that comes before an end.
    let shown = next(&mut b).await;
    assert_eq!(shown["type"], "cf_agent_chat_messages");
    assert_eq!(shown["messages"], json!(stored(&home, "talker/x").await));
    b.send(ack("r1")).await;
    let end = json!({"body": "", "done": true, "id": "r1", "type": "cf_agent_use_chat_response", "replay": true, "messageIds": ["u1"]});
    assert_eq!(next(&mut b).await, end);
    b.send(ack("unknown")).await;
    let end = json!({"body": "", "done": true, "id": "unknown", "type": "cf_agent_use_chat_response", "replay": true});
    assert_eq!(next(&mut b).await, end);
}

#[tokio::test]
async fn a_turn_that_has_said_nothing_is_pending_and_announced_when_it_speaks() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut a = home.connect("talker/x").await;
    a.send(ask("p1", &[user("u1", "wait for it")])).await;
    while a.call("begun", json!([])).await == 0 {}
    let mut b = home.connect("talker/x").await;
    assert_eq!(next(&mut b).await, json!({"type": "cf_agent_stream_pending", "id": "p1"}));
    b.send(probe("pp")).await;
    assert_eq!(next(&mut b).await, json!({"type": "cf_agent_stream_pending", "id": "p1", "probeId": "pp"}));
    gate.open(1);
    let frames = until_end(&mut b, "p1").await;
    assert_eq!(types(&frames), ["cf_agent_stream_resuming", "cf_agent_use_chat_response"]);
    assert_eq!(frames[0], json!({"type": "cf_agent_stream_resuming", "id": "p1"}));
    assert_eq!(next(&mut b).await["type"], "cf_agent_chat_messages");
}

#[tokio::test]
async fn a_tab_that_waits_for_a_turn_which_says_nothing_need_not_wait_on() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut a = home.connect("talker/x").await;
    a.send(ask("p1", &[user("u1", "wait for it")])).await;
    while a.call("begun", json!([])).await == 0 {}
    let mut b = home.connect("talker/x").await;
    assert_eq!(next(&mut b).await["type"], "cf_agent_stream_pending");
    a.send(cancel("p1")).await;
    assert_eq!(until_end(&mut b, "p1").await.last().unwrap()["outcome"], "aborted");
    assert_eq!(next(&mut b).await, json!({"type": "cf_agent_stream_resume_none"}));
}

#[tokio::test]
async fn stopping_keeps_what_was_said_and_tells_everybody() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let (mut a, mut b) = (home.connect("talker/x").await, home.connect("talker/x").await);
    a.send(ask("c1", &[user("u1", "hold one two three")])).await;
    gate.open(2);
    a.until(|text| text.contains("one ")).await;
    a.send(cancel("c1")).await;
    for page in [&mut a, &mut b] {
        let end = until_end(page, "c1").await.pop().unwrap();
        assert_eq!((&end["outcome"], &end["messageIds"]), (&json!("aborted"), &json!(["u1"])));
    }
    let kept = stored(&home, "talker/x").await;
    assert_eq!(texts(&kept)[1].1, "hold one ");
    assert_eq!(kept[1]["parts"][1]["state"], "streaming");
    // The answer that was stopped is gone; the next one is answered.
    a.send(ask("c2", &[user("u2", "hi")])).await;
    assert_eq!(until_end(&mut a, "c2").await.last().unwrap()["outcome"], json!(null));
}

#[tokio::test]
async fn a_page_that_missed_the_end_of_its_answer_hears_it_when_it_asks_and_once() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    for dies in [false, true] {
        let name = format!("talker/{dies}");
        let at = format!("{name}?_pk=page");
        let mut page = home.connect(&at).await;
        page.send(ask("r1", &[user("u1", "hold one")])).await;
        gate.open(1);
        page.until(|text| text.contains("hold ")).await;
        let mut other = home.connect(&format!("{name}?_pk=other")).await;
        if dies {
            home.crash().await;
            other = home.connect(&format!("{name}?_pk=other")).await;
        } else {
            page.leave().await;
        }
        gate.open(5);
        until_end(&mut other, "r1").await;
        let mut page = home.connect(&at).await;
        page.send(probe("p")).await;
        let resuming = json!({"type": "cf_agent_stream_resuming", "id": "r1", "probeId": "p"});
        assert_eq!(next(&mut page).await, resuming, "some keep their own beginning until they hear an end");
        page.send(ack("r1")).await;
        assert_eq!(next(&mut page).await["done"], true);
        assert_eq!(next(&mut page).await["messages"], json!(stored(&home, &name).await));
        // Nobody else, and nobody twice.
        other.send(probe("p")).await;
        assert_eq!(until_none(&mut other).await["reason"], "idle");
        page.send(probe("p")).await;
        assert_eq!(until_none(&mut page).await["reason"], "idle");
    }
}

#[tokio::test]
async fn a_page_that_was_there_at_the_end_does_not_hear_it_again_long_after() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    for is_there in [true, false] {
        let name = format!("talker/{is_there}");
        let at = format!("{name}?_pk=page");
        let mut page = home.connect(&at).await;
        page.send(ask("r1", &[user("u1", "hold one")])).await;
        page.until(|text| text.contains("text-start")).await;
        let mut other = home.connect(&name).await;
        if !is_there {
            home.crash().await;
            other = home.connect(&name).await;
        }
        gate.open(2);
        until_end(&mut other, "r1").await;
        // The end may have been on its way when the socket broke; not for ever.
        for (minutes, is_told) in [(1, true), (60, !is_there)] {
            home.advance(std::time::Duration::from_secs(60 * minutes)).await;
            let mut page = home.connect(&at).await;
            page.send(probe("p")).await;
            let told = page.until(|text| text.contains("\"probeId\":\"p\"")).await;
            assert_eq!(told.contains("cf_agent_stream_resuming"), is_told, "{is_there} {minutes}: {told}");
            page.leave().await;
        }
    }
}

#[tokio::test]
async fn a_page_that_came_back_hears_the_end_of_what_went_on_by_itself_meanwhile() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x?_pk=page").await;
    page.send(ask("r1", &[user("u1", "tool")])).await;
    until_end(&mut page, "r1").await;
    page.leave().await;
    let mut other = home.connect("talker/x?_pk=other").await;
    let result = json!({"type": "cf_agent_tool_result", "toolCallId": "tc1", "toolName": "getLocation", "output": 1, "autoContinue": true});
    other.send(result.to_string()).await;
    other.until_frame("cf_agent_message_updated").await;
    home.advance(std::time::Duration::from_millis(50)).await;
    other.until(|text| text.contains("\"done\":true") && text.contains("\"continuation\":true")).await;
    let mut page = home.connect("talker/x?_pk=page").await;
    let end = next(&mut page).await;
    assert_eq!((&end["done"], &end["replay"]), (&json!(true), &json!(true)));
    assert_ne!(end["id"], "r1");
    page.send(probe("p")).await;
    assert_eq!(next(&mut page).await["id"], "r1");
}

#[tokio::test]
async fn a_page_that_came_back_gets_the_transcript_behind_the_end_of_what_it_asks_next() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x?_pk=page").await;
    page.send(ask("r1", &[user("u1", "hi")])).await;
    until_end(&mut page, "r1").await;
    page.leave().await;
    let mut page = home.connect("talker/x?_pk=page").await;
    for (id, is_shown) in [("r2", true), ("r3", false)] {
        page.send(ask(id, &[user(id, "hi")])).await;
        let frames = until_end(&mut page, id).await;
        assert!(!types(&frames).contains(&"cf_agent_chat_messages"), "{frames:?}");
        page.send(probe("p")).await;
        let kind = next(&mut page).await["type"].clone();
        assert_eq!(kind == "cf_agent_chat_messages", is_shown, "{kind}");
        if is_shown {
            until_none(&mut page).await;
        }
    }
}

/// The answer that there is nothing to resume.
async fn until_none(page: &mut Peer) -> serde_json::Value {
    loop {
        let frame = next(page).await;
        assert_ne!(frame["type"], "cf_agent_stream_resuming");
        if frame["type"] == "cf_agent_stream_resume_none" {
            return frame;
        }
    }
}

/// A page that stops an answer of its own, which has said two words.
async fn stopped(home: &TestHome, gate: &Gate) -> Peer {
    let mut page = home.connect("talker/x").await;
    page.send(ask("c1", &[user("u1", "hold one two three")])).await;
    gate.open(2);
    page.until(|text| text.contains("one ")).await;
    page.send(cancel("c1")).await;
    page
}

#[tokio::test]
async fn whoever_stops_its_answer_gets_the_transcript_behind_the_end() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = stopped(&home, &gate).await;
    until_end(&mut page, "c1").await;
    let kept = stored(&home, "talker/x").await;
    assert_eq!(next(&mut page).await, json!({"type": "cf_agent_chat_messages", "messages": kept}));
    // What it removed before that came must not come back, and what it said must not go.
    page.send(json!({"type": "cf_agent_chat_messages", "messages": [kept[0]]}).to_string()).await;
    assert_eq!(next(&mut page).await["messages"], json!([kept[0]]));
    page.send(ask("c2", &[kept[0].clone(), user("u2", "hi")])).await;
    let answer = until_end(&mut page, "c2").await;
    assert_eq!(types(&answer)[0], "cf_agent_chat_messages");
    assert_eq!(answer[0]["messages"].as_array().unwrap().last().unwrap()["id"], "u2");
    assert!(!types(&answer[1..]).contains(&"cf_agent_chat_messages"), "{answer:?}");
    // From here on it is as before.
    page.send(ask("c3", &[user("u3", "hi")])).await;
    assert!(!types(&until_end(&mut page, "c3").await).contains(&"cf_agent_chat_messages"));
}

#[tokio::test]
async fn whoever_stops_its_answer_and_clears_is_left_with_nothing() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = stopped(&home, &gate).await;
    page.send(json!({"type": "cf_agent_chat_clear"}).to_string()).await;
    until_end(&mut page, "c1").await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_chat_messages");
    assert_eq!(next(&mut page).await["type"], "cf_agent_chat_clear");
}

#[tokio::test]
async fn whoever_stops_an_answer_and_wants_it_anew_sees_no_trace_of_it() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = stopped(&home, &gate).await;
    page.send(anew("c2", &[user("u1", "hold one two three")])).await;
    until_end(&mut page, "c1").await;
    gate.open(10);
    assert_eq!(next(&mut page).await["messages"].as_array().unwrap().len(), 2, "what it said before it was stopped");
    assert_eq!(next(&mut page).await["messages"].as_array().unwrap().len(), 1);
    until_end(&mut page, "c2").await;
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "hold one two three");
}

#[tokio::test]
async fn sockets_with_one_id_do_not_swallow_each_others_frames() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut a = home.connect("talker/x?_pk=same").await;
    let mut b = home.connect("talker/x?_pk=same").await;
    a.send(ask("r1", &[user("u1", "hi")])).await;
    let (at_a, at_b) = (until_end(&mut a, "r1").await, until_end(&mut b, "r1").await);
    assert_eq!(chunks(&at_a, "r1"), chunks(&at_b, "r1"));
    assert_eq!(at_b.iter().filter(|frame| frame["type"] == "cf_agent_chat_messages").count(), 2);
}

#[tokio::test]
async fn the_same_request_on_another_socket_finds_its_answer() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut a = home.connect("talker/x").await;
    a.send(ask("r1", &[user("u1", "hold one")])).await;
    gate.open(1);
    a.until(|text| text.contains("hold ")).await;
    a.leave().await;
    let mut b = home.connect("talker/x").await;
    next(&mut b).await;
    b.send(ask("r1", &[user("u1", "hold one")])).await;
    next(&mut b).await;
    gate.open(3);
    let mut frames = until_end(&mut b, "r1").await;
    frames.retain(|frame| frame["body"] != "");
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "hold one");
    assert_eq!(b.call("begun", json!([])).await, 1);
}
