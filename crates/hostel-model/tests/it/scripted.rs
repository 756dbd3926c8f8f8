//! The scripted model.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use hostel_model::{
    Answer, Event, Fault, FaultKind, FinishReason, Message, Model, Piece, Request, Scripted, ToolSpec, collect,
};
use serde_json::json;

fn tools() -> Vec<ToolSpec> {
    ["getWeather", "send"].map(|name| ToolSpec::new(name, "", json!({"type": "object"}))).to_vec()
}

fn say(text: &str) -> Request {
    Request::new(vec![Message::user(text)]).with_tools(tools())
}

async fn ask(model: &Scripted, request: Request) -> Result<Answer, Fault> {
    collect(model.stream(request)).await
}

async fn events(model: &Scripted, request: Request) -> Vec<Result<Event, Fault>> {
    model.stream(request).collect().await
}

#[tokio::test]
async fn the_built_in_script_repeats_what_it_hears_and_tells_how_to_use_it() {
    let model = Scripted::built_in();
    assert_eq!(ask(&model, say("Good morning")).await.unwrap().text(), "You said: Good morning");
    assert!(ask(&model, say("Help me")).await.unwrap().text().contains("- use TOOL"));
    assert_eq!(ask(&model, say("tools")).await.unwrap().text(), "I am offered: getWeather, send");
    assert_eq!(ask(&model, say("count 3")).await.unwrap().text(), "1 2 3 ");
}

#[tokio::test]
async fn the_built_in_script_calls_the_tools_it_is_told_and_says_what_they_answered() {
    let model = Scripted::built_in();
    let mut request = say("use getWeather {\"city\": \"Rome\"}\nuse send");
    let called = ask(&model, request.clone()).await.unwrap();
    assert_eq!(called.reason, FinishReason::ToolCalls);
    let [Piece::ToolCall { id, name, input, .. }, Piece::ToolCall { name: second, .. }] = &called.pieces[..] else {
        panic!("two calls: {called:?}")
    };
    assert_eq!((name.as_str(), input, second.as_str()), ("getWeather", &json!({"city": "Rome"}), "send"));
    let answered = Message::tool(id, name, "sunny");
    request.messages.extend([Message::Assistant(called.pieces), answered]);
    let said = ask(&model, request).await.unwrap();
    assert_eq!((said.text().as_str(), said.reason), ("The tool answered: sunny", FinishReason::Stop));
}

#[tokio::test]
async fn the_demo_of_the_built_in_script_goes_on_with_what_the_tools_answer_and_stops_at_a_no() {
    let offered =
        ["write_file", "run_command", "replace"].map(|name| ToolSpec::new(name, "", json!({"type": "object"})));
    let mut request = Request { tools: offered.into(), ..say("demo") };
    let answers = ["added demo/sum.sh (+4)", "The sum is -6.", "changed demo/sum.sh (+1 -1)", "The sum is 6."];
    for (at, (tool, answer)) in
        ["write_file", "run_command", "replace", "run_command"].into_iter().zip(answers).enumerate()
    {
        let called = ask(&Scripted::built_in(), request.clone()).await.unwrap();
        let Some(Piece::ToolCall { id, name, .. }) = called.pieces.last() else { panic!("a call: {called:?}") };
        assert_eq!(name, tool);
        let mut refused = request.clone();
        for (request, answer) in [(&mut request, answer), (&mut refused, "no")] {
            request.messages.extend([Message::Assistant(called.pieces.clone()), Message::tool(id, name, answer)]);
        }
        let stopped = ask(&Scripted::built_in(), refused).await.unwrap();
        assert_eq!((stopped.text().as_str(), stopped.reason), ("That is where I stop: no", FinishReason::Stop), "{at}");
    }
    assert!(ask(&Scripted::built_in(), request).await.unwrap().text().contains("it adds now"));
}

#[tokio::test]
async fn a_tool_that_is_not_offered_is_not_called() {
    let said = ask(&Scripted::built_in(), say("use fly {}")).await.unwrap();
    assert_eq!(said.text(), "There is no tool fly here. I am offered: getWeather, send.");
    assert_eq!(said.reason, FinishReason::Stop);
}

#[tokio::test]
async fn broken_input_arrives_as_it_came() {
    let called = events(&Scripted::built_in(), say("use send {\"to\": ")).await;
    let found = called.iter().find_map(|event| match event {
        Ok(Event::ToolCall { input, .. }) => Some(input.clone()),
        _ => None,
    });
    assert_eq!(found, Some(Err("{\"to\":".to_owned())));
}

#[tokio::test]
async fn what_the_user_says_cannot_break_the_json_of_a_call() {
    let model = Scripted::new("on weather in *\n  call getWeather {\"city\": \"$1\"}").unwrap();
    let called = ask(&model, say("weather in \"R\\nome\"}")).await.unwrap();
    assert!(matches!(&called.pieces[..], [Piece::ToolCall { input, .. }] if *input == json!({"city": "\"R\\nome\"}"})));
}

#[tokio::test]
async fn blocks_are_opened_and_closed_and_the_finish_is_last() {
    let model = Scripted::new("on *\n think a b\n say c\n say d\n call send {}\n source http://x T").unwrap();
    let kinds: Vec<String> = events(&model, say("x")).await.into_iter().map(|event| short(&event.unwrap())).collect();
    let expected = ["R1", "r1a ", "r1b", "/R1", "T2", "t2c", "t2\n", "t2d", "/T2", "I", "i{}", "C", "S", "F"];
    assert_eq!(kinds, expected);
}

fn short(event: &Event) -> String {
    match event {
        Event::TextStart { id } => format!("T{id}"),
        Event::TextDelta { id, delta } => format!("t{id}{delta}"),
        Event::TextEnd { id } => format!("/T{id}"),
        Event::ReasoningStart { id } => format!("R{id}"),
        Event::ReasoningDelta { id, delta } => format!("r{id}{delta}"),
        Event::ReasoningEnd { id, .. } => format!("/R{id}"),
        Event::ToolInputStart { .. } => "I".into(),
        Event::ToolInputDelta { delta, .. } => format!("i{delta}"),
        Event::ToolCall { .. } => "C".into(),
        Event::Source { .. } => "S".into(),
        Event::Finish { .. } => "F".into(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn asked_again_it_answers_with_the_same_call_ids_and_later_with_others() {
    let model = Scripted::new("on *\n call send {}\nthen\n call send {}").unwrap();
    let first = events(&model, say("go")).await;
    assert_eq!(first, events(&model, say("go")).await);
    let called = ask(&model, say("go")).await.unwrap();
    let mut later = say("go");
    later.messages.extend([Message::Assistant(called.pieces.clone()), Message::tool("x", "send", "ok")]);
    assert_ne!(ask(&model, later).await.unwrap().pieces, called.pieces);
}

#[tokio::test]
async fn a_fault_ends_the_stream_after_what_was_said() {
    let all = events(&Scripted::built_in(), say("fail cut")).await;
    assert!(matches!(&all[0], Ok(Event::TextStart { .. })));
    let (last, before) = all.split_last().unwrap();
    assert!(before.iter().all(Result::is_ok));
    assert_eq!(last.as_ref().unwrap_err().kind, FaultKind::Cut);
}

#[tokio::test(start_paused = true)]
async fn pace_and_delay_take_their_time() {
    let model = Scripted::new("on *\n delay 1s\n pace 100ms\n say a b c").unwrap();
    let begun = tokio::time::Instant::now();
    ask(&model, say("x")).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(1300));
}

#[tokio::test]
async fn hanging_says_nothing_more_and_does_not_end() {
    let model = Scripted::new("on *\n hang").unwrap();
    assert!(model.stream(say("x")).next().now_or_never().is_none());
}

#[tokio::test]
async fn a_conversation_longer_than_the_model_takes_is_refused() {
    let model = Scripted::built_in().with_context_tokens(100);
    assert!(ask(&model, say("short")).await.is_ok());
    assert_eq!(ask(&model, say(&"long ".repeat(100))).await.unwrap_err().kind, FaultKind::ContextTooLong);
}

#[tokio::test]
async fn a_recording_model_knows_what_it_was_asked() {
    let model = Scripted::built_in().recording();
    ask(&model.clone(), say("one")).await.unwrap();
    assert_eq!(model.asked(), [say("one")]);
}

#[tokio::test]
async fn reasons_usage_and_repetitions_are_as_the_script_says() {
    let model = Scripted::new("on *\n repeat 3 ab\n finish length\n usage 7 9").unwrap();
    let answer = ask(&model, say("x")).await.unwrap();
    assert_eq!((answer.text().as_str(), answer.reason), ("ababab", FinishReason::Length));
    assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(7), Some(9)));
}
