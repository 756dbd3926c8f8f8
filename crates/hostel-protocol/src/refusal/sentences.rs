//! Sentences whose wording others already know.

use super::{Code, Refusal};

/// An agent reached without the router, so that nobody told it its name.
#[must_use]
pub fn missing_namespace_or_room(class: &str) -> Refusal {
    let text = format!(
        "Missing namespace or room headers when connecting to {class}. Did you try connecting \
         directly to this Durable Object? Try using getServerByName(namespace, id) instead."
    );
    Refusal::new(Code::MissingNamespaceOrRoom, text)
        .with_fix("Send the request through route_agent_request, or take a stub from get_agent_by_name.")
}

/// The text for an agent that cannot be started, for people and for clients.
#[must_use]
pub fn connection_issues_text(class: &str, name: &str, code: Code) -> String {
    format!(
        "The {class} is experiencing connection issues. Please try again later.\n\n\
         Technical details: The system tried to connect to {class}/{name} but was unable to \
         establish a connection.\n\nReason: {code}: {}",
        code.title()
    )
}
