//! When work is due: after a while, at a moment, every so often, or by a cron expression in a time zone.
//!
//! Pure: the time comes in as an argument. What keeps schedules and runs them is the host's.

mod cron;

use std::time::Duration;

use hostel_protocol::refusal::Code;
use jiff::Timestamp;

pub use cron::Cron;

use crate::error::{Error, Result};

/// Periods are at most this long (agents-protocol, 6.1).
const LONGEST_PERIOD: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Runs that are made up for at most, however many were missed.
const MOST_MISSED: usize = 1_000;

/// When a task is due.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Once, this long from now.
    After(Duration),
    /// Once, at this moment.
    At(Timestamp),
    /// Again and again: this long after the end of the run before.
    Every(Duration),
    /// At the moments of a cron expression.
    Cron(Box<Cron>),
}

/// What becomes of runs whose moment passed while nobody could run them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// They are left out.
    Skip,
    /// One run stands for all of them.
    #[default]
    Once,
    /// Each is made up for, oldest first; at most a thousand.
    All,
}

impl When {
    /// The first moment it is due.
    ///
    /// # Errors
    /// `invalid_arguments` if there is none: a period of zero or beyond 30 days, a cron expression that never fires, a
    /// moment beyond the calendar.
    pub fn first(&self, now: Timestamp) -> Result<Timestamp> {
        match self {
            Self::After(delay) => later(now, *delay),
            Self::At(at) => Ok(*at),
            Self::Every(period) if period.is_zero() || *period > LONGEST_PERIOD => {
                Err(invalid("A period is longer than nothing and at most 30 days.")
                    .with_fix("use cron for what happens less often"))
            }
            Self::Every(period) => later(now, *period),
            Self::Cron(cron) => cron.next_after(now).ok_or_else(|| {
                invalid(format!("The cron expression {:?} never fires again.", cron.text()))
                    .with_fix("check day and month; `hostel cron` shows when an expression fires")
            }),
        }
    }

    /// Whether it is due more than once.
    pub fn repeats(&self) -> bool {
        matches!(self, Self::Every(_) | Self::Cron(_))
    }

    /// When it is due next after a run that was due at `due` and ended at `now`; `None` if never.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::After(_) | Self::At(_) => None,
            Self::Every(period) => later(now, *period).ok(),
            Self::Cron(cron) => cron.next_after(now),
        }
    }

    /// When it is due after the run that was due at `due` and ended at `now`. A moment that has passed is one that was
    /// missed and is made up for, which only [`Missed::All`] does; `made_up` says how many were in a row.
    pub fn following(&self, due: Timestamp, now: Timestamp, missed: Missed, made_up: usize) -> Option<Timestamp> {
        if missed == Missed::All && made_up + 1 < MOST_MISSED {
            let next = self.next(due)?;
            if next <= now {
                return Some(next);
            }
        }
        self.next(now)
    }
}

fn later(from: Timestamp, by: Duration) -> Result<Timestamp> {
    from.checked_add(by).map_err(|_| invalid("That moment is beyond the calendar."))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::coded(Code::InvalidArguments, message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_delay_counts_from_now_and_a_moment_is_what_it_is() {
        let now = at("2026-03-01T12:00:00Z");
        assert_eq!(When::After(MINUTE).first(now).unwrap(), at("2026-03-01T12:01:00Z"));
        assert_eq!(When::At(at("2020-01-01T00:00:00Z")).first(now).unwrap(), at("2020-01-01T00:00:00Z"));
        assert_eq!(When::After(MINUTE).next(now), None);
    }

    #[test]
    fn a_period_of_nothing_or_of_more_than_thirty_days_is_refused() {
        for period in [Duration::ZERO, LONGEST_PERIOD + MINUTE] {
            let error = When::Every(period).first(Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(error.code(), Some(Code::InvalidArguments));
        }
        assert!(When::Every(LONGEST_PERIOD).first(Timestamp::UNIX_EPOCH).is_ok());
    }

    #[test]
    fn a_moment_beyond_the_calendar_is_refused() {
        assert!(When::After(Duration::MAX).first(Timestamp::UNIX_EPOCH).is_err());
    }

    /// The moments of the runs after the one due at `due`, as long as they were missed.
    fn made_up_for(when: &When, due: Timestamp, now: Timestamp, missed: Missed) -> Vec<Timestamp> {
        let mut runs = Vec::new();
        let mut next = when.following(due, now, missed, 0);
        while let Some(at) = next.filter(|at| *at <= now) {
            runs.push(at);
            next = when.following(at, now, missed, runs.len());
        }
        runs
    }

    #[test]
    fn missed_runs_are_made_up_for_one_by_one_only_if_that_is_wished() {
        let (due, now) = (at("2026-03-01T12:00:00Z"), at("2026-03-01T12:03:30Z"));
        let cron = When::Cron(Box::new(Cron::parse("* * * * *", None).unwrap()));
        for when in [When::Every(MINUTE), cron] {
            assert!(made_up_for(&when, due, now, Missed::Once).is_empty());
            assert!(made_up_for(&when, due, now, Missed::Skip).is_empty());
            let all = made_up_for(&when, due, now, Missed::All);
            assert_eq!((all.len(), all[2]), (3, at("2026-03-01T12:03:00Z")));
        }
        assert_eq!(When::At(due).following(due, now, Missed::All, 0), None);
    }

    #[test]
    fn what_was_missed_for_years_is_made_up_for_a_thousand_times_at_most() {
        let (due, now) = (at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
        assert_eq!(made_up_for(&When::Every(MINUTE), due, now, Missed::All).len() + 1, MOST_MISSED);
    }
}
