//! A setting that is a secret: said outright, or `secret:NAME`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::{Revealed, SecretName, Vault, VaultError};

/// What a setting begins with that names a secret of the vault.
const PREFIX: &str = "secret:";

/// A setting that is a secret: its value outright, or `secret:NAME` for one of the vault. Its `Debug` and `Display` show
/// the name, never the value.
///
/// ```
/// use hostel_vault::SecretValue;
///
/// let named: SecretValue = "secret:SMTP_PASSWORD".parse()?;
/// assert_eq!(named.to_string(), "secret:SMTP_PASSWORD");
/// let outright: SecretValue = "hunter2".parse()?;
/// assert_eq!(outright.to_string(), "(hidden)");
/// assert_eq!(outright.reveal_blocking(None)?.expose(), "hunter2");
/// # Ok::<(), hostel_vault::VaultError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Named(SecretName),
    Outright(Zeroizing<String>),
}

impl SecretValue {
    /// The value itself, for code that has it already.
    pub fn outright(value: impl Into<String>) -> Self {
        Self(Kind::Outright(Zeroizing::new(value.into())))
    }

    /// A secret of the vault.
    pub fn named(name: SecretName) -> Self {
        Self(Kind::Named(name))
    }

    /// Which secret of the vault it is, if it is one.
    pub fn name(&self) -> Option<&SecretName> {
        match &self.0 {
            Kind::Named(name) => Some(name),
            Kind::Outright(_) => None,
        }
    }

    /// The value. What the vault has changes while the server runs: ask each time it is needed.
    ///
    /// # Errors
    /// Those of [`Vault::reveal`]; and when it names a secret and there is no vault.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn reveal(&self, vault: Option<&Vault>) -> Result<Revealed, VaultError> {
        match &self.0 {
            Kind::Outright(value) => Ok(Revealed::new(value.clone())),
            Kind::Named(name) => vault.ok_or_else(|| VaultError::NoVault(name.clone()))?.reveal(name).await,
        }
    }

    /// [`SecretValue::reveal`] for code that may wait.
    ///
    /// # Errors
    /// As [`SecretValue::reveal`].
    pub fn reveal_blocking(&self, vault: Option<&Vault>) -> Result<Revealed, VaultError> {
        match &self.0 {
            Kind::Outright(value) => Ok(Revealed::new(value.clone())),
            Kind::Named(name) => vault.ok_or_else(|| VaultError::NoVault(name.clone()))?.reveal_blocking(name),
        }
    }
}

impl FromStr for SecretValue {
    type Err = VaultError;

    /// Reads what stands in a configuration.
    fn from_str(text: &str) -> Result<Self, VaultError> {
        match text.strip_prefix(PREFIX) {
            Some(name) => name.parse().map(Self::named),
            None => Ok(Self::outright(text)),
        }
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Named(name) => write!(f, "{PREFIX}{name}"),
            Kind::Outright(_) => f.write_str("(hidden)"),
        }
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValue({self})")
    }
}
