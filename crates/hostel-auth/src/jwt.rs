//! JWTs: whose they are, checked by the keys of an issuer that is trusted.

mod keys;
mod provider;

use hostel_core::Identity;
use hostel_protocol::refusal::Refusal;
use jiff::Timestamp;
use jsonwebtoken::{Validation, dangerous::insecure_decode_claims, decode, decode_header, errors::ErrorKind};
use serde_json::{Map, Value};

use self::keys::Keys;
use crate::{
    issuer::{Algorithm, Issuer},
    refusals::{expired, invalid, keys_missing},
};

/// Bytes of the longest subject; agents are named by it.
const LONGEST_SUBJECT: usize = 256;

/// The issuers that are trusted, with their keys.
pub(crate) struct Jwts(Vec<Trusted>);

struct Trusted {
    issuer: Issuer,
    keys: Keys,
}

/// Whether a token looks like one.
pub(crate) fn is_jwt(token: &str) -> bool {
    token.split('.').count() == 3
}

impl Jwts {
    pub(crate) fn new(issuers: Vec<Issuer>) -> Self {
        provider::install();
        Self(issuers.into_iter().map(|issuer| Trusted { keys: Keys::new(issuer.keys.clone()), issuer }).collect())
    }

    /// Whether any issuer is trusted.
    pub(crate) fn has_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// What is wrong with it, or that its keys cannot be had.
    pub(crate) async fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        let claimed: Map<String, Value> = insecure_decode_claims(token).map_err(|_| not_one())?;
        let issuer = claimed.get("iss").and_then(Value::as_str).unwrap_or_default();
        let trusted = self.0.iter().find(|trusted| trusted.issuer.name == issuer);
        trusted.ok_or_else(|| invalid("The token was made by an issuer that is not trusted here."))?.verify(token).await
    }
}

impl Trusted {
    async fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        let head = decode_header(token).map_err(|_| not_one())?;
        let Some(key) = self.keys.find(head.kid.as_deref()).await else {
            let there = self.keys.are_there();
            return Err(if there {
                invalid("The token was signed with a key that its issuer does not have.")
            } else {
                keys_missing()
            });
        };
        if !self.issuer.algorithms.contains(&key.algorithm) {
            return Err(invalid("The token is signed in a way that is not taken here."));
        }
        // The key says how it is to be used, never the token.
        let validation = self.validation(key.algorithm);
        let claims =
            decode::<Map<String, Value>>(token, &key.key, &validation).map_err(|error| refusal(error.kind()))?.claims;
        self.identity(claims)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(match algorithm {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        });
        validation.leeway = self.issuer.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_audience(&self.issuer.audiences);
        validation.set_issuer(&[&self.issuer.name]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }

    fn identity(&self, claims: Map<String, Value>) -> Result<Identity, Refusal> {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let subject = format!("{}{subject}", self.issuer.subject_prefix);
        let plain = !subject.is_empty() && subject.len() <= LONGEST_SUBJECT && !subject.contains(char::is_control);
        if !plain {
            return Err(invalid("The token's subject is empty, too long, or no plain text."));
        }
        let roles = roles(&claims, &self.issuer.roles_claim);
        let leeway = i64::try_from(self.issuer.leeway.as_secs()).unwrap_or_default();
        let until = claims.get("exp").and_then(Value::as_f64).map(|at| at as i64 + leeway);
        let operates = self.issuer.operator_role.as_ref().is_some_and(|role| roles.contains(role));
        let identity = Identity::new(subject).with_issuer(self.issuer.name.as_str()).with_roles(roles);
        let identity = match until.and_then(|at| Timestamp::from_second(at).ok()) {
            Some(until) => identity.with_expiry(until),
            None => identity,
        };
        let identity = identity.with_claims(claims);
        Ok(if operates { identity.as_operator() } else { identity })
    }
}

/// The roles under a claim: a list, or one text with spaces. A dot leads into an object, unless a claim has it in its name.
fn roles(claims: &Map<String, Value>, path: &str) -> Vec<String> {
    let nested = || {
        let mut steps = path.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    };
    match claims.get(path).or_else(nested) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn not_one() -> Refusal {
    invalid("The token cannot be read as a JWT.")
}

fn refusal(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::ExpiredSignature => expired(),
        ErrorKind::ImmatureSignature => invalid("The token holds only later."),
        ErrorKind::InvalidAudience => invalid("The token is for another audience."),
        ErrorKind::InvalidIssuer => invalid("The token was made by an issuer that is not trusted here."),
        ErrorKind::MissingRequiredClaim(_) => invalid("The token lacks one of the claims exp, iss, aud and sub."),
        ErrorKind::InvalidAlgorithm => invalid("The token is signed in another way than its key is for."),
        _ => invalid("The token's signature is wrong."),
    }
}
