//! The sections of `hostel.toml`: what has more to it than one value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::auth::{AgentSection, AuthSection};
use super::origin::Origin;
use super::value::Value;

/// Their names.
const NAMES: [&str; 3] = ["vault", "auth", "agents"];

/// Everything that has a table of its own.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    /// `[vault]`, and where it stands.
    pub vault: Option<(VaultSection, Origin)>,
    /// `[auth]`, and where it stands.
    pub auth: Option<(AuthSection, Origin)>,
    /// The tables `[agents.CLASS]`.
    pub agents: BTreeMap<String, AgentSection>,
}

/// `[vault]`: where secrets come from, and what is masked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSection {
    /// The sealed file. Default `hostel.vault`, if it exists.
    pub file: Option<PathBuf>,
    /// What opens it, unless a passphrase does.
    pub key_file: Option<PathBuf>,
    /// Commands that know secrets, by the names of those.
    #[serde(default)]
    pub commands: BTreeMap<String, Vec<String>>,
    /// How long such a command may take.
    pub command_timeout: Option<Time>,
    /// Kinds of tokens that are masked by their look. Default all.
    pub shapes: Option<Vec<String>>,
}

/// A time as all settings write it, such as `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Duration::read(&[text]).map(Self).map_err(D::Error::custom)
    }
}

/// What is wrong with a section, and at which byte of the file if not at its head.
pub(super) struct Wrong {
    pub(super) offset: Option<usize>,
    pub(super) message: String,
}

/// Whether a section has this name.
pub(super) fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Sections {
    pub(super) fn read(&mut self, name: &str, value: &Spanned<DeValue<'_>>, origin: Origin) -> Result<(), Wrong> {
        if name == "vault" {
            self.vault = Some((section(name, value)?, origin));
        } else if name == "auth" {
            self.auth = Some((section(name, value)?, origin));
        } else if name == "agents" {
            self.agents = section(name, value)?;
        }
        Ok(())
    }
}

fn section<'de, T: Deserialize<'de>>(name: &str, value: &Spanned<DeValue<'de>>) -> Result<T, Wrong> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return Err(Wrong { offset: None, message: format!("{name}: expected a table, [{name}]") });
    }
    T::deserialize(ValueDeserializer::from(value.clone())).map_err(|error| {
        let offset = error.span().map(|span| span.start);
        Wrong { offset, message: format!("{name}: {}", error.message()) }
    })
}
