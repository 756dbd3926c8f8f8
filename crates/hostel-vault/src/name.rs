//! What a secret is called, and whose it is.

use std::{fmt, str::FromStr};

use hostel_core::AgentId;

use crate::error::VaultError;

/// Longest name of a secret, without its owner.
const NAME_BYTES: usize = 100;

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// The node's: for whatever the operator set it up for.
    Node,
    /// One agent's, as namespace and name.
    Agent(String, String),
    /// One user's, by the subject of the identity.
    User(String),
}

/// The name of a secret: a handle that may be stored, sent and logged, because it says nothing of the value.
///
/// Its text is `NAME` for the node's, `agent:NAMESPACE/INSTANCE#NAME` for an agent's and `user:SUBJECT#NAME` for a user's.
///
/// ```
/// use hostel_vault::SecretName;
///
/// let token: SecretName = "user:alice#GITHUB_TOKEN".parse()?;
/// assert_eq!(token, SecretName::user("alice", "GITHUB_TOKEN")?);
/// assert_eq!(token.to_string(), "user:alice#GITHUB_TOKEN");
/// # Ok::<(), hostel_vault::VaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName {
    scope: Scope,
    name: String,
}

impl SecretName {
    /// A secret of the node.
    ///
    /// # Errors
    /// When the name has other signs than ASCII letters, digits, `_`, `-` and `.`, or none, or more than 100.
    pub fn node(name: impl Into<String>) -> Result<Self, VaultError> {
        Self::new(Scope::Node, name)
    }

    /// A secret of one agent.
    ///
    /// # Errors
    /// As [`SecretName::node`].
    pub fn agent(id: &AgentId, name: impl Into<String>) -> Result<Self, VaultError> {
        Self::new(Scope::Agent(id.namespace().to_owned(), id.name().to_owned()), name)
    }

    /// A secret of one user, named by the subject of the identity.
    ///
    /// # Errors
    /// As [`SecretName::node`]; and when the subject is empty.
    pub fn user(subject: impl Into<String>, name: impl Into<String>) -> Result<Self, VaultError> {
        Self::new(Scope::User(subject.into()), name)
    }

    /// A secret of whoever `scope` says.
    ///
    /// # Errors
    /// As [`SecretName::user`].
    pub fn new(scope: Scope, name: impl Into<String>) -> Result<Self, VaultError> {
        let name = name.into();
        let fits = (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain);
        let owned = match &scope {
            Scope::Node => true,
            Scope::Agent(namespace, instance) => {
                !namespace.is_empty() && !namespace.contains('/') && !instance.is_empty()
            }
            Scope::User(subject) => !subject.is_empty(),
        };
        if fits && owned { Ok(Self { scope, name }) } else { Err(VaultError::Name(name)) }
    }

    /// Whose it is.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Node => f.write_str(&self.name),
            Scope::Agent(namespace, instance) => write!(f, "agent:{namespace}/{instance}#{}", self.name),
            Scope::User(subject) => write!(f, "user:{subject}#{}", self.name),
        }
    }
}

impl FromStr for SecretName {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        let wrong = || VaultError::Name(text.to_owned());
        let Some((owner, name)) = text.rsplit_once('#') else { return Self::node(text) };
        let scope = match owner.split_once(':') {
            Some(("user", subject)) => Scope::User(subject.to_owned()),
            Some(("agent", agent)) => {
                let (namespace, instance) = agent.split_once('/').ok_or_else(wrong)?;
                Scope::Agent(namespace.to_owned(), instance.to_owned())
            }
            _ => return Err(wrong()),
        };
        Self::new(scope, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_from_its_text() {
        let agent = AgentId::new("CoderAgent", "a/b#c:d");
        let names = [
            SecretName::node("A.b-c_9").unwrap(),
            SecretName::agent(&agent, "TOKEN").unwrap(),
            SecretName::user("https://id.example/#alice", "TOKEN").unwrap(),
        ];
        for name in names {
            assert_eq!(name.to_string().parse::<SecretName>().unwrap(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a b", "user:#X", "agent:x#Y", "team:x#Y", "user:a#", "ü", &"x".repeat(101)] {
            assert!(text.parse::<SecretName>().is_err(), "{text:?}");
        }
    }
}
