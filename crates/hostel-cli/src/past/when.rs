//! Times as people read them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

/// Local time, or RFC 3339 in UTC.
#[derive(Debug, Clone)]
pub(crate) struct When {
    zone: Option<TimeZone>,
}

impl When {
    pub(crate) fn new(utc: bool) -> Self {
        Self { zone: (!utc).then(TimeZone::system) }
    }

    /// A time to the second.
    pub(crate) fn show(&self, unix_ms: i64) -> String {
        let Ok(at) = Timestamp::from_millisecond(unix_ms) else {
            return format!("{unix_ms} ms");
        };
        match &self.zone {
            None => at.round(Unit::Millisecond).unwrap_or(at).to_string(),
            Some(zone) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }
}

#[cfg(test)]
impl When {
    /// Two hours east of Greenwich.
    pub(crate) fn east() -> Self {
        Self { zone: Some(TimeZone::fixed(jiff::tz::offset(2))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_or_rfc_3339() {
        assert_eq!(When::east().show(1_795_356_191_123), "2026-11-22 16:03:11");
        assert_eq!(When::new(true).show(1_795_356_191_123), "2026-11-22T14:03:11.123Z");
        assert_eq!(When::new(true).show(i64::MAX), format!("{} ms", i64::MAX));
    }
}
