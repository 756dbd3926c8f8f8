//! A moment in an agent's life, as people say it.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::{Error, ErrorKind};

/// Which moment of an agent's life is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As it is.
    Now,
    /// Right after a turn, by its number. Turns that came with an import have negative numbers.
    Turn(i64),
    /// As it was at a time, in Unix milliseconds.
    Time(i64),
}

impl Moment {
    /// Reads `now`, `#17` or `17` (a turn), `-3` (an imported turn), `2026-11-22T14:03:00Z`, or `10m ago` (also `s`, `h`,
    /// `d`, `w`).
    ///
    /// # Errors
    ///
    /// `moment_invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::parse_at(text, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }

    fn parse_at(text: &str, now_ms: i64) -> Result<Self, Error> {
        let text = text.trim();
        let turn = text.strip_prefix('#').unwrap_or(text).parse().ok().map(Self::Turn);
        let known = if text.eq_ignore_ascii_case("now") { Some(Self::Now) } else { turn };
        let ago = || ago(text).map(|ms| Self::Time(now_ms.saturating_sub(ms)));
        let time = || Timestamp::from_str(text).ok().map(|time| Self::Time(time.as_millisecond()));
        known.or_else(ago).or_else(time).ok_or_else(|| invalid(text))
    }
}

/// Milliseconds of `10m ago`.
fn ago(text: &str) -> Option<i64> {
    let span = text.strip_suffix("ago")?.trim_end();
    let digits = span.len() - span.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = span.split_at(digits);
    let unit = match unit.trim() {
        "s" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 7 * 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

fn invalid(text: &str) -> Error {
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    let message = format!(
        "\"{shown}\" is no moment; say now, the number of a turn (#17), a time with its zone (2026-11-22T14:03:00Z) or how long ago (10m ago)"
    );
    Error::new(ErrorKind::MomentInvalid, message)
}

/// As [`Moment::parse`] reads it.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Turn(turn) => write!(f, "#{turn}"),
            Self::Time(ms) => match Timestamp::from_millisecond(*ms) {
                Ok(time) => write!(f, "{time}"),
                Err(_) => write!(f, "{ms} ms"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Moment> {
        Moment::parse_at(text, 1_000_000_000).ok()
    }

    #[test]
    fn turns_times_and_spans_are_understood() {
        assert_eq!(read("now"), Some(Moment::Now));
        assert_eq!(read("#17"), Some(Moment::Turn(17)));
        assert_eq!(read(" 17 "), Some(Moment::Turn(17)));
        assert_eq!(read("-3"), Some(Moment::Turn(-3)));
        assert_eq!(read("10m ago"), Some(Moment::Time(1_000_000_000 - 600_000)));
        assert_eq!(read("2 hours ago"), Some(Moment::Time(1_000_000_000 - 7_200_000)));
        assert_eq!(read("1970-01-01T01:00:00+01:00"), Some(Moment::Time(0)));
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Some(Moment::Time(1500)));
    }

    #[test]
    fn what_is_no_moment_is_refused_and_shown() {
        for text in
            ["", "yesterday", "10x ago", "ago", "99999999999999999999d ago", "1970-01-01T00:00:01", "#", "é ago"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        let error = Moment::parse("soon").unwrap_err();
        assert_eq!(error.code(), "moment_invalid");
        assert!(error.to_string().contains("soon"), "{error}");
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for moment in [Moment::Now, Moment::Turn(4), Moment::Turn(-4), Moment::Time(1_795_000_000_123)] {
            assert_eq!(read(&moment.to_string()), Some(moment));
        }
    }
}
