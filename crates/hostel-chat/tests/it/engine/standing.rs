//! How long a question and a permission hold, and doors other than the socket.

use super::*;

#[tokio::test]
async fn a_question_that_nobody_answers_in_a_week_is_a_no() {
    let (home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    home.advance(Duration::from_secs(7 * 24 * 60 * 60 + 2)).await;
    let parts = parts(&home).await;
    assert!(parts[6].contains("Nobody answered in time"), "{parts:?}");
    assert_eq!(approvals(&mut page).await[0].state.as_str(), "expired");
    assert_eq!(till.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn always_means_that_nobody_is_asked_again_until_it_is_taken_back() {
    let (home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    let id = approvals(&mut page).await[0].id.clone();
    page.call("decide", json!([id, true, true])).await;
    home.advance(Duration::from_secs(1)).await;
    page.send(ask("r2", &[user("u2", "refund 18")])).await;
    until_end(&mut page, "r2").await;
    assert_eq!((approvals(&mut page).await.len(), till.0.load(Ordering::SeqCst)), (1, 2));
    assert_eq!(page.call("forbid", json!(["refund"])).await, true);
    page.send(ask("r3", &[user("u3", "refund 19")])).await;
    until_end(&mut page, "r3").await;
    assert_eq!((approvals(&mut page).await.len(), till.0.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn an_approval_is_listed_and_answered_over_http() {
    let (home, till) = home().await;
    let at = |rest: &str| hostel_client::Target::parse(&format!("{}/agents/clerk/x/{rest}", home.url()), "").unwrap();
    let options = hostel_client::Options::default();
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    let listed = hostel_client::http::get(&at("approvals"), &options).await.unwrap().json().unwrap();
    let id = listed["approvals"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["approvals"][0]["input"], json!({"cents": 500}));
    let path = at(&format!("approvals/{id}"));
    let post = |body: Value| {
        let (path, options) = (path.clone(), options.clone());
        async move { hostel_client::http::post_json(&path, &body, &options).await.unwrap() }
    };
    assert_eq!(post(json!({"yes": 1})).await.status, 400);
    let first = post(json!({"approve": true})).await.json().unwrap();
    assert_eq!((&first["accepted"], &first["approval"]["state"]), (&json!(true), &json!("approved")));
    assert_eq!(post(json!({"approve": false})).await.json().unwrap()["accepted"], json!(false));
    until_continued(&home, &mut page).await;
    assert_eq!((parts(&home).await, till.0.load(Ordering::SeqCst)), (WHOLE.map(str::to_owned).to_vec(), 1));
    let unknown =
        hostel_client::http::post_json(&at("approvals/nope"), &json!({"approve": true}), &options).await.unwrap();
    assert_eq!(unknown.problem().unwrap().code.as_deref(), Some("approval_unknown"));
}

#[tokio::test]
async fn threat_27_a_permission_holds_for_the_tool_as_it_is_described_when_next_called_and_then_asks_again() {
    let (home, _) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.call("setPin", json!(["v1"])).await;
    page.call("permit", json!(["remote"])).await;
    for (turn, pin, asks) in [("r1", "v1", 0), ("r2", "v1", 0), ("r3", "v2", 1)] {
        page.call("setPin", json!([pin])).await;
        page.send(ask(turn, &[user(&format!("u-{turn}"), "remote")])).await;
        until_end(&mut page, turn).await;
        assert_eq!(approvals(&mut page).await.len(), asks, "{turn}");
    }
}
