//! Names for messages and for turns that no client asked for.

use hostel::host::Host;

/// Characters of a message's id.
pub(crate) const MESSAGE: usize = 16;
/// Characters of the id of a turn that the agent begins by itself.
pub(crate) const TURN: usize = 21;

/// As many as fit into a byte four times.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AZ";

/// Letters and digits, from the host's randomness.
pub(crate) fn make(host: &dyn Host, length: usize) -> String {
    let mut bytes = [0; TURN];
    host.fill_random(&mut bytes);
    bytes.iter().take(length).map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect()
}
