//! What is wrong with a path, and what it was meant to be.

use hostel_client::{BadTarget, Error, Identity, Target};
use hostel_protocol::Code;
use hostel_protocol::name::{NoMatch, Route, loose_key, route};

use super::Break;

/// An address that cannot even be read.
pub(super) fn unreadable(error: &Error) -> Break {
    let fix = match error {
        Error::Target(BadTarget::MissingName { text }) => format!("Add the name of the instance: {text}/default"),
        Error::Target(BadTarget::Scheme { .. }) => "Begin the URL with ws://, wss://, http:// or https://.".to_owned(),
        _ => "Write it as ws://localhost:8787/agents/coder-agent/default.".to_owned(),
    };
    Break::new("address", "bad_address", format!("{error}."), fix)
}

/// What is wrong with a path to which no agent answers, if the path itself shows it.
pub(super) fn hint(target: &Target) -> Option<Break> {
    let Route::NoMatch(problem) = route(target.path(), "agents") else {
        return None;
    };
    let path = target.path();
    match problem {
        NoMatch::MissingName { agent } => {
            let sentence = format!("{path} names the agent {agent} but no instance of it.");
            let right = target.with_path(&format!("/agents/{agent}/default"));
            Some(Break::known("routing", Code::MissingName, sentence, format!("Add its name: {right}")))
        }
        NoMatch::MissingAgent | NoMatch::Prefix => {
            let sentence = format!("{path} is not the path of an agent, which is /agents/{{agent}}/{{name}}.");
            let right = target.with_path(&meant(path));
            Some(Break::known("routing", Code::NoRoute, sentence, format!("Use {right}")))
        }
    }
}

/// The path that was probably meant: what follows a segment such as `agent`, or the last two.
fn meant(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let prefixes = ["agent", "agents", "parties", "party", "durableobject", "durableobjects"];
    let after = segments.iter().position(|segment| prefixes.contains(&loose_key(segment).as_str()));
    let rest = match after {
        Some(at) => &segments[at + 1..],
        None => &segments[segments.len().saturating_sub(2)..],
    };
    let agent = rest.first().copied().unwrap_or("coder-agent");
    let name = rest.get(1).copied().unwrap_or("default");
    format!("/agents/{agent}/{name}")
}

/// What follows the instance's name in the path: agents make nothing of it.
pub(super) fn stray<'a>(path: &'a str, identity: &Identity) -> Option<&'a str> {
    let marker = format!("/{}", identity.name);
    let mut from = 0;
    while let Some(at) = path[from..].find(&marker) {
        let end = from + at + marker.len();
        let agent = path[..from + at].rsplit('/').next().unwrap_or_default();
        let whole = path[end..].is_empty() || path[end..].starts_with('/');
        if whole && loose_key(agent) == loose_key(&identity.agent) {
            return Some(path[end..].trim_matches('/')).filter(|rest| !rest.is_empty());
        }
        from = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(path: &str) -> Option<String> {
        let target = Target::parse(&format!("ws://h:1{path}"), "").unwrap();
        hint(&target).map(|broken| broken.fix)
    }

    #[test]
    fn a_wrong_path_is_answered_with_the_one_that_was_meant() {
        for (path, expect) in [
            ("/api/agent/coder/default", "Use ws://h:1/agents/coder/default"),
            ("/Agents/coder-agent/x", "Use ws://h:1/agents/coder-agent/x"),
            ("/parties/main/room", "Use ws://h:1/agents/main/room"),
            ("/coder-agent/x", "Use ws://h:1/agents/coder-agent/x"),
            ("/agents", "Use ws://h:1/agents/coder-agent/default"),
            ("/", "Use ws://h:1/agents/coder-agent/default"),
            ("/agents/coder-agent", "Add its name: ws://h:1/agents/coder-agent/default"),
        ] {
            assert_eq!(fix(path).as_deref(), Some(expect), "{path}");
        }
        assert_eq!(fix("/agents/a/b/c"), None);
    }

    #[test]
    fn only_what_follows_the_name_is_stray() {
        let identity = Identity { agent: "coder-agent".into(), name: "x".into(), state_follows: false };
        for (path, expect) in [
            ("/agents/coderagent/x/agents", Some("agents")),
            ("/agents/coder-agent/x/a/b", Some("a/b")),
            ("/api/v1/CoderAgent/x/", None),
            ("/agents/coder-agent/x", None),
            ("/user", None),
            ("/agents/parent/p/sub/coder-agent/x", None),
        ] {
            assert_eq!(stray(path, &identity), expect, "{path}");
        }
    }
}
