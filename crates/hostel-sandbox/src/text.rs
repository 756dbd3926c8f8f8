//! Bytes as text, a character that is cut in two left for later.

/// As much of `bytes` as is whole characters: the text, and how many bytes it took. At the end of everything nothing is left for later, and
/// what is no character is told as such.
///
/// ```
/// let euro = "€".as_bytes();
/// assert_eq!(hostel_sandbox::whole_characters(&euro[..2], false), (String::new(), 0));
/// assert_eq!(hostel_sandbox::whole_characters(euro, false), ("€".to_owned(), 3));
/// ```
#[must_use]
pub fn whole_characters(bytes: &[u8], is_end: bool) -> (String, usize) {
    let cut = if is_end { bytes.len() } else { bytes.len() - unfinished(bytes) };
    (String::from_utf8_lossy(&bytes[..cut]).into_owned(), cut)
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if back < length { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_never_cut_in_two() {
        let text = "aä€😀";
        for at in 0..=text.len() {
            let (first, took) = whole_characters(&text.as_bytes()[..at], false);
            let (rest, _) = whole_characters(&text.as_bytes()[took..], true);
            assert_eq!(format!("{first}{rest}"), text, "{at}");
        }
        assert_eq!(whole_characters(&[0xFF, b'a', 0xC3], true), ("\u{FFFD}a\u{FFFD}".to_owned(), 3));
    }
}
