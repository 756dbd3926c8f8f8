//! How much history each class keeps, as the store wants to know it.

use std::time::Duration;

use hostel_store::{HistoryOptions, Retention};

use crate::builtin;
use crate::config::{ByteSize, ClassHistory, Config, OrOff};

/// What the configuration says.
pub(crate) fn of(config: &Config) -> HistoryOptions {
    let class = |(name, kept): (&String, &ClassHistory)| (builtin::namespace(name), of_class(config, kept));
    HistoryOptions {
        default: retention(*config.history_age, *config.history_bytes),
        classes: config.histories.iter().map(class).collect(),
    }
}

/// Keeps everything: for somebody who only looks, and does not know what the server was told to keep.
pub(crate) fn all() -> HistoryOptions {
    let default = Retention { age: Duration::MAX, bytes: u64::MAX };
    HistoryOptions { default, ..HistoryOptions::default() }
}

fn of_class(config: &Config, kept: &ClassHistory) -> Retention {
    let age = kept.age.as_ref().map_or(*config.history_age, |age| **age);
    let bytes = kept.bytes.as_ref().map_or(*config.history_bytes, |bytes| **bytes);
    retention(age, bytes)
}

fn retention(age: OrOff<Duration>, bytes: OrOff<ByteSize>) -> Retention {
    match (age, bytes) {
        (OrOff::UpTo(age), OrOff::UpTo(bytes)) => Retention { age, bytes: bytes.0 },
        _ => Retention::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layered, Origin};

    fn layered<T>(value: T) -> Option<Layered<T>> {
        Some(Layered { value, origin: Origin::Default })
    }

    #[test]
    fn a_class_keeps_what_its_table_says_and_else_what_all_keep() {
        let mut config = Config::default();
        let kept = ClassHistory { class: "coder".to_owned(), origin: Origin::Default, age: None, bytes: None };
        let age = layered(OrOff::UpTo(Duration::from_secs(60)));
        config.histories.insert("coder".to_owned(), ClassHistory { age, ..kept.clone() });
        config.histories.insert("other".to_owned(), ClassHistory { bytes: layered(OrOff::Off), ..kept });
        let options = of(&config);
        let month = Retention { age: Duration::from_secs(30 * 86_400), bytes: 4 << 30 };
        assert_eq!(options.of("counter"), month);
        assert_eq!(options.of("coder-agent"), Retention { age: Duration::from_secs(60), ..month });
        assert_eq!(options.of("other"), Retention::NONE);
    }
}
