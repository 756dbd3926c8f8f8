//! The agent classes that are in this binary, and the names they go by.

use hostel::{
    Agent as _, App,
    erased::{Class, ClassOf},
};
use hostel_coder::CoderAgent;
use hostel_protocol::name::kebab;

/// A second name of [`CoderAgent`].
const CODER: &str = "coder";

/// Adds every class to an application.
pub(crate) fn serve(app: App) -> App {
    app.agent::<CoderAgent>().agent_as::<CoderAgent>(CODER)
}

/// The names of all classes in kebab-case.
pub(crate) fn spellings() -> Vec<String> {
    vec![kebab(CoderAgent::CLASS), CODER.to_owned()]
}

/// The namespace that a class's agents are kept under, by one of its [`spellings`].
pub(crate) fn namespace(spelling: &str) -> String {
    match spelling {
        CODER => kebab(CoderAgent::CLASS),
        other => other.to_owned(),
    }
}

/// TypeScript of the built-in agents.
pub fn types() -> String {
    let classes: [&dyn Class; 1] = [&ClassOf::<CoderAgent>::new()];
    hostel::typescript::declarations(classes)
}
