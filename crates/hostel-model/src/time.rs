//! Times as settings write them: `20ms`, `1.5s`, `2m`, or a number of seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

/// Reads a time.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 20ms, 1.5s or 2m, found {text:?}");
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// For people: whole seconds where there are any.
pub(crate) fn show(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{} s", seconds.ceil()),
        _ => format!("{} ms", time.as_millis()),
    }
}

pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    parse(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(parse("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("5"), Ok(Duration::from_secs(5)));
        for wrong in ["", "-5s", "1e400s", "s", "5 years"] {
            assert!(parse(wrong).unwrap_err().contains("expected a time"), "{wrong}");
        }
    }
}
