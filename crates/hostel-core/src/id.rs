//! Who an agent is: its class, namespace and name, and under which other agents it lives.

use std::{fmt, str::FromStr, sync::Arc};

use hostel_protocol::{
    name::{MAX_NAME_BYTES, decode_segment, encode_segment, kebab},
    refusal::Code,
};

use crate::error::{Error, Result};

/// What the namespace of an agent under another begins with. [`kebab`] leaves no underscore, so none at the top has it.
const CHILD: &str = "sub_";
/// Ends the path of the parents in such an agent's name; the path itself has none.
const END_OF_PATH: char = ':';
/// Agents under each other.
const DEEPEST: usize = 16;

/// Identity of one agent. Cheap to clone; a fact given by the router, never by a client's header.
///
/// ```
/// use hostel_core::AgentId;
///
/// let id = AgentId::new("CoderAgent", "default");
/// assert_eq!(id.namespace(), "coder-agent");
/// assert_eq!(id.to_string(), "coder-agent/default");
///
/// let child = id.sub_agent("ScoutAgent", "north east")?;
/// assert_eq!((child.namespace(), child.name()), ("scout-agent", "north east"));
/// assert_eq!(child.to_string(), "coder-agent/default/sub/scout-agent/north%20east");
/// assert_eq!(child.parent(), Some(id));
/// # Ok::<(), hostel_core::Error>(())
/// ```
// A sub-agent is two texts like any other agent: `sub_{class}`, and `{path of its parents}:{own name}`. So an agent at the
// top pays nothing for those that are not, and what tells them apart is not in the names, which may be any text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId {
    namespace: Arc<str>,
    name: Arc<str>,
}

impl AgentId {
    /// The agent `name` of the class `class`, given in any spelling that [`hostel_protocol::name::kebab`] maps to its slug.
    pub fn new(class: &str, name: &str) -> Self {
        Self { namespace: kebab(class).into(), name: name.into() }
    }

    /// From a namespace already in kebab case; shares its text.
    pub fn in_namespace(namespace: Arc<str>, name: &str) -> Self {
        Self { namespace, name: name.into() }
    }

    /// The agent that is stored under these two texts, the reverse of [`AgentId::stored`].
    pub fn from_stored(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The two texts under which it is stored: for an agent at the top its namespace and name, for a sub-agent two that no
    /// agent at the top can have.
    pub fn stored(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// The class's kebab-case slug, e.g. `coder-agent`.
    pub fn namespace(&self) -> &str {
        self.namespace.strip_prefix(CHILD).unwrap_or(&self.namespace)
    }

    /// The instance's name: among its class if it is at the top, else among its class under the same parent.
    pub fn name(&self) -> &str {
        match self.halves() {
            Some((_, own)) => own,
            None => &self.name,
        }
    }

    /// The agent `name` of the class `class` under this one.
    ///
    /// # Errors
    /// `name_invalid` if no agent can be called that: an empty name, `.`, `..`, or one with a NUL; `name_too_long` for more
    /// than 1,024 bytes, or more than 16 agents under each other.
    pub fn sub_agent(&self, class: &str, name: &str) -> Result<Self> {
        self.sub_agent_in(&kebab(class), name)
    }

    /// [`AgentId::sub_agent`] of a class given by its slug.
    ///
    /// # Errors
    /// As there.
    pub fn sub_agent_in(&self, namespace: &str, name: &str) -> Result<Self> {
        check_child_name(name)?;
        let path = self.path();
        if path.split('/').count() >= 2 * DEEPEST {
            return Err(Error::coded(Code::NameTooLong, format!("{self} is under {DEEPEST} others already."))
                .with_fix("put agents under one nearer to the top"));
        }
        Ok(Self { namespace: format!("{CHILD}{namespace}").into(), name: format!("{path}{END_OF_PATH}{name}").into() })
    }

    /// Whether it lives under another agent.
    pub fn is_sub_agent(&self) -> bool {
        self.namespace.starts_with(CHILD)
    }

    /// The agent it lives under; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (path, _) = self.halves()?;
        let (above, last) = match path.rmatch_indices('/').nth(1) {
            Some((at, _)) => (Some(&path[..at]), &path[at + 1..]),
            None => (None, path),
        };
        let (class, name) = last.split_once('/')?;
        let name = decode_segment(name)?;
        Some(match above {
            None => Self::from_stored(class, &name),
            Some(above) => Self::from_stored(&format!("{CHILD}{class}"), &format!("{above}{END_OF_PATH}{name}")),
        })
    }

    /// The agents it lives under, the one at the top first; none at the top.
    pub fn parents(&self) -> Vec<Self> {
        let mut above: Vec<_> = std::iter::successors(self.parent(), Self::parent).collect();
        above.reverse();
        above
    }

    /// Whether it is one that [`AgentId::new`] and [`AgentId::sub_agent`] can make. Two stored texts need not be.
    pub fn is_sound(&self) -> bool {
        let again = |parent: Self| {
            let made = parent.sub_agent_in(self.namespace(), self.name());
            parent.is_sound() && made.is_ok_and(|made| made == *self)
        };
        !self.is_sub_agent() || self.parent().is_some_and(again)
    }

    /// The path of the parents, and the own name, of a sub-agent.
    fn halves(&self) -> Option<(&str, &str)> {
        if self.is_sub_agent() { self.name.split_once(END_OF_PATH) } else { None }
    }

    /// Class and name of every parent and of itself, with names encoded, so that there are as many slashes as it seems.
    fn path(&self) -> String {
        let own = format!("{}/{}", self.namespace(), encode_segment(self.name()));
        match self.halves() {
            Some((path, _)) => format!("{path}/{own}"),
            None => own,
        }
    }
}

fn check_child_name(name: &str) -> Result<()> {
    if name.len() > MAX_NAME_BYTES {
        let message = format!("The name of a sub-agent has {} bytes; {MAX_NAME_BYTES} is the limit.", name.len());
        return Err(Error::coded(Code::NameTooLong, message).with_fix("choose a shorter name"));
    }
    if matches!(name, "" | "." | "..") || name.contains('\0') {
        let message = format!("No sub-agent can be called \"{}\".", name.escape_debug());
        return Err(Error::coded(Code::NameInvalid, message)
            .with_fix("choose a name that is not empty, is neither . nor .., and holds no NUL"));
    }
    Ok(())
}

/// As in URLs: `class/name`, and `/sub/class/name` for each agent under it.
impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent() {
            Some(parent) => write!(f, "{parent}/sub/{}/{}", self.namespace(), encode_segment(self.name())),
            None => write!(f, "{}/{}", self.namespace, self.name.escape_debug()),
        }
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads what people write: `class/name[/sub/class/name]...`, classes in any spelling, the names of sub-agents encoded.
impl FromStr for AgentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let marks = || (2..parts.len()).filter(|at| parts[*at] == "sub");
        let are_steps = |from: &usize| parts[*from..].chunks(3).all(|step| matches!(step, ["sub", _, _]));
        // A name at the top may hold slashes, but not what looks like an agent under it.
        let top = marks().find(are_steps).unwrap_or(parts.len());
        let name = parts[1.min(top)..top].join("/");
        if parts[0].is_empty() || name.is_empty() || (top == parts.len() && marks().next().is_some()) {
            return Err(unreadable(text));
        }
        parts[top..].chunks(3).try_fold(Self::new(parts[0], &name), |parent, step| {
            let name = decode_segment(step[2]).filter(|_| !step[1].is_empty());
            parent.sub_agent(step[1], &name.ok_or_else(|| unreadable(text))?)
        })
    }
}

fn unreadable(text: &str) -> Error {
    Error::coded(Code::NameInvalid, format!("\"{}\" names no agent.", text.escape_debug()))
        .with_fix("write class/name, and /sub/class/name behind it for an agent under that one")
}

#[cfg(test)]
mod tests;
