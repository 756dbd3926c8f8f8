//! A process that dies in the middle.

use super::{asking::showing, *};

#[tokio::test]
async fn a_question_that_was_kept_but_not_shown_is_shown_after_a_crash() {
    for left in 0..20 {
        let stage = Stage::new(WEATHER, "weather?").tool("weather", |tool| showing(tool, Ok(Preview::text("sun"))));
        stage.turn.state.lock().left = Some(left);
        let _ = stage.engine().run().await;
        stage.turn.state.lock().left = None;
        stage.run().await;
        assert!(stage.parts().contains(&"tool-weather approval-requested".to_owned()), "{left}: {:?}", stage.parts());
        assert_eq!(stage.desk.0.lock().len(), 1);
    }
}

#[tokio::test]
async fn a_process_that_dies_at_any_write_leaves_an_answer_that_is_finished_with_each_tool_run_once() {
    for left in 0.. {
        let stage = Stage::new(TWO, "go").tool("one", |tool| tool).tool("two", |tool| tool);
        stage.turn.state.lock().left = Some(left);
        let survived = stage.engine().run().await.is_ok();
        let runs = stage.runs.load(Ordering::SeqCst);
        stage.turn.state.lock().left = None;
        stage.run().await;
        let parts = stage.parts();
        let done = parts.iter().filter(|part| part.ends_with("output-available")).count();
        let unsure = parts.iter().filter(|part| part.ends_with("output-error")).count();
        assert_eq!((parts.len(), done + unsure, parts.last().unwrap().as_str()), (5, 2, "Done."), "{left}: {parts:?}");
        // What was begun and not seen to end is not done again; anything else is done once.
        assert_eq!(stage.runs.load(Ordering::SeqCst), done + usize::from(runs > 0 && unsure > 0), "{left}: {parts:?}");
        assert!(unsure <= 1);
        let logged = stage.turn.state.lock().logged.clone();
        assert_eq!(logged.iter().filter(|chunk| chunk.kind() == "finish").count(), 1, "{left}");
        if survived {
            assert!(left > 6, "there were only {left} writes");
            return;
        }
    }
}

#[tokio::test]
async fn a_tool_that_may_be_repeated_is_run_again_after_a_crash() {
    let stage = Stage::new(WEATHER, "weather?").tool("weather", |tool| Bound { repeatable: true, ..tool });
    stage.run().await;
    // As if the process had died between the note that the tool begins and its result.
    let at = stage.turn.state.lock().logged.iter().position(|chunk| chunk.kind() == "tool-output-available").unwrap();
    stage.turn.state.lock().logged.truncate(at);
    stage.run().await;
    assert_eq!(stage.runs.load(Ordering::SeqCst), 2);
    assert_eq!(stage.parts(), ["step-start", "tool-weather output-available", "step-start", "It is fine."]);
}

#[tokio::test]
async fn a_model_that_was_cut_off_by_a_crash_is_asked_again_and_says_everything_once() {
    let stage = Stage::new("on *\n  say one two three four", "hello");
    stage.run().await;
    let at = stage.turn.state.lock().logged.iter().position(|chunk| chunk.kind() == "text-delta").unwrap();
    stage.turn.state.lock().logged.truncate(at + 1);
    stage.run().await;
    assert_eq!(stage.parts(), ["step-start", "one two three four"]);
    assert_eq!(stage.turn.state.lock().cuts, [1], "everything from the step's start is taken back");
}
