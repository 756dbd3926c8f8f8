//! What came of one scenario.

use serde::{Deserialize, Serialize};

/// What came of one scenario.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Which scenario, with what it depends on: `calls x16`.
    pub(crate) scenario: String,
    /// Which server.
    pub(crate) label: String,
    pub(crate) values: Vec<Value>,
}

/// One figure.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Value {
    pub(crate) name: String,
    pub(crate) value: f64,
}

impl Report {
    pub(crate) fn new(label: &str, scenario: impl Into<String>) -> Self {
        Self { scenario: scenario.into(), label: label.to_owned(), values: Vec::new() }
    }

    /// Adds a figure.
    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.values.push(Value { name: name.to_owned(), value });
        self
    }

    /// One sentence for people.
    pub(crate) fn line(&self) -> String {
        let values: Vec<_> = self.values.iter().map(|v| format!("{} {}", shown(v.value), v.name)).collect();
        format!("{} on {}: {}", self.scenario, self.label, values.join(", "))
    }

    /// One line for programs.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// A figure with as many digits as it deserves.
pub(crate) fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1.0 => format!("{value:.3}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => thousands(value.round() as i64),
    }
}

fn thousands(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let groups = std::iter::once(head.to_owned()).chain(groups).filter(|group| !group.is_empty());
    format!("{sign}{}", groups.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_they_deserve() {
        assert_eq!(shown(1_234_567.4), "1,234,567");
        assert_eq!(shown(-123_456.0), "-123,456");
        assert_eq!((shown(0.1234), shown(12.34), shown(123.4)), ("0.123".into(), "12.3".into(), "123".into()));
    }
}
