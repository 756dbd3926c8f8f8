//! Who sent it: signatures over the body, compared in constant time.

use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use hostel_protocol::refusal::{Code, Refusal};
use http::HeaderMap;
use jiff::Timestamp;
use ring::{hmac, rand::SystemRandom};

/// How a webhook is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// GitHub: `X-Hub-Signature-256`, over the body.
    GitHub,
    /// Stripe: `Stripe-Signature`, over a time and the body.
    Stripe,
    /// Slack: `X-Slack-Signature`, over a time and the body.
    Slack,
    /// [Standard Webhooks](https://www.standardwebhooks.com): `webhook-signature`, over an id, a time and the body.
    Standard,
    /// An HMAC over the body in a header of your choice.
    Hmac(Hmac),
    /// No signature: the secret itself, as `Authorization: Bearer ..`. Only over TLS, and only for what cannot sign.
    Token,
}

/// An HMAC over the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hmac {
    /// The header it stands in.
    pub header: String,
    /// What stands before it there, such as `sha256=`.
    pub prefix: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
    /// The header with the delivery's id, if there is one.
    pub id_header: Option<String>,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-1, for senders who know no better.
    Sha1,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Hexadecimal.
    #[default]
    Hex,
    /// Base64.
    Base64,
}

/// What is there to be verified.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) now: Timestamp,
    pub(crate) tolerance: Duration,
}

impl Scheme {
    /// Whether `signed` was signed with `secret`.
    pub(crate) fn verify(&self, secret: &str, signed: Signed<'_>) -> Result<(), Refusal> {
        match self {
            Self::GitHub => {
                let given = signed.header("x-hub-signature-256")?;
                let hex = given.strip_prefix("sha256=").ok_or_else(|| missing("sha256= in x-hub-signature-256"))?;
                signed.one_of(&sha256(secret.as_bytes()), &[signed.body], [unhex(hex)])
            }
            Self::Stripe => verify_stripe(secret, signed),
            Self::Slack => {
                let time = signed.header("x-slack-request-timestamp")?;
                let given = signed.header("x-slack-signature")?.strip_prefix("v0=").and_then(unhex);
                let parts = [b"v0:", time.as_bytes(), b":", signed.body];
                signed.one_of(&sha256(secret.as_bytes()), &parts, [given])?;
                signed.in_time(time)
            }
            Self::Standard => verify_standard(secret, signed),
            Self::Hmac(how) => {
                let given = signed.header(&how.header)?;
                let given = given.strip_prefix(&*how.prefix).and_then(|text| how.encoding.read(text));
                signed.one_of(&hmac::Key::new(how.algorithm.of_ring(), secret.as_bytes()), &[signed.body], [given])
            }
            Self::Token => {
                let given = signed.header("authorization")?.strip_prefix("Bearer ").unwrap_or_default();
                is_same(secret.as_bytes(), given.as_bytes()).then_some(()).ok_or_else(wrong)
            }
        }
    }

    /// Whether the id of a delivery is signed with it, or is part of what is.
    pub(crate) fn signs_ids(&self) -> bool {
        matches!(self, Self::Stripe | Self::Slack | Self::Standard)
    }
}

fn verify_stripe(secret: &str, signed: Signed<'_>) -> Result<(), Refusal> {
    let header = signed.header("stripe-signature")?;
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let time = fields().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or_else(|| missing("t="))?;
    let given = fields().filter(|(name, _)| *name == "v1").map(|(_, hex)| unhex(hex));
    signed.one_of(&sha256(secret.as_bytes()), &[time.as_bytes(), b".", signed.body], given)?;
    signed.in_time(time)
}

fn verify_standard(secret: &str, signed: Signed<'_>) -> Result<(), Refusal> {
    let (id, time) = (signed.header("webhook-id")?, signed.header("webhook-timestamp")?);
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = BASE64
        .decode(key.as_bytes())
        .map_err(|_| Refusal::new(Code::VaultUnavailable, "The secret of this webhook is not base64 after whsec_."))?;
    let all = signed.header("webhook-signature")?;
    let given = all.split(' ').filter_map(|one| one.strip_prefix("v1,")).map(|text| Encoding::Base64.read(text));
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", signed.body];
    signed.one_of(&sha256(&key), &parts, given)?;
    signed.in_time(time)
}

impl<'a> Signed<'a> {
    fn header(&self, name: &str) -> Result<&'a str, Refusal> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).ok_or_else(|| missing(name))
    }

    /// Whether one of the tags is that of the parts, one after the other.
    fn one_of(
        &self,
        key: &hmac::Key,
        parts: &[&[u8]],
        tags: impl IntoIterator<Item = Option<Vec<u8>>>,
    ) -> Result<(), Refusal> {
        let whole = parts.concat();
        // A sender who changes keys sends two; nobody has reason to send many.
        let mut tags = tags.into_iter().flatten().take(8);
        if tags.any(|tag| hmac::verify(key, &whole, &tag).is_ok()) { Ok(()) } else { Err(wrong()) }
    }

    /// Whether the time, in seconds, is not long ago and not far ahead. To be asked only of what is signed.
    fn in_time(&self, time: &str) -> Result<(), Refusal> {
        let time = time.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or_else(wrong)?;
        let apart = self.now.duration_since(time).unsigned_abs();
        if apart <= self.tolerance {
            return Ok(());
        }
        let message = format!("The webhook was signed at {time}, which is more than {:?} from now.", self.tolerance);
        Err(Refusal::new(Code::HookStale, message).with_fix("set the clocks, or have it sent anew"))
    }
}

impl Algorithm {
    fn of_ring(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }
}

impl Encoding {
    fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => unhex(text),
            Self::Base64 => BASE64.decode(text.as_bytes()).ok(),
        }
    }
}

fn sha256(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

/// Compares without telling by its time where they differ, nor how long the secret is.
pub(crate) fn is_same(secret: &[u8], given: &[u8]) -> bool {
    let Ok(key) = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()) else { return false };
    hmac::verify(&key, given, hmac::sign(&key, secret).as_ref()).is_ok()
}

fn missing(what: &str) -> Refusal {
    Refusal::new(Code::HookSignature, format!("The webhook is not signed: {what} is missing."))
        .with_fix("give the sender the secret of this webhook")
}

fn wrong() -> Refusal {
    Refusal::new(Code::HookSignature, "The signature of the webhook is not that of its body.")
        .with_fix("give both sides the same secret, and change nothing in the body on its way")
}

#[cfg(test)]
mod tests;
