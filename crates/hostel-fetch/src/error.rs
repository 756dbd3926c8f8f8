//! Why something could not be fetched.

use std::error::Error as _;

use hostel_protocol::refusal::{Code, Refusal};

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It may not be reached.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What the operator would have to list.
        host: Option<String>,
    },
    /// It is larger than was asked for.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The other side could not be reached, or did not keep to HTTP.
    #[error("{0}")]
    Failed(String),
}

impl FetchError {
    pub(crate) fn with_host(self, name: &str) -> Self {
        match self {
            Self::Refused { message, .. } => Self::Refused { message, host: Some(name.to_owned()) },
            other => other,
        }
    }

    /// What to change, where the operator can.
    pub fn fix(&self) -> Option<String> {
        match self {
            Self::Refused { host: Some(host), .. } => {
                Some(format!("if that is meant, the operator lists it: allow_hosts = [\"{host}\"] in hostel.toml"))
            }
            _ => None,
        }
    }

    /// As a refusal of ours.
    pub fn to_refusal(&self) -> Refusal {
        let code = match self {
            Self::Refused { .. } => Code::AddressRefused,
            Self::TooLarge { .. } | Self::Failed(_) => Code::FetchFailed,
        };
        let refusal = Refusal::new(code, self.to_string());
        match self.fix() {
            Some(fix) => refusal.with_fix(fix),
            None => refusal,
        }
    }
}

impl From<reqwest::Error> for FetchError {
    /// Finds our own refusal in the chain of causes; the URL, which may carry a secret, is left out.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            if let Some(Self::Refused { message, host }) = cause.downcast_ref::<Self>() {
                return Self::Refused { message: message.clone(), host: host.clone() };
            }
            let line = cause.to_string();
            if !text.contains(&line) {
                text = format!("{text}: {line}");
            }
            next = cause.source();
        }
        Self::Failed(text)
    }
}
