//! A token, which shows itself to GitHub alone.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// A token of GitHub: a personal one, fine-grained or classic, or one of an app. Its memory is overwritten when it is dropped, and it
/// cannot be printed.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// This token. Space around it, which comes with pasting, is left out.
    pub fn new(token: impl Into<String>) -> Self {
        let whole = Zeroizing::new(token.into());
        Self(Zeroizing::new(whole.trim().to_owned()))
    }

    /// Whether it can be one at all: letters, digits and `_.-`, between 8 and 1024 of them.
    pub fn is_plausible(&self) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        (8..=1024).contains(&self.0.len()) && self.0.bytes().all(fits)
    }

    /// The whole header by which git over HTTP shows it: `Authorization: Basic ..`. It is as secret as the token.
    pub fn git_header(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("x-access-token:{}", *self.0));
        Zeroizing::new(format!("Authorization: Basic {}", BASE64.encode(pair.as_bytes())))
    }

    pub(crate) fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", *self.0))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed_and_space_around_it_is_left_out() {
        let token = Token::new(" ghp_0123456789\n");
        assert!(token.is_plausible() && !format!("{token:?}").contains("0123"));
        assert_eq!(*token.bearer(), "Bearer ghp_0123456789");
        for text in ["", "short", "with space in it", "line\nbreak_here", &"x".repeat(2000)] {
            assert!(!Token::new(text).is_plausible(), "{text:?}");
        }
    }
}
