//! Wherever a socket is cut, wherever the process dies, and however chunks are batched: the view is the same.

use hostel::protocol::chat::{Chunk, Fold};
use hostel_testing::TestHome;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{Gate, ack, ask, everything, home, next, probe, stored, user};

/// What a page makes of the frames it has seen, some of them twice.
#[derive(Debug)]
struct View {
    fold: Fold,
    is_over: bool,
}

impl View {
    fn new() -> Self {
        Self { fold: Fold::new(""), is_over: false }
    }

    fn take(&mut self, frame: &Value) {
        self.is_over |= frame["done"] == true;
        if let Some(seq) = frame["seq"].as_u64() {
            self.fold.apply_at(seq, &Chunk::parse(frame["body"].as_str().unwrap()).unwrap());
        }
    }

    fn shown(&self) -> Value {
        json!(self.fold.message())
    }
}

/// One answer in batches of these sizes; the page loses its socket once it has seen `cut` frames of chunks, and the process
/// dies there if `dies`.
async fn watch(home: &mut TestHome, gate: &Gate, sizes: &[usize], cut: usize, dies: bool) {
    gate.0.forget_permits(usize::MAX);
    let name = format!("talker/{cut}");
    let at = format!("{name}?_pk=page");
    let mut page = home.connect(&at).await;
    let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
    page.send(ask("r1", &[user("u1", &format!("batches {}", sizes.join(" ")))])).await;
    let mut view = View::new();
    let mut seen = 0;
    while seen < cut {
        gate.open(1);
        let frame = next(&mut page).await;
        view.take(&frame);
        seen += usize::from(frame["seq"].is_u64());
    }
    if dies {
        drop(page);
        home.crash().await;
    } else {
        page.leave().await;
    }
    let mut page = home.connect(&at).await;
    page.send(probe("p")).await;
    gate.open(100);
    let mut transcript = None;
    let mut is_replayed = false;
    while !view.is_over {
        let frame = next(&mut page).await;
        match frame["type"].as_str() {
            Some("cf_agent_stream_resuming") => page.send(ack("r1")).await,
            // It was over before: the page reads what there is.
            Some("cf_agent_stream_resume_none") => {
                transcript = stored(home, &name).await.pop();
                view.is_over = true;
            }
            Some("cf_agent_chat_messages") => transcript = Some(frame["messages"][1].clone()),
            // Whoever came in the middle, or too late, is shown all of it behind the end.
            _ if frame["done"] == true => {
                transcript = Some(next(&mut page).await["messages"][1].clone());
                view.is_over = true;
            }
            _ => {
                is_replayed |= frame["replayComplete"] == true;
                view.take(&frame);
            }
        }
    }
    let kept = stored(home, &name).await;
    assert_eq!(kept.len(), 2, "after {cut}");
    // The page replaces its messages by a transcript that comes.
    assert!(transcript.as_ref().is_none_or(|shown| *shown == kept[1]), "after {cut}");
    if is_replayed {
        assert_eq!(without_reason(view.shown()), without_reason(kept[1].clone()), "after {cut}");
    }
    let mut whole = Fold::new("");
    for chunk in everything() {
        whole.apply(&chunk);
    }
    assert_eq!(kept[1]["parts"], json!(whole.message().parts), "after {cut}");
}

/// Without the name, which the server gives.
fn without_reason(mut message: Value) -> Value {
    message["id"] = json!("");
    message
}

#[tokio::test]
async fn the_view_is_the_same_wherever_the_socket_is_cut() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    for cut in 0..everything().len() {
        watch(&mut home, &gate, &[1; 22], cut, false).await;
    }
}

#[tokio::test]
async fn the_view_is_the_same_wherever_the_process_dies() {
    let gate = Gate::closed();
    let mut home = home(&gate).await;
    for cut in (1..everything().len()).step_by(3) {
        watch(&mut home, &gate, &[1; 22], cut, true).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_view_is_the_same_however_chunks_are_batched(
        sizes in prop::collection::vec(1_usize..8, 22),
        cut in 1_usize..22,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let gate = Gate::closed();
            watch(&mut home(&gate).await, &gate, &sizes, cut, false).await;
        });
    }
}
