//! Mail in and out: what is configured, and where an address leads.

mod address;
mod compose;
mod email;
mod letter;
mod post;
mod smtp;
mod take;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use hostel_core::AgentId;
use hostel_edge::listener::Tls;
use hostel_runtime::Node;
use hostel_vault::{SecretValue, Vault};

pub use self::{
    compose::{Outbox, SendMail},
    email::{Attachment, Email},
    letter::Letter,
    post::Postman,
    smtp::Listener,
    take::Taken,
};

/// The task that is handed a mail if no other is named.
pub const DEFAULT_TASK: &str = "onEmail";

/// Chooses an agent by sender and recipient of the envelope; `None` leaves it to the address.
pub type Resolver = Arc<dyn Fn(&str, &str) -> Option<AgentId> + Send + Sync>;

/// How mail comes in and goes out.
#[derive(Clone)]
pub struct Options {
    /// Where to listen for SMTP. Default nowhere.
    pub listen: Option<SocketAddr>,
    /// Certificate and key for `STARTTLS`. Default none: then mail comes in the clear.
    pub tls: Option<Tls>,
    /// Takes mail only after `STARTTLS`. Default false: servers that cannot do it are let in, as is usual on port 25.
    pub require_tls: bool,
    /// The domains that are ours: mail to others is refused. The first is in the addresses agents write from.
    pub domains: Vec<String>,
    /// The class whose agent is handed what is for no class: `info@domain` goes to its agent `info`.
    pub default_agent: Option<String>,
    /// Asked before the address is.
    pub resolver: Option<Resolver>,
    /// Signs what goes out, so that an answer finds its agent (agents-protocol, 7.3).
    pub reply_key: Option<SecretValue>,
    /// The task that is handed a mail, by its wire name. Default `onEmail`.
    pub task: String,
    /// Greatest mail that is taken. Default 5 MiB.
    pub most_bytes: usize,
    /// The server that mail is sent through. Default none.
    pub smtp: Option<Smtp>,
}

/// The server that mail is sent through.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port; 465, 587 or 25 by its `tls`.
    pub port: Option<u16>,
    /// Whether it speaks TLS.
    pub tls: SmtpTls,
    /// Whom to log in as.
    pub user: Option<String>,
    /// With what.
    pub password: Option<SecretValue>,
    /// Who writes, if a letter does not say: `Agents <agents@example.org>`.
    pub from: String,
    /// How long one attempt may take. Default 60 s.
    pub timeout: Duration,
}

/// How a mail server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmtpTls {
    /// After `STARTTLS`, and not without.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all: for a server on this machine.
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            require_tls: false,
            domains: Vec::new(),
            default_agent: None,
            resolver: None,
            reply_key: None,
            task: DEFAULT_TASK.to_owned(),
            most_bytes: 5 << 20,
            smtp: None,
        }
    }
}

/// Mail as agents and the listener see it. Cheap to clone.
#[derive(Clone)]
pub struct Mail(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) vault: Option<Vault>,
}

impl Mail {
    /// With these options; secrets come from `vault`.
    pub fn new(mut options: Options, vault: Option<Vault>) -> Self {
        options.domains.iter_mut().for_each(|domain| domain.make_ascii_lowercase());
        Self(Arc::new(Inner { options, vault }))
    }

    /// How it is set up.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// What a mail of the greatest size may take in the queue.
    #[doc(hidden)]
    pub fn bytes_in_the_queue(&self) -> usize {
        // As base64, with what is kept beside it.
        self.0.options.most_bytes.saturating_mul(3) / 2 + (64 << 10)
    }

    /// Where an address leads.
    ///
    /// # Errors
    /// `mail_unroutable`, in words for the sender.
    pub fn resolve(&self, node: &Node, from: &str, to: &str) -> Result<AgentId, hostel_protocol::refusal::Refusal> {
        address::resolve(&self.0.options, node, from, to)
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("domains", &self.0.options.domains).finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("listen", &self.listen).field("domains", &self.domains).finish_non_exhaustive()
    }
}
