//! The agent classes that are in this binary, and the names they go by.

use std::{path::Path, sync::Arc};

use hostel::{
    Agent as _, App,
    erased::{Class, ClassOf},
};
use hostel_coder::{CoderAgent, Conversations, Workspaces};
use hostel_protocol::name::kebab;

use crate::config::Config;

/// The directory of workspaces, in the data directory.
const WORKSPACES: &str = "workspaces";

/// A second name of [`CoderAgent`].
const CODER: &str = "coder";

/// Classes whose agents keep a list of those of another class.
pub(crate) const LISTED_BY: [(&str, &str); 2] = [("coder-agent", "conversations"), (CODER, "conversations")];

/// Adds every class to an application.
pub(crate) fn serve(app: App) -> App {
    app.agent::<CoderAgent>().agent_as::<CoderAgent>(CODER).agent::<Conversations>()
}

/// Those of a data directory that no server runs on, as far as they go where their agents go.
pub(crate) fn workspaces_in(data: &Path) -> Arc<Workspaces> {
    Arc::new(Workspaces::new(data.join(WORKSPACES)))
}

/// Where coding agents work: beside the databases, in a data directory of which commands see nothing else.
pub(crate) fn workspaces(config: &Config) -> Workspaces {
    let data: &Path = &config.data;
    let workspaces = Workspaces::new(data.join(WORKSPACES)).hide(data);
    let Some((coder, _)) = &config.sections.coder else { return workspaces };
    let workspaces = workspaces
        .budgets(coder.budget.budgets())
        .policy_for_all(coder.policy.defaults())
        .commands(coder.commands.options())
        .github(coder.github.options())
        .old_tools(coder.old_tools);
    match &coder.clone_hosts {
        Some(hosts) => workspaces.hosts(hosts),
        None => workspaces,
    }
}

/// The names of all classes in kebab-case.
pub(crate) fn spellings() -> Vec<String> {
    vec![kebab(CoderAgent::CLASS), CODER.to_owned(), kebab(Conversations::CLASS)]
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
    let classes: [&dyn Class; 2] = [&ClassOf::<CoderAgent>::new(), &ClassOf::<Conversations>::new()];
    hostel::typescript::declarations(classes)
}
