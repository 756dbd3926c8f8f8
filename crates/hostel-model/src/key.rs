//! Where a provider's key comes from.

use std::{collections::BTreeMap, fmt, future::ready};

use futures_util::{FutureExt, future::BoxFuture};
use serde::{Deserialize, Deserializer, de::Error as _};
use zeroize::Zeroizing;

/// What a setting begins with that names a secret.
const PREFIX: &str = "secret:";

/// Knows secrets by name. A server gives its vault; tests a map.
pub trait Secrets: Send + Sync {
    /// Whether there is one with this name, without asking anybody far away.
    fn has(&self, name: &str) -> bool;

    /// Its value; `None` if there is none. Asked at each request, so that a key can be replaced while a server runs.
    ///
    /// # Errors
    /// Why it cannot be had, for whoever runs the server.
    fn reveal(&self, name: &str) -> BoxFuture<'static, Result<Option<Zeroizing<String>>, String>>;
}

impl Secrets for BTreeMap<String, String> {
    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }

    fn reveal(&self, name: &str) -> BoxFuture<'static, Result<Option<Zeroizing<String>>, String>> {
        ready(Ok(self.get(name).cloned().map(Zeroizing::new))).boxed()
    }
}

/// A setting that is a key: its value outright, or `secret:NAME`. Its `Debug` and `Display` show the name, never the value.
///
/// ```
/// use hostel_model::KeySetting;
///
/// let named: KeySetting = "secret:OPENAI_API_KEY".parse().unwrap();
/// assert_eq!(named.to_string(), "secret:OPENAI_API_KEY");
/// let outright: KeySetting = "sk-123".parse().unwrap();
/// assert_eq!(format!("{outright:?}"), "(hidden)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeySetting(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Named(String),
    Outright(Zeroizing<String>),
}

impl KeySetting {
    /// The secret with this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self(Kind::Named(name.into()))
    }

    /// Which secret it is, if it is one.
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Named(name) => Some(name),
            Kind::Outright(_) => None,
        }
    }

    /// Its value.
    pub(crate) async fn reveal(&self, secrets: &dyn Secrets) -> Result<Option<Zeroizing<String>>, String> {
        match &self.0 {
            Kind::Named(name) => secrets.reveal(name).await,
            Kind::Outright(value) => Ok(Some(value.clone())),
        }
    }
}

impl std::str::FromStr for KeySetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(PREFIX) {
            Some("") => Err(format!("expected a name after {PREFIX}")),
            Some(name) => Ok(Self::named(name)),
            None if text.is_empty() => Err("a key cannot be empty".to_owned()),
            None => Ok(Self(Kind::Outright(Zeroizing::new(text.to_owned())))),
        }
    }
}

impl fmt::Display for KeySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Named(name) => write!(f, "{PREFIX}{name}"),
            Kind::Outright(_) => f.write_str("(hidden)"),
        }
    }
}

impl fmt::Debug for KeySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for KeySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Zeroizing::new(String::deserialize(deserializer)?).parse().map_err(D::Error::custom)
    }
}
