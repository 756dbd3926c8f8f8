//! What is said to a chat from inside the process, and what it tells.

use hostel::{
    Identity, Result,
    host::Host,
    protocol::chat::{ClientTool, ToolState, UiMessage},
};
use serde_json::{Map, Value};

use crate::store::{log, turns};

/// What somebody says.
#[derive(Debug, Clone, Default)]
pub struct Say {
    /// Messages, as a client would send them: those that are there already stay as they are.
    pub messages: Vec<UiMessage>,
    /// The turn's id; saying the same again under the same id is answered once. Made up without one.
    pub id: Option<String>,
    /// Who says it.
    pub who: Option<Identity>,
    /// What whoever asks can do itself.
    pub client_tools: Vec<ClientTool>,
    /// What else is handed to the agent.
    pub body: Map<String, Value>,
}

impl Say {
    /// A message of a user.
    pub fn text(text: impl Into<String>) -> Self {
        Self { messages: vec![UiMessage::user("", text)], ..Self::default() }
    }

    /// Says who says it.
    #[must_use]
    pub fn by(self, who: Option<Identity>) -> Self {
        Self { who, ..self }
    }

    /// Gives it an id.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }
}

/// What was said was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The turn's id.
    pub turn: String,
    /// The number in the log from which on the answer is.
    pub seq: u64,
    /// Whether it is answered: the agent may take nothing while it is busy.
    pub is_taken: bool,
}

/// Something in the log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// A chunk of an answer, as JSON.
    Chunk {
        /// The turn's id.
        turn: String,
        /// The chunk.
        body: String,
    },
    /// A turn is over.
    End {
        /// The turn's id.
        turn: String,
        /// `done`, `suspended`, `failed`, `cancelled` or `skipped`.
        state: String,
        /// Why, if it failed.
        error: Option<String>,
    },
    /// Somebody said something: a JSON object with `id`, `messages` and `removed`.
    Said(String),
    /// A tool call was answered: a JSON object with `message`, `call`, `who` and `part`.
    Settled(String),
    /// Everything was forgotten.
    Cleared,
}

/// A turn, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnInfo {
    /// Its id.
    pub id: String,
    /// `waiting`, `queued`, `running`, `done`, `suspended`, `failed`, `cancelled` or `skipped`.
    pub state: String,
    /// Whether it is not over.
    pub is_open: bool,
    /// The message it answers with.
    pub message: String,
    /// Why, if it failed.
    pub error: Option<String>,
    /// Where it begins in the log, while that is kept.
    pub seq: Option<u64>,
}

/// A tool call that waits for somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The message it is in.
    pub message: String,
    /// The call.
    pub call: String,
    /// The tool.
    pub tool: String,
    /// What is asked for.
    pub state: ToolState,
    /// The whole part.
    pub part: Value,
}

pub(crate) fn info(host: &dyn Host, turn: turns::Turn) -> Result<TurnInfo> {
    Ok(TurnInfo {
        seq: log::beginning(host, turn.n)?,
        id: turn.id,
        state: turn.state.as_str().to_owned(),
        is_open: turn.state.is_open(),
        message: turn.message,
        error: turn.error,
    })
}

pub(super) fn pending_of(message: &UiMessage) -> Vec<Pending> {
    let of = |(call, tool, state): (&str, &str, ToolState)| Pending {
        message: message.id.clone(),
        call: call.to_owned(),
        tool: tool.to_owned(),
        state,
        part: message.tool_part(call).cloned().map_or(Value::Null, Value::Object),
    };
    message.pending_tools().map(of).collect()
}
