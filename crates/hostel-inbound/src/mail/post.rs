//! Sending what waits in the queue, through the server that is configured.

use std::time::Duration;

use hostel_core::{
    AgentId, BoxFuture, Error,
    errand::{Errand, Failure},
};
use hostel_protocol::refusal::Code;
use jiff::Timestamp;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor, address::Envelope,
    transport::smtp::authentication::Credentials,
};

use super::{Mail, Smtp, SmtpTls, address, compose::Queued};

/// The name of the errand.
pub(super) const NAME: &str = "hostel:mail";

/// Sends mail: the errand behind `cx.mail()`.
#[derive(Debug, Clone)]
pub struct Postman(Mail);

impl Postman {
    /// Of this mail.
    pub fn new(mail: Mail) -> Self {
        Self(mail)
    }

    async fn post(&self, agent: &AgentId, args: &str) -> Result<(), Failure> {
        let (queued,): (Queued,) = serde_json::from_str(args).map_err(|error| Failure::Final(error.into()))?;
        let smtp = self.0.0.options.smtp.as_ref().ok_or_else(|| again("no server is configured"))?;
        let envelope = envelope(&queued).map_err(Failure::Final)?;
        let raw = self.signature(agent).await? + &queued.raw;
        let sent = self.transport(smtp).await?.send_raw(&envelope, raw.as_bytes()).await;
        match sent {
            Ok(_) => {
                tracing::info!(agent = %agent, message = queued.id, "a mail was sent");
                Ok(())
            }
            Err(error) if error.is_permanent() => {
                let message = format!("The mail server refused it: {error}");
                Err(Failure::Final(Error::coded(Code::MailRefused, message)))
            }
            Err(error) => Err(again(&error.to_string())),
        }
    }

    /// The headers by which an answer finds its agent.
    async fn signature(&self, agent: &AgentId) -> Result<String, Failure> {
        let Some(key) = &self.0.0.options.reply_key else { return Ok(String::new()) };
        let (name, id) = (agent.namespace(), agent.name());
        if !id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') || id.len() > 200 {
            return Ok(String::new());
        }
        let key = key.reveal(self.0.0.vault.as_ref()).await.map_err(|error| Failure::Again(error.to_error()))?;
        let at = Timestamp::now().as_second();
        let signature = address::sign(key.expose(), name, id, at);
        Ok(format!("X-Agent-Name: {name}\r\nX-Agent-ID: {id}\r\nX-Agent-Sig: {signature}\r\nX-Agent-Sig-Ts: {at}\r\n"))
    }

    async fn transport(&self, smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failure> {
        let builder = match smtp.tls {
            SmtpTls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.host),
            SmtpTls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.host),
            SmtpTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)),
        };
        let mut builder = builder.map_err(|error| again(&error.to_string()))?.timeout(Some(smtp.timeout));
        if let Some(port) = smtp.port {
            builder = builder.port(port);
        }
        if let (Some(user), Some(password)) = (&smtp.user, &smtp.password) {
            let password = password.reveal(self.0.0.vault.as_ref()).await;
            let password = password.map_err(|error| Failure::Again(error.to_error()))?;
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(builder.build())
    }
}

impl Errand for Postman {
    fn name(&self) -> &'static str {
        NAME
    }

    fn timeout(&self) -> Duration {
        self.0.0.options.smtp.as_ref().map_or(Duration::from_secs(60), |smtp| smtp.timeout) + Duration::from_secs(30)
    }

    fn run(&self, agent: AgentId, args: String) -> BoxFuture<Result<(), Failure>> {
        let postman = self.clone();
        Box::pin(async move { postman.post(&agent, &args).await })
    }
}

fn envelope(queued: &Queued) -> Result<Envelope, Error> {
    let read = |text: &String| text.parse::<Address>().map_err(Error::from);
    let from = if queued.from.is_empty() { None } else { Some(read(&queued.from)?) };
    let to = queued.to.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Envelope::new(from, to)?)
}

fn again(why: &str) -> Failure {
    Failure::Again(Error::coded(Code::MailUnavailable, format!("The mail could not be sent now: {why}.")))
}
