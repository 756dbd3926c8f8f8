//! What GitHub refuses, and what to do about it.

use hostel_fetch::FetchError;
use hostel_protocol::refusal::{Code, Refusal};
use jiff::Timestamp;

/// Why something on GitHub could not be had or done. No text of it has a token in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GithubError {
    /// It cannot be done without a token.
    #[error("GitHub wants to know who asks: {what} needs a token.")]
    NoToken {
        /// What was asked for.
        what: String,
    },
    /// The token is not one of that server, or no more.
    #[error("GitHub does not take the token.")]
    BadToken,
    /// The token may not do that.
    #[error("GitHub does not let this token do that ({what}): {message}")]
    Forbidden {
        /// What was asked for.
        what: String,
        /// What GitHub said.
        message: String,
        /// What would let it, as far as GitHub says.
        fix: Option<String>,
    },
    /// It is not there, or not to be seen with this token.
    #[error("GitHub has no {what}{}.", if *.has_token { ", or the token does not show it" } else { ", or it is private" })]
    NotFound {
        /// What was asked for.
        what: String,
        /// Whether a token was shown.
        has_token: bool,
    },
    /// A directory where a file was asked for.
    #[error("{path:?} is a directory. In it are: {}", .entries.join(", "))]
    Directory {
        /// Which.
        path: String,
        /// What is in it, the first of them.
        entries: Vec<String>,
    },
    /// Larger than is read.
    #[error("{path:?} has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Which.
        path: String,
        /// How many it has.
        bytes: u64,
        /// How many are read.
        limit: u64,
    },
    /// Too many requests in too short a time.
    #[error("GitHub's {} is used up until {until}.", if *.secondary { "limit of requests in a short time" } else { "hourly limit of requests" })]
    RateLimited {
        /// When it can be tried again.
        until: Timestamp,
        /// Whether it is the limit on requests in a short time.
        secondary: bool,
        /// Whether a token was shown: with one, there are many more.
        has_token: bool,
    },
    /// It does not fit what is there, or not what GitHub takes.
    #[error("GitHub refused {what}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// What GitHub said.
        message: String,
    },
    /// GitHub failed. Whether what was asked for was done is not known.
    #[error("GitHub failed at {what}: {message}")]
    Failed {
        /// What was asked for.
        what: String,
        /// How.
        message: String,
    },
    /// No name of a repository, or of a file in one.
    #[error("{0:?} is no name of a repository or of a file in one.")]
    Name(String),
    /// GitHub could not be reached.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl GithubError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NoToken { .. } => Code::GithubTokenMissing,
            Self::BadToken => Code::GithubTokenBad,
            Self::Forbidden { .. } => Code::GithubForbidden,
            Self::NotFound { .. } => Code::GithubNotFound,
            Self::Directory { .. } => Code::GithubIsDirectory,
            Self::RateLimited { .. } => Code::GithubRateLimited,
            Self::Refused { .. } | Self::TooLarge { .. } => Code::GithubRefused,
            Self::Failed { .. } => Code::GithubUnavailable,
            Self::Name(_) => Code::InvalidArguments,
            Self::Fetch(error) => error.to_refusal().code,
        }
    }

    /// What to do about it.
    pub fn fix(&self) -> Option<String> {
        let text = match self {
            Self::NoToken { .. } => "call setGithubToken, or keep one with `hostel secret set user:YOU#GITHUB_TOKEN`",
            Self::BadToken => "make a new one in GitHub's settings and give it to setGithubToken; it may have expired",
            Self::Forbidden { fix, .. } => {
                let general = "give the token access to this repository, with Contents, Issues and Pull requests set to read and write";
                return Some(fix.clone().unwrap_or_else(|| general.to_owned()));
            }
            Self::NotFound { has_token: false, .. } => {
                "check the name; what is private needs a token, which setGithubToken takes"
            }
            Self::NotFound { .. } => "check the name, the branch, and what the token has access to",
            Self::Directory { .. } => "ask for one of these",
            Self::TooLarge { .. } => "clone the repository and read it in the workspace",
            Self::RateLimited { secondary: true, .. } => "wait, and ask for less at once",
            Self::RateLimited { has_token: false, .. } => {
                "wait, or give a token to setGithubToken: with one there are 5000 an hour"
            }
            Self::RateLimited { .. } => "wait until then",
            Self::Refused { .. } => return None,
            Self::Failed { .. } => "look whether it was done before you try again",
            Self::Name(_) => "write owner and repo as they stand in the address of the repository",
            Self::Fetch(error) => return error.fix(),
        };
        Some(text.to_owned())
    }

    /// Whether what was asked for may have been done all the same.
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Fetch(FetchError::Failed(_) | FetchError::TooLarge { .. }))
    }

    /// Whether it is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// As a refusal of ours.
    pub fn to_refusal(&self) -> Refusal {
        let refusal = Refusal::new(self.code(), self.to_string());
        match self.fix() {
            Some(fix) => refusal.with_fix(fix),
            None => refusal,
        }
    }
}
