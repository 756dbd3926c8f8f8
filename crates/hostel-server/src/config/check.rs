//! Rules that concern several settings at once.

use hostel::Limits;

use super::{ByteSize, Config, Mode, Value as _};

/// A configuration that is readable but must not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsafe {
    /// Open to the network without anybody being asked who they are.
    #[error(
        "refusing to listen on {listen}: everybody who reaches that address could read and steer every agent, because there is no authentication. Add [auth] to hostel.toml (docs/auth.md), listen on 127.0.0.1, or say --insecure-no-auth if that is what you want"
    )]
    OpenToTheNetwork {
        /// The address asked for.
        listen: std::net::SocketAddr,
    },
    /// More than a message may ever have.
    #[error("max_message_bytes is {asked}, and {greatest} is the most; send larger data over HTTP")]
    MessageBytes {
        /// The size asked for.
        asked: String,
        /// The greatest possible one.
        greatest: String,
    },
    /// Half of what TLS needs.
    #[error("TLS needs both a certificate and a key: add --{missing}")]
    HalfTls {
        /// The flag that is missing.
        missing: &'static str,
    },
    /// The prefix leads nowhere.
    #[error("the prefix {prefix:?} is no path: use segments such as agents or api/v1")]
    Prefix {
        /// The prefix asked for.
        prefix: String,
    },
}

impl Config {
    /// Checks what no single value can tell.
    ///
    /// # Errors
    ///
    /// The first broken rule, in a sentence that says what to change.
    pub fn check(&self) -> Result<(), Unsafe> {
        let guarded = self.sections.auth.is_some() || *self.insecure_no_auth;
        if !self.listen.ip().is_loopback() && !guarded {
            let listen = *self.listen;
            return Err(Unsafe::OpenToTheNetwork { listen });
        }
        self.check_message_bytes()?;
        match (&*self.tls_cert, &*self.tls_key) {
            (Some(_), None) => return Err(Unsafe::HalfTls { missing: "tls-key" }),
            (None, Some(_)) => return Err(Unsafe::HalfTls { missing: "tls-cert" }),
            _ => {}
        }
        self.check_prefix()
    }

    fn check_message_bytes(&self) -> Result<(), Unsafe> {
        let greatest = ByteSize(Limits::MAX_MESSAGE_BYTES as u64);
        if *self.max_message_bytes <= greatest {
            return Ok(());
        }
        Err(Unsafe::MessageBytes { asked: self.max_message_bytes.show(), greatest: greatest.show() })
    }

    fn check_prefix(&self) -> Result<(), Unsafe> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let mut segments = self.prefix.split('/').filter(|part| !part.is_empty()).peekable();
        let some = segments.peek().is_some();
        if some && segments.all(|part| part.chars().all(plain) && part != "." && part != "..") {
            return Ok(());
        }
        let prefix = self.prefix.value.clone();
        Err(Unsafe::Prefix { prefix })
    }

    /// Whether refusals may list agents and methods.
    #[must_use]
    pub fn is_development(&self) -> bool {
        match *self.mode {
            Mode::Auto => self.listen.ip().is_loopback(),
            Mode::Development => true,
            Mode::Production => false,
        }
    }

    /// Whether the server speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls_cert.is_some() && self.tls_key.is_some()
    }
}
