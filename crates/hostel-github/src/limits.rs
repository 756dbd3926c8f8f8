//! GitHub's limits: what its headers say of them, and how long to wait.
//!
//! There are two: so many requests an hour, whose end is in `x-ratelimit-reset`, and "secondary" ones against too much at once, with
//! a `retry-after`, or a minute where GitHub says nothing.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

/// How long to wait where GitHub says nothing.
const UNSAID: i64 = 60;

/// A limit that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) until: Timestamp,
    pub(crate) secondary: bool,
}

/// The limit that an answer tells of, if it does.
pub(crate) fn hit(status: StatusCode, headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Limited> {
    if !matches!(status.as_u16(), 403 | 429) {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let after = |seconds: i64| Timestamp::from_second(now.as_second().saturating_add(seconds.max(0))).unwrap_or(now);
    if let Some(seconds) = number("retry-after") {
        return Some(Limited { until: after(seconds), secondary: true });
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let until = number("x-ratelimit-reset").and_then(|at| Timestamp::from_second(at).ok());
        return Some(Limited { until: until.unwrap_or_else(|| after(UNSAID)), secondary: false });
    }
    let says = message.to_ascii_lowercase();
    let secondary = says.contains("secondary rate limit") || says.contains("abuse detection");
    (secondary || status.as_u16() == 429).then(|| Limited { until: after(UNSAID), secondary: true })
}

impl Limited {
    /// How long that is from now on.
    pub(crate) fn wait(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.until.duration_since(now)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(status: u16, headers: &[(&'static str, &str)], message: &str) -> Option<(i64, bool)> {
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let now = Timestamp::from_second(1000).unwrap();
        let hit = hit(StatusCode::from_u16(status).unwrap(), &headers.collect(), message, now);
        hit.map(|limited| (limited.until.as_second(), limited.secondary))
    }

    #[test]
    fn both_kinds_of_limits_are_told_from_what_is_forbidden() {
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700")];
        assert_eq!(found(403, &used_up, "API rate limit exceeded"), Some((1700, false)));
        assert_eq!(found(429, &used_up, ""), Some((1700, false)));
        assert_eq!(
            found(403, &[("retry-after", "30")], "You have exceeded a secondary rate limit."),
            Some((1030, true))
        );
        assert_eq!(found(403, &[], "You have exceeded a secondary rate limit."), Some((1060, true)));
        assert_eq!(found(429, &[], ""), Some((1060, true)));
        assert_eq!(found(403, &[("x-ratelimit-remaining", "4999")], "Resource not accessible"), None);
        assert_eq!(found(404, &used_up, ""), None, "a limit that is used up by this very request");
        assert_eq!(found(403, &[("retry-after", "-5")], ""), Some((1000, true)));
    }

    #[test]
    fn a_limit_that_has_passed_is_not_waited_for() {
        let limited = Limited { until: Timestamp::from_second(5).unwrap(), secondary: false };
        assert_eq!(limited.wait(Timestamp::from_second(9).unwrap()), Duration::ZERO);
        assert_eq!(limited.wait(Timestamp::from_second(2).unwrap()), Duration::from_secs(3));
    }
}
