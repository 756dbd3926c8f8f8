//! What an operator chooses about MCP servers that agents use.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use hostel_fetch::{Reach, Url};
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
    /// Where browsers reach this server: those who sign in at an MCP server come back there. A server that listens on
    /// loopback knows it by itself.
    pub public_url: Option<PublicUrl>,
    /// The prefix of the agents' paths. Default `agents`.
    pub prefix: String,
    /// Where a browser is sent that has signed in; after a failure with `error` in its query. Default `/`.
    pub after_sign_in: Option<String>,
    /// Where everybody can fetch a Client ID Metadata Document about this server: who we are, for authorization servers that
    /// know clients by such an address. Whoever configures it serves it.
    pub client_metadata_url: Option<String>,
    /// Where the key is kept that the tokens of MCP servers are sealed with. Default `mcp.key` in the data directory.
    pub key_file: Option<PathBuf>,
}

/// Where browsers reach a server: scheme, host and port.
///
/// ```
/// use hostel_mcp::PublicUrl;
///
/// let url: PublicUrl = "https://agents.example/".parse()?;
/// assert_eq!(url.to_string(), "https://agents.example");
/// assert!("agents.example".parse::<PublicUrl>().is_err());
/// # Ok::<(), hostel_mcp::BadPublicUrl>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that is not where browsers reach a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not where browsers reach a server: write scheme and host, as in https://agents.example")]
pub struct BadPublicUrl(String);

impl FromStr for PublicUrl {
    type Err = BadPublicUrl;

    fn from_str(text: &str) -> Result<Self, BadPublicUrl> {
        let bad = || BadPublicUrl(text.to_owned());
        let url: Url = text.parse().map_err(|_| bad())?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let names_nobody = url.username().is_empty() && url.password().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        if is_web && is_bare && names_nobody { Ok(Self(url.origin().ascii_serialization())) } else { Err(bad()) }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
            public_url: None,
            prefix: "agents".to_owned(),
            after_sign_in: None,
            client_metadata_url: None,
            key_file: None,
        }
    }
}
