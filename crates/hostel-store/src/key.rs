//! Which agent: its namespace and its name.

use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorKind, Options};

const MAX_NAMESPACE: usize = 64;
/// What the namespace of a sub-agent begins with. No class's namespace has an underscore, so no top-level agent is ever
/// taken for a sub-agent, whatever its name.
const CHILD: &str = "sub_";
/// The name of a sub-agent holds the path of its parents.
const LONGEST_PATH: usize = 8;
const SHOWN: usize = 80;

/// The namespace (kebab-case class) and the name of one agent.
///
/// A sub-agent's namespace is `sub_` and its class; its name says under which parents it is, and then its own.
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

    /// The class in kebab-case, of a sub-agent too.
    pub fn class(&self) -> &str {
        class_of(&self.namespace)
    }

    /// Whether it is a sub-agent's.
    pub fn is_child(&self) -> bool {
        self.namespace.starts_with(CHILD)
    }

    /// Refuses what no file name could be derived from.
    pub(crate) fn check(&self, options: &Options) -> Result<(), Error> {
        check_namespace(&self.namespace)?;
        let most = options.max_name_bytes * if self.is_child() { LONGEST_PATH } else { 1 };
        if self.name.len() > most {
            let message = format!(
                "the name of agent {self} has {} bytes, at most {most} are allowed; choose a shorter name",
                self.name.len(),
            );
            return Err(Error::new(ErrorKind::NameTooLong, message));
        }
        Ok(())
    }
}

/// A namespace is a directory name: lower-case letters, digits and hyphens.
pub(crate) fn check_namespace(namespace: &str) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let class = class_of(namespace);
    if !class.is_empty() && class.len() <= MAX_NAMESPACE && class.bytes().all(allowed) {
        return Ok(());
    }
    let shown = shorten(namespace);
    let message = format!(
        "the namespace \"{shown}\" is not 1 to {MAX_NAMESPACE} of a-z, 0-9 and '-'; use the kebab-case name of the class"
    );
    Err(Error::new(ErrorKind::NameInvalid, message))
}

/// The class that a namespace is of.
pub(crate) fn class_of(namespace: &str) -> &str {
    namespace.strip_prefix(CHILD).unwrap_or(namespace)
}

/// Where the agents of a class are: the namespaces of those at the top, and of those under others, in order.
pub(crate) fn namespaces_of(class: &str) -> Vec<String> {
    let mut both = vec![class.to_owned(), format!("{CHILD}{class}")];
    both.sort_unstable();
    both
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
