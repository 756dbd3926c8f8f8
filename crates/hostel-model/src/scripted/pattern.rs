//! What a rule listens to: a text in which `*` stands for any other.

/// A pattern, in small letters, cut at its stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase().split('*').map(str::to_owned).collect())
    }

    /// What the stars stand for, if the text matches. Each takes as little as it can, the last one what is left.
    pub(super) fn captures<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let small = text.to_ascii_lowercase();
        let (first, rest) = self.0.split_first()?;
        let mut at = small.starts_with(first.as_str()).then_some(first.len())?;
        let Some((last, middle)) = rest.split_last() else {
            return (at == small.len()).then(Vec::new);
        };
        let mut found = Vec::with_capacity(rest.len());
        for part in middle {
            let next = at + small[at..].find(part.as_str())?;
            found.push(text[at..next].trim());
            at = next + part.len();
        }
        let end = small[at..].ends_with(last.as_str()).then(|| small.len() - last.len())?;
        found.push(text[at..end].trim());
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text_and_letters_may_be_large_or_small() {
        let captures = |pattern: &str, text: &'static str| Pattern::new(pattern).captures(text);
        assert_eq!(captures("hello", "Hello"), Some(vec![]));
        assert_eq!(captures("hello", "hello you"), None);
        assert_eq!(captures("hello *", "HELLO You There"), Some(vec!["You There"]));
        assert_eq!(captures("use * *", "use a {\"b\": 1}"), Some(vec!["a", "{\"b\": 1}"]));
        assert_eq!(captures("* in *?", "Weather in Rome?"), Some(vec!["Weather", "Rome"]));
        assert_eq!(captures("*", "größer\nals"), Some(vec!["größer\nals"]));
        assert_eq!(captures("*a", "aba"), Some(vec!["ab"]));
        assert_eq!(captures("a*a", "a"), None);
    }
}
