//! A list of turns: one line each.

use super::{Cause, Changes, Page, Run, TableChange, Turn, When};
use crate::output::{Paint, harmless};

/// Shows pages of turns.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) when: When,
    pub(crate) paint: Paint,
}

/// The cells of a turn as they are padded, before they are painted.
type Cells = [String; 5];

impl Turns {
    /// The lines of a page.
    pub(crate) fn lines(&self, page: &Page) -> Vec<String> {
        let rows: Vec<Cells> = page.turns.iter().flat_map(|turn| self.rows(turn)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        rows.iter().map(|row| self.line(row, widths)).collect()
    }

    /// One row, and one for each further reason of turns that share the number.
    fn rows(&self, turn: &Turn) -> Vec<Cells> {
        let changes = turn.changes.as_ref().map(changes).unwrap_or_default();
        let gone = if turn.ended { "the agent ended".to_owned() } else { changes };
        let (number, time) = (format!("#{}", turn.turn), self.when.show(turn.time_ms));
        let mut runs = turn.shared.iter().map(|run| [run_of(run), author(&run.cause)]);
        let [what, author] = runs.next().unwrap_or_else(|| [what(&turn.cause, turn.whole), author(&turn.cause)]);
        let first = [number, time, what, author, gone];
        let further = runs.map(|[what, author]| [String::new(), String::new(), what, author, String::new()]);
        let clean = |cells: Cells| cells.map(|cell| harmless(&cell).replace('\n', " "));
        std::iter::once(first).chain(further).map(clean).collect()
    }

    fn line(&self, [turn, time, what, author, rest]: &Cells, [a, b, c, d]: [usize; 4]) -> String {
        let paint = self.paint;
        let (turn, time) = (paint.cyan(&format!("{turn:>a$}")), paint.dim(&format!("{time:b$}")));
        let (what, author) = (format!("{what:c$}"), paint.dim(&format!("{author:d$}")));
        let line = format!("{turn}  {time}  {what}  {author}  {rest}");
        // Without colours the padding of the last cells is plain space.
        line.trim_end().to_owned()
    }
}

/// `call increment ×16`.
fn run_of(run: &Run) -> String {
    let what = what(&run.cause, false);
    if run.turns == 1 { what } else { format!("{what} ×{}", run.turns) }
}

fn what(cause: &Cause, whole: bool) -> String {
    match (cause.event.as_str(), cause.what.as_str()) {
        // Where old turns were merged into the database as it was after them, nobody's cause is left.
        ("", _) if whole => "older turns, merged".to_owned(),
        ("", _) => "unknown".to_owned(),
        (event, "") => event.to_owned(),
        (event, what) => format!("{event} {what}"),
    }
}

fn author(cause: &Cause) -> String {
    match cause.author.as_str() {
        "" => "-".to_owned(),
        author => author.to_owned(),
    }
}

/// `count, label · table notes +2 ~1`.
fn changes(changes: &Changes) -> String {
    let keys = match changes.state_keys.as_slice() {
        [all] if all == "*" => "the state".to_owned(),
        keys => keys.join(", "),
    };
    let tables = changes.tables.iter().map(table);
    let parts = std::iter::once(keys).chain(tables).chain(changes.note.clone());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn table(change: &TableChange) -> String {
    let counts = [('+', change.added), ('-', change.removed), ('~', change.changed)];
    let some = counts.into_iter().filter(|(_, count)| *count > 0);
    some.fold(format!("table {}", change.name), |text, (sign, count)| format!("{text} {sign}{count}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(page: serde_json::Value) -> Vec<String> {
        let page = serde_json::from_value(page).unwrap();
        Turns { when: When::east(), paint: Paint::none() }.lines(&page)
    }

    #[test]
    fn a_turn_is_a_line_with_its_number_time_cause_author_and_changes() {
        let cause = |event: &str, what: &str, author: &str| json!({"event": event, "what": what, "author": author});
        let page = json!({"turns": [
            {"turn": 1042, "time_ms": 1_795_356_191_123_i64, "cause": cause("call", "increment", "connection 9f3c"),
             "whole": false, "ended": false, "bytes": 90, "changes": {
                "state_keys": ["count", "label"],
                "tables": [{"name": "notes", "added": 2, "removed": 0, "changed": 1}], "note": null}},
            {"turn": 7, "time_ms": 1_795_356_191_000_i64, "cause": cause("restore", "", "operator"), "changes": null},
            {"turn": -1, "time_ms": 0, "cause": cause("", "", ""), "ended": true, "changes": null},
            {"turn": -2, "time_ms": 0, "cause": cause("", "", ""), "whole": true, "changes": null},
        ], "next": null, "oldest": -1});
        assert_eq!(
            lines(page),
            [
                "#1042  2026-11-22 16:03:11  call increment       connection 9f3c  count, label · table notes +2 ~1",
                "   #7  2026-11-22 16:03:11  restore              operator",
                "  #-1  1970-01-01 02:00:00  unknown              -                the agent ended",
                "  #-2  1970-01-01 02:00:00  older turns, merged  -",
            ]
        );
    }

    #[test]
    fn turns_that_share_a_number_are_listed_below_each_other() {
        let run = |what: &str, turns: u32| json!({"cause": {"event": "call", "what": what, "author": "connection 9f3c"}, "turns": turns});
        let page = json!({"turns": [
            {"turn": 12, "time_ms": 0, "cause": run("add", 1)["cause"], "shared": [run("add", 16), run("take", 1)],
             "changes": {"state_keys": ["count"]}},
            {"turn": 9, "time_ms": 0, "cause": run("add", 1)["cause"]},
        ], "next": null});
        assert_eq!(
            lines(page),
            [
                "#12  1970-01-01 02:00:00  call add ×16  connection 9f3c  count",
                "                          call take     connection 9f3c",
                " #9  1970-01-01 02:00:00  call add      connection 9f3c",
            ]
        );
    }

    #[test]
    fn what_strangers_chose_cannot_steer_the_terminal_or_break_the_line() {
        let cause = json!({"event": "call", "what": "a\u{1b}[2J\nb", "author": "connection \u{7}"});
        let shown = lines(json!({"turns": [{"turn": 1, "time_ms": 0, "cause": cause}], "next": null}));
        assert_eq!(shown, ["#1  1970-01-01 02:00:00  call a\\u{1b}[2J b  connection \\u{7}"]);
    }
}
