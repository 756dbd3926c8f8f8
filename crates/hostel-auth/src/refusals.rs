//! The sentences for bad credentials. None of them repeats any part of what was sent.

use hostel_protocol::refusal::{Code, Refusal};

pub(crate) fn unknown_token() -> Refusal {
    Refusal::new(Code::TokenInvalid, "This token is not known here.")
        .with_fix("send the token that whoever runs this server gave you, or sign in again")
}

pub(crate) fn invalid(what: &str) -> Refusal {
    Refusal::new(Code::TokenInvalid, what).with_fix("sign in again, where this server's tokens are given out")
}

pub(crate) fn expired() -> Refusal {
    Refusal::new(Code::TokenExpired, "The token has expired.").with_fix("get a new token, and connect with it")
}

pub(crate) fn malformed(what: &str) -> Refusal {
    Refusal::new(Code::TokenInvalid, what)
        .with_fix("send one token: `Authorization: Bearer ..`, or as docs/auth.md says")
}

pub(crate) fn keys_missing() -> Refusal {
    Refusal::new(Code::AgentUnavailable, "The keys that tokens are checked with cannot be had at the moment.")
        .with_fix("come back in a moment; the server's log has the reason")
}
