//! The process dies in the middle of an answer.

use std::time::Duration;

use serde_json::json;

use super::support::{Gate, ack, ask, chunks, home, next, stored, texts, types, until_end, user};

#[tokio::test]
async fn an_answer_goes_on_after_a_crash_without_any_client() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("r1", &[user("u1", "hold one two three")])).await;
    gate.open(2);
    page.until(|text| text.contains("one ")).await;
    home.crash().await;
    gate.open(10);
    home.settle().await;
    let kept = stored(&home, "talker/x").await;
    assert_eq!(texts(&kept)[1].1, "hold one two three");
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1]["parts"][1]["state"], "done");
}

#[tokio::test]
async fn a_client_that_comes_back_finds_the_answer_where_it_was() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("r1", &[user("u1", "hold one two")])).await;
    gate.open(2);
    page.until(|text| text.contains("one ")).await;
    home.crash().await;
    let mut page = home.connect("talker/x").await;
    let mut told = vec![next(&mut page).await];
    while told.last().unwrap()["type"] != "cf_agent_stream_resuming" {
        told.push(next(&mut page).await);
    }
    assert!(types(&told).iter().all(|kind| ["cf_agent_chat_recovering", "cf_agent_stream_resuming"].contains(kind)));
    page.send(ack("r1")).await;
    let mut frames = vec![next(&mut page).await];
    while frames.last().unwrap()["replayComplete"] != true {
        frames.push(next(&mut page).await);
    }
    gate.open(10);
    frames.extend(until_end(&mut page, "r1").await);
    let said = chunks(&frames, "r1");
    assert_eq!(said.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "hold one two");
}

#[tokio::test]
async fn a_turn_that_was_accepted_and_not_begun_is_answered_after_the_crash() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("r1", &[user("u1", "wait")])).await;
    page.send(ask("r2", &[user("u1", "wait"), user("u2", "wait as well")])).await;
    while stored(&home, "talker/x").await.len() < 2 {}
    home.crash().await;
    gate.open(10);
    home.settle().await;
    let kept = texts(&stored(&home, "talker/x").await);
    let said: Vec<_> = kept.iter().map(|(_, text)| text.split(" body").next().unwrap()).collect();
    assert_eq!(said, ["wait", "You said: wait", "wait as well", "You said: wait as well"]);
}

#[tokio::test]
async fn the_next_process_takes_up_what_a_stopped_one_left() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("r1", &[user("u1", "hold one two")])).await;
    gate.open(2);
    page.until(|text| text.contains("one ")).await;
    drop(page);
    home.restart(Duration::from_secs(60)).await;
    gate.open(10);
    home.settle().await;
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "hold one two");
}

#[tokio::test]
async fn an_answer_that_is_interrupted_again_and_again_is_given_up_with_a_reason() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("r1", &[user("u1", "hold one")])).await;
    gate.open(1);
    page.until(|text| text.contains("hold ")).await;
    for _ in 0..6 {
        home.crash().await;
        home.settle().await;
    }
    let mut page = home.connect("talker/x").await;
    page.send(super::support::probe("p")).await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_stream_resuming");
    page.send(ack("r1")).await;
    let end = until_end(&mut page, "r1").await;
    let failed = end.iter().find(|frame| frame["error"] == json!(true)).unwrap();
    assert!(failed["body"].as_str().unwrap().contains("interrupted"), "{failed}");
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "hold ");
}
