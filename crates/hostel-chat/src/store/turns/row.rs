//! A turn as it is kept.

use hostel::{
    Identity, Timestamp,
    protocol::chat::{ClientTool, Dialect, Trigger},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How far a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// More may come before it begins.
    Waiting,
    /// Others are before it.
    Queued,
    /// It is under way.
    Running,
    /// It said all it had to say.
    Done,
    /// It is over until somebody answers: an approval, or the result of a tool in a page.
    Suspended,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It was not run.
    Skipped,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Suspended,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    pub(super) fn read(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Done)
    }

    /// Whether it is not over.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Queued | Self::Running)
    }
}

/// What a turn was asked for with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ask {
    pub(crate) regenerate: bool,
    /// The message of the agent that grows on; without one it begins a new one.
    pub(crate) continues: Option<String>,
    /// Whether clients are told that it is a continuation: the agent goes on by itself.
    pub(crate) by_itself: bool,
    /// The call that was the end of the message for the client that asked to go on with it: from there the agent goes on once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after_call: Option<String>,
    /// The turn that this one goes on with, the first of them.
    pub(crate) root: Option<i64>,
    pub(crate) client_tools: Vec<ClientTool>,
    pub(crate) body: Map<String, Value>,
    pub(crate) message_ids: Vec<String>,
    /// Those of them that came with this request.
    pub(crate) said: Vec<String>,
    pub(crate) dialect: String,
    /// The page that asked: its `_pk`.
    pub(crate) page: Option<String>,
    pub(crate) who: Option<Who>,
    /// When it ended, in milliseconds, if the page that asked was connected then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_there: Option<i64>,
    /// The pages that were shown calls of this answer which wait for one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shown_to: Vec<String>,
    /// What was said under an idempotency key, as a digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
}

impl Ask {
    pub(crate) fn trigger(&self) -> Trigger {
        if self.regenerate { Trigger::Regenerate } else { Trigger::Submit }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        Dialect::from_name(&self.dialect).unwrap_or_default()
    }
}

/// Who asked, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Who {
    subject: String,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    expires: Option<Timestamp>,
    #[serde(default)]
    operator: bool,
}

impl From<&Identity> for Who {
    fn from(who: &Identity) -> Self {
        Self {
            subject: who.subject().to_owned(),
            issuer: who.issuer().map(str::to_owned),
            roles: who.roles().map(str::to_owned).collect(),
            claims: who.claims().clone(),
            expires: who.expires(),
            operator: who.is_operator(),
        }
    }
}

impl From<Who> for Identity {
    fn from(who: Who) -> Self {
        let mut identity = Identity::new(who.subject).with_roles(who.roles).with_claims(who.claims);
        if let Some(issuer) = who.issuer {
            identity = identity.with_issuer(issuer);
        }
        if let Some(expires) = who.expires {
            identity = identity.with_expiry(expires);
        }
        if who.operator { identity.as_operator() } else { identity }
    }
}

/// A turn.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) n: i64,
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) ask: Ask,
    /// The message it answers with.
    pub(crate) message: String,
    /// The moment of what it answers.
    pub(crate) stamp: String,
    /// How often it was begun.
    pub(crate) attempts: i64,
    /// How often of late without having said anything new.
    pub(crate) stuck: i64,
    /// How much it had said when it was last begun.
    pub(crate) reached: i64,
    pub(crate) error: Option<String>,
    /// Whether some client has heard that it failed.
    pub(crate) seen: bool,
}

impl Turn {
    /// What notes belong to: the first of the turns that go on with each other.
    pub(crate) fn root(&self) -> i64 {
        self.ask.root.unwrap_or(self.n)
    }
}
