//! Sealing: ChaCha20-Poly1305 under a key from a file, or from a passphrase by Argon2id.

use argon2::{Algorithm, Argon2, Params, Version};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A key of 256 bits.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Greatest memory a file may ask for, in KiB: 1 GiB.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;

/// Where the key of a sealed file comes from. Stands in the file, in the open, and is sealed against changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyFrom {
    /// From a file of random bytes.
    KeyFile,
    /// From a passphrase.
    Passphrase(Argon2id),
}

/// How a passphrase becomes a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Argon2id {
    salt: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2id {
    /// OWASP's first choice, with twice the memory.
    pub(crate) fn fresh() -> Option<Self> {
        let salt = data_encoding::BASE64.encode(&random::<16>()?);
        Some(Self { salt, memory_kib: 2 * 19 * 1024, passes: 2, lanes: 1 })
    }

    /// The key of a passphrase; takes tens of milliseconds on purpose. `None` if the file asks for the impossible.
    pub(crate) fn key(&self, passphrase: &str) -> Option<Key> {
        if self.memory_kib > MOST_MEMORY_KIB || self.passes > MOST_PASSES {
            return None;
        }
        let salt = data_encoding::BASE64.decode(self.salt.as_bytes()).ok()?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok()?;
        let mut key = Key::default();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(passphrase.as_bytes(), &salt, &mut *key).ok()?;
        Some(key)
    }
}

/// What is sealed, with the nonce it was sealed with.
pub(crate) struct Sealed {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) bytes: Vec<u8>,
}

/// Random bytes fit for keys; `None` if the system has none.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Seals `plain`; `beside` stays in the open and cannot be changed either. Each sealing has a nonce of its own, drawn at
/// random: 96 bits are enough for every file that people write by hand.
pub(crate) fn seal(key: &Key, beside: &[u8], plain: Zeroizing<Vec<u8>>) -> Option<Sealed> {
    let nonce = random()?;
    let mut bytes = plain;
    cipher(key)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(beside), &mut *bytes).ok()?;
    // It is no secret any more.
    Some(Sealed { nonce, bytes: std::mem::take(&mut *bytes) })
}

/// Opens what [`seal`] made; `None` if anything was changed, or the key is another.
pub(crate) fn open(key: &Key, beside: &[u8], sealed: Sealed) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(sealed.bytes);
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let length = cipher(key)?.open_in_place(nonce, Aad::from(beside), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, &**key).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_does_not_open() {
        let key = Key::new([7; 32]);
        let sealed = || seal(&key, b"head", Zeroizing::new(b"secret".to_vec())).unwrap();
        assert_eq!(&**open(&key, b"head", sealed()).unwrap(), b"secret");
        assert!(open(&key, b"other head", sealed()).is_none());
        assert!(open(&Key::new([8; 32]), b"head", sealed()).is_none());
        let mut changed = sealed();
        changed.bytes[0] ^= 1;
        assert!(open(&key, b"head", changed).is_none());
    }

    #[test]
    fn a_file_cannot_ask_for_all_the_memory_there_is() {
        let greedy = Argon2id { memory_kib: u32::MAX, ..Argon2id::fresh().unwrap() };
        assert!(greedy.key("x").is_none());
    }
}
