//! Which requests are for the chat.

use hostel::{Request, http::Method};

/// What a request wants of the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wants {
    /// The transcript; any method.
    Messages,
    /// `POST …/chat`: say something, and read the answer.
    Ask,
    /// `GET …/chat/stream`: read what is being said.
    Stream,
    /// `GET …/chat/settings`: what is set for the conversation.
    Settings,
    /// `PATCH …/chat/settings`: sets some of it.
    Set,
    /// `GET …/approvals`: what waits for a yes.
    Approvals,
    /// `POST …/approvals/{id}`: an answer.
    Decide(String),
}

/// What the path and the method say. An agent's own address has three segments at least: a prefix, a class, a name.
pub(super) fn read(request: &Request) -> Option<Wants> {
    let segments: Vec<&str> = request.uri().path().split('/').filter(|segment| !segment.is_empty()).collect();
    let rest = segments.get(3..).unwrap_or_default();
    match (request.method(), rest) {
        (_, [.., "get-messages"]) => Some(Wants::Messages),
        (&Method::POST, [.., "chat"]) => Some(Wants::Ask),
        (&Method::GET, [.., "chat", "stream"]) => Some(Wants::Stream),
        (&Method::GET, [.., "chat", "settings"]) => Some(Wants::Settings),
        (&Method::PATCH, [.., "chat", "settings"]) => Some(Wants::Set),
        (&Method::GET, [.., "approvals"]) => Some(Wants::Approvals),
        (&Method::POST, [.., "approvals", id]) => Some(Wants::Decide((*id).to_owned())),
        _ if request.uri().path().ends_with("/get-messages") => Some(Wants::Messages),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hostel::{Body, http};

    use super::*;

    fn wants(method: &str, path: &str) -> Option<Wants> {
        read(&http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap())
    }

    #[test]
    fn the_end_of_the_path_says_what_is_wanted() {
        for (method, path, expect) in [
            ("GET", "/agents/support/ann/get-messages", Some(Wants::Messages)),
            ("DELETE", "/get-messages", Some(Wants::Messages)),
            ("POST", "/agents/support/ann/chat", Some(Wants::Ask)),
            ("GET", "/agents/support/ann/chat", None),
            ("GET", "http://h/agents/support/ann/chat/stream?from=3", Some(Wants::Stream)),
            ("POST", "/agents/a/b/sub/support/c/chat", Some(Wants::Ask)),
            ("GET", "/agents/support/ann/chat/settings", Some(Wants::Settings)),
            ("PATCH", "/agents/support/ann/chat/settings", Some(Wants::Set)),
            ("POST", "/agents/support/ann/chat/settings", None),
            ("GET", "/agents/support/ann/approvals", Some(Wants::Approvals)),
            ("POST", "/agents/support/ann/approvals/a1", Some(Wants::Decide("a1".to_owned()))),
            // An agent whose name is `chat`.
            ("POST", "/agents/support/chat", None),
        ] {
            assert_eq!(wants(method, path), expect, "{method} {path}");
        }
    }
}
