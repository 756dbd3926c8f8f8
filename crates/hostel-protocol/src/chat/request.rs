//! The frame that asks for a turn.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fault::ChatFault;
use super::message::UiMessage;
use super::read;

/// Which stream a client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// The data stream of the AI SDK 4, with messages that have a `content`.
    V4,
    /// UI message chunks checked by the AI SDK 5: what it does not know ends the stream.
    Strict,
    /// UI message chunks, whatever is in them.
    #[default]
    Tolerant,
}

impl Dialect {
    /// A short name, to be stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::Strict => "strict",
            Self::Tolerant => "tolerant",
        }
    }

    /// The dialect of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::V4, Self::Strict, Self::Tolerant].into_iter().find(|dialect| dialect.as_str() == name)
    }
}

/// What brought a turn about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trigger {
    /// Somebody said something.
    #[default]
    Submit,
    /// Somebody wants another answer.
    Regenerate,
}

impl Trigger {
    /// The trigger as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit-message",
            Self::Regenerate => "regenerate-message",
        }
    }
}

/// A tool that runs in the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientTool {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

impl ClientTool {
    /// The tools of a list; what is none is passed over, as the reference server does.
    #[must_use]
    pub fn list(value: &Value) -> Vec<Self> {
        let tools = value.as_array().into_iter().flatten();
        tools.filter_map(|tool| Self::deserialize(tool).ok()).filter(|tool| !tool.name.is_empty()).collect()
    }
}

/// `cf_agent_use_chat_request`: a turn, please.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// Chosen by the client, opaque; it tags every frame of the turn.
    pub id: String,
    /// The conversation as the client knows it.
    pub messages: Vec<UiMessage>,
    /// Why.
    pub trigger: Trigger,
    /// What the client can do itself.
    pub client_tools: Vec<ClientTool>,
    /// Everything else the client sent, for the application.
    pub body: Map<String, Value>,
    /// What the client understands.
    pub dialect: Dialect,
}

impl ChatRequest {
    /// Reads the frame.
    ///
    /// # Errors
    ///
    /// With the id of the request, where there is one, so that it can be answered: the reference server drops such a
    /// request, and the client waits for ever.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        let mut frame = read::frame(text)?;
        let id = read::take_text(&mut frame, "id").unwrap_or_default();
        let request = parts(&mut frame).map(|(init, body)| (dialect(&frame, &init, &body), body));
        request.and_then(|(dialect, body)| Self::from_body(&id, dialect, body)).map_err(|fault| match id.as_str() {
            "" => fault,
            id => fault.of(id),
        })
    }

    fn from_body(id: &str, dialect: Dialect, mut body: Map<String, Value>) -> Result<Self, ChatFault> {
        let list = read::take_list(&mut body, "messages")
            .ok_or_else(|| ChatFault::new("`messages` of a chat request must be an array."))?;
        let messages = list.into_iter().map(UiMessage::from_value).collect::<Result<_, _>>()?;
        let trigger = match body.shift_remove("trigger") {
            Some(Value::String(name)) if name == Trigger::Regenerate.as_str() => Trigger::Regenerate,
            _ => Trigger::Submit,
        };
        let client_tools = body.shift_remove("clientTools").map(|tools| ClientTool::list(&tools)).unwrap_or_default();
        Ok(Self { id: id.to_owned(), messages, trigger, client_tools, body, dialect })
    }

    /// The ids of the messages of the user at the end of the list: what the turn answers.
    #[must_use]
    pub fn message_ids(&self) -> Vec<String> {
        let from_user = |message: &&UiMessage| message.role == super::Role::User;
        let mut ids: Vec<_> =
            self.messages.iter().rev().take_while(from_user).map(|message| message.id.clone()).collect();
        ids.reverse();
        ids
    }

    /// The message of the agent that a client of old wants continued: it sends the results of its tools in a request
    /// that ends with that message.
    #[must_use]
    pub fn continues(&self) -> Option<&UiMessage> {
        let is_continued = |message: &&UiMessage| message.role == super::Role::Assistant;
        self.messages.last().filter(is_continued).filter(|_| self.trigger == Trigger::Submit)
    }
}

type Object = Map<String, Value>;

/// `init` of the frame, and the object in its `body`.
fn parts(frame: &mut Object) -> Result<(Object, Object), ChatFault> {
    let Some(Value::Object(mut init)) = frame.shift_remove("init") else {
        return Err(ChatFault::new("`init` of a chat request must be an object with `method` and `body`."));
    };
    if init.get("method").and_then(Value::as_str) != Some("POST") {
        return Err(ChatFault::new("`init.method` of a chat request must be `POST`."));
    }
    let body = read::take_text(&mut init, "body").filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| ChatFault::new("`init.body` of a chat request must be a text with JSON in it."))?;
    match read::json(&body) {
        Ok(Value::Object(body)) => Ok((init, body)),
        Ok(_) => Err(ChatFault::new("`init.body` of a chat request must hold a JSON object.")),
        Err(fault) => Err(ChatFault::new(format!("`init.body` of a chat request is no JSON: {fault}."))),
    }
}

/// The frame gives the generation away: the first clients name a path and no trigger, the next still send all that a
/// `fetch` would take.
fn dialect(frame: &Object, init: &Object, body: &Object) -> Dialect {
    let is_long = frame.contains_key("url") || init.keys().any(|key| key != "method");
    let messages = body.get("messages").and_then(Value::as_array);
    let has_content = messages.is_some_and(|list| list.iter().any(|message| message["content"].is_string()));
    if !body.contains_key("trigger") && (has_content || frame.contains_key("url")) {
        return Dialect::V4;
    }
    if is_long { Dialect::Strict } else { Dialect::Tolerant }
}
