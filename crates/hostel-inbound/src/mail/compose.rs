//! `cx.mail()`: a letter becomes a message when it is ordered, so that what is wrong with it is told at once.

use std::{sync::Arc, time::Duration};

use hostel_core::{AgentId, Cx, Error, Result, Retry, ScheduleId, TaskOrders};
use hostel_protocol::refusal::Code;
use jiff::Timestamp;
use lettre::{
    Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};

use super::{Letter, Mail, email::Attachment, post};

/// How often a mail is tried: for about a day.
const RETRY: Retry = Retry { attempts: 32, first: Duration::from_secs(5), longest: Duration::from_secs(3600) };

/// A message as it waits in the queue.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Queued {
    pub(super) id: String,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) raw: String,
}

/// Gives agents their outbox.
pub trait SendMail {
    /// The agent's outbox.
    ///
    /// # Errors
    /// When the application was given no mail.
    fn mail(&self) -> Result<Outbox>;
}

impl<A> SendMail for Cx<A> {
    fn mail(&self) -> Result<Outbox> {
        let mail = self.env::<Mail>()?;
        Ok(Outbox { mail, orders: self.orders(), agent: self.id().clone(), now: self.now(), random: self.random() })
    }
}

/// Takes an agent's letters.
#[derive(Debug)]
pub struct Outbox {
    mail: Arc<Mail>,
    orders: TaskOrders,
    agent: AgentId,
    now: Timestamp,
    random: [u8; 16],
}

impl Outbox {
    /// Queues a letter. It is sent when the turn is durable, at least once; each attempt has the same `Message-ID`, by which
    /// receivers tell repetitions. What cannot be sent lies among the dead letters.
    ///
    /// # Errors
    /// `mail_invalid`, `mail_unavailable` if no server is configured, or those of an order.
    pub fn send(&self, letter: Letter) -> Result<ScheduleId> {
        let queued = self.compose(letter)?;
        self.orders.order(post::NAME, &(queued,)).retry(RETRY).in_any_order().now()
    }

    fn compose(&self, letter: Letter) -> Result<Queued> {
        refuse_line_breaks(&letter)?;
        let smtp = self.mail.0.options.smtp.as_ref().ok_or_else(|| {
            Error::coded(Code::MailUnavailable, "No server is configured that mail could be sent through.")
                .with_fix("say [mail.smtp] in hostel.toml, or `smtp` in the options of `App::mail`")
        })?;
        let from = mailbox(letter.from.as_deref().unwrap_or(&smtp.from))?;
        let domain = from.email.domain().to_owned();
        let id = format!("<{}@{domain}>", data_encoding::HEXLOWER.encode(&self.random_for(&letter)));
        let date = std::time::SystemTime::from(self.now);
        let mut builder =
            Message::builder().from(from).subject(&*letter.subject).date(date).message_id(Some(id.clone()));
        for to in &letter.to {
            builder = builder.to(mailbox(to)?);
        }
        for cc in &letter.cc {
            builder = builder.cc(mailbox(cc)?);
        }
        for bcc in &letter.bcc {
            builder = builder.bcc(mailbox(bcc)?);
        }
        if let Some(address) = letter.reply_to.clone().or_else(|| self.own_address()) {
            builder = builder.reply_to(mailbox(&address)?);
        }
        if let Some(answered) = letter.in_reply_to {
            builder = builder.in_reply_to(answered);
        }
        if let Some(references) = letter.references {
            builder = builder.references(references);
        }
        for (name, value) in letter.headers {
            builder = builder.raw_header(own_header(name, value)?);
        }
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        let message = match (letter.html, letter.attachments.is_empty()) {
            (Some(html), true) => builder.multipart(MultiPart::alternative_plain_html(letter.text, html)),
            (None, true) => builder.body(letter.text),
            (html, false) => builder.multipart(with_files(letter.text, html, letter.attachments)?),
        };
        let message = message.map_err(|error| invalid(&error.to_string()))?;
        let envelope = message.envelope();
        let from = envelope.from().map(ToString::to_string).unwrap_or_default();
        let to = envelope.to().iter().map(ToString::to_string).collect();
        let raw = String::from_utf8(message.formatted()).map_err(|_| invalid("it is no text"))?;
        Ok(Queued { id, from, to, raw })
    }

    /// Two letters of one outbox are two.
    fn random_for(&self, letter: &Letter) -> [u8; 16] {
        let text = format!("{:?}{letter:?}", self.random);
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_ref()[..16]);
        id
    }

    /// `class+name@domain`, if the name can stand in an address.
    fn own_address(&self) -> Option<String> {
        let options = &self.mail.0.options;
        let (domain, name) = (options.domains.first()?, self.agent.name());
        let fits = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        fits.then(|| format!("{}+{name}@{domain}", self.agent.namespace()))
    }
}

fn with_files(text: String, html: Option<String>, files: Vec<Attachment>) -> Result<MultiPart> {
    let whole = match html {
        Some(html) => MultiPart::mixed().multipart(MultiPart::alternative_plain_html(text, html)),
        None => MultiPart::mixed().singlepart(SinglePart::plain(text)),
    };
    files.into_iter().try_fold(whole, |whole, file| {
        let kind = &file.content_type;
        let kind = ContentType::parse(kind).map_err(|error| invalid(&format!("{kind:?} is no media type: {error}")))?;
        let part = lettre::message::Attachment::new(file.name.unwrap_or_default()).body(file.bytes, kind);
        Ok(whole.singlepart(part))
    })
}

/// A line break would begin a header of the writer's choice.
fn refuse_line_breaks(letter: &Letter) -> Result<()> {
    let own = letter.headers.iter().flat_map(|(name, value)| [name, value]);
    let addresses = letter.to.iter().chain(&letter.cc).chain(&letter.bcc).chain(&letter.from).chain(&letter.reply_to);
    let files = letter.attachments.iter().flat_map(|file| file.name.iter().chain([&file.content_type]));
    let mut all = addresses.chain(own).chain([&letter.subject]).chain(&letter.references).chain(files);
    if all.any(|text| text.chars().any(char::is_control)) {
        return Err(invalid(
            "an address, a header, the name of a file or the subject has a line break or another control character in it",
        ));
    }
    Ok(())
}

fn own_header(name: String, value: String) -> Result<HeaderValue> {
    let lower = name.to_ascii_lowercase();
    let allowed = (lower.starts_with("x-") && !lower.starts_with("x-agent-")) || lower.starts_with("list-");
    if !allowed {
        return Err(invalid(&format!("the header {name:?} is not for agents to set")));
    }
    let name = HeaderName::new_from_ascii(name).map_err(|error| invalid(&error.to_string()))?;
    Ok(HeaderValue::new(name, value))
}

fn mailbox(text: &str) -> Result<Mailbox> {
    text.parse().map_err(|error| invalid(&format!("{text:?} is no address: {error}")))
}

fn invalid(why: &str) -> Error {
    Error::coded(Code::MailInvalid, format!("The mail cannot be sent: {why}."))
}
