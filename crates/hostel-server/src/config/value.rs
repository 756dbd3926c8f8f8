//! How each type of setting is read from text and shown again.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hostel::{BadNetwork, BadRate, Network, Rate};

/// How a setting takes its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value.
    Single,
    /// True or false; as a flag it may stand alone.
    Switch,
    /// Any number of values: a repeated flag, an array in the file, commas in a variable.
    List,
}

/// A type of setting.
pub trait Value: Sized {
    /// How it takes its values.
    const KIND: Kind = Kind::Single;

    /// Reads it. `Single` and `Switch` are given exactly one text.
    ///
    /// # Errors
    ///
    /// A sentence that says what was expected.
    fn read(texts: &[String]) -> Result<Self, String>;

    /// The texts from which [`Value::read`] makes the same value.
    fn show(&self) -> String;
}

/// A number of bytes: `4096`, `64KiB`, `1MiB`, `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// As an index type, cut at what the machine can address.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// How much a refusal tells strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Development on a loopback address, production elsewhere.
    Auto,
    /// Refusals list agents and methods.
    Development,
    /// Refusals name only what the client sent.
    Production,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

fn one(texts: &[String]) -> Result<&str, String> {
    match texts {
        [text] => Ok(text.trim()),
        _ => Err(format!("expected one value, found {}", texts.len())),
    }
}

impl Value for String {
    fn read(texts: &[String]) -> Result<Self, String> {
        match one(texts)? {
            "" => Err("expected a text, found nothing".to_owned()),
            text => Ok(text.to_owned()),
        }
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for SocketAddr {
    fn read(texts: &[String]) -> Result<Self, String> {
        let text = one(texts)?;
        let loopback = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        loopback
            .as_deref()
            .unwrap_or(text)
            .parse()
            .map_err(|_| format!("expected ADDRESS:PORT such as 127.0.0.1:8787 or [::1]:8787, found {text:?}"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn read(texts: &[String]) -> Result<Self, String> {
        String::read(texts).map(Self::from)
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for Option<PathBuf> {
    fn read(texts: &[String]) -> Result<Self, String> {
        let text = one(texts)?;
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, PathBuf::show)
    }
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::List;

    fn read(texts: &[String]) -> Result<Self, String> {
        let items = texts.iter().map(|text| text.trim().to_owned());
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    fn show(&self) -> String {
        self.join(",")
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Switch;

    fn read(texts: &[String]) -> Result<Self, String> {
        match one(texts)? {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            text => Err(format!("expected true or false, found {text:?}")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    fn read(texts: &[String]) -> Result<Self, String> {
        let text = one(texts)?;
        match text.replace('_', "").parse() {
            Ok(0) | Err(_) => Err(format!("expected a number of at least 1, found {text:?}")),
            Ok(number) => Ok(number),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Value for ByteSize {
    fn read(texts: &[String]) -> Result<Self, String> {
        let text = one(texts)?;
        let (number, unit) =
            SIZES.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).unwrap_or((text, 1));
        let number: Option<u64> = number.trim().replace('_', "").parse().ok();
        number
            .and_then(|number| number.checked_mul(unit))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| format!("expected a size such as 65536, 64KiB or 1MiB, found {text:?}"))
    }

    fn show(&self) -> String {
        let exact = SIZES[..3].iter().find(|(_, unit)| self.0.is_multiple_of(*unit));
        exact.map_or_else(|| self.0.to_string(), |(name, unit)| format!("{}{name}", self.0 / unit))
    }
}

const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Value for Duration {
    fn read(texts: &[String]) -> Result<Self, String> {
        let text = one(texts)?;
        let (number, unit) =
            TIMES.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).unwrap_or((text, 1_000));
        let number: Option<u64> = number.trim().parse().ok();
        number
            .and_then(|number| number.checked_mul(unit))
            .filter(|millis| *millis > 0)
            .map(Self::from_millis)
            .ok_or_else(|| format!("expected a time such as 500ms, 5s, 2m or 30d, found {text:?}"))
    }

    fn show(&self) -> String {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let (name, unit) = TIMES.iter().rev().find(|(_, unit)| millis.is_multiple_of(*unit)).unwrap_or(&TIMES[0]);
        format!("{}{name}", millis / unit)
    }
}

/// Networks of proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<Network>);

impl Value for Networks {
    const KIND: Kind = Kind::List;

    fn read(texts: &[String]) -> Result<Self, String> {
        let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        texts
            .map(|text| text.parse().map_err(|error: BadNetwork| error.to_string()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn show(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl Value for Rate {
    fn read(texts: &[String]) -> Result<Self, String> {
        one(texts)?.parse().map_err(|error: BadRate| error.to_string())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A value, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrOff<T> {
    /// Nothing of it.
    Off,
    /// As much as this.
    UpTo(T),
}

impl<T: Value> Value for OrOff<T> {
    fn read(texts: &[String]) -> Result<Self, String> {
        match one(texts)? {
            "off" | "0" => Ok(Self::Off),
            _ => T::read(texts).map(Self::UpTo).map_err(|message| format!("{message}; or off")),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::UpTo(value) => value.show(),
        }
    }
}

impl Value for Mode {
    fn read(texts: &[String]) -> Result<Self, String> {
        match one(texts)? {
            "auto" => Ok(Self::Auto),
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            text => Err(format!("expected auto, development or production, found {text:?}")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Development => "development",
            Self::Production => "production",
        })
    }
}

impl Value for LogFormat {
    fn read(texts: &[String]) -> Result<Self, String> {
        match one(texts)? {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            text => Err(format!("expected auto, text or json, found {text:?}")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}
