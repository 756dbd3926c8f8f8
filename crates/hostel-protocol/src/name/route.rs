//! From a URL path to an agent and an instance.

use crate::refusal::{Code, Refusal};

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Prefix, slug and instance name are all there. Whether the slug names a
    /// class is not decided here.
    Agent(AgentPath<'a>),
    /// The path is not one of an agent; the application decides.
    NoMatch(NoMatch<'a>),
}

/// The parts of an agent's path: raw segments, never percent-decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentPath<'a> {
    /// The slug, verbatim.
    pub agent: &'a str,
    /// The instance name, verbatim.
    pub name: &'a str,
    /// What follows the name, without the slash in between; may be empty.
    pub rest: &'a str,
}

/// Why a path is not one of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMatch<'a> {
    /// The path does not begin with the prefix.
    Prefix,
    /// Nothing follows the prefix.
    MissingAgent,
    /// A slug, but no instance name.
    MissingName {
        /// The slug, verbatim.
        agent: &'a str,
    },
}

impl NoMatch<'_> {
    /// The refusal for a program that has nothing else to serve there.
    #[must_use]
    pub fn refusal(&self, path: &str, prefix: &str) -> Refusal {
        let shown = crate::text::shorten(path, 200);
        let fix = format!("Agents are at /{prefix}/{{agent}}/{{name}}.");
        let (code, text) = match self {
            Self::Prefix => (Code::NoRoute, format!("Nothing is served at {shown}.")),
            Self::MissingAgent => (Code::NoRoute, format!("{shown} names neither an agent nor an instance.")),
            Self::MissingName { agent } => (
                Code::MissingName,
                format!("{shown} names the agent \"{}\" but no instance of it.", crate::text::shorten(agent, 100)),
            ),
        };
        Refusal::new(code, text).with_fix(fix)
    }
}

/// Splits `path` into prefix, slug, name and rest.
///
/// Empty segments count for nothing, the prefix may have several segments and
/// is compared case-sensitively; a query or fragment is ignored.
///
/// ```
/// use hostel_protocol::name::{AgentPath, Route, route};
/// let found = route("/agents//coder-agent/room%201/files/a.txt", "agents");
/// let parts = AgentPath { agent: "coder-agent", name: "room%201", rest: "files/a.txt" };
/// assert_eq!(found, Route::Agent(parts));
/// ```
#[must_use]
pub fn route<'a>(path: &'a str, prefix: &str) -> Route<'a> {
    let mut left = path.split(['?', '#']).next().unwrap_or_default();
    for wanted in prefix.split('/').filter(|segment| !segment.is_empty()) {
        match segment(left) {
            Some((found, after)) if found == wanted => left = after,
            _ => return Route::NoMatch(NoMatch::Prefix),
        }
    }
    let Some((agent, left)) = segment(left) else {
        return Route::NoMatch(NoMatch::MissingAgent);
    };
    let Some((name, left)) = segment(left) else {
        return Route::NoMatch(NoMatch::MissingName { agent });
    };
    let rest = left.trim_start_matches('/');
    Route::Agent(AgentPath { agent, name, rest })
}

/// The first non-empty segment and what follows it.
fn segment(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_start_matches('/');
    let (first, after) = path.split_at(path.find('/').unwrap_or(path.len()));
    (!first.is_empty()).then_some((first, after))
}
