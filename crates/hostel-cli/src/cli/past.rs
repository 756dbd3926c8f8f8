//! `history`, `diff`, `restore` and `fork`.

use clap::Args;

use super::{Look, Place};

/// What can stand for a moment, in the help of every command that takes one.
pub(crate) const MOMENTS: &str = "\
A moment is a turn (1042 or '#1042'), a time (2026-11-22T14:03:00Z), a while ago (10m ago, 2h ago), \
or now. It means the agent as it was after the last turn up to then.";

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    /// How many turns to list.
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// List turns before this one.
    #[arg(long, value_name = "TURN", value_parser = turn, allow_hyphen_values = true)]
    pub(crate) before: Option<i64>,
    /// Show which state keys and tables each turn changed; takes longer.
    #[arg(long)]
    pub(crate) changes: bool,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// A turn number, with or without the `#` it is shown with.
fn turn(text: &str) -> Result<i64, String> {
    let number = text.strip_prefix('#').unwrap_or(text);
    number.parse().map_err(|_| "expected the number of a turn such as 1042".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    /// Two moments, the first before the second; without the second, now.
    #[arg(value_name = "A..B", value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: Range,
    /// How many rows of each table to show.
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) rows: u32,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// Two moments, as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: String,
    pub(crate) to: String,
}

fn range(text: &str) -> Result<Range, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, ""));
    let (from, to) = (from.trim(), to.trim());
    if from.is_empty() {
        return Err("expected two moments such as 17..42, or 17.. for what changed since".to_owned());
    }
    let to = if to.is_empty() { "now" } else { to };
    Ok(Range { from: from.to_owned(), to: to.to_owned() })
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    /// The moment to go back to.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub(crate) at: String,
    /// Do not ask; needed where nobody can be asked, as in a script.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Show times as RFC 3339 in UTC instead of local time.
    #[arg(long)]
    pub(crate) utc: bool,
    /// Print JSON; needs --yes.
    #[arg(long, requires = "yes")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    /// The name of the copy, in the same class.
    pub(crate) name: String,
    /// The moment that is copied.
    #[arg(long, value_name = "MOMENT", default_value = "now", allow_hyphen_values = true)]
    pub(crate) at: String,
    #[command(flatten)]
    pub(crate) look: Look,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_moments_of_which_the_second_may_be_left_out() {
        let read = |text: &str| range(text).map(|range| (range.from, range.to));
        let both = |from: &str, to: &str| Ok((from.to_owned(), to.to_owned()));
        assert_eq!(read("17..42"), both("17", "42"));
        assert_eq!(read("-3 .. -1"), both("-3", "-1"));
        assert_eq!(read("10m ago.."), both("10m ago", "now"));
        assert_eq!(read("2026-11-22T14:03:00Z"), both("2026-11-22T14:03:00Z", "now"));
        assert!(read("..42").is_err());
    }

    #[test]
    fn a_turn_may_be_written_as_it_is_shown() {
        assert_eq!((turn("#42"), turn("-3")), (Ok(42), Ok(-3)));
        assert!(turn("now").is_err());
    }
}
