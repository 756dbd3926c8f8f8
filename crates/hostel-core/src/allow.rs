//! Who may: the rules that agent classes and their methods declare, and the one place that decides by them.

use std::{borrow::Cow, fmt, str::FromStr};

use hostel_protocol::refusal::{Code, Refusal};

use crate::identity::Identity;

/// One way to be let in. Several are written with `|` between them: `"role:editor | owner"`.
///
/// | written | lets in |
/// | --- | --- |
/// | `public` | everybody, known or not |
/// | `user` | everybody who is known |
/// | `owner` | whose subject is the agent's name |
/// | `role:NAME` | who has the role |
/// | `subject:NAME` | this one |
/// | `operator` | those who run the server |
/// | `internal` | no client: other agents and the application alone |
///
/// Those who run the server pass every rule except `internal`; other agents and the application pass every rule.
///
/// ```
/// use hostel_core::{Identity, allow::{Rule, parse, permits}};
///
/// let rules = parse("role:editor | owner")?;
/// assert!(permits(&rules, Some(&Identity::new("ada")), "ada"));
/// assert!(!permits(&rules, Some(&Identity::new("bob")), "ada"));
/// assert!(!permits(&rules, None, "ada"));
/// assert_eq!("role:editor".parse::<Rule>()?, Rule::Role("editor".into()));
/// # Ok::<(), hostel_core::allow::BadRule>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Everybody.
    Public,
    /// Everybody who is known.
    User,
    /// Whose subject is the agent's name.
    Owner,
    /// Who has the role.
    Role(Cow<'static, str>),
    /// This one.
    Subject(Cow<'static, str>),
    /// Those who run the server.
    Operator,
    /// No client.
    Internal,
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no rule; there are public, user, owner, role:NAME, subject:NAME, operator and internal, with | between them"
)]
pub struct BadRule(String);

impl Rule {
    fn permits(&self, identity: Option<&Identity>, agent: &str) -> bool {
        match (self, identity) {
            (Self::Public, _) => true,
            (Self::Internal, _) | (_, None) => false,
            (_, Some(identity)) if identity.is_operator() => true,
            (Self::User, Some(_)) => true,
            (Self::Owner, Some(identity)) => identity.subject() == agent,
            (Self::Role(role), Some(identity)) => identity.has_role(role),
            (Self::Subject(subject), Some(identity)) => identity.subject() == &**subject,
            (Self::Operator, Some(_)) => false,
        }
    }
}

/// Whether one of the rules lets a client in to the agent of this name.
pub fn permits(rules: &[Rule], identity: Option<&Identity>, agent: &str) -> bool {
    rules.iter().any(|rule| rule.permits(identity, agent))
}

/// The refusal of somebody who may not. It is the same whether what they ask for exists or not.
pub fn denied(identity: Option<&Identity>) -> Refusal {
    match identity {
        None => Refusal::new(Code::Unauthorized, "This needs to know who you are.").with_fix(
            "send a token: the header `Authorization: Bearer ..`, or for a browser's socket a ticket or a subprotocol; \
             docs/auth.md has the ways",
        ),
        Some(_) => Refusal::new(Code::Forbidden, "You may not do this.")
            .with_fix("ask whoever runs this server; signing in again does not help"),
    }
}

/// Reads rules with `|` between them.
///
/// # Errors
/// The first part that is none.
pub fn parse(text: &str) -> Result<Vec<Rule>, BadRule> {
    text.split('|').map(|part| part.trim().parse()).collect()
}

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let named = |name: &str| (!name.is_empty()).then(|| Cow::Owned(name.to_owned()));
        let rule = match text.split_once(':') {
            Some(("role", name)) => named(name.trim()).map(Self::Role),
            Some(("subject", name)) => named(name.trim()).map(Self::Subject),
            _ => match text {
                "public" => Some(Self::Public),
                "user" => Some(Self::User),
                "owner" => Some(Self::Owner),
                "operator" => Some(Self::Operator),
                "internal" => Some(Self::Internal),
                _ => None,
            },
        };
        rule.ok_or_else(|| BadRule(text.to_owned()))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::User => f.write_str("user"),
            Self::Owner => f.write_str("owner"),
            Self::Role(name) => write!(f, "role:{name}"),
            Self::Subject(name) => write!(f, "subject:{name}"),
            Self::Operator => f.write_str("operator"),
            Self::Internal => f.write_str("internal"),
        }
    }
}

/// Rules as they are written.
pub fn show(rules: &[Rule]) -> String {
    rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_lets_in_whom_it_names_and_nobody_else() {
        let ada = Identity::new("ada").with_roles(["editor"]);
        let bob = Identity::new("bob");
        let root = Identity::new("root").as_operator();
        let who = |rule: &str| {
            let rules = parse(rule).unwrap();
            [None, Some(&ada), Some(&bob), Some(&root)].map(|identity| u8::from(permits(&rules, identity, "ada")))
        };
        let expected = [
            ("public", [1, 1, 1, 1]),
            ("user", [0, 1, 1, 1]),
            ("owner", [0, 1, 0, 1]),
            ("role:editor", [0, 1, 0, 1]),
            ("subject:bob", [0, 0, 1, 1]),
            ("operator", [0, 0, 0, 1]),
            ("internal", [0, 0, 0, 0]),
            ("owner | subject:bob", [0, 1, 1, 1]),
        ];
        for (rule, let_in) in expected {
            assert_eq!(who(rule), let_in, "{rule}");
        }
        assert!(!permits(&[], Some(&root), "ada"), "no rule lets nobody in");
    }

    #[test]
    fn what_is_no_rule_is_named_and_what_is_one_reads_back() {
        for text in ["", "admin", "role:", "role: |user", "user|", "Public", "role:a ||owner"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let text = "role:a b | subject:x:y | owner";
        assert_eq!(show(&parse(text).unwrap()), text);
    }
}
