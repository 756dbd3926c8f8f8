//! What git may do here: which program, how long, from where, in whose name.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::locks::Calm;
use crate::{Error, Result};

/// Git, with what it may do. Clones share it.
#[derive(Debug, Clone)]
pub struct Git {
    pub(crate) options: Arc<GitOptions>,
    pub(super) calm: Arc<Calm>,
}

/// What git may do.
#[derive(Clone)]
pub struct GitOptions {
    /// The program.
    pub program: PathBuf,
    /// How long an operation on this machine may take.
    pub timeout: Duration,
    /// How long a clone, fetch or push may take.
    pub network_timeout: Duration,
    /// Bytes of output that are kept.
    pub output_bytes: usize,
    /// From where may be cloned and to where pushed.
    pub transports: Vec<Transport>,
    /// Directories of this machine from which may be cloned. None by default.
    pub local: Vec<PathBuf>,
    /// In whose name commits are made.
    pub author: Author,
    /// What opens the doors of servers.
    pub credentials: Vec<Credential>,
    /// What is put before the program, to confine it to the two directories it is given: the work tree and git's own.
    pub confine: Option<Confine>,
}

/// Answers what is put before the git program: a program and arguments that confine it to a work tree and git's directory.
pub type Confine = Arc<dyn Fn(&Path, &Path) -> Vec<OsString> + Send + Sync>;

/// A way to a repository elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `https://`
    Https,
    /// `http://`: nothing is sealed.
    Http,
    /// `ssh://`, with the keys of whoever runs the server.
    Ssh,
    /// `git://`: nothing is sealed.
    Git,
}

/// In whose name commits are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// A header for requests to URLs that begin like this. It reaches git by its environment, never by its arguments or a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Beginning of the URLs: `https://github.com/`.
    pub url: String,
    /// The whole header: `Authorization: Basic ..`.
    pub header: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, ..)", self.url)
    }
}

impl fmt::Debug for GitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitOptions")
            .field("program", &self.program)
            .field("transports", &self.transports)
            .field("local", &self.local)
            .field("credentials", &self.credentials)
            .field("confined", &self.confine.is_some())
            .finish_non_exhaustive()
    }
}

impl Default for GitOptions {
    fn default() -> Self {
        Self {
            program: "git".into(),
            timeout: Duration::from_secs(60),
            network_timeout: Duration::from_secs(600),
            output_bytes: 1 << 20,
            transports: vec![Transport::Https],
            local: Vec::new(),
            author: Author { name: "Hostel".into(), email: "hostel@localhost".into() },
            credentials: Vec::new(),
            confine: None,
        }
    }
}

impl Git {
    /// Git with `options`.
    #[must_use]
    pub fn new(options: GitOptions) -> Self {
        Self { options: Arc::new(options), calm: Arc::new(Calm::new()) }
    }

    /// Whether this may be cloned, as far as the address says.
    ///
    /// # Errors
    /// [`Error::Git`] with the reason.
    pub fn check_address(&self, url: &str) -> Result<()> {
        self.address("clone", url).map(drop)
    }

    /// The URL as it is given to git, and the transports that are open for it.
    pub(crate) fn address(&self, command: &str, url: &str) -> Result<(String, String)> {
        let refused = |why: String| Error::Git { command: command.to_owned(), why };
        if let Some(path) = local_path(url) {
            return Ok((self.local_address(command, path)?, "file".into()));
        }
        let Ok(parsed) = Url::parse(url) else {
            return Err(refused(
                "the address of a repository looks like https://host/path; short forms are not understood".into(),
            ));
        };
        let open = self.options.transports.iter().map(|transport| transport.name()).collect::<Vec<_>>();
        if !open.contains(&parsed.scheme()) {
            let open = open.join(", ");
            return Err(refused(format!("{}:// is not allowed here; allowed is: {open}", parsed.scheme())));
        }
        if parsed.password().is_some() {
            return Err(refused(
                "the address has a password in it, which would be stored with the repository: give it as a credential"
                    .into(),
            ));
        }
        if parsed.host_str().is_none_or(|host| host.is_empty() || host.starts_with('-')) {
            return Err(refused("the address has no host".into()));
        }
        Ok((parsed.to_string(), open.join(":")))
    }

    fn local_address(&self, command: &str, path: &str) -> Result<String> {
        let not_allowed = || Error::Git {
            command: command.to_owned(),
            why: "this directory of the server's machine is not open for cloning; the operator can allow it".into(),
        };
        let path = Path::new(path).canonicalize().map_err(|_| not_allowed())?;
        let open = self.options.local.iter().filter_map(|dir| dir.canonicalize().ok()).any(|dir| path.starts_with(dir));
        if !open {
            return Err(not_allowed());
        }
        path.to_str().map(str::to_owned).ok_or_else(not_allowed)
    }
}

fn local_path(url: &str) -> Option<&str> {
    url.strip_prefix("file://").or_else(|| url.starts_with('/').then_some(url))
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Git => "git",
        }
    }
}
