//! What an operator chooses about MCP servers that agents use.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use hostel_fetch::Reach;
use hostel_vault::SecretValue;

/// What an operator chooses about MCP servers that agents use.
#[derive(Debug, Clone)]
pub struct McpSettings {
    /// What may be reached over HTTP. Default the public internet alone.
    pub reach: Reach,
    /// Programs that agents may use as servers, by name. Nobody else can name a command.
    pub programs: BTreeMap<String, Program>,
    /// How long a connection without calls is kept. Default 5 minutes.
    pub idle: Duration,
    /// How long connecting and discovering may take, and how long whoever needs the tools waits for them. Default 20 s.
    pub deadline: Duration,
    /// The most servers of one agent. Default 32.
    pub servers: usize,
}

/// A program that speaks MCP over its standard input and output.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The program: a path, or a name on the server's `PATH`.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment. Nothing of the server's own is handed on but `PATH`, `HOME` and the language.
    pub env: BTreeMap<String, SecretValue>,
    /// Where it runs.
    pub directory: Option<PathBuf>,
}

impl Default for McpSettings {
    fn default() -> Self {
        Self {
            reach: Reach::public(),
            programs: BTreeMap::new(),
            idle: Duration::from_secs(300),
            deadline: Duration::from_secs(20),
            servers: 32,
        }
    }
}
