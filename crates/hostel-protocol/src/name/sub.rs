//! From the path below an agent to an agent under it (agents-protocol, 1.9).

use std::borrow::Cow;

use super::decode_segment;

/// The segment between an agent and one under it.
const SUB: &str = "sub";

/// An agent under another, as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubPath<'a> {
    /// The slug of its class, verbatim.
    pub class: &'a str,
    /// Its name, decoded.
    pub name: Cow<'a, str>,
    /// What follows the name, beginning with a slash: the path that this agent is shown.
    pub rest: Cow<'a, str>,
}

/// Finds the first `sub/{class}/{name}` in the path below an agent: the first whose class `is_known`, and whose name can be
/// decoded. `None` if there is none: the request is the agent's own.
///
/// Nested ones are found one by one, each in the `rest` of the one before.
///
/// ```
/// use hostel_protocol::name::sub_path;
/// let known = |class: &str| class == "child-agent";
/// let child = sub_path("sub/child-agent/c%201/deep/path", known).unwrap();
/// assert_eq!((child.class, &*child.name, &*child.rest), ("child-agent", "c 1", "/deep/path"));
/// assert_eq!(sub_path("sub/ChildAgent/c1", known), None);
/// assert_eq!(sub_path("sub/child-agent", known), None);
/// ```
#[must_use]
pub fn sub_path<'a>(path: &'a str, is_known: impl Fn(&str) -> bool) -> Option<SubPath<'a>> {
    if !path.contains(SUB) {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.windows(3).enumerate().find_map(|(at, window)| {
        let &[SUB, class, name] = window else { return None };
        let name = decode_segment(name).filter(|_| is_known(class))?;
        Some(SubPath { class, name, rest: rest_of(path, &parts[at + 3..]) })
    })
}

fn rest_of<'a>(path: &'a str, parts: &[&'a str]) -> Cow<'a, str> {
    match parts {
        [] => Cow::Borrowed("/"),
        parts => {
            let joined = format!("/{}", parts.join("/"));
            // Mostly the end of the path as it came.
            match path.strip_suffix(&*joined) {
                Some(before) => Cow::Borrowed(&path[before.len()..]),
                None => Cow::Owned(joined),
            }
        }
    }
}
