//! Taking a mail: signature, loops, and one order for each recipient.

use hostel_core::{AgentId, Error, task::Order};
use hostel_protocol::refusal::{Code, Refusal};
use hostel_runtime::Node;
use jiff::Timestamp;
use mail_parser::{Message, MessageParser};
use ring::digest;

use super::{Email, Mail, address, email::header};
use crate::webhook::hex;

/// A mail that went through more servers goes in a circle.
const MOST_HOPS: usize = 50;

/// A mail with its envelope.
#[derive(Debug)]
pub struct Taken<'a> {
    /// Who sends it; empty for what servers write.
    pub from: &'a str,
    /// Whom it is for, and which agent that is.
    pub to: &'a [(String, AgentId)],
    /// All of it.
    pub raw: &'a [u8],
}

impl Mail {
    /// Puts a mail into the queues of its agents. When this returns it is durable; taken again, it is the same.
    ///
    /// # Errors
    /// `mail_unroutable`, `malformed_request`, or why an agent's queue did not take it: then it may be sent again.
    pub async fn take(&self, node: &Node, mail: Taken<'_>) -> Result<(), Refusal> {
        let digest = hex(digest::digest(&digest::SHA256, mail.raw).as_ref());
        let signed = self.signed(node, mail.raw).await?;
        let one: Vec<(String, AgentId)>;
        let recipients = match &signed {
            Some(agent) => {
                let to = mail.to.first().map(|(to, _)| to.clone()).unwrap_or_default();
                one = vec![(to, agent.clone())];
                &one
            }
            None => mail.to,
        };
        for (to, agent) in recipients {
            let email = Email::new(&digest, mail.from, to, Timestamp::now(), signed.is_some(), mail.raw);
            self.order(node, agent, &email).await.map_err(|error: Error| {
                tracing::warn!(agent = %agent, error = ?error, "a mail could not be queued");
                error.to_refusal(Code::Internal)
            })?;
        }
        Ok(())
    }

    async fn order(&self, node: &Node, agent: &AgentId, email: &Email) -> hostel_core::Result<()> {
        let order =
            Order { source: Some(format!("mail {}", email.id)), ..Order::new(self.0.options.task.clone(), &(email,))? };
        let run = node.order(agent, order, Some(&format!("mail:{}:{}", email.id, email.to))).await?;
        tracing::info!(agent = %agent, mail = email.id, run = %run, "a mail is queued");
        Ok(())
    }

    /// The agent that a mail answers, by its signature. A signature that is no good is refused: it may be a forgery.
    async fn signed(&self, node: &Node, raw: &[u8]) -> Result<Option<AgentId>, Refusal> {
        let Some(parts) = parts(raw)? else { return Ok(None) };
        let Some(key) = &self.0.options.reply_key else { return Ok(None) };
        let key = key.reveal(self.0.vault.as_ref()).await.map_err(|error| {
            tracing::error!(error = %error, "the key of signed replies cannot be had");
            Refusal::new(Code::VaultUnavailable, "The key of signed replies cannot be had now.")
        })?;
        let [name, id, signature, at] = &parts;
        if !address::is_signed(key.expose(), [name, id, signature, at], Timestamp::now()) {
            let message = "The signature of this reply is wrong, or older than 30 days.";
            return Err(Refusal::new(Code::MailUnroutable, message));
        }
        address::checked(&self.0.options, node, name, id).map(Some)
    }
}

/// The four headers of a signed reply, if all are there.
fn parts(raw: &[u8]) -> Result<Option<[String; 4]>, Refusal> {
    let unreadable = || Refusal::new(Code::MalformedRequest, "The mail cannot be read.");
    let mail: Message<'_> = MessageParser::default().parse_headers(raw).ok_or_else(unreadable)?;
    if mail.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case("received")).count() > MOST_HOPS {
        return Err(Refusal::new(
            Code::MalformedRequest,
            "The mail went through too many servers: it goes in a circle.",
        ));
    }
    let part = |name| header(&mail, name);
    let all = (part("X-Agent-Name"), part("X-Agent-ID"), part("X-Agent-Sig"), part("X-Agent-Sig-Ts"));
    Ok(match all {
        (Some(name), Some(id), Some(signature), Some(at)) => Some([name, id, signature, at]),
        _ => None,
    })
}
