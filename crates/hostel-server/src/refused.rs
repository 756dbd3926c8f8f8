//! Why something was not done, for whoever asked: on the command line or over HTTP.

use std::io;

use hostel::Code;
use serde::{Deserialize, Serialize};

/// A stable code, a sentence, and what to do where that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refused {
    /// The code.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

impl Refused {
    pub(crate) fn new(code: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), fix: Some(fix.into()) }
    }

    /// An agent's error as a refusal.
    pub(crate) fn from_error(error: &hostel::Error) -> Self {
        let refusal = error.to_refusal(Code::Internal);
        Self { code: refusal.code.as_str().to_owned(), message: refusal.message, fix: refusal.fix }
    }

    /// The same as an agent's error.
    pub(crate) fn into_error(self) -> hostel::Error {
        let code = self.code.parse().unwrap_or(Code::StorageFailed);
        let error = hostel::Error::coded(code, self.message);
        match self.fix {
            Some(fix) => error.with_fix(fix),
            None => error,
        }
    }

    /// A file or the disk refused.
    pub(crate) fn io(doing: &str, error: &io::Error) -> Self {
        let (code, fix) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (Code::StorageFull, "free space on the disk"),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                (Code::StorageReadOnly, "make it readable and writable for this user")
            }
            _ => (Code::StorageFailed, "look whether the file and its disk are sound"),
        };
        Self::new(code.as_str(), format!("{doing}: {error}."), fix)
    }
}

impl From<hostel_store::Error> for Refused {
    fn from(error: hostel_store::Error) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string(), fix: None }
    }
}
