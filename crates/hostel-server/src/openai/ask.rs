//! A request of an OpenAI client, as one to an agent.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Wrong;

/// What is asked.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) usage: bool,
    messages: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Body {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u64>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

impl Ask {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let body: Body = serde_json::from_slice(bytes)
            .map_err(|error| Wrong::asked(format!("The body is no chat completion request: {error}.")))?;
        if body.n.is_some_and(|n| n != 1) {
            return Err(Wrong::asked("An agent gives one answer: leave n out."));
        }
        if body.tools.is_some_and(|tools| !tools.is_empty()) {
            return Err(Wrong::asked(
                "An agent has its own tools, and cannot use those of a request: leave tools out.",
            ));
        }
        let parts = body.model.split('/').filter(|part| !part.is_empty()).count();
        if parts != 2 || body.model.contains(|c: char| "?#\\".contains(c) || c.is_whitespace() || c.is_control()) {
            return Err(Wrong::asked("The model is an agent and its name, such as coder-agent/default."));
        }
        let messages = unanswered(&body.messages)?;
        let usage = body.stream_options.unwrap_or_default().include_usage;
        Ok(Self { model: body.model, stream: body.stream.unwrap_or_default(), usage, messages })
    }

    /// Where it goes.
    pub(super) fn path(&self, prefix: &str) -> String {
        format!("/{prefix}/{}/chat", self.model.trim_matches('/'))
    }

    /// What is said there.
    pub(super) fn body(&self) -> Value {
        json!({"messages": self.messages})
    }
}

/// What a person said behind the last answer: everything before it the agent knows.
fn unanswered(messages: &[Message]) -> Result<Vec<Value>, Wrong> {
    let answered = messages.iter().rposition(|message| message.role == "assistant").map_or(0, |at| at + 1);
    let said = messages[answered..].iter().filter(|message| message.role == "user");
    let said: Vec<Value> = said.map(|message| user(&message.content)).collect::<Result<_, _>>()?;
    match said.is_empty() {
        true => Err(Wrong::asked("Nothing is asked: the last message is of nobody with the role user.")),
        false => Ok(said),
    }
}

fn user(content: &Value) -> Result<Value, Wrong> {
    let parts = match content {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(parts) => parts.iter().map(part).collect::<Result<_, _>>()?,
        _ => return Err(Wrong::asked("The content of a message is a text, or a list of parts.")),
    };
    Ok(json!({"id": "", "role": "user", "parts": parts}))
}

fn part(part: &Value) -> Result<Value, Wrong> {
    match part["type"].as_str() {
        Some("text") => Ok(json!({"type": "text", "text": part["text"]})),
        Some("image_url") => Ok(json!({"type": "file", "mediaType": "image/*", "url": part["image_url"]["url"]})),
        other => Err(Wrong::asked(format!("Parts of the type {} are not taken.", other.unwrap_or("(none)")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &Value) -> Result<Ask, String> {
        Ask::read(body.to_string().as_bytes()).map_err(|wrong| wrong.message)
    }

    #[test]
    fn only_what_is_not_answered_is_said() {
        let said = ask(&json!({"model": "support/ann", "messages": [
            {"role": "system", "content": "x"}, {"role": "user", "content": "old"}, {"role": "assistant", "content": "y"},
            {"role": "user", "content": [{"type": "text", "text": "new"}]}]}))
        .unwrap();
        assert_eq!(said.path("agents"), "/agents/support/ann/chat");
        assert_eq!(said.body()["messages"][0]["parts"], json!([{"type": "text", "text": "new"}]));
        assert_eq!(said.body()["messages"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_an_agent_cannot_do_is_refused_in_words() {
        let hi = json!([{"role": "user", "content": "hi"}]);
        for (body, expect) in [
            (json!({"model": "gpt-5", "messages": hi}), "such as coder-agent/default"),
            (json!({"model": "a/b?x", "messages": hi}), "such as coder-agent/default"),
            (json!({"model": "a/b#x", "messages": hi}), "such as coder-agent/default"),
            (json!({"model": "a/b", "messages": []}), "Nothing is asked"),
            (json!({"model": "a/b", "messages": hi, "n": 2}), "one answer"),
            (json!({"model": "a/b", "messages": hi, "tools": [{}]}), "its own tools"),
            (json!({"messages": hi}), "missing field `model`"),
        ] {
            let message = ask(&body).unwrap_err();
            assert!(message.contains(expect), "{message}");
        }
    }
}
