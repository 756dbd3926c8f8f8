//! Who an agent is: its class, namespace and name.

use std::{fmt, sync::Arc};

/// Identity of one agent. Cheap to clone; a fact given by the router, never by a client's header.
///
/// ```
/// use hostel_core::AgentId;
///
/// let id = AgentId::new("CoderAgent", "default");
/// assert_eq!(id.namespace(), "coder-agent");
/// assert_eq!(id.to_string(), "coder-agent/default");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId {
    namespace: Arc<str>,
    name: Arc<str>,
}

impl AgentId {
    /// The agent `name` of the class `class`, given in any spelling that [`hostel_protocol::name::kebab`] maps to its slug.
    pub fn new(class: &str, name: &str) -> Self {
        Self { namespace: hostel_protocol::name::kebab(class).into(), name: name.into() }
    }

    /// From a namespace already in kebab case; shares its text.
    pub fn in_namespace(namespace: Arc<str>, name: &str) -> Self {
        Self { namespace, name: name.into() }
    }

    /// The class's kebab-case slug, e.g. `coder-agent`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The instance's name within its namespace, exactly as in the URL.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name.escape_debug())
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
