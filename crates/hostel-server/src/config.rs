//! The configuration: every setting once, in one table, and where its value came from.
//!
//! Flags win over `HOSTEL_*` variables, those over the file `hostel.toml`, that over the
//! defaults. What the values mean to the server is not here: the parts take them as they are.

mod auth;
mod check;
mod file;
mod history;
mod origin;
mod sections;
mod table;
mod value;

pub use auth::{AgentSection, AuthSection, IssuerSection, TokenSection};
pub use check::Unsafe;
pub use history::{ClassHistory, Histories};
pub use origin::{Layered, Origin};
pub use sections::{
    HmacAlgorithm, HmacEncoding, MailSection, Sections, Size, SmtpEncryption, SmtpSection, Time, VaultSection,
    WebhookKind, WebhookSection,
};
pub use table::{Config, Entry, SETTINGS, Setting, setting};
pub use value::{ByteSize, Kind, LogFormat, Mode, Networks, OrOff, Value};

use std::path::PathBuf;

use hostel_protocol::name::nearest;
use hostel_vault::environment;

use crate::builtin;

/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "hostel.toml";

/// Variables that begin with `HOSTEL_` and are no settings of the server.
const OTHER_VARIABLES: [&str; 5] =
    ["HOSTEL_TOKEN", "HOSTEL_CONFIG", "HOSTEL_URL", "HOSTEL_LOG", "HOSTEL_SECRETS_ON_STDIN"];

/// Everything a configuration is made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Setting names with their values, from the command line.
    pub flags: Vec<(String, Vec<String>)>,
    /// The environment, of which only `HOSTEL_*` is looked at.
    pub env: Vec<(String, String)>,
    /// The file named on the command line or by `HOSTEL_CONFIG`; it must exist.
    pub file: Option<PathBuf>,
}

/// A configuration that cannot be used. Each text names the value and where it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value in it has the wrong form.
    #[error("{}:{line}: {message}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A variable has a value that cannot be used.
    #[error("the variable {name}: {message}")]
    Variable {
        /// Which variable.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// A flag has a value that cannot be used.
    #[error("the flag --{flag}: {message}")]
    Flag {
        /// Which flag, without the dashes.
        flag: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// Puts the layers together.
    ///
    /// The second part of the answer are warnings, one sentence each: variables that look
    /// like settings and are none, and histories of classes that are not served.
    ///
    /// # Errors
    ///
    /// The first value that cannot be used, with the place it comes from.
    pub fn load(sources: &Sources) -> Result<(Self, Vec<String>), ConfigError> {
        let mut config = Self::default();
        file::apply(&mut config, sources.file.as_deref())?;
        let mut warnings = config.history_warnings(&builtin::spellings());
        warnings.extend(apply_env(&mut config, &sources.env)?);
        apply_flags(&mut config, &sources.flags)?;
        Ok((config, warnings))
    }
}

fn apply_env(config: &mut Config, env: &[(String, String)]) -> Result<Vec<String>, ConfigError> {
    let mut warnings = Vec::new();
    for (name, text) in env {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.env() == *name) else {
            warnings.extend(unknown_variable(name));
            continue;
        };
        let origin = Origin::Env { name: name.clone() };
        let values = setting.split(text);
        config
            .set(setting.name, &values, origin)
            .map_err(|message| ConfigError::Variable { name: name.clone(), message })?;
    }
    Ok(warnings)
}

fn unknown_variable(name: &str) -> Option<String> {
    let of_the_vault = name.starts_with(environment::PREFIX) || name == environment::PASSPHRASE;
    if !name.starts_with("HOSTEL_") || OTHER_VARIABLES.contains(&name) || of_the_vault {
        return None;
    }
    let known: Vec<String> = SETTINGS.iter().map(Setting::env).collect();
    let hint = nearest(name, known.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!(" Did you mean {near}?"));
    Some(format!("The variable {name} is no setting and is ignored.{hint}"))
}

fn apply_flags(config: &mut Config, flags: &[(String, Vec<String>)]) -> Result<(), ConfigError> {
    for (name, values) in flags {
        let flag = setting(name).map_or(name.as_str(), |setting| setting.flag);
        let origin = Origin::Flag { flag: flag.to_owned() };
        config.set(name, values, origin).map_err(|message| ConfigError::Flag { flag: flag.to_owned(), message })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
