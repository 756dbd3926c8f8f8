//! The events of an agent's answer, as chunks or as one completion.

use futures_util::{Stream, StreamExt as _, stream};
use hostel::{
    axum::{
        body::Body,
        http::{HeaderValue, Response, StatusCode, header},
    },
    bytes::Bytes,
};
use serde_json::{Value, json};

use super::{Wrong, ask::Ask, json_response};

/// What an answer has said so far.
#[derive(Debug, Default)]
struct Told {
    text: String,
    finish: Option<&'static str>,
    usage: Option<Value>,
    error: Option<String>,
    asks: bool,
}

/// What one event adds to a stream of chunks.
#[derive(Debug, PartialEq)]
enum News {
    Text(String),
    Thought(String),
    Nothing,
    Over,
}

impl Told {
    fn hear(&mut self, data: &str) -> News {
        if data == "[DONE]" {
            return News::Over;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        let delta = || chunk["delta"].as_str().unwrap_or_default().to_owned();
        match chunk["type"].as_str() {
            Some("text-delta") => {
                let text = delta();
                self.text += &text;
                return News::Text(text);
            }
            Some("reasoning-delta") => return News::Thought(delta()),
            Some("tool-approval-request") => self.asks = true,
            Some("error") => self.error = chunk["errorText"].as_str().map(str::to_owned),
            Some("finish") => {
                self.finish = Some(reason(chunk["messageMetadata"]["finishReason"].as_str()));
                self.usage = usage(&chunk["messageMetadata"]["usage"]).or(self.usage.take());
            }
            None if chunk["state"] == "failed" => {
                let said = chunk["error"].as_str().unwrap_or("The answer failed.");
                self.error.get_or_insert_with(|| said.to_owned());
            }
            _ => {}
        }
        News::Nothing
    }

    /// What is said for a tool that waits: the client has no word for it.
    fn waiting(&self) -> Option<&'static str> {
        self.asks.then_some("\n\n(A tool waits for somebody's yes: see `hostel approvals`.)")
    }
}

fn reason(said: Option<&str>) -> &'static str {
    match said {
        Some("length") => "length",
        Some("content-filter") => "content_filter",
        // An agent calls its own tools, and hands none on.
        _ => "stop",
    }
}

fn usage(said: &Value) -> Option<Value> {
    let count = |keys: [&str; 2]| keys.iter().find_map(|key| said[*key].as_u64());
    let (input, output) = (count(["inputTokens", "input_tokens"])?, count(["outputTokens", "output_tokens"])?);
    Some(json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}))
}

/// The data of each event, in order.
fn events(body: Body) -> impl Stream<Item = String> + Send + Unpin {
    let state = (body.into_data_stream(), Vec::<u8>::new());
    Box::pin(stream::unfold(state, |(mut bytes, mut held)| async move {
        loop {
            if let Some(end) = held.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = held.drain(..end + 2).collect();
                let text = String::from_utf8_lossy(&block);
                if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) {
                    return Some((data.to_owned(), (bytes, held)));
                }
                continue;
            }
            held.extend_from_slice(&bytes.next().await?.ok()?);
        }
    }))
}

/// The answer as one completion.
pub(super) async fn whole(ask: &Ask, response: Response<Body>) -> Result<Response<Body>, Wrong> {
    let id = id(&response);
    let mut told = Told::default();
    let mut events = events(response.into_body());
    while let Some(data) = events.next().await {
        told.hear(&data);
    }
    if let Some(error) = told.error {
        return Err(Wrong { status: StatusCode::BAD_GATEWAY, code: "answer_failed".to_owned(), message: error });
    }
    let content = format!("{}{}", told.text, told.waiting().unwrap_or_default());
    let message = json!({"role": "assistant", "content": content, "refusal": null});
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": told.finish.unwrap_or("stop")});
    Ok(json_response(&json!({"id": id, "object": "chat.completion", "created": now(), "model": ask.model,
        "choices": [choice], "usage": told.usage.unwrap_or_else(none)})))
}

fn none() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
}

/// The answer as chunks.
pub(super) fn streamed(ask: Ask, response: Response<Body>) -> Response<Body> {
    let head = Head { id: id(&response), created: now(), ask };
    let events = events(response.into_body());
    let first = head.chunk(&json!({"role": "assistant", "content": ""}), None);
    let state = Some((head, Told::default(), events));
    let rest = stream::unfold(state, |state| async move {
        let (head, mut told, mut events) = state?;
        loop {
            let news = match events.next().await {
                Some(data) => told.hear(&data),
                None => News::Over,
            };
            let text = match news {
                News::Nothing => continue,
                News::Text(text) => head.chunk(&json!({"content": text}), None),
                News::Thought(text) => head.chunk(&json!({"reasoning_content": text}), None),
                News::Over => return Some((Bytes::from(head.end(&told)), None)),
            };
            return Some((Bytes::from(text), Some((head, told, events))));
        }
    });
    let body = stream::once(std::future::ready(Bytes::from(first))).chain(rest).map(Ok::<_, std::convert::Infallible>);
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What every chunk begins with.
struct Head {
    id: String,
    created: i64,
    ask: Ask,
}

impl Head {
    fn chunk(&self, delta: &Value, finish: Option<&str>) -> String {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        self.event(&json!([choice]), None)
    }

    fn event(&self, choices: &Value, usage: Option<&Value>) -> String {
        let mut chunk = json!({"id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.ask.model, "choices": choices});
        if let Some(usage) = usage {
            chunk["usage"] = usage.clone();
        }
        format!("data: {chunk}\n\n")
    }

    fn end(&self, told: &Told) -> String {
        if let Some(error) = &told.error {
            let wrong =
                Wrong { status: StatusCode::BAD_GATEWAY, code: "answer_failed".to_owned(), message: error.clone() };
            return format!("data: {}\n\ndata: [DONE]\n\n", wrong.body());
        }
        let mut text = told.waiting().map_or_else(String::new, |text| self.chunk(&json!({"content": text}), None));
        text += &self.chunk(&json!({}), Some(told.finish.unwrap_or("stop")));
        if self.ask.usage {
            text += &self.event(&json!([]), Some(&told.usage.clone().unwrap_or_else(none)));
        }
        text + "data: [DONE]\n\n"
    }
}

/// The turn's own id.
fn id(response: &Response<Body>) -> String {
    let turn = response.headers().get("x-hostel-turn").and_then(|turn| turn.to_str().ok());
    format!("chatcmpl-{}", turn.unwrap_or("unknown"))
}

fn now() -> i64 {
    hostel::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_by_its_events() {
        let mut told = Told::default();
        assert_eq!(told.hear(r#"{"type":"text-delta","id":"t","delta":"Hi"}"#), News::Text("Hi".to_owned()));
        assert_eq!(told.hear(r#"{"type":"tool-input-available"}"#), News::Nothing);
        told.hear(r#"{"type":"finish","messageMetadata":{"finishReason":"length","usage":{"inputTokens":3,"outputTokens":2}}}"#);
        assert_eq!(told.hear("[DONE]"), News::Over);
        assert_eq!(
            (told.text.as_str(), told.finish, told.usage.unwrap()["total_tokens"].clone()),
            ("Hi", Some("length"), json!(5))
        );
    }

    #[test]
    fn a_failure_has_its_reason() {
        let mut told = Told::default();
        told.hear(r#"{"turn":"t","state":"failed","error":"no key"}"#);
        assert_eq!(told.error.as_deref(), Some("no key"));
    }
}
