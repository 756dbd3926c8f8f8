//! Back to whoever calls an agent over MCP: log messages, progress, questions to people and to models.

use std::{fmt, sync::Arc};

use hostel_core::{
    Cx, Error, Message, Result,
    host::{Effect, Host},
    stream::Tap,
};
use hostel_protocol::refusal::Code;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::output::Content;

/// What a callable can tell and ask the MCP client that called it: `cx.mcp_caller()`.
///
/// ```
/// use hostel_core::{Cx, Error, Result};
/// use hostel_mcp::{Elicited, LogLevel, McpServed as _};
///
/// async fn book<A: 'static>(cx: &Cx<A>, place: &str) -> Result<String> {
///     let Some(caller) = cx.mcp_caller() else { return Err(Error::msg("Book over MCP: there are questions to ask.")) };
///     caller.log(LogLevel::Info, &format!("looking at {place}"))?;
///     let form = serde_json::json!({
///         "type": "object",
///         "properties": {"nights": {"type": "integer", "default": 1}},
///         "required": ["nights"],
///     });
///     match caller.elicit("How long do you stay?", form).await? {
///         Elicited::Accepted(answer) => Ok(format!("{place}, {} nights", answer["nights"])),
///         Elicited::Declined | Elicited::Cancelled => Err(Error::msg("Nothing was booked.")),
///     }
/// }
/// ```
pub trait McpServed {
    /// The MCP client whose call is being answered; `None` if it came another way.
    fn mcp_caller(&self) -> Option<McpCaller>;
}

impl<A> McpServed for Cx<A> {
    fn mcp_caller(&self) -> Option<McpCaller> {
        let line = self.way_back()?.get::<Line>()?.clone();
        Some(McpCaller { line, host: Arc::clone(self.host()) })
    }
}

/// The MCP client that called.
#[derive(Clone)]
pub struct McpCaller {
    line: Line,
    host: Arc<dyn Host>,
}

/// How much a log message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// What is going on.
    Info,
    /// Worth knowing.
    Notice,
    /// Not as it should be.
    Warning,
    /// Something failed.
    Error,
    /// A part of the whole failed.
    Critical,
    /// Somebody has to act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

/// What came of a question to the person at the other end.
#[derive(Debug, Clone, PartialEq)]
pub enum Elicited {
    /// The form was filled in. It has what the client says; whether it has the shape that was asked for is yours to check.
    Accepted(Value),
    /// The person said no.
    Declined,
    /// The person went away without an answer.
    Cancelled,
}

/// What the model at the other end said.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sampled {
    /// Which model that was, in the client's words.
    pub model: String,
    /// What it said.
    pub content: Vec<Content>,
}

impl Sampled {
    /// All text in it, a line each part.
    pub fn text(&self) -> String {
        crate::output::text_of(&self.content)
    }
}

/// The way to whoever answers the call over MCP.
#[derive(Clone)]
pub(crate) struct Line(pub(crate) mpsc::UnboundedSender<Said>);

/// What is said on it.
pub(crate) enum Said {
    /// A frame of a streaming method.
    Frame(Message),
    Log(LogLevel, Value),
    Progress(f64, Option<f64>, Option<String>),
    Ask(Question, oneshot::Sender<Result<Value>>),
}

/// A question to the client.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// To its person: the parameters of `elicitation/create`.
    Person(Value),
    /// To its model: the parameters of `sampling/createMessage`.
    Model(Value),
}

impl McpCaller {
    /// Sends a log message, if the client wants those of this level. In a turn it leaves when the turn is durable.
    ///
    /// # Errors
    /// When serde refuses the data.
    pub fn log(&self, level: LogLevel, data: &(impl Serialize + ?Sized)) -> Result<()> {
        self.say(&serde_json::to_value(data)?, move |data| Said::Log(level, data));
        Ok(())
    }

    /// Says how far the work is, if the client asked to be told: `done`, of `all` if that is known. It may only grow.
    pub fn progress(&self, done: f64, all: Option<f64>, message: Option<&str>) {
        self.say(&message.into(), move |message| Said::Progress(done, all, message.as_str().map(str::to_owned)));
    }

    /// Asks the person at the other end to fill in a form: a JSON schema of an object with plain fields.
    ///
    /// # Errors
    /// `mcp_caller_cannot` if the client cannot be asked, as one of the revision 2026-07-28, or the form is none.
    ///
    /// # Cancel safety
    /// Dropping the future drops the question's answer; the person may still see the question.
    pub async fn elicit(&self, message: &str, form: Value) -> Result<Elicited> {
        let question = serde_json::json!({"mode": "form", "message": message, "requestedSchema": form});
        let mut answer = self.ask(question, Question::Person).await?;
        Ok(match answer["action"].as_str() {
            Some("accept") => Elicited::Accepted(answer["content"].take()),
            Some("decline") => Elicited::Declined,
            _ => Elicited::Cancelled,
        })
    }

    /// Asks the model at the other end. `most` is the most tokens it may answer with.
    ///
    /// # Errors
    /// `mcp_caller_cannot` if the client cannot be asked, as one of the revision 2026-07-28, or does not answer as a model does.
    ///
    /// # Cancel safety
    /// Dropping the future drops the answer; the model may have been asked.
    pub async fn sample(&self, prompt: &str, most: u32) -> Result<Sampled> {
        let said = serde_json::json!({"role": "user", "content": {"type": "text", "text": prompt}});
        let question = serde_json::json!({"messages": [said], "maxTokens": most});
        let mut answer = self.ask(question, Question::Model).await?;
        let model = answer["model"].as_str().unwrap_or_default().to_owned();
        let content = match answer["content"].take() {
            Value::Array(parts) => Value::Array(parts),
            part => Value::Array(vec![part]),
        };
        Ok(Sampled { model, content: serde_json::from_value(content)? })
    }

    async fn ask(&self, question: Value, whom: fn(Value) -> Question) -> Result<Value> {
        let (tell, hear) = oneshot::channel();
        self.say(&question, move |question| Said::Ask(whom(question), tell));
        hear.await.unwrap_or_else(|_| Err(cannot("The client that called has left.")))
    }

    /// Passes the gate like everything an agent tells others, and the mask over secrets as text does.
    fn say(&self, what: &Value, as_said: impl FnOnce(Value) -> Said + Send + 'static) {
        let (line, as_said) = (self.line.clone(), Mutex::new(Some(as_said)));
        let to = Tap::new(move |frame: Message| {
            let what = serde_json::from_str(frame.as_text().unwrap_or_default()).unwrap_or_default();
            if let Some(as_said) = as_said.lock().take() {
                let _caller_may_have_left = line.0.send(as_said(what));
            }
        });
        self.host.emit(Effect::Tap { to, frame: what.to_string().into() });
    }
}

/// The client cannot be asked.
pub(crate) fn cannot(why: impl Into<String>) -> Error {
    Error::coded(Code::McpCallerCannot, why).with_fix(
        "ask only where `cx.mcp_caller()` is a client that answers; or make what you need a parameter of the tool",
    )
}

impl fmt::Debug for McpCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("McpCaller").field(self.host.id()).finish()
    }
}
