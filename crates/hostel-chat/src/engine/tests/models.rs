//! What models and tools do, right and wrong, and what models are shown.

use super::*;

#[tokio::test]
async fn a_tool_of_the_page_is_waited_for() {
    let stage = Stage::new(WEATHER, "weather?").tool("weather", |tool| Bound { does: Does::Client, ..tool });
    stage.run().await;
    assert_eq!(stage.parts(), ["step-start", "tool-weather input-available"]);
    assert_eq!(stage.last().text("finishReason"), Some("tool-calls"));
    assert_eq!(stage.turn.state.lock().parked, 1);
    // The page's result comes as a change of the message; here as a chunk.
    let call = stage.message().parts[1]["toolCallId"].as_str().unwrap().to_owned();
    stage.turn.state.lock().logged.push(Chunk::tool_output_available(&call, json!("sun")));
    stage.run().await;
    assert_eq!(stage.parts().last().unwrap(), "It is fine.");
}

#[tokio::test]
async fn broken_input_and_unknown_tools_go_back_to_the_model() {
    let script = "on *\n  call! weather {\"town\": \nthen\n  call! nothing {}\nthen\n  say Sorry.";
    let stage = Stage::new(script, "weather?").tool("weather", |tool| tool);
    stage.run().await;
    let parts = stage.message().parts;
    assert!(parts[1]["errorText"].as_str().unwrap().contains("no JSON"), "{parts:#?}");
    assert_eq!(parts[3]["errorText"], "There is no tool \"nothing\". There are: weather.");
    assert_eq!(parts[5]["text"], "Sorry.");
    assert_eq!(stage.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_tool_that_crashes_or_takes_too_long_is_an_answer_for_the_model() {
    let crash = |tool| Bound { does: Does::Run(Arc::new(|_, _| panic!("no"))), ..tool };
    let never = |tool| Bound {
        does: Does::Run(Arc::new(|_, _| Box::pin(std::future::pending()))),
        timeout: Duration::ZERO,
        ..tool
    };
    let stage = Stage::new(TWO, "go").tool("one", crash).tool("two", never);
    stage.run().await;
    let parts = stage.message().parts;
    assert_eq!(parts[1]["errorText"], "The tool crashed. That is a fault in the tool.");
    assert_eq!(parts[2]["errorText"], "The tool took longer than 0ns and was broken off.");
    assert_eq!(parts[4]["text"], "Done.");
}

#[tokio::test]
async fn a_model_that_fails_leaves_a_reason_and_nothing_open() {
    let stage = Stage::new("on *\n  say Half of\n  fault cut The connection broke.", "hello");
    stage.run().await;
    assert_eq!(stage.last(), Chunk::error("The connection broke."));
    assert_eq!(stage.message().parts[1]["state"], "done");
}

#[tokio::test]
async fn a_model_that_is_not_there_answers_what_to_set() {
    let mut stage = Stage::new("on *\n  say x", "hello");
    stage.model = hostel_model::Models::default().get("main");
    stage.run().await;
    assert!(stage.parts()[1].contains("OPENAI_API_KEY"));
    assert_eq!(stage.last().kind(), "finish");
}

#[tokio::test]
async fn an_answer_that_takes_too_many_steps_says_so() {
    let mut stage = Stage::new("on *\n  call weather {}\nthen\n  call weather {}\nthen\n  call weather {}", "weather?");
    stage = stage.tool("weather", |tool| tool);
    stage.max_steps = 2;
    stage.run().await;
    assert_eq!(stage.runs.load(Ordering::SeqCst), 2);
    assert!(stage.parts().last().unwrap().starts_with("I stopped here: an answer may take 2 steps"));
    assert_eq!(stage.last().kind(), "finish");
}

#[tokio::test]
async fn deltas_that_are_there_together_are_said_together() {
    let words = "word ".repeat(100);
    let stage = Stage::new(&format!("on *\n  say {words}"), "hello");
    stage.run().await;
    let state = stage.turn.state.lock();
    assert!(state.emits < 6, "{} emits", state.emits);
}

#[tokio::test]
async fn what_a_tool_says_is_shown_in_full_and_shortened_for_the_model() {
    let long = "x".repeat(1_000_000);
    let shown = long.clone();
    let big = move |tool| Bound {
        does: Does::Run(Arc::new(move |_, _| {
            let long = long.clone();
            Box::pin(async move { Ok(json!(long)) })
        })),
        ..tool
    };
    let stage = Stage::new("on *\n  call weather {}\nthen\n  say $result", "weather?").tool("weather", big);
    stage.run().await;
    let parts = stage.message().parts;
    assert_eq!(parts[1]["output"], shown);
    let seen = parts[3]["text"].as_str().unwrap();
    assert!(seen.len() < 20_000 && seen.contains("bytes of 1000000 are left out"), "{}", seen.len());
}

#[tokio::test]
async fn a_long_conversation_is_summed_up_and_the_summary_is_there_for_all_to_see() {
    let script = "on *Sum*\n  say never\non user:*\n  say They talked about tea.\non *\n  say Yes.";
    let mut stage = Stage::new(script, "And now?");
    let mut before: Vec<UiMessage> = Vec::new();
    for n in 0..200 {
        before.push(UiMessage::user(format!("u{n}"), format!("user {n} {}", "tea ".repeat(100))));
    }
    before.push(UiMessage::user("last", "And now?"));
    stage.turn = Arc::new(Fake { before, ..Fake::default() });
    stage.context = Context::new().tokens(4_000);
    stage.run().await;
    let parts = stage.message().parts;
    assert_eq!(parts[0]["type"], "data-summary");
    assert!(parts[0]["data"]["messages"].as_u64().unwrap() > 150, "{}", parts[0]);
    let mut conversation = stage.turn.before.clone();
    conversation.push(stage.message());
    let (summary, rest) = compact::in_force(&conversation);
    assert!(summary.is_some() && rest.len() < 50, "{} left", rest.len());
    assert_eq!(stage.last().kind(), "finish");
}

#[tokio::test]
async fn calls_that_a_model_names_alike_get_ids_of_their_own() {
    let stage = Stage::new(WEATHER, "weather?").tool("weather", |tool| tool);
    stage.run().await;
    let id = stage.message().parts[1]["toolCallId"].clone();
    let second = Stage::new(WEATHER, "weather?").tool("weather", |tool| tool);
    let before = vec![UiMessage::user("u1", "weather?"), stage.message(), UiMessage::user("u2", "weather?")];
    let second = Stage { turn: Arc::new(Fake { before, ..Fake::default() }), ..second };
    second.run().await;
    assert_ne!(second.message().parts[1]["toolCallId"], id);
    assert_eq!(second.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whoever_counts_the_steps_is_told_what_each_took_and_ends_the_answer_in_words() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let stage = Stage::new("on *\n  call weather {}\nthen\n  say x", "weather?").tool("weather", |tool| tool);
    let mut engine = stage.engine();
    engine.ready.meter = Some(Arc::new(move |step: &Metered| {
        heard.lock().push((step.step, step.usage.is_some()));
        Ok((step.step == 2).then(|| "The budget is used up.".to_owned()))
    }));
    engine.run().await.unwrap();
    assert_eq!(*told.lock(), [(1, false), (1, true), (2, false)]);
    assert_eq!(stage.parts().last().unwrap(), "The budget is used up.");
    assert_eq!(stage.last().kind(), "finish");
    assert_eq!(stage.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_step_waits_until_it_may_begin_and_ends_the_answer_in_words_if_it_may_not() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let stage = Stage::new("on *\n  call weather {}\nthen\n  say x", "weather?").tool("weather", |tool| tool);
    let mut engine = stage.engine();
    engine.ready.permit = Some(Arc::new(move |step: Metered| {
        heard.lock().push((step.step, step.usage, step.estimated > 0));
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok((step.step == 2).then(|| "Others are to have the rest.".to_owned()))
        })
    }));
    engine.run().await.unwrap();
    assert_eq!(*asked.lock(), [(1, None, true), (2, None, true)]);
    assert_eq!(stage.parts().last().unwrap(), "Others are to have the rest.");
    assert_eq!(stage.runs.load(Ordering::SeqCst), 1);
}
