//! A mail as an agent is handed it.

use std::borrow::Cow;

use data_encoding::BASE64;
use jiff::Timestamp;
use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders as _};
use serde::{Deserialize, Serialize};

use super::Letter;

/// A mail that came in. It is the argument of the task that handles it. Nothing in it can be trusted: anybody can write any
/// `From`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// A digest of all of it.
    pub id: String,
    /// Who sent it, by the envelope; empty for what mail servers write themselves.
    pub from: String,
    /// Whom it was for, by the envelope.
    pub to: String,
    /// When it came.
    pub received_at: Timestamp,
    /// It answers a mail of this agent, by the signature it carries.
    pub signed: bool,
    /// The whole mail; as base64 if it is no text.
    raw: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    base64: bool,
}

/// What is attached to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its file name, if it has one. Not to be used as a path.
    pub name: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Email {
    pub(super) fn new(id: &str, from: &str, to: &str, received_at: Timestamp, signed: bool, raw: &[u8]) -> Self {
        let (raw, base64) = match std::str::from_utf8(raw) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (BASE64.encode(raw), true),
        };
        Self { id: id.to_owned(), from: from.to_owned(), to: to.to_owned(), received_at, signed, raw, base64 }
    }

    /// All of it, as it came.
    pub fn raw(&self) -> Cow<'_, [u8]> {
        if !self.base64 {
            return Cow::Borrowed(self.raw.as_bytes());
        }
        Cow::Owned(BASE64.decode(self.raw.as_bytes()).unwrap_or_default())
    }

    fn look<T>(&self, look: impl FnOnce(&Message<'_>) -> Option<T>) -> Option<T> {
        look(&MessageParser::default().parse(&*self.raw())?)
    }

    /// Its subject.
    pub fn subject(&self) -> Option<String> {
        self.look(|mail| mail.subject().map(str::to_owned))
    }

    /// What it says, as text; made from its HTML if it has no other.
    pub fn text(&self) -> Option<String> {
        self.look(|mail| mail.body_text(0).map(Cow::into_owned))
    }

    /// What it says, as HTML; made from its text if it has no other.
    pub fn html(&self) -> Option<String> {
        self.look(|mail| mail.body_html(0).map(Cow::into_owned))
    }

    /// A header as it stands there, by its name.
    pub fn header(&self, name: &str) -> Option<String> {
        self.look(|mail| header(mail, name))
    }

    /// What is attached to it.
    pub fn attachments(&self) -> Vec<Attachment> {
        let all = self.look(|mail| {
            let each = mail.attachments().map(|part| Attachment {
                name: part.attachment_name().map(str::to_owned),
                content_type: part.content_type().map_or_else(
                    || "application/octet-stream".to_owned(),
                    |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")),
                ),
                bytes: part.contents().to_vec(),
            });
            Some(each.collect())
        });
        all.unwrap_or_default()
    }

    /// Whether a program wrote it: a bounce, a holiday note, a list. An agent that answers those may answer for ever.
    pub fn is_automatic(&self) -> bool {
        let says = |name: &str| self.header(name);
        self.from.is_empty()
            || says("Auto-Submitted").is_some_and(|value| !value.eq_ignore_ascii_case("no"))
            || says("List-Id").is_some()
            || says("Precedence").is_some_and(|value| ["bulk", "list", "junk"].contains(&&*value.to_ascii_lowercase()))
    }

    /// An answer: to `Reply-To` or else `From`, with the subject and in the thread of this one.
    pub fn reply(&self, text: impl Into<String>) -> Letter {
        let to = self.look(|mail| {
            let address = mail.reply_to().or_else(|| mail.from())?.first()?.address()?.to_owned();
            Some(address)
        });
        let subject = self.subject().unwrap_or_default();
        let answers = subject.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:"));
        let subject = if answers { subject } else { format!("Re: {subject}") };
        let letter = Letter::to(to.unwrap_or_else(|| self.from.clone())).subject(subject).text(text);
        match self.look(|mail| mail.message_id().map(str::to_owned)) {
            Some(id) => letter.answers(&id, self.header("References").as_deref()),
            None => letter,
        }
    }
}

pub(super) fn header(mail: &Message<'_>, name: &str) -> Option<String> {
    let raw = mail.headers_raw().find(|(own, _)| own.eq_ignore_ascii_case(name));
    let raw = raw.map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "));
    raw.or_else(|| match mail.header(name.to_owned()) {
        Some(HeaderValue::Text(text)) => Some(text.to_string()),
        _ => None,
    })
}
