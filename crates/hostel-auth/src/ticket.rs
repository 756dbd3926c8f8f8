//! Tickets: what somebody who is known gets over HTTP, to open one socket with within the next moments.
//!
//! A ticket is the identity itself, signed with a key that lives as long as the process. So nothing is kept of a ticket that
//! was never used; of one that was, its number is, until it would have expired. After a restart no ticket is good any more.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use data_encoding::BASE64URL_NOPAD;
use hostel_core::Identity;
use hostel_protocol::refusal::Refusal;
use jiff::Timestamp;
use parking_lot::Mutex;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::refusals::{expired, invalid};

/// The longest ticket that is looked at.
const LONGEST: usize = 16 << 10;

/// Gives tickets out, and takes each back once.
pub(crate) struct TicketDesk {
    key: hmac::Key,
    random: SystemRandom,
    lifetime: Duration,
    /// Numbers of tickets that were used, with the time at which they would have expired.
    used: Mutex<HashMap<[u8; 16], u64>>,
}

/// A ticket that was given out.
#[derive(Debug, Serialize)]
pub(crate) struct Ticket {
    pub(crate) ticket: String,
    pub(crate) expires_in: u64,
}

#[derive(Serialize, Deserialize)]
struct Content {
    number: [u8; 16],
    until: u64,
    subject: String,
    issuer: Option<String>,
    roles: Vec<String>,
    claims: Map<String, Value>,
    expires: Option<Timestamp>,
    operator: bool,
    /// The only path it opens a socket at, if it was asked for one.
    path: Option<String>,
}

impl TicketDesk {
    /// `None` when the system gives no randomness.
    pub(crate) fn new(lifetime: Duration) -> Option<Self> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).ok()?;
        Some(Self { key, random, lifetime, used: Mutex::default() })
    }

    /// A ticket for `identity`; for sockets at `path` alone, if there is one.
    pub(crate) fn give(&self, identity: &Identity, path: Option<String>) -> Option<Ticket> {
        let mut number = [0; 16];
        self.random.fill(&mut number).ok()?;
        let content = Content {
            number,
            until: now() + u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX / 2),
            subject: identity.subject().to_owned(),
            issuer: identity.issuer().map(str::to_owned),
            roles: identity.roles().map(str::to_owned).collect(),
            claims: identity.claims().clone(),
            expires: identity.expires(),
            operator: identity.is_operator(),
            path,
        };
        let content = serde_json::to_vec(&content).ok()?;
        let signature = hmac::sign(&self.key, &content);
        let ticket = format!("{}.{}", BASE64URL_NOPAD.encode(&content), BASE64URL_NOPAD.encode(signature.as_ref()));
        Some(Ticket { ticket, expires_in: self.lifetime.as_secs() })
    }

    /// Whose ticket it is; it is worth nothing afterwards.
    ///
    /// # Errors
    /// When it was not given out here, has expired, is for another path, or was used before.
    pub(crate) fn take(&self, ticket: &str, path: &str) -> Result<Identity, Refusal> {
        let content =
            self.open(ticket).ok_or_else(|| invalid("This ticket was not given out here, or before a restart."))?;
        let now = now();
        if content.until <= now {
            return Err(expired());
        }
        if content.path.as_deref().is_some_and(|only| only != path) {
            return Err(invalid("This ticket was given out for another address."));
        }
        let mut used = self.used.lock();
        used.retain(|_, until| *until > now);
        if used.insert(content.number, content.until).is_some() {
            return Err(invalid("This ticket was used before: each is good for one connection."));
        }
        drop(used);
        Ok(content.into_identity())
    }

    fn open(&self, ticket: &str) -> Option<Content> {
        let (content, signature) = ticket.split_once('.').filter(|_| ticket.len() <= LONGEST)?;
        let content = BASE64URL_NOPAD.decode(content.as_bytes()).ok()?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        hmac::verify(&self.key, &content, &signature).ok()?;
        serde_json::from_slice(&content).ok()
    }
}

impl Content {
    fn into_identity(self) -> Identity {
        let identity = Identity::new(self.subject).with_roles(self.roles).with_claims(self.claims);
        let identity = self.issuer.into_iter().fold(identity, Identity::with_issuer);
        let identity = self.expires.into_iter().fold(identity, Identity::with_expiry);
        if self.operator { identity.as_operator() } else { identity }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Identity {
        Identity::new("ada").with_issuer("https://id.example").with_roles(["editor"])
    }

    #[test]
    fn a_ticket_is_good_once_and_tells_who_it_was_given_to() {
        let desk = TicketDesk::new(Duration::from_secs(30)).unwrap();
        let ticket = desk.give(&ada(), None).unwrap();
        let found = desk.take(&ticket.ticket, "/a").unwrap();
        assert_eq!(
            (found.subject(), found.issuer(), found.has_role("editor")),
            ("ada", Some("https://id.example"), true)
        );
        assert!(!found.is_operator());
        assert!(desk.take(&ticket.ticket, "/a").unwrap_err().message.contains("used before"));
        assert_eq!(desk.used.lock().len(), 1);
    }

    #[test]
    fn a_ticket_for_one_address_opens_no_socket_at_another_and_is_not_used_up_there() {
        let desk = TicketDesk::new(Duration::from_secs(30)).unwrap();
        let ticket = desk.give(&ada(), Some("/agents/notes/ada".into())).unwrap().ticket;
        for other in ["/agents/notes/bob", "/agents/notes/ada/more", "/agents/notes", ""] {
            assert!(desk.take(&ticket, other).unwrap_err().message.contains("another address"), "{other}");
        }
        assert!(desk.take(&ticket, "/agents/notes/ada").is_ok());
    }

    #[test]
    fn a_ticket_of_another_process_an_old_one_and_a_changed_one_are_refused() {
        let desk = TicketDesk::new(Duration::from_secs(30)).unwrap();
        let ticket = desk.give(&ada(), None).unwrap().ticket;
        assert!(TicketDesk::new(Duration::from_secs(30)).unwrap().take(&ticket, "/a").is_err());
        for at in 0..ticket.len() {
            let mut changed = ticket.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(desk.take(&String::from_utf8(changed).unwrap(), "/a").is_err(), "{at}");
        }
        let late = TicketDesk::new(Duration::ZERO).unwrap();
        let ticket = late.give(&ada(), None).unwrap().ticket;
        assert_eq!(late.take(&ticket, "/a").unwrap_err().code, hostel_protocol::refusal::Code::TokenExpired);
        assert!(late.used.lock().is_empty());
        for text in ["", ".", "a.b", &"x".repeat(1 << 20)] {
            assert!(desk.take(text, "/a").is_err());
        }
    }
}
