//! Which agent: its namespace and its name.

use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorKind, Options};

const MAX_NAMESPACE: usize = 64;
const SHOWN: usize = 80;

/// The namespace (kebab-case class) and the name of one agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentKey {
    namespace: Arc<str>,
    name: Arc<str>,
}

impl AgentKey {
    /// Names an agent. Nothing is checked here; the store checks when it is asked to open it.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The class in kebab-case, as in URLs.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The instance's name, any text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses what no file name could be derived from.
    pub(crate) fn check(&self, options: &Options) -> Result<(), Error> {
        check_namespace(&self.namespace)?;
        if self.name.len() > options.max_name_bytes {
            let message = format!(
                "the name of agent {self} has {} bytes, at most {} are allowed; choose a shorter name",
                self.name.len(),
                options.max_name_bytes
            );
            return Err(Error::new(ErrorKind::NameTooLong, message));
        }
        Ok(())
    }
}

/// A namespace is a directory name: lower-case letters, digits and hyphens.
pub(crate) fn check_namespace(namespace: &str) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !namespace.is_empty() && namespace.len() <= MAX_NAMESPACE && namespace.bytes().all(allowed) {
        return Ok(());
    }
    let shown = shorten(namespace);
    let message = format!(
        "the namespace \"{shown}\" is not 1 to {MAX_NAMESPACE} of a-z, 0-9 and '-'; use the kebab-case name of the class"
    );
    Err(Error::new(ErrorKind::NameInvalid, message))
}

/// One line, bounded, whatever the name holds: it ends in logs and in answers.
impl fmt::Display for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", shorten(&self.namespace), shorten(&self.name))
    }
}

fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
