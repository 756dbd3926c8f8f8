//! Facts about one connection: close codes, tags, flags.

use serde::{Deserialize, Serialize};

/// WebSocket close codes and what clients make of them.
pub mod close {
    /// Done; clients of every version come back unless they closed themselves.
    pub const NORMAL: u16 = 1000;
    /// The instance or the server goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke RFC 6455.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// A kind of message this end does not take.
    pub const UNSUPPORTED: u16 = 1003;
    /// Stands for "closed without a code"; never on the wire.
    pub const NO_STATUS: u16 = 1005;
    /// Stands for "connection lost"; never on the wire.
    pub const ABNORMAL: u16 = 1006;
    /// A text message that is not UTF-8.
    pub const INVALID_PAYLOAD: u16 = 1007;
    /// Refused for good: clients do not come back.
    pub const POLICY: u16 = 1008;
    /// A message or frame over the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The server failed; clients come back.
    pub const INTERNAL_ERROR: u16 = 1011;
    /// The server restarts; clients come back.
    pub const SERVICE_RESTART: u16 = 1012;
    /// Not now; clients come back.
    pub const TRY_AGAIN_LATER: u16 = 1013;

    /// The reason the reference server gives when connection setup fails.
    pub const SETUP_FAILED_REASON: &str = "Uncaught exception during session setup";

    /// The longest close reason in bytes: a control frame holds 125, two of
    /// which are the code.
    pub const MAX_REASON_BYTES: usize = 123;

    /// Whether `AgentClient` and `useAgent` from 0.17 on give up after it.
    /// Older clients and plain partysocket come back after any code.
    #[must_use]
    pub const fn is_terminal(code: u16) -> bool {
        matches!(code, 1008 | 4000..=4999)
    }

    /// Whether RFC 6455 allows the code in a close frame.
    #[must_use]
    pub const fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// The most tags a connection has, its id included.
pub const MAX_TAGS: usize = 10;
/// The longest tag, in UTF-16 units as JavaScript counts.
pub const MAX_TAG_CHARS: usize = 256;

/// The flags of a connection that outlive the hibernation of its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ConnectionFlags {
    /// State frames and state-changing calls of this connection are refused.
    pub readonly: bool,
    /// It gets no identity, state or MCP frames.
    pub no_protocol: bool,
}

/// The tags of a connection: its id first, then `tags` without repetitions.
///
/// # Errors
///
/// The reference server's sentence for the first broken rule: too many tags,
/// an empty one, one too long.
pub fn validate_tags<T: AsRef<str>>(id: &str, tags: impl IntoIterator<Item = T>) -> Result<Vec<String>, String> {
    let mut all = vec![id.to_owned()];
    for tag in tags {
        let tag = tag.as_ref();
        if all.iter().any(|known| known == tag) {
            continue;
        }
        if all.len() == MAX_TAGS {
            return Err(format!("A connection can only have {MAX_TAGS} tags, including the default id tag."));
        }
        all.push(tag.to_owned());
    }
    all.iter().try_for_each(|tag| check_tag(tag))?;
    Ok(all)
}

fn check_tag(tag: &str) -> Result<(), String> {
    if tag.is_empty() {
        return Err("A connection tag must not be an empty string.".to_owned());
    }
    if tag.encode_utf16().count() > MAX_TAG_CHARS {
        return Err(format!("A connection tag must not exceed {MAX_TAG_CHARS} characters."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_first_tag_and_repetitions_vanish() {
        let tags = validate_tags("me", ["x", "me", "x", "y"]).unwrap();
        assert_eq!(tags, ["me", "x", "y"]);
        assert_eq!(validate_tags("me", [""; 0]).unwrap(), ["me"]);
    }

    #[test]
    fn ten_tags_besides_the_id_are_too_many() {
        let ten: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
        let text = "A connection can only have 10 tags, including the default id tag.";
        assert_eq!(validate_tags("me", &ten).unwrap_err(), text);
        assert_eq!(validate_tags("me", &ten[..9]).unwrap().len(), 10);
    }

    #[test]
    fn an_empty_tag_is_refused_in_the_reference_words() {
        let text = "A connection tag must not be an empty string.";
        assert_eq!(validate_tags("me", [""]).unwrap_err(), text);
    }

    #[test]
    fn a_tag_of_256_characters_fits_and_257_do_not() {
        assert!(validate_tags("me", ["é".repeat(256)]).is_ok());
        assert!(validate_tags("me", ["é".repeat(257)]).is_err());
        assert!(validate_tags("me", ["𝄞".repeat(129)]).is_err());
    }

    #[test]
    fn only_1008_and_the_4000s_are_final() {
        let last: Vec<u16> = (0..=u16::MAX).filter(|c| close::is_terminal(*c)).collect();
        assert_eq!(last.len(), 1001);
        assert_eq!((last[0], last[1], last[1000]), (1008, 4000, 4999));
    }

    #[test]
    fn placeholder_and_reserved_codes_may_not_be_sent() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(!close::may_be_sent(code), "{code}");
        }
        for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
            assert!(close::may_be_sent(code), "{code}");
        }
    }
}
