//! `[mcp.servers.NAME]`: a server that agents may use, as a program or at a URL.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hostel::mcp::Transport;
use hostel_vault::SecretValue;
use serde::Deserialize;

/// `[mcp.servers.NAME]`: a server that agents may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub enum ServerSection {
    /// A program that speaks over its standard input and output.
    Program(ProgramSection),
    /// One that is reached at a URL.
    Remote(RemoteSection),
}

/// A program that speaks MCP over its standard input and output.
#[derive(Debug, Clone)]
pub struct ProgramSection {
    /// A path, or a name on the server's `PATH`.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment; secrets as `secret:NAME`.
    pub env: BTreeMap<String, SecretValue>,
    /// Where it runs.
    pub directory: Option<PathBuf>,
}

/// A server that is reached at a URL.
#[derive(Debug, Clone)]
pub struct RemoteSection {
    /// Where it is.
    pub url: String,
    /// How it is spoken to.
    pub transport: Transport,
    /// The secret of the vault that goes along as `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// Headers of every request; secrets as `secret:NAME`.
    pub headers: BTreeMap<String, SecretValue>,
}

/// The table as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    command: Option<PathBuf>,
    args: Option<Vec<String>>,
    env: Option<BTreeMap<String, SecretValue>>,
    directory: Option<PathBuf>,
    url: Option<String>,
    transport: Option<Transport>,
    bearer: Option<SecretValue>,
    headers: Option<BTreeMap<String, SecretValue>>,
}

impl TryFrom<Written> for ServerSection {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match (&written.command, &written.url) {
            (Some(_), None) => written.program().map(Self::Program),
            (None, Some(_)) => written.remote().map(Self::Remote),
            (Some(_), Some(_)) => Err("say one of command, for a program, and url, for a server elsewhere".to_owned()),
            (None, None) => Err("where is it? say command = \"a-program\", or url = \"https://..\"".to_owned()),
        }
    }
}

impl Written {
    fn program(self) -> Result<ProgramSection, String> {
        let of_urls = [
            ("transport", self.transport.is_some()),
            ("bearer", self.bearer.is_some()),
            ("headers", self.headers.is_some()),
        ];
        only_for(&of_urls, "url: a program has env")?;
        Ok(ProgramSection {
            command: self.command.unwrap_or_default(),
            args: self.args.unwrap_or_default(),
            env: self.env.unwrap_or_default(),
            directory: self.directory,
        })
    }

    fn remote(self) -> Result<RemoteSection, String> {
        let of_programs =
            [("args", self.args.is_some()), ("env", self.env.is_some()), ("directory", self.directory.is_some())];
        only_for(&of_programs, "command: a server elsewhere has headers")?;
        let url = self.url.unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("{url:?} is no URL: it begins with https:// or http://"));
        }
        Ok(RemoteSection {
            url,
            transport: self.transport.unwrap_or_default(),
            bearer: bearer(self.bearer)?,
            headers: self.headers.unwrap_or_default(),
        })
    }
}

/// A token is kept by its name alone: agents remember their servers.
fn bearer(value: Option<SecretValue>) -> Result<Option<String>, String> {
    let Some(value) = value else { return Ok(None) };
    match value.name() {
        Some(name) => Ok(Some(name.to_string())),
        None => Err("bearer: give the token a name with `hostel secrets set NAME`, and write secret:NAME".to_owned()),
    }
}

fn only_for(keys: &[(&str, bool)], what: &str) -> Result<(), String> {
    match keys.iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(format!("{key} goes with {what}")),
        None => Ok(()),
    }
}

impl ServerSection {
    /// Its values by their names, without secrets.
    pub(super) fn entries(&self, name: &str) -> Vec<(String, String)> {
        let at = |key: &str| format!("servers.{name}.{key}");
        match self {
            Self::Program(program) => {
                // Arguments may hold what nobody should see: only what is asked for by a secret's name is safe to show.
                let command = program.command.display().to_string();
                let more = match program.args.len() {
                    0 => String::new(),
                    count => format!(" (+{count} arguments)"),
                };
                let env = program.env.iter().map(|(key, value)| (at(&format!("env.{key}")), value.to_string()));
                std::iter::once((at("command"), command + &more)).chain(env).collect()
            }
            Self::Remote(remote) => {
                let bearer = remote.bearer.iter().map(|name| (at("bearer"), format!("secret:{name}")));
                let headers =
                    remote.headers.iter().map(|(key, value)| (at(&format!("headers.{key}")), value.to_string()));
                // Some servers take a key in the query.
                let url = remote.url.split(['?', '#']).next().unwrap_or_default().to_owned();
                let transport = match remote.transport {
                    Transport::Auto => None,
                    Transport::StreamableHttp => Some((at("transport"), "streamable-http".to_owned())),
                    Transport::Sse => Some((at("transport"), "sse".to_owned())),
                };
                std::iter::once((at("url"), url)).chain(transport).chain(bearer).chain(headers).collect()
            }
        }
    }
}
