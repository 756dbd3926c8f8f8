//! A difference: state and rows, lines with - and +.

use serde_json::Value;

use super::{Difference, Point, StateChange, TableDifference, When};
use crate::output::{Paint, harmless};

/// How much of one value is shown; all of it is in the JSON.
const LONGEST: usize = 160;

/// Shows differences.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) when: When,
    pub(crate) paint: Paint,
}

impl Delta {
    /// A moment in words: `#1038 (2026-11-22 13:59:12)`.
    pub(crate) fn point(&self, point: Point) -> String {
        format!("{} ({})", self.paint.cyan(&format!("#{}", point.turn)), self.when.show(point.time_ms))
    }

    /// The lines of a difference, without a head.
    pub(crate) fn lines(&self, difference: &Difference) -> Vec<String> {
        if difference.is_empty() {
            return vec!["State and rows are the same.".to_owned()];
        }
        let mut lines = Vec::new();
        if !difference.state.is_empty() {
            lines.push(self.paint.bold("state"));
            lines.extend(difference.state.iter().flat_map(|change| self.state(change)));
        }
        for table in &difference.tables {
            lines.push(self.paint.bold(&harmless(&format!("table {}", table.name))));
            lines.extend(self.table(table));
        }
        lines.extend(difference.note.iter().map(|note| clean(note)));
        lines
    }

    fn state(&self, change: &StateChange) -> Vec<String> {
        let path = if change.path.is_empty() { "(all)" } else { &change.path };
        let say = |value: &Value| format!("{path}  {}", shown(value));
        let before = change.before.iter().map(|value| self.minus(&say(value)));
        before.chain(change.after.iter().map(|value| self.plus(&say(value)))).collect()
    }

    fn table(&self, table: &TableDifference) -> Vec<String> {
        let mut lines = Vec::new();
        if table.schema_changed {
            lines.push(self.paint.dim("  declared otherwise, or there at one moment only"));
        }
        lines.extend(table.removed.iter().map(|row| self.minus(&columns(row))));
        for (before, after) in &table.changed {
            lines.extend([self.minus(&columns(before)), self.plus(&columns(after))]);
        }
        lines.extend(table.added.iter().map(|row| self.plus(&columns(row))));
        if table.more > 0 {
            lines.push(format!("  … and {} more; --rows N shows them", rows(table.more)));
        }
        lines
    }

    fn minus(&self, text: &str) -> String {
        self.paint.red(&format!("  - {}", clean(text)))
    }

    fn plus(&self, text: &str) -> String {
        self.paint.green(&format!("  + {}", clean(text)))
    }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// One line that cannot steer the terminal.
fn clean(text: &str) -> String {
    harmless(text).replace('\n', "\\n")
}

/// A row as `id=4  text="new"`.
fn columns(row: &Value) -> String {
    let Value::Object(columns) = row else { return shown(row) };
    columns.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join("  ")
}

/// A value of a row; blobs and long texts come as objects with their beginning and their length.
fn cell(value: &Value) -> String {
    let bytes = value.get("bytes").and_then(Value::as_u64);
    let head = |key| value.get(key).and_then(Value::as_str);
    match (bytes, head("blob"), head("text")) {
        (Some(bytes), Some(hex), _) if hex.len() as u64 == 2 * bytes => format!("x'{hex}'"),
        (Some(bytes), Some(hex), _) => format!("x'{hex}…' ({bytes} bytes)"),
        (Some(bytes), _, Some(text)) => format!("{}… ({bytes} bytes)", shown(&text.into())),
        _ => shown(value),
    }
}

/// A value as JSON, cut if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let length = text.chars().count();
    if length <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head}… ({length} characters; --json has all)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(difference: Value) -> Vec<String> {
        let difference = serde_json::from_value(difference).unwrap();
        Delta { when: When::east(), paint: Paint::none() }.lines(&difference)
    }

    fn point(turn: i64) -> Value {
        json!({"turn": turn, "time_ms": 0})
    }

    #[test]
    fn state_and_rows_are_lines_with_their_signs() {
        let difference = json!({"from": point(1), "to": point(2), "state": [
            {"path": "/count", "before": 3, "after": 5},
            {"path": "/old", "before": null},
            {"path": "", "after": {"a": 1}},
        ], "tables": [{"name": "notes", "schema_changed": false, "added": [
                {"id": 4, "data": {"blob": "01ff", "bytes": 2}, "big": {"blob": "0102", "bytes": 5000}}], "removed": [{"id": 1}],
            "changed": [[{"id": 2, "text": "a"}, {"id": 2, "text": "b"}]], "more": 1}]});
        assert_eq!(
            lines(difference),
            [
                "state",
                "  - /count  3",
                "  + /count  5",
                "  - /old  null",
                "  + (all)  {\"a\":1}",
                "table notes",
                "  - id=1",
                "  - id=2  text=\"a\"",
                "  + id=2  text=\"b\"",
                "  + id=4  data=x'01ff'  big=x'0102…' (5000 bytes)",
                "  … and 1 row more; --rows N shows them",
            ]
        );
    }

    #[test]
    fn two_equal_moments_are_called_so() {
        let same = json!({"from": point(1), "to": point(1), "state": [], "tables": []});
        assert_eq!(lines(same), ["State and rows are the same."]);
    }

    #[test]
    fn long_values_are_cut_and_no_value_steers_the_terminal() {
        let long = json!("\u{1b}".to_owned() + &"x".repeat(1_000));
        let difference = json!({"from": point(1), "to": point(2), "tables": [],
            "state": [{"path": "/a\n\u{7}", "after": long}]});
        let shown = lines(difference);
        assert!(shown[1].ends_with("x… (1008 characters; --json has all)"), "{shown:?}");
        assert!(shown[1].starts_with("  + /a\\n\\u{7}  \"\\u001bxxx"), "{shown:?}");
    }
}
