//! The text of a file: its encoding, its line ends, and back to the very bytes.

use encoding_rs::WINDOWS_1252;

use crate::{Error, Result};

/// How a file's text is in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 with a mark at the beginning.
    Utf8Mark,
    /// UTF-16, low byte first, with a mark.
    Utf16Le,
    /// UTF-16, high byte first, with a mark.
    Utf16Be,
    /// Windows-1252, which every sequence of bytes is: taken for text that is not UTF-8 and has no NUL.
    Windows1252,
}

impl Encoding {
    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf8Mark => "UTF-8 with a byte order mark",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// A file as text. Line ends are `\n` here, also where the file has `\r\n` throughout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) encoding: Encoding,
    pub(crate) crlf: bool,
}

impl Text {
    /// The text of `bytes`; nothing if they are not text.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (text, encoding) = decode(bytes)?;
        let crlf = text.contains('\n') && text.matches('\n').count() == text.matches("\r\n").count();
        let text = if crlf { text.replace("\r\n", "\n") } else { text };
        Some(Self { text, encoding, crlf })
    }

    /// `text` in the manner of this file.
    pub(crate) fn encode(&self, path: &str, text: &str) -> Result<Vec<u8>> {
        let ended = self.crlf.then(|| text.replace("\r\n", "\n").replace('\n', "\r\n"));
        let text = ended.as_deref().unwrap_or(text);
        let wide = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
            std::iter::once(mark).chain(text.encode_utf16()).flat_map(bytes).collect::<Vec<u8>>()
        };
        match self.encoding {
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Utf8Mark => Ok([MARK, text.as_bytes()].concat()),
            Encoding::Utf16Le => Ok(wide(0xfeff, u16::to_le_bytes)),
            Encoding::Utf16Be => Ok(wide(0xfeff, u16::to_be_bytes)),
            Encoding::Windows1252 => windows(path, text),
        }
    }
}

const MARK: &[u8] = &[0xef, 0xbb, 0xbf];

fn decode(bytes: &[u8]) -> Option<(String, Encoding)> {
    if let Some(rest) = bytes.strip_prefix(MARK) {
        return Some((std::str::from_utf8(rest).ok()?.to_owned(), Encoding::Utf8Mark));
    }
    match bytes {
        [0xff, 0xfe, rest @ ..] => return Some((wide(rest, u16::from_le_bytes)?, Encoding::Utf16Le)),
        [0xfe, 0xff, rest @ ..] => return Some((wide(rest, u16::from_be_bytes)?, Encoding::Utf16Be)),
        _ => {}
    }
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some((text.to_owned(), Encoding::Utf8)),
        Err(_) => Some((WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(), Encoding::Windows1252)),
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).ok()
}

fn windows(path: &str, text: &str) -> Result<Vec<u8>> {
    let (bytes, _, unmappable) = WINDOWS_1252.encode(text);
    if !unmappable {
        return Ok(bytes.into_owned());
    }
    let lost = |c: &char| WINDOWS_1252.encode(c.encode_utf8(&mut [0; 4])).2;
    let character = text.chars().find(lost).unwrap_or('?');
    Err(Error::Unmappable { path: path.to_owned(), encoding: Encoding::Windows1252.name(), character })
}

/// Whether `sample`, the beginning of a file, is not text.
pub(crate) fn is_binary(sample: &[u8]) -> bool {
    let marked = sample.starts_with(&[0xff, 0xfe]) || sample.starts_with(&[0xfe, 0xff]);
    !marked && sample.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_comes_back_as_the_same_bytes() {
        let files: [&[u8]; 7] = [
            "plain ä\n".as_bytes(),
            b"\xef\xbb\xbfmarked\n",
            b"\xff\xfea\0\n\0",
            b"\xfe\xff\0a\0\n",
            b"caf\xe9 \x81\x9f\n",
            b"one\r\ntwo\r\n",
            b"mixed\r\nends\n",
        ];
        for bytes in files {
            let text = Text::decode(bytes).unwrap();
            assert_eq!(text.encode("f", &text.text).unwrap(), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_has_a_nul_or_half_a_unit_is_not_text() {
        assert_eq!(Text::decode(b"a\0b"), None);
        assert_eq!(Text::decode(b"\xff\xfea"), None);
    }

    #[test]
    fn a_character_that_the_encoding_has_not_is_refused_by_name() {
        let text = Text::decode(b"caf\xe9\n").unwrap();
        let error = text.encode("menu", "snow ☃\n").unwrap_err().to_string();
        assert!(error.contains('☃') && error.contains("Windows-1252"), "{error}");
    }
}
