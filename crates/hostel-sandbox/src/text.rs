//! Bytes as text, a character that is cut in two left for later.

/// As much of `bytes` as is whole characters: the text, and how many bytes it took, which is its length. A `?` stands for each byte that
/// belongs to no character, so that positions in the text are positions in what was said. At the end of everything nothing is left for
/// later.
///
/// ```
/// let euro = "€".as_bytes();
/// assert_eq!(hostel_sandbox::whole_characters(&euro[..2], false), (String::new(), 0));
/// assert_eq!(hostel_sandbox::whole_characters(euro, false), ("€".to_owned(), 3));
/// ```
#[must_use]
pub fn whole_characters(bytes: &[u8], is_end: bool) -> (String, usize) {
    let cut = if is_end { bytes.len() } else { bytes.len() - unfinished(bytes) };
    (byte_by_byte(&bytes[..cut]), cut)
}

/// A text as long as the bytes.
fn byte_by_byte(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
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
        assert_eq!(whole_characters(&[0xFF, b'a', 0xC3], true), ("?a?".to_owned(), 3));
    }

    #[test]
    fn wherever_bytes_are_cut_the_text_is_the_same_and_as_long() {
        // Whole ones beside what is none: a lone byte, beginnings that nothing ends, one that is written too long, half a pair.
        let bytes = b"a\xFF\xE2\x82b\xE2\x82\xAC\xF0\x9F\xC3\xA4\xC0\xAF\xED\xA0\x80\xF0\x9F\x98\x80\x80\xE2\x82";
        let expected = "a???b\u{20AC}??\u{E4}?????\u{1F600}???";
        for at in 0..=bytes.len() {
            let (first, took) = whole_characters(&bytes[..at], false);
            let (rest, left) = whole_characters(&bytes[took..], true);
            assert_eq!((first.len(), rest.len()), (took, left), "{at}");
            assert_eq!(format!("{first}{rest}"), expected, "{at}");
        }
    }
}
