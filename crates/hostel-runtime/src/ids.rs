//! Random ids.

const ALPHABET: &[u8; 64] = b"useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict";

/// A URL-safe random id of `length` characters, 6 bits each; 21 characters are as good as a UUID.
///
/// # Panics
/// When the operating system has no randomness to give.
pub fn nanoid(length: usize) -> String {
    let mut bytes = vec![0; length];
    fill(&mut bytes);
    bytes.into_iter().map(|byte| ALPHABET[usize::from(byte & 63)] as char).collect()
}

/// A random number.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Fills `bytes` from the operating system.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system provides randomness");
}
