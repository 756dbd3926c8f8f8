//! Cron expressions. The dialect is that of the crate `croner`, which follows Vixie cron and the Open Cron Pattern
//! Specification: five fields (minute, hour, day of month, month, day of week), optionally seconds in front, names
//! (`MON`, `JAN`), lists, ranges, steps, `L` (last), `#` (n-th weekday), `W` (nearest weekday), and `@daily` and its like.
//!
//! When clocks change: an expression with fixed hours runs once a day, at the first moment after a gap, and at the first of
//! two equal times; one with `*` or a step in seconds, minutes or hours follows the clock, so it leaves out a gap and runs
//! in both of two equal hours.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::invalid;
use crate::error::Result;

/// A cron expression and the time zone it is read in.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    zone: Option<String>,
    pattern: croner::Cron,
    clock: TimeZone,
}

impl Cron {
    /// Reads an expression. Without a zone (an IANA name such as `Europe/Berlin`) it is read in UTC.
    ///
    /// # Errors
    /// `invalid_arguments`, with what is wrong and how it is written.
    ///
    /// ```
    /// use hostel_core::schedule::Cron;
    ///
    /// let cron = Cron::parse("30 9 * * MON-FRI", Some("Europe/Berlin"))?;
    /// let friday = "2026-03-27T12:00:00Z".parse()?;
    /// // The clocks change on Sunday: half past nine is an hour earlier in UTC afterwards.
    /// assert_eq!(cron.next_after(friday).map(|at| at.to_string()).as_deref(), Some("2026-03-30T07:30:00Z"));
    /// # Ok::<(), hostel_core::Error>(())
    /// ```
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Self> {
        let text = text.trim();
        let pattern = croner::Cron::from_str(text).map_err(|why| {
            invalid(format!("{text:?} is no cron expression: {why}"))
                .with_fix("write minute, hour, day of month, month and day of week, as in \"30 9 * * MON-FRI\"")
        })?;
        let clock = match zone {
            None => TimeZone::UTC,
            Some(zone) => TimeZone::get(zone).map_err(|_| {
                invalid(format!("There is no time zone {zone:?}.")).with_fix("use an IANA name, as in Europe/Berlin")
            })?,
        };
        Ok(Self { text: text.to_owned(), zone: zone.map(str::to_owned), pattern, clock })
    }

    /// The expression, as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The time zone, if one was named.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The first moment after `after`; `None` if there is none.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.clock.clone());
        self.pattern.find_next_occurrence(&after, false).ok().map(|at: Zoned| at.timestamp())
    }

    /// Every moment after `after`, in order.
    pub fn from(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |at| self.next_after(*at))
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.zone) == (&other.text, &other.zone)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "{} ({zone})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(text, Some(zone)).unwrap();
        cron.from(after.parse().unwrap()).take(count).map(|at| at.to_string()).collect()
    }

    #[test]
    fn a_fixed_hour_that_a_clock_leaves_out_runs_right_after_the_gap() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00.
        let runs = runs("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        assert_eq!(runs, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    #[test]
    fn a_fixed_hour_that_a_clock_has_twice_runs_once() {
        // Berlin, 25 October 2026: 03:00 becomes 02:00.
        let runs = runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(runs, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn every_half_hour_goes_on_through_both_of_two_equal_hours() {
        let runs = runs("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", 6);
        assert_eq!(
            runs,
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T02:30:00Z"
            ]
        );
    }

    #[test]
    fn the_last_day_and_the_nth_weekday_are_understood() {
        assert_eq!(runs("0 0 L * *", "UTC", "2028-02-01T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
        assert_eq!(runs("0 9 * * FRI#2", "UTC", "2026-11-01T00:00:00Z", 1), ["2026-11-13T09:00:00Z"]);
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        let words = |text, zone| Cron::parse(text, zone).unwrap_err().message().to_owned();
        assert!(words("every day", None).contains("is no cron expression"));
        assert!(words("61 * * * *", None).contains("is no cron expression"));
        assert!(words("", None).contains("is no cron expression"));
        assert_eq!(words("0 9 * * *", Some("Mars/Base")), "There is no time zone \"Mars/Base\".");
    }

    #[test]
    fn an_expression_that_never_fires_has_no_next_moment() {
        let never = Cron::parse("0 0 30 2 *", None).unwrap();
        assert_eq!(never.next_after("2026-01-01T00:00:00Z".parse().unwrap()), None);
    }
}
