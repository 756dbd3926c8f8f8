//! A host that is killed at any moment.

use super::*;

/// Kills the host in the middle of a conversation with two tools and an approval, each time a little later. Whatever the
/// moment, the answer is finished by itself, nothing is said twice, and the money is paid at most once.
#[tokio::test]
async fn a_host_that_is_killed_at_any_moment_finishes_the_answer_and_pays_once() {
    let mut looks = 0;
    while is_killed_after(looks).await {
        looks += 5;
    }
    assert!(looks > 0, "it was killed at least once");
}

/// Kills it after that many looks; `false` if the conversation was over before.
async fn is_killed_after(looks: usize) -> bool {
    let (mut home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    let is_over = converse(&home, &mut page, looks).await;
    home.crash().await;
    let mut page = home.connect("clerk/x").await;
    assert!(converse(&home, &mut page, usize::MAX).await, "it is finished");
    let (parts, paid) = (parts(&home).await, till.0.load(Ordering::SeqCst));
    if parts[4] == "tool-refund output-available" {
        assert_eq!((&parts[..], paid), (&WHOLE.map(str::to_owned)[..], 1), "{looks}");
    } else {
        // It died between the note that the tool begins and its result: the model is told that nobody knows.
        assert_eq!((parts.len(), parts[4].as_str()), (7, "tool-refund output-error"), "{looks}: {parts:?}");
        assert!(parts[6].contains("may or may not have happened") && paid <= 1, "{looks}: {parts:?}");
    }
    assert_eq!(stored(&home, "clerk/x").await.len(), 2, "{looks}");
    !is_over
}

/// Says it, says yes, and looks on until it is over; `false` if it was not within that many looks.
async fn converse(home: &TestHome, page: &mut hostel_testing::Peer, looks: usize) -> bool {
    page.call("say", json!(["r1", "refund 17"])).await;
    for _ in 0..looks {
        for approval in approvals(page).await.iter().filter(|approval| approval.is_waiting()) {
            page.call("decide", json!([approval.id, true, false])).await;
            home.advance(Duration::from_secs(1)).await;
        }
        if page.call("isOver", json!([])).await == true {
            return true;
        }
    }
    false
}
