//! Tokens that the operator gives out by hand: long random texts, kept as their hashes.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use hostel_core::Identity;
use ring::{digest, rand::SecureRandom};

/// Bytes of a token that is made here: 256 bits of randomness.
const BYTES: usize = 32;
/// What such a token begins with, so that people and scanners know it when they see one.
const PREFIX: &str = "hst_";
/// Characters of the shortest token that is taken: 128 bits need 22 of base64.
const SHORTEST: usize = 22;

/// A token that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// It can be guessed.
    #[error("a token needs at least {SHORTEST} characters, or it can be guessed; `hostel token new` makes one")]
    Short,
    /// Its hash is none.
    #[error("expected sha256: and 64 hexadecimal digits; `hostel token new` prints a token with its hash")]
    Hash,
    /// There is no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

/// The SHA-256 of a token. The token itself cannot be found from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    ///
    /// # Errors
    /// When it is so short that it could be guessed.
    pub fn of(token: &str) -> Result<Self, BadToken> {
        if token.len() < SHORTEST { Err(BadToken::Short) } else { Ok(Self::of_any(token)) }
    }

    fn of_any(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// Compares in a time that tells nothing of where they differ.
    fn is(self, other: Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differences, (ours, theirs)| differences | (ours ^ theirs)) == 0
    }
}

impl std::str::FromStr for TokenHash {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let hex = text.trim().strip_prefix("sha256:").ok_or(BadToken::Hash)?;
        let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| BadToken::Hash)?;
        bytes.try_into().map(Self).map_err(|_| BadToken::Hash)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", HEXLOWER_PERMISSIVE.encode(&self.0))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// A new token: 256 random bits.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_token() -> Result<String, BadToken> {
    let mut bytes = [0; BYTES];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| BadToken::Randomness)?;
    Ok(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
}

/// A token, as its hash, with whose it is.
#[derive(Debug, Clone)]
pub struct StaticToken {
    hash: TokenHash,
    identity: Identity,
}

impl StaticToken {
    /// The token with this hash belongs to `identity`.
    pub fn new(hash: TokenHash, identity: Identity) -> Self {
        Self { hash, identity }
    }
}

/// Whose token it is. Every one is compared, so that the time tells nothing.
pub(crate) fn owner(tokens: &[StaticToken], token: &str) -> Option<Identity> {
    let hash = TokenHash::of_any(token);
    let found = tokens.iter().fold(None, |found, known| if known.hash.is(hash) { Some(known) } else { found });
    found.map(|known| known.identity.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_5_a_new_token_is_known_by_its_hash_and_another_is_not() {
        let token = new_token().unwrap();
        assert!(token.len() > 43 && token != new_token().unwrap());
        let hash: TokenHash = TokenHash::of(&token).unwrap().to_string().parse().unwrap();
        let known = [StaticToken::new(hash, Identity::new("ci"))];
        assert_eq!(owner(&known, &token).unwrap().subject(), "ci");
        assert!(owner(&known, &token[1..]).is_none() && owner(&known, "").is_none());
        assert!(!format!("{known:?}").contains(&hash.to_string()[7..]));
    }

    #[test]
    fn a_token_that_can_be_guessed_and_a_hash_that_is_none_are_refused() {
        assert_eq!(TokenHash::of("letmein"), Err(BadToken::Short));
        for text in ["", "sha256:", "sha256:abc", "md5:00", &format!("sha256:{}", "0".repeat(63))] {
            assert_eq!(text.parse::<TokenHash>(), Err(BadToken::Hash), "{text}");
        }
    }
}
