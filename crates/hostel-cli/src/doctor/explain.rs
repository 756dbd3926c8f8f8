//! A refusal of the server, in one sentence with one change.

use std::str::FromStr as _;

use hostel_client::http::Answer;
use hostel_client::{Closed, Reason};
use hostel_protocol::Code;
use hostel_protocol::connection::close;

use super::Break;

/// A refusal over HTTP that has a code of ours.
pub(super) fn answer(step: &'static str, answer: &Answer) -> Option<Break> {
    let problem = answer.problem()?;
    let code = problem.code?;
    Some(refusal(step, &code, problem.detail.as_deref().unwrap_or_default(), problem.fix))
}

/// An error frame or a failed call.
pub(super) fn reason(step: &'static str, reason: &Reason) -> Break {
    match &reason.code {
        Some(code) => refusal(step, code, &reason.message, reason.fix.clone()),
        None => words(step, &reason.message),
    }
}

/// The end of a connection.
pub(super) fn closed(step: &'static str, closed: &Closed) -> Break {
    if let Some(said) = &closed.said {
        return reason(step, said);
    }
    let coded = closed.reason.split_once(": ").filter(|(code, _)| Code::from_str(code).is_ok());
    if let Some((code, sentence)) = coded {
        return refusal(step, code, sentence, None);
    }
    let shown = match closed.reason.as_str() {
        "" => String::new(),
        reason => format!(", saying {reason:?}"),
    };
    let sentence = format!("The server closed the connection with code {}{shown}.", closed.code);
    let (code, fix) = match closed.code {
        1006 => (
            "broken_off",
            "Look into the logs of the server and of any proxy before it: the connection broke off without a word.",
        ),
        close::POLICY => ("refused", "Give the client the credentials the server asks for."),
        close::TRY_AGAIN_LATER | close::SERVICE_RESTART => ("try_later", "Wait a moment and try again."),
        4400..=4499 => ("refused", "Look into the log of the server for the reason."),
        _ => ("closed", "Look into the log of the server for the failure of the agent."),
    };
    Break::new(step, code, sentence, fix)
}

/// A refusal with a code.
fn refusal(step: &'static str, code: &str, sentence: &str, fix: Option<String>) -> Break {
    let known = Code::from_str(code).ok();
    let sentence = match (sentence.trim(), known) {
        ("", Some(known)) => format!("{}.", known.title()),
        ("", None) => format!("The server refused with the code {code}."),
        (sentence, _) => sentence.to_owned(),
    };
    let step = known.map_or(step, |known| step_of(known, step));
    let fix = fix.unwrap_or_else(|| known.map_or(LOOK, usual_fix).to_owned());
    Break::new(step, code, sentence, fix)
}

const LOOK: &str = "Look into the log of the server.";

/// The step a code belongs to, whenever it appears.
fn step_of(code: Code, otherwise: &'static str) -> &'static str {
    match code {
        Code::UnknownAgent | Code::MissingName | Code::NoRoute | Code::NameTooLong | Code::NamespaceMismatch => {
            "routing"
        }
        Code::OriginRefused | Code::HostRefused => "origin",
        Code::Unauthorized | Code::Forbidden | Code::TokenInvalid | Code::TokenExpired => "auth",
        Code::UpgradeStripped | Code::BadUpgrade => "upgrade",
        Code::AgentUnavailable | Code::AgentQuarantined | Code::AgentStartFailed | Code::ConnectFailed => "agent",
        Code::StorageCorrupt
        | Code::StorageFull
        | Code::StorageReadOnly
        | Code::StorageFailed
        | Code::StorageSchema
        | Code::StorageLocked => "storage",
        _ => otherwise,
    }
}

/// What to change when the server did not say.
fn usual_fix(code: Code) -> &'static str {
    match code {
        Code::UnknownAgent => {
            "Use the class name in kebab case, as in /agents/coder-agent/default; `hostel agents` lists the classes."
        }
        Code::MissingName => "Add a name to the path, as in /agents/coder-agent/default.",
        Code::NoRoute => "Use a path of the form /agents/{agent}/{name}.",
        Code::NameTooLong => "Use a name of at most 1024 bytes.",
        Code::NamespaceMismatch => "Drop the header X-Agents-Namespace, or set it to the prefix that is served.",
        Code::OriginRefused => "Allow the origin of the page: hostel serve --allow-origin ORIGIN.",
        Code::HostRefused => "Allow the host name: hostel serve --allow-host NAME.",
        Code::UpgradeStripped | Code::BadUpgrade => {
            "Let the proxy pass WebSockets: HTTP/1.1 with the headers Upgrade and Connection."
        }
        Code::MissingNamespaceOrRoom => "Send the request through the router: /agents/{agent}/{name}.",
        Code::AgentStartFailed => "Repair the agent's on_start: the log of the server has the error.",
        Code::AgentQuarantined => {
            "Repair the agent's on_start, then `hostel agents clear AGENT/NAME`; `hostel state get --safe` still reads its state."
        }
        Code::StorageFull => "Free space on the disk of the data directory; nothing was lost.",
        Code::StorageReadOnly => "Make the data directory writable for the user that runs the server.",
        Code::StorageCorrupt => {
            "Put the agent back to its last kept moment, `hostel restore AGENT --at now`, or take it from a backup."
        }
        Code::StorageSchema => "Run the version of the program that wrote this agent's data, or a newer one.",
        Code::StorageFailed => "Check the disk of the data directory.",
        Code::StorageLocked => "End the other program that has files of the data directory open.",
        Code::TooManyConnections => "Close connections, or raise --max-connections and --max-connections-per-ip.",
        Code::ShuttingDown | Code::AgentUnavailable => "Wait a moment and try again.",
        Code::Unauthorized => "Send the credentials the server asks for: --token, or the variable HOSTEL_TOKEN.",
        Code::TokenInvalid => "Send another token: --token, or the variable HOSTEL_TOKEN.",
        Code::TokenExpired => "Get a new token and send it: --token, or the variable HOSTEL_TOKEN.",
        Code::RateLimited => "Wait a moment, and ask less often.",
        Code::Forbidden => "Use an account that may reach this agent.",
        _ => LOOK,
    }
}

/// A refusal in words that are known from the Agents SDK.
pub(super) fn words(step: &'static str, text: &str) -> Break {
    let first = text.lines().next().unwrap_or_default().trim();
    if text.contains("Missing namespace or room headers") {
        return refusal(step, Code::MissingNamespaceOrRoom.as_str(), first, None);
    }
    if text.contains("is experiencing connection issues") {
        let reason = text.lines().find_map(|line| line.strip_prefix("Reason: "));
        let coded = reason.and_then(|reason| reason.split_once(": "));
        if let Some((code, sentence)) = coded {
            return refusal("agent", code, &format!("{first} The reason: {sentence}."), None);
        }
        return refusal("agent", Code::AgentUnavailable.as_str(), first, None);
    }
    let sentence = match first {
        "" => "The agent failed while the connection was set up.".to_owned(),
        first => format!("The agent failed while the connection was set up: {first}."),
    };
    let fix = "Repair the agent's start and connect handlers: the log of the server has the whole error.";
    Break::known("agent", Code::ConnectFailed, sentence, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(code: u16, reason: &str) -> Closed {
        Closed { code, reason: reason.to_owned(), said: None }
    }

    #[test]
    fn every_code_leads_to_a_sentence_and_a_change() {
        for code in Code::ALL {
            let found = refusal("upgrade", code.as_str(), "", None);
            assert!(!found.sentence.is_empty() && !found.fix.is_empty(), "{code}");
        }
        let unheard = refusal("upgrade", "brand_new", "", None);
        assert_eq!(unheard.sentence, "The server refused with the code brand_new.");
    }

    #[test]
    fn a_close_reason_with_a_code_is_as_good_as_an_error_frame() {
        let found = closed("identity", &end(1013, "storage_full: No space is left."));
        assert_eq!((found.step, found.code.as_str()), ("storage", "storage_full"));
        assert_eq!(found.sentence, "No space is left.");
        assert_eq!(closed("identity", &end(1006, "")).code, "broken_off");
        assert_eq!(closed("identity", &end(1011, "x: y")).code, "closed");
    }

    #[test]
    fn the_text_of_an_agent_that_cannot_start_is_understood() {
        let text = hostel_protocol::refusal::connection_issues_text("CoderAgent", "a", Code::StorageCorrupt);
        let found = words("upgrade", &text);
        assert_eq!((found.step, found.code.as_str()), ("storage", "storage_corrupt"));
        assert!(found.sentence.contains("experiencing connection issues"), "{}", found.sentence);
    }
}
