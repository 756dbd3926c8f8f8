//! The mask: finds the values of the vault, and what looks like a token, and puts a mark in their place.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use hostel_core::Masked;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::{SecretName, VaultError, shapes::Shapes};

/// Shorter values are not looked for: they would be found everywhere.
pub(crate) const SHORTEST: usize = 8;

/// Secrets by their names.
pub(crate) type Known = BTreeMap<SecretName, Zeroizing<String>>;

/// Everything that is looked for, prepared. Cheap to ask where there is nothing to find.
pub(crate) struct Mask {
    /// Whether it is worth looking closer: the values, their forms in JSON, and what tokens begin with.
    quick: AhoCorasick,
    values: AhoCorasick,
    /// The names of `values`, by pattern.
    names: Vec<String>,
    shapes: Shapes,
}

impl Mask {
    pub(crate) fn new(known: &[(SecretName, Zeroizing<String>)], shapes: Shapes) -> Result<Self, VaultError> {
        let known: Vec<_> = known.iter().filter(|(_, value)| value.len() >= SHORTEST).collect();
        let mut quick: Vec<Zeroizing<String>> = known.iter().flat_map(|(_, value)| forms(value)).collect();
        quick.extend(shapes.prefixes().map(|prefix| Zeroizing::new(prefix.to_owned())));
        let names = known.iter().map(|(name, _)| name.to_string()).collect();
        let values = known.iter().map(|(_, value)| value.as_bytes());
        Ok(Self { quick: search(quick.iter().map(|form| form.as_bytes()))?, values: search(values)?, names, shapes })
    }

    /// See [`hostel_core::Scrub::mask`].
    pub(crate) fn mask(&self, text: &str) -> Option<Masked> {
        // A text in JSON may be written in more ways than are looked for: `\u0041` is an A.
        let unusual = text.contains("\\u") || text.contains("\\/");
        if !unusual && !self.quick.is_match(text) {
            return None;
        }
        if serde_json::from_str::<IgnoredAny>(text).is_ok() { self.mask_json(text) } else { self.mask_plain(text) }
    }

    pub(crate) fn find(&self, bytes: &[u8]) -> Option<String> {
        if let Some(found) = self.values.find(bytes) {
            return Some(self.names[found.pattern().as_usize()].clone());
        }
        let text = std::str::from_utf8(bytes).ok()?;
        self.mask(text).map(|masked| masked.found.join(", "))
    }

    fn mask_plain(&self, text: &str) -> Option<Masked> {
        let mut places: Vec<(usize, usize, String)> = Vec::new();
        for found in self.values.find_iter(text) {
            places.push((found.start(), found.end(), self.names[found.pattern().as_usize()].clone()));
        }
        self.shapes.find(text, |start, end, kind| places.push((start, end, format!("{kind} token"))));
        if places.is_empty() {
            return None;
        }
        places.sort_by_key(|(start, end, _)| (*start, usize::MAX - *end));
        Some(cut_out(text, places))
    }

    /// Goes through the texts of valid JSON and leaves everything else byte for byte.
    fn mask_json(&self, json: &str) -> Option<Masked> {
        let mut masked = Masked { text: String::new(), found: Vec::new() };
        let mut copied = 0;
        let mut at = 0;
        while let Some(start) = json[at..].find('"').map(|offset| at + offset) {
            at = end_of_literal(json, start);
            let literal = &json[start..at];
            let Some(part) = self.mask_literal(literal) else { continue };
            masked.text.push_str(&json[copied..start]);
            masked.text.push_str(&part.text);
            copied = at;
            part.found.into_iter().for_each(|kind| note(&mut masked.found, kind));
        }
        masked.text.push_str(&json[copied..]);
        (!masked.found.is_empty()).then_some(masked)
    }

    fn mask_literal(&self, literal: &str) -> Option<Masked> {
        let content = &literal[1..literal.len() - 1];
        let part = if content.contains('\\') {
            self.mask_plain(&serde_json::from_str::<Zeroizing<String>>(literal).ok()?)?
        } else {
            self.mask_plain(content)?
        };
        Some(Masked { text: serde_json::to_string(&part.text).ok()?, found: part.found })
    }
}

/// One after the last byte of the JSON text that begins at `start`.
fn end_of_literal(json: &str, start: usize) -> usize {
    let bytes = json.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn cut_out(text: &str, places: Vec<(usize, usize, String)>) -> Masked {
    let mut masked = Masked { text: String::with_capacity(text.len()), found: Vec::new() };
    let mut copied = 0;
    for (start, end, kind) in places {
        // What lies within what was cut out already, at least in part, goes with it.
        if start >= copied {
            masked.text.push_str(&text[copied..start]);
            masked.text.push_str("[masked]");
        }
        copied = copied.max(end);
        note(&mut masked.found, kind);
    }
    masked.text.push_str(&text[copied..]);
    masked
}

fn note(found: &mut Vec<String>, kind: String) {
    if !found.contains(&kind) {
        found.push(kind);
    }
}

/// A value as it may stand in a text: as it is, within JSON, and within JSON in JSON.
fn forms(value: &str) -> Vec<Zeroizing<String>> {
    let mut forms = vec![Zeroizing::new(value.to_owned())];
    for _ in 0..2 {
        let last = &forms[forms.len() - 1];
        let Ok(quoted) = serde_json::to_string(&***last).map(Zeroizing::new) else { break };
        let inner = &quoted[1..quoted.len() - 1];
        if inner == &***last {
            break;
        }
        let inner = Zeroizing::new(inner.to_owned());
        forms.push(inner);
    }
    forms
}

fn search<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> Result<AhoCorasick, VaultError> {
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns);
    built.map_err(|error| VaultError::TooMuch(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::SHAPES;

    fn mask_of(values: &[(&str, &str)]) -> Mask {
        let known =
            values.iter().map(|(name, value)| (SecretName::node(*name).unwrap(), Zeroizing::new((*value).to_owned())));
        let all: Vec<String> = SHAPES.iter().map(|shape| shape.kind.to_owned()).collect();
        Mask::new(&known.collect::<Vec<_>>(), Shapes::of(&all)).unwrap()
    }

    fn masked(text: &str) -> String {
        mask_of(&[("A", "hunter2-hunter2"), ("B", "two\nlines \"q\"")])
            .mask(text)
            .map_or_else(|| text.to_owned(), |m| m.text)
    }

    #[test]
    fn known_values_are_masked_in_every_form_of_text() {
        assert_eq!(masked("pw=hunter2-hunter2."), "pw=[masked].");
        assert_eq!(masked(r#"{"a":"x hunter2-hunter2 y","n":1.50}"#), r#"{"a":"x [masked] y","n":1.50}"#);
        assert_eq!(masked(r#"{"hunter2-hunter2":"two\nlines \"q\""}"#), r#"{"[masked]":"[masked]"}"#);
        assert_eq!(
            masked(r#"["\u0068unter2-hunter2", 12345678901234567890123]"#),
            r#"["[masked]", 12345678901234567890123]"#
        );
        assert_eq!(masked(r#"["{\"a\":\"hunter2-hunter2\"}"]"#), r#"["{\"a\":\"[masked]\"}"]"#);
    }

    #[test]
    fn tokens_nobody_told_of_are_masked_by_their_shape() {
        let github = format!("ghp_{}", "a1".repeat(18));
        let pat = format!("github_pat_{}", "A1b2_".repeat(8));
        let model = "sk-proj-abcdefghij0123456789XYZ";
        let slack = format!("xoxb-{}", "1234567890-abc");
        let aws = "AKIAIOSFODNN7EXAMPLE";
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        for token in [&*github, &pat, model, &slack, aws, jwt] {
            assert_eq!(masked(&format!("use {token} now")), "use [masked] now");
            assert_eq!(masked(&format!("{{\"t\":\"{token}\"}}")), r#"{"t":"[masked]"}"#);
        }
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\n";
        let json = serde_json::to_string(&[format!("key: {pem}and more")]).unwrap();
        assert_eq!(masked(&json), r#"["key: [masked]\nand more"]"#);
        assert_eq!(masked(pem), "[masked]\n");
        assert_eq!(masked("-----BEGIN PRIVATE KEY-----\nMIIEcut"), "[masked]");
    }

    #[test]
    fn words_that_only_begin_like_a_token_stay() {
        for text in [
            "a task-list-of-things-to-do-today",
            "sk-this-is-a-name-without-digits",
            "eyJ",
            "AKIA",
            "ghp_short",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn what_was_found_is_named_and_never_shown() {
        let found = mask_of(&[("A", "hunter2-hunter2")]).mask("hunter2-hunter2 hunter2-hunter2").unwrap();
        assert_eq!(found, Masked { text: "[masked] [masked]".to_owned(), found: vec!["A".to_owned()] });
        assert_eq!(mask_of(&[("A", "hunter2-hunter2")]).find(b"\xffhunter2-hunter2"), Some("A".to_owned()));
    }

    #[test]
    fn a_short_value_is_not_looked_for() {
        assert!(mask_of(&[("A", "1234567")]).mask("1234567").is_none());
    }
}
