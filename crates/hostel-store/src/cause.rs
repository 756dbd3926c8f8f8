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
