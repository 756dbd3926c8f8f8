//! Any text as one segment of a path, and back.

use std::borrow::Cow;

/// Writes `text` so that it is one segment of a path: everything but letters, digits and `-._~` becomes `%XX`.
///
/// ```
/// use hostel_protocol::name::{decode_segment, encode_segment};
/// assert_eq!(encode_segment("c 1/2"), "c%201%2F2");
/// assert_eq!(decode_segment("c%201%2F2").unwrap(), "c 1/2");
/// ```
#[must_use]
pub fn encode_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => {
                out.push('%');
                out.extend([byte >> 4, byte & 15].map(|half| char::from(b"0123456789ABCDEF"[usize::from(half)])));
            }
        }
    }
    out
}

/// Reads a segment as JavaScript's `decodeURIComponent` does: `None` if a `%` is not followed by two hexadecimal digits, or
/// if the bytes are no UTF-8. A `+` is a `+`.
#[must_use]
pub fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}
