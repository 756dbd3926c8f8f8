//! Why a turn was done, in a few bytes of its record.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a turn is done. Borrowed: it is said for every turn, and packed into a buffer that is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause<'a> {
    /// What kind of event: `call`, `state`, `connect`, `close`, `message`, `request`, `alarm`, `start`, `update`, `restore`,
    /// `fork`, `import`, or a word of the caller's.
    pub event: &'a str,
    /// What exactly: the method's name, or nothing.
    pub what: &'a str,
    /// Who brought it about.
    pub author: Author<'a>,
}

/// Who brought a turn about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author<'a> {
    /// The agent, of its own accord.
    Agent,
    /// A client, by the number of its connection.
    Connection(&'a str),
    /// Another agent, as `namespace/name`.
    Caller(&'a str),
    /// An HTTP request.
    Request,
    /// A schedule.
    Schedule,
    /// Whoever runs the server.
    Operator,
    /// The application's own code, outside of agents.
    Application,
    /// Somebody the server knows, by the subject of their identity.
    User(&'a str),
}

/// Words that take one byte. Their places never change; new ones are appended.
const EVENTS: &[&str] = &[
    "", "call", "state", "connect", "close", "message", "request", "alarm", "start", "update", "restore", "fork",
    "import",
];
const VERSION: u8 = 1;
/// Begins the causes of several turns that share a record: runs of equal causes, each with its count and its length.
const SEVERAL: u8 = 2;
/// The most runs that are read; a record that was brought from elsewhere may claim any number.
const MOST_RUNS: usize = 64;
/// An event that is written out.
const SPELLED: u8 = 255;
/// Longer texts are cut; a name of an agent may have a thousand bytes.
const LONGEST: usize = 200;

impl Cause<'_> {
    /// Packs the cause into `out`, in place of what is there.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.push(VERSION);
        let known = EVENTS.iter().position(|event| *event == self.event).and_then(|at| u8::try_from(at).ok());
        out.push(known.unwrap_or(SPELLED));
        if known.is_none() {
            put(out, self.event);
        }
        put(out, self.what);
        let (tag, detail) = match self.author {
            Author::Agent => (0, ""),
            Author::Connection(id) => (1, id),
            Author::Caller(agent) => (2, agent),
            Author::Request => (3, ""),
            Author::Schedule => (4, ""),
            Author::Operator => (5, ""),
            Author::Application => (6, ""),
            Author::User(subject) => (7, subject),
        };
        out.push(tag);
        put(out, detail);
    }
}

/// The causes of turns that share a record, in their order.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    bytes: Vec<u8>,
    /// Where the last run begins in `bytes`.
    last: usize,
    turns: u32,
}

impl Causes {
    /// The next turn's, packed.
    pub(crate) fn push(&mut self, cause: &[u8]) {
        self.turns += 1;
        if self.bytes.is_empty() {
            self.bytes.push(SEVERAL);
        } else if self.bytes[self.last] < u8::MAX && &self.bytes[self.last + 3..] == cause {
            self.bytes[self.last] += 1;
            return;
        }
        self.last = self.bytes.len();
        self.bytes.push(1);
        self.bytes.extend_from_slice(&(cause.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(cause);
    }

    pub(crate) fn turns(&self) -> u32 {
        self.turns
    }

    /// All of them, packed. One alone is as it would be without the others.
    pub(crate) fn packed(&self) -> &[u8] {
        if self.turns == 1 { &self.bytes[self.last + 3..] } else { &self.bytes }
    }

    /// The room is used again.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.turns = 0;
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// Why a turn was done, as read back. Every part is empty for a turn that did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnCause {
    /// What kind of event.
    pub event: String,
    /// What exactly: the method's name, or nothing.
    pub what: String,
    /// Who: `agent`, `connection …`, `user …`, `agent namespace/name`, `request`, `schedule`, `operator` or `application`.
    pub author: String,
}

/// Turns in a row, of those that share a record, that were done for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseRun {
    /// Why.
    pub cause: TurnCause,
    /// How many turns.
    pub turns: u32,
}

impl CauseRun {
    /// Reads what [`Causes`] has packed; empty if that is the cause of one turn, or not understood.
    pub(crate) fn decode(bytes: &[u8]) -> Vec<Self> {
        Self::parse(bytes).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Vec<Self>> {
        let (&[SEVERAL], mut rest) = bytes.split_first_chunk::<1>()? else { return None };
        let mut runs = Vec::new();
        while let Some((&[turns, low, high], behind)) = rest.split_first_chunk::<3>() {
            if runs.len() == MOST_RUNS {
                return None;
            }
            let (cause, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
            runs.push(Self { cause: TurnCause::decode(cause), turns: turns.into() });
            rest = behind;
        }
        rest.is_empty().then_some(runs)
    }
}

impl TurnCause {
    /// Reads what [`Cause::encode`] has packed. What is not understood (a newer version's) is left empty.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self::parse(bytes).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[VERSION, event], mut rest) = bytes.split_first_chunk::<2>()? else { return None };
        let event = match event {
            SPELLED => take(&mut rest)?,
            known => (*EVENTS.get(usize::from(known))?).to_owned(),
        };
        let what = take(&mut rest)?;
        let (&tag, mut rest) = rest.split_first()?;
        let detail = take(&mut rest)?;
        let author = match tag {
            0 => "agent".to_owned(),
            1 => format!("connection {detail}"),
            2 => format!("agent {detail}"),
            3 => "request".to_owned(),
            4 => "schedule".to_owned(),
            5 => "operator".to_owned(),
            6 => "application".to_owned(),
            7 => format!("user {detail}"),
            _ => return None,
        };
        Some(Self { event, what, author })
    }
}

fn take(rest: &mut &[u8]) -> Option<String> {
    let (&length, behind) = rest.split_first()?;
    let (text, behind) = behind.split_at_checked(usize::from(length))?;
    *rest = behind;
    String::from_utf8(text.to_vec()).ok()
}

/// As in `call increment by connection 7f3a`.
impl fmt::Display for TurnCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.event.is_empty() {
            return f.write_str("not recorded");
        }
        f.write_str(&self.event)?;
        if !self.what.is_empty() {
            write!(f, " {}", self.what)?;
        }
        write!(f, " by {}", self.author)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(cause: Cause<'_>) -> String {
        let mut bytes = vec![9; 3];
        cause.encode(&mut bytes);
        for cut in 0..bytes.len() {
            assert_eq!(TurnCause::decode(&bytes[..cut]), TurnCause::default());
        }
        TurnCause::decode(&bytes).to_string()
    }

    #[test]
    fn a_cause_comes_back_as_it_was_said() {
        let call = Cause { event: "call", what: "increment", author: Author::Connection("7f") };
        assert_eq!(shown(call), "call increment by connection 7f");
        assert_eq!(shown(Cause { event: "alarm", what: "", author: Author::Schedule }), "alarm by schedule");
        assert_eq!(shown(Cause { event: "tidy", what: "é", author: Author::Caller("a/b") }), "tidy é by agent a/b");
        assert_eq!(shown(Cause { event: "state", what: "", author: Author::User("ada") }), "state by user ada");
        assert_eq!(TurnCause::decode(&[]).to_string(), "not recorded");
    }

    #[test]
    fn causes_of_turns_that_share_a_record_come_back_in_their_order_and_one_alone_is_as_ever() {
        let pack = |what| {
            let mut bytes = Vec::new();
            Cause { event: "call", what, author: Author::Connection("7f") }.encode(&mut bytes);
            bytes
        };
        let (add, take) = (pack("add"), pack("take"));
        let mut causes = Causes::default();
        for _ in 0..2 {
            causes.push(&add);
            assert_eq!(causes.packed(), add);
            (0..299).for_each(|_| causes.push(&add));
            causes.push(&take);
            causes.push(&add);
            assert_eq!(causes.turns(), 302);
            let runs = CauseRun::decode(causes.packed());
            let shown: Vec<_> = runs.iter().map(|run| format!("{} {}", run.turns, run.cause.what)).collect();
            assert_eq!(shown, ["255 add", "45 add", "1 take", "1 add"]);
            for cut in 0..causes.packed().len() {
                let part = CauseRun::decode(&causes.packed()[..cut]);
                assert!(part.is_empty() || runs.starts_with(&part));
            }
            causes.clear();
        }
        assert!(CauseRun::decode(&add).is_empty());
        assert_eq!(TurnCause::decode(&[SEVERAL, 1, 0, 0]), TurnCause::default());
    }

    #[test]
    fn a_usual_cause_is_a_few_dozen_bytes_and_a_long_one_is_cut() {
        let mut bytes = Vec::new();
        Cause { event: "call", what: "increment", author: Author::Connection(&"c".repeat(36)) }.encode(&mut bytes);
        assert!(bytes.len() <= 64, "{}", bytes.len());
        Cause { event: "é".repeat(300).as_str(), what: &"w".repeat(5000), author: Author::Caller(&"é".repeat(500)) }
            .encode(&mut bytes);
        assert!(bytes.len() < 4 * (LONGEST + 2));
        assert_eq!(TurnCause::decode(&bytes).what, "w".repeat(LONGEST));
    }
}
