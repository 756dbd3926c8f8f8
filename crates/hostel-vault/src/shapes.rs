//! What tokens look like that nobody has told the vault about.

use regex::Regex;

/// One kind of token.
pub(crate) struct Shape {
    /// What it is called where it is masked.
    pub(crate) kind: &'static str,
    /// A text that is in each of them; looked for first.
    prefixes: &'static [&'static str],
    pattern: &'static str,
    /// Whether it must have a digit, to be told from words.
    digit: bool,
}

const fn shape(kind: &'static str, prefixes: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, prefixes, pattern, digit: false }
}

/// The kinds, as [`crate::Masking::shapes`] names them. Each pattern begins where a word does.
pub(crate) const SHAPES: [Shape; 12] = [
    shape(
        "github",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255})",
    ),
    shape("gitlab", &["glpat-"], r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}"),
    Shape { digit: true, ..shape("model", &["sk-"], r"(?-u:\b)sk-[A-Za-z0-9_-]{20,}") },
    shape("stripe", &["sk_", "rk_"], r"(?-u:\b)[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    shape("webhook", &["whsec_"], r"(?-u:\b)whsec_[A-Za-z0-9+/=]{24,}"),
    shape("slack", &["xox"], r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    shape("aws", &["AKIA", "ASIA"], r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)"),
    shape("google", &["AIza"], r"(?-u:\b)AIza[A-Za-z0-9_-]{35}"),
    shape("npm", &["npm_"], r"(?-u:\b)npm_[A-Za-z0-9]{36}"),
    shape("huggingface", &["hf_"], r"(?-u:\b)hf_[A-Za-z0-9]{30,}"),
    shape("jwt", &["eyJ"], r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"),
    shape(
        "private-key",
        &["-----BEGIN"],
        // Up to its end, or, where that is missing, as far as it looks like one.
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?s:.)*?-----END [A-Z0-9 ]{0,40}-----|[A-Za-z0-9+/=\\ \n\r\t]*)",
    ),
];

/// The kinds one has chosen, ready to search with.
pub(crate) struct Shapes(Vec<(&'static Shape, Regex)>);

impl Shapes {
    pub(crate) fn of(kinds: &[String]) -> Self {
        let chosen = SHAPES.iter().filter(|shape| kinds.iter().any(|kind| kind == shape.kind));
        Self(chosen.filter_map(|shape| Some((shape, Regex::new(shape.pattern).ok()?))).collect())
    }

    /// Texts one of which is in every token.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flat_map(|(shape, _)| shape.prefixes.iter().copied())
    }

    /// Where they are in `text`.
    pub(crate) fn find(&self, text: &str, mut found: impl FnMut(usize, usize, &'static str)) {
        for (shape, pattern) in &self.0 {
            for place in pattern.find_iter(text) {
                if !shape.digit || place.as_str().bytes().any(|byte| byte.is_ascii_digit()) {
                    found(place.start(), place.end(), shape.kind);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_read() {
        let all: Vec<String> = SHAPES.iter().map(|shape| shape.kind.to_owned()).collect();
        assert_eq!(Shapes::of(&all).0.len(), SHAPES.len());
    }
}
