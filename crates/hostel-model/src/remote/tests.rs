//! Every provider's stream, over HTTP, against the fake provider.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::*;
use crate::{
    Answer, Content, Data, FinishReason, Message, Piece, Scripted, ToolOutput, ToolSpec, collect,
    fake::{FakeProvider, Speaks},
};

const KEY: &str = "sk-very-secret";

async fn provider(script: &str) -> FakeProvider {
    FakeProvider::start(Scripted::new(script).unwrap()).await.unwrap()
}

fn remote(speaks: Speaks, url: &str, more: &Value) -> Remote {
    let (provider, path) = match speaks {
        Speaks::OpenAi => ("openai", "/v1"),
        Speaks::Anthropic => ("anthropic", "/v1/"),
        Speaks::Google => ("google", "/v1beta"),
    };
    let mut table =
        json!({"provider": provider, "model": "m-1", "base_url": format!("{url}{path}"), "key": "secret:KEY"});
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let secrets = BTreeMap::from([("KEY".to_owned(), KEY.to_owned())]);
    Remote::new("main", serde_json::from_value(table).unwrap(), Arc::new(secrets))
}

fn request(text: &str) -> Request {
    let tools =
        vec![ToolSpec::new("look", "Looks.", json!({"type": "object", "properties": {"at": {"type": "string"}}}))];
    Request::new(vec![Message::user(text)]).with_system("Be kind.").with_tools(tools)
}

async fn ask(model: &Remote, request: Request) -> Result<Answer, Fault> {
    collect(model.stream(request)).await
}

/// What `script` answers in each of the three streams.
async fn outcomes(script: &str, more: &Value) -> Vec<Result<Answer, Fault>> {
    let provider = provider(script).await;
    let mut all = Vec::new();
    for speaks in Speaks::ALL {
        all.push(ask(&remote(speaks, &provider.url(), more), request("hi")).await);
    }
    all
}

#[tokio::test]
async fn texts_thoughts_calls_and_usage_arrive_from_every_provider() {
    let script = "on *\n think hm\n say two words\n call look {\"at\": \"sea\"}\n call look {}\n usage 70 9";
    for answer in outcomes(script, &json!({"price": {"input": 10, "output": 100}})).await {
        let answer = answer.unwrap();
        assert!(matches!(&answer.pieces[0], Piece::Reasoning { text, .. } if text == "hm"), "{answer:?}");
        assert_eq!(answer.text(), "two words");
        let input = |piece: &Piece| match piece {
            Piece::ToolCall { name, input, .. } => Some((name.clone(), input.clone())),
            _ => None,
        };
        let inputs: Vec<_> = answer.pieces.iter().filter_map(input).collect();
        let look = || "look".to_owned();
        assert_eq!(inputs, [(look(), json!({"at": "sea"})), (look(), json!({}))]);
        assert_eq!(answer.reason, FinishReason::ToolCalls);
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(70), Some(9)));
        assert!((answer.usage.cost.unwrap() - 0.0016).abs() < 1e-9);
    }
}

#[tokio::test]
async fn a_conversation_with_tools_goes_back_as_it_came() {
    let provider = provider("on *\n think hm\n call look {\"at\": \"sea\"}\nthen\n say It is $result; $system").await;
    for speaks in Speaks::ALL {
        let model = remote(speaks, &provider.url(), &json!({}));
        let mut request = request("go");
        let first = ask(&model, request.clone()).await.unwrap();
        let Some(Piece::ToolCall { id, name, .. }) = first.pieces.last() else { panic!("{first:?}") };
        let answered = Message::tool(id, name, "blue");
        request.messages.extend([Message::Assistant(first.pieces.clone()), answered]);
        assert_eq!(ask(&model, request).await.unwrap().text(), "It is blue; Be kind.", "{speaks:?}");
    }
    let asked = provider.asked();
    let thinking = &asked[3].body["messages"][1]["content"][0];
    assert_eq!(
        thinking,
        &json!({"type": "thinking", "thinking": "hm", "signature": "signed"}),
        "Anthropic wants it back"
    );
    assert_eq!(asked[5].body["contents"][1]["parts"][0]["thoughtSignature"], "signed", "and so does Google");
}

#[tokio::test]
async fn each_provider_is_asked_in_its_own_words() {
    let provider = provider("on *\n say ok").await;
    let more = json!({"max_output_tokens": 50, "reasoning": "low", "headers": {"x-team": "a"}, "extra": {"seed": 4}});
    let mut request = request("hi");
    let image = Content::Image { media_type: "image/png".into(), data: Data::Base64("AAAA".into()) };
    let file = Content::File {
        media_type: "application/pdf".into(),
        name: Some("a.pdf".into()),
        data: Data::Base64("BB".into()),
    };
    request.messages.push(Message::User(vec![image, file]));
    for speaks in Speaks::ALL {
        ask(&remote(speaks, &provider.url(), &more), request.clone()).await.unwrap();
    }
    let [openai, anthropic, google] = &provider.asked()[..] else { panic!("three") };
    assert_eq!(openai.header("authorization"), Some("Bearer sk-very-secret"));
    assert_eq!(
        (openai.path.as_str(), &openai.body["model"], &openai.body["seed"]),
        ("/v1/chat/completions", &json!("m-1"), &json!(4))
    );
    assert_eq!(openai.body["max_completion_tokens"], 50);
    assert_eq!(openai.body["reasoning_effort"], "low");
    assert_eq!(openai.body["messages"][2]["content"][0]["image_url"]["url"], "data:image/png;base64,AAAA");
    assert_eq!(openai.body["messages"][2]["content"][1]["file"]["filename"], "a.pdf");
    assert_eq!((anthropic.header("x-api-key"), anthropic.header("x-team")), (Some(KEY), Some("a")));
    assert_eq!(anthropic.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!((anthropic.path.as_str(), &anthropic.body["max_tokens"]), ("/v1/messages", &json!(2098)));
    assert_eq!(anthropic.body["system"][0]["cache_control"]["type"], "ephemeral");
    let blocks = &anthropic.body["messages"][0]["content"];
    assert_eq!(
        (blocks[1]["type"].as_str(), blocks[2]["title"].as_str()),
        (Some("image"), Some("a.pdf")),
        "roles take turns"
    );
    assert_eq!(google.header("x-goog-api-key"), Some(KEY));
    assert_eq!(google.path, "/v1beta/models/m-1:streamGenerateContent?alt=sse");
    assert_eq!(google.body["generationConfig"]["thinkingConfig"]["includeThoughts"], true);
    assert_eq!(google.body["contents"][1]["parts"][0]["inlineData"]["mimeType"], "image/png");
    assert_eq!(google.body["tools"][0]["functionDeclarations"][0]["name"], "look");
}

#[tokio::test]
async fn fields_can_be_left_out_for_servers_that_refuse_them() {
    let provider = provider("on *\n say ok").await;
    let more = json!({"omit": ["stream_options"]});
    ask(&remote(Speaks::OpenAi, &provider.url(), &more), request("hi")).await.unwrap();
    assert!(provider.asked()[0].body.get("stream_options").is_none());
}

#[tokio::test]
async fn every_fault_before_the_answer_is_told_by_its_kind() {
    let kinds = [
        "auth",
        "quota",
        "rate_limited",
        "overloaded",
        "provider",
        "unknown_model",
        "bad_request",
        "context_too_long",
        "refused",
        "malformed",
        "cut",
        "stalled",
        "timed_out",
    ];
    for word in kinds {
        let script = format!("on *\n fault {word}");
        let timeout = if ["stalled", "timed_out"].contains(&word) { "150ms" } else { "30s" };
        for outcome in outcomes(&script, &json!({"retries": 0, "timeout": timeout})).await {
            let fault = outcome.unwrap_err();
            let expected = match word {
                // Nothing came at all: that is what the longer patience is for.
                "stalled" => FaultKind::TimedOut,
                word => FaultKind::parse(word).unwrap(),
            };
            assert_eq!(fault.kind, expected, "{word}: {fault}");
            assert!(fault.message.ends_with(['.', '`']) || fault.message.contains("It says:"), "{fault}");
        }
    }
}

#[tokio::test]
async fn every_fault_in_the_middle_is_told_by_its_kind() {
    for word in ["rate_limited", "overloaded", "provider", "malformed", "cut", "stalled"] {
        let script = format!("on *\n say begun\n fault {word}");
        let provider = provider(&script).await;
        let stall = if word == "stalled" { "500ms" } else { "30s" };
        for speaks in Speaks::ALL {
            let model = remote(speaks, &provider.url(), &json!({"stall": stall}));
            let mut events: Vec<_> = model.stream(request("hi")).collect().await;
            let fault = events.pop().unwrap().unwrap_err();
            assert_eq!(fault.kind, FaultKind::parse(word).unwrap(), "{speaks:?}: {fault}");
            let said =
                events.iter().any(|event| matches!(event, Ok(Event::TextDelta { delta, .. }) if delta == "begun"));
            assert!(said, "what was said before is there: {events:?}");
        }
        assert_eq!(provider.asked().len(), 3, "{word}: what has begun is not asked again");
    }
}

#[tokio::test]
async fn a_request_that_could_not_begin_is_asked_again_after_the_time_the_provider_wishes() {
    let provider = provider("on *\n say at last").await;
    for speaks in Speaks::ALL {
        provider.fail_next(2, &Fault::new(FaultKind::RateLimited, "0 seconds"));
        let events: Vec<_> = remote(speaks, &provider.url(), &json!({})).stream(request("hi")).collect().await;
        let retry = |event: &Result<Event, Fault>| match event {
            Ok(Event::Retrying { after, why }) => Some((after.as_secs(), why.contains("no more requests"))),
            _ => None,
        };
        let retries: Vec<_> = events.iter().filter_map(retry).collect();
        assert_eq!(retries, [(0, true), (0, true)]);
        assert!(matches!(events.last(), Some(Ok(Event::Finish { .. }))), "{events:?}");
    }
    assert_eq!(provider.asked().len(), 9);
}

#[tokio::test]
async fn what_will_not_help_is_not_asked_again() {
    let provider = provider("on *\n say never").await;
    for (kind, text) in [(FaultKind::Auth, ""), (FaultKind::BadRequest, ""), (FaultKind::RateLimited, "3600 s")] {
        provider.fail_next(1, &Fault::new(kind, text));
        let fault = ask(&remote(Speaks::OpenAi, &provider.url(), &json!({})), request("hi")).await.unwrap_err();
        assert_eq!(fault.kind, kind);
        let after = (kind == FaultKind::RateLimited).then(|| Duration::from_secs(3600));
        assert_eq!(fault.retry_after, after, "an hour is for the user to decide");
    }
    assert_eq!(provider.asked().len(), 3);
}

#[tokio::test]
async fn after_the_last_repetition_the_fault_says_how_often_it_was_asked() {
    let provider = provider("on *\n fault overloaded 0").await;
    let fault =
        ask(&remote(Speaks::Anthropic, &provider.url(), &json!({"retries": 1})), request("hi")).await.unwrap_err();
    assert_eq!((fault.kind, fault.status), (FaultKind::Overloaded, Some(503)));
    assert!(fault.message.ends_with("It was asked 2 times."), "{fault}");
}

#[tokio::test]
async fn a_fault_never_shows_the_key() {
    let provider = provider("on *\n say x").await;
    for kind in [FaultKind::Auth, FaultKind::BadRequest, FaultKind::Quota] {
        provider.fail_next(1, &Fault::new(kind, format!("the key {KEY} is wrong")));
        let fault = ask(&remote(Speaks::OpenAi, &provider.url(), &json!({})), request("hi")).await.unwrap_err();
        assert!(!fault.message.contains(KEY), "{fault}");
    }
    let model = remote(Speaks::OpenAi, &provider.url(), &json!({"key": KEY, "headers": {"x": KEY}}));
    assert!(!format!("{model:?}").contains(KEY));
}

#[tokio::test]
async fn a_key_that_is_not_there_is_asked_for_by_its_name() {
    let model = remote(Speaks::OpenAi, "http://127.0.0.1:9", &json!({"key": "secret:ABSENT"}));
    let fault = ask(&model, request("hi")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotConfigured);
    assert!(fault.message.contains("hostel secret set ABSENT"), "{fault}");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named_with_its_place() {
    let gone = provider("on *\n say x").await.url();
    let model = remote(Speaks::OpenAi, &gone, &json!({"retries": 0}));
    let fault = ask(&model, request("hi")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(fault.message.contains(gone.trim_start_matches("http://")), "{fault}");
}

#[tokio::test]
async fn broken_input_of_a_call_arrives_as_it_came() {
    let provider = provider("on *\n call look {\"at\": \"se").await;
    for speaks in [Speaks::OpenAi, Speaks::Anthropic] {
        let answer = ask(&remote(speaks, &provider.url(), &json!({})), request("hi")).await.unwrap();
        let Some(Piece::ToolCall { input, .. }) = answer.pieces.first() else { panic!("{answer:?}") };
        assert_eq!(input, "{\"at\": \"se");
    }
    let fault = ask(&remote(Speaks::Google, &provider.url(), &json!({})), request("hi")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed, "Google says so itself");
}

#[tokio::test]
async fn long_conversations_large_tool_outputs_and_long_answers_pass() {
    let provider = provider("on *\n repeat 20000 word\nthen\n say $result").await;
    let mut long =
        Request::new((0..100).flat_map(|at| [Message::user(format!("q{at}")), Message::assistant("a")]).collect());
    long.messages.push(Message::user("now"));
    let mut large = request("go");
    let call = Piece::ToolCall { id: "c".into(), name: "look".into(), input: json!({}), signature: None };
    let output = ToolOutput { call_id: "c".into(), name: "look".into(), output: "x".repeat(1 << 20), is_error: false };
    large.messages.extend([Message::Assistant(vec![call]), Message::Tool(vec![output])]);
    for speaks in Speaks::ALL {
        let model = remote(speaks, &provider.url(), &json!({}));
        assert_eq!(ask(&model, long.clone()).await.unwrap().text().len(), 80_000, "{speaks:?}");
        assert_eq!(ask(&model, large.clone()).await.unwrap().text().len(), 1 << 20, "{speaks:?}");
    }
}
