//! The configuration: every setting once, in one table, and where its value came from.
//!
//! Flags win over `HOSTEL_*` variables, those over the file `hostel.toml`, that over the
//! defaults. What the values mean to the server is not here: the parts take them as they are.

mod agents;
mod auth;
mod check;
mod coder;
mod file;
mod github;
mod history;
mod mcp;
mod origin;
mod sections;
mod table;
mod value;

pub use agents::{
    AgentSection, BuiltIn, ChatSection, Concurrency, CronText, HostPattern, HttpMethod, HttpSection, InputSection,
    ScheduleSection, ToolName, UrlTemplate,
};
pub use auth::{AuthSection, IssuerSection, TokenSection};
pub use check::Unsafe;
pub use coder::{BudgetSection, CoderSection, CommandsSection, PolicySection, Unsandboxed};
pub use github::GithubSection;
pub use history::{ClassHistory, Histories};
pub use mcp::{McpSection, ProgramSection, RemoteSection, ServerSection};
pub use origin::{Layered, Origin};
pub use sections::{
    HmacAlgorithm, HmacEncoding, MailSection, Sections, Size, SmtpEncryption, SmtpSection, Time, VaultSection,
    WebhookKind, WebhookSection,
};
pub use table::{Config, Entry, SETTINGS, Setting, setting};
pub use value::{ByteSize, Kind, LogFormat, Mode, Networks, OrOff, Value};

use std::path::PathBuf;

use hostel_protocol::name::{kebab, nearest};
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
        let mut warnings = config.history_warnings(&config.spellings());
        warnings.extend(apply_env(&mut config, &sources.env)?);
        apply_flags(&mut config, &sources.flags)?;
        Ok((config, warnings))
    }
}

impl Config {
    /// What `hostel config` prints of the models: name, value, and where it came from. Never a key.
    #[must_use]
    pub fn model_entries(&self) -> Vec<(String, String, Origin)> {
        let Some((tables, origin)) = &self.sections.models else { return Vec::new() };
        let rows = tables.iter().flat_map(|(name, model)| {
            let key = model.key.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let rows = [
                ("provider", model.provider.as_str().to_owned()),
                ("model", model.model().to_owned()),
                ("base_url", model.base_url.to_string()),
                ("key", key),
            ];
            rows.map(|(what, value)| (format!("models.{name}.{what}"), value, origin.clone()))
        });
        rows.collect()
    }

    /// The names of all classes that are served, in kebab-case.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        let made = self.sections.agents.iter().filter(|(_, section)| section.chat.is_some());
        builtin::spellings().into_iter().chain(made.map(|(class, _)| kebab(class))).collect()
    }

    /// What `hostel config` prints of the classes that are made in the file: name, value, and where it came from.
    #[must_use]
    pub fn agent_entries(&self) -> Vec<(String, String, Origin)> {
        let origin = |class: &String| self.sections.agent_origins.get(class).cloned().unwrap_or(Origin::Default);
        let mut entries = Vec::new();
        for (class, section) in &self.sections.agents {
            let Some(chat) = &section.chat else { continue };
            let rows = [
                ("kind", "chat".to_owned()),
                ("model", chat.model.clone().unwrap_or_else(|| "main".to_owned())),
                ("tools", chat.tool_names().join(",")),
                ("path", format!("/{}/{}/{{name}}", self.prefix.trim_matches('/'), kebab(class))),
            ];
            entries.extend(rows.map(|(key, value)| (format!("agents.{class}.{key}"), value, origin(class))));
        }
        entries
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
