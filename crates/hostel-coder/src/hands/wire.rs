//! What is said between an agent and a machine that is lent to it.

use hostel::{Error, JsonSchema, Result};
use serde::{Deserialize, Serialize};

/// Where commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// On the server, in the sandbox.
    #[default]
    Sandbox,
    /// On a machine that somebody lends.
    Hands,
}

/// What `handsOffer` takes: a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandsOffer {
    /// What people call it.
    pub name: String,
    /// What tells this run of the program that lends it from others: it remembers orders for as long as it runs.
    pub instance: String,
    /// The directory commands begin in, for people.
    pub directory: String,
    /// The system it has, such as `linux x86_64`.
    pub platform: String,
    /// What runs there without a question, as patterns. For people: the machine itself decides.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Whether commands are sandboxed there.
    #[serde(default)]
    pub sandboxed: bool,
    /// Whether somebody can be asked there.
    #[serde(default)]
    pub asks: bool,
    /// Whether commands can run there in the background, and be typed into.
    #[serde(default)]
    pub background: bool,
}

/// Bounds of an offer.
const NAME: usize = 64;
const TEXT: usize = 4096;
const PATTERNS: usize = 500;

impl HandsOffer {
    pub(super) fn check(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let named = |text: &str| !text.is_empty() && text.len() <= NAME && text.chars().all(plain);
        if !named(&self.name) || !named(&self.instance) {
            let why = "A machine's name is of letters, digits, -, _ and ., 64 at most.";
            return Err(Error::msg(why).with_fix("give it another name"));
        }
        let shown = |text: &String| text.len() <= TEXT && !text.chars().any(char::is_control);
        let texts = [&self.directory, &self.platform];
        if !texts.into_iter().chain(&self.allow).all(shown) || self.allow.len() > PATTERNS {
            return Err(Error::msg("The offer is too long, or has characters that cannot be shown.")
                .with_fix("take another directory, or fewer patterns"));
        }
        Ok(())
    }
}

/// What a machine is told, piece by piece of the answer to `handsOffer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "do")]
pub enum HandsOrder {
    /// It is lent from now on; reports are believed that have this.
    Welcome {
        /// Known to nobody else.
        session: String,
    },
    /// Run a command, unless this id was heard before.
    Run {
        /// The same whenever it is the same command of the same answer.
        id: String,
        /// A line for the shell.
        command: String,
        /// Where, below the lent directory.
        directory: String,
        /// How long it may run.
        seconds: u64,
        /// How much it may say.
        output_bytes: u64,
        /// Whether it runs in the background: its input stays open, and only the end of what it says is kept.
        #[serde(default, skip_serializing_if = "is_no")]
        background: bool,
        /// Whether it gets a terminal.
        #[serde(default, skip_serializing_if = "is_no")]
        terminal: bool,
    },
    /// Type into a command in the background, unless this id was heard before.
    Input {
        /// As that of `run`, and not that of the command.
        id: String,
        /// The order that runs the command.
        of: String,
        /// What is typed.
        text: String,
        /// Whether the input ends after it.
        #[serde(default, skip_serializing_if = "is_no")]
        end: bool,
    },
    /// Change the size of a command's terminal.
    Size {
        /// The order.
        id: String,
        /// Lines.
        rows: u16,
        /// Characters of a line.
        columns: u16,
    },
    /// Tell what becomes of an order, and what it said from a byte on.
    Tell {
        /// The order.
        id: String,
        /// How many bytes are known already.
        from: u64,
    },
    /// End a command, and all it started.
    Cancel {
        /// The order.
        id: String,
    },
    /// What came of it is known for good: it need not be remembered.
    Forget {
        /// The order.
        id: String,
    },
    /// Somebody else lends a machine of this name.
    Replaced {},
    /// The server is still there.
    Still {},
    /// Of a later version.
    #[serde(other)]
    #[schemars(skip)]
    Strange,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_no(yes: &bool) -> bool {
    !yes
}

/// What `handsReport` takes: what came of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandsReport {
    /// That of the welcome.
    pub session: String,
    /// The order.
    pub id: String,
    /// How it is.
    pub state: HandsState,
    /// What it said, as long as it was: with one `?` for each byte that belongs to no character.
    #[serde(default)]
    pub data: String,
    /// How many bytes it had said before, and has said with this.
    #[serde(default)]
    pub from: u64,
    /// See `from`.
    #[serde(default)]
    pub next: u64,
}

/// How an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum HandsState {
    /// Somebody is asked at the machine's terminal.
    Asked {},
    /// It runs.
    Running {},
    /// It was not run.
    Refused {
        /// In words.
        why: String,
    },
    /// It is over.
    Ended {
        /// Its exit code, if it had one.
        exit_code: Option<i32>,
        /// Whether it was done, with code 0.
        success: bool,
        /// How it ended, in words.
        how: String,
    },
    /// It was never heard of.
    Unknown {},
    /// It is over, and nothing more is known of it.
    Forgotten {},
}

/// What `handsReport` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heard {
    /// Whether more is waited for.
    pub wanted: bool,
}

/// What `setHands` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChooseHands {
    /// Where commands are to run.
    #[serde(rename = "where")]
    pub place: Place,
    /// On which machine; the only one that is lent, without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What `getHands` and `setHands` answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandsView {
    /// Where commands run.
    #[serde(rename = "where")]
    pub place: Place,
    /// The machine that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Since when, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Who chose it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who lent the machine that was chosen, if known. One of the same name that somebody else lends is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lender: Option<String>,
    /// Whether the operator lets people lend machines.
    pub takes: bool,
    /// The machines that are lent now.
    pub machines: Vec<HandsMachine>,
}

/// A machine that is lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandsMachine {
    /// What people call it.
    pub name: String,
    /// The directory commands begin in.
    pub directory: String,
    /// The system it has.
    pub platform: String,
    /// What runs there without a question.
    pub allow: Vec<String>,
    /// Whether commands are sandboxed there.
    pub sandboxed: bool,
    /// Whether somebody can be asked there.
    pub asks: bool,
    /// Whether it is the one that was chosen: commands run there.
    pub chosen: bool,
    /// Since when, in RFC 3339.
    pub since: String,
    /// Who lends it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}
