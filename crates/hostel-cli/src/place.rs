//! Where a command finds its agent: at a running server, or in the directory of a stopped one.

use std::path::Path;

use hostel_protocol::name::{AgentPath, Route, kebab, route};
use hostel_server::offline::Offline;
use serde_json::{Value, json};

use crate::cli::{Place, ServerArgs};
use crate::door::{Door, encoded};
use crate::failure::{Refused, Usage};

/// Which agent, by the spelling of its class and its true name.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) class: String,
    pub(crate) name: String,
}

impl Who {
    /// Reads `agent/name` or a URL.
    pub(crate) fn parse(text: &str, server: &ServerArgs) -> anyhow::Result<Self> {
        let target = server.target(text)?;
        // A whole URL may be of another server than the one whose prefix is known.
        let found = [&*server.prefix()?, "agents"].into_iter().find_map(|prefix| match route(target.path(), prefix) {
            Route::Agent(AgentPath { agent, name, .. }) => Some(Self { class: kebab(agent), name: name.to_owned() }),
            Route::NoMatch(_) => None,
        });
        Ok(found.ok_or_else(|| Usage(format!("{} is not the path of an agent", target.path())))?)
    }

    /// A path below the agent at the operator's door.
    pub(crate) fn door(&self, rest: &str) -> String {
        format!("/_hostel/agents/{}/{}/{rest}", encoded(&self.class), encoded(&self.name))
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.class, self.name)
    }
}

/// Opens a directory; one that a server runs on is refused with what to do.
pub(crate) fn directory(dir: &Path) -> anyhow::Result<Offline> {
    Ok(Offline::open(dir).map_err(Refused::from)?)
}

/// What an agent has on order, at a server or in a directory: `rest` of the operator's door, or what `look` finds.
pub(crate) async fn on_order(
    agent: &str,
    place: &Place,
    rest: &str,
    look: impl FnOnce(&Offline, &Who) -> Result<Value, hostel_server::Refused>,
) -> anyhow::Result<(Who, Value)> {
    let who = Who::parse(agent, &place.server)?;
    let answer = match &place.data {
        Some(dir) => refusable(look(&directory(dir)?, &who))?,
        None => Door::to(agent, &place.server)?.get(&who.door(rest)).await?,
    };
    Ok((who, answer))
}

/// Refuses to change what is on order in a directory that no server runs on.
pub(crate) fn only_looks(place: &Place) -> Result<(), Usage> {
    match place.data {
        Some(_) => Err(Usage("without a server this can only be listed; start it, and do it with --url".to_owned())),
        None => Ok(()),
    }
}

/// The past of one agent.
#[derive(Debug)]
pub(crate) enum Past {
    Server(Door, Who),
    Directory(Offline, Who),
}

impl Past {
    pub(crate) fn of(agent: &str, place: &Place) -> anyhow::Result<Self> {
        let who = Who::parse(agent, &place.server)?;
        Ok(match &place.data {
            Some(dir) => Self::Directory(directory(dir)?, who),
            None => Self::Server(Door::to(agent, &place.server)?, who),
        })
    }

    pub(crate) fn who(&self) -> &Who {
        match self {
            Self::Server(_, who) | Self::Directory(_, who) => who,
        }
    }

    pub(crate) async fn history(&self, before: Option<i64>, limit: usize, changes: bool) -> anyhow::Result<Value> {
        match self {
            Self::Directory(dir, who) => refusable(dir.history(&who.class, &who.name, before, limit, changes)),
            Self::Server(door, who) => {
                let before = before.map_or_else(String::new, |turn| format!("&before={turn}"));
                door.get(&who.door(&format!("history?limit={limit}&changes={changes}{before}"))).await
            }
        }
    }

    pub(crate) async fn difference(&self, from: &str, to: &str, rows: usize) -> anyhow::Result<Value> {
        match self {
            Self::Directory(dir, who) => refusable(dir.difference(&who.class, &who.name, from, to, rows)),
            Self::Server(door, who) => {
                let (from, to) = (encoded(from), encoded(to));
                door.get(&who.door(&format!("diff?from={from}&to={to}&rows={rows}"))).await
            }
        }
    }

    pub(crate) async fn restore(&self, at: &str) -> anyhow::Result<Value> {
        match self {
            Self::Directory(dir, who) => refusable(dir.restore(&who.class, &who.name, at)),
            Self::Server(door, who) => door.post(&who.door("restore"), json!({"at": at})).await,
        }
    }

    pub(crate) async fn fork(&self, name: &str, at: &str) -> anyhow::Result<Value> {
        match self {
            Self::Directory(dir, who) => refusable(dir.fork(&who.class, &who.name, name, at)),
            Self::Server(door, who) => door.post(&who.door("fork"), json!({"name": name, "at": at})).await,
        }
    }
}

pub(crate) fn refusable<T>(answer: Result<T, hostel_server::Refused>) -> anyhow::Result<T> {
    Ok(answer.map_err(Refused::from)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        server: ServerArgs,
    }

    fn who(text: &str, url: &str) -> Option<String> {
        let Only { server } = Only::parse_from(["x", "--url", url]);
        Who::parse(text, &server).ok().map(|who| who.door("state"))
    }

    #[test]
    fn an_agent_is_found_by_its_name_or_its_url_below_any_prefix() {
        let door = |name: &str| Some(format!("/_hostel/agents/coder-agent/{name}/state"));
        assert_eq!(who("CoderAgent/a", "127.0.0.1:1"), door("a"));
        assert_eq!(who("coder-agent/a", "http://h/api/v1"), door("a"));
        assert_eq!(who("ws://h/api/v1/coder-agent/a", "http://h/api/v1/"), door("a"));
        // The name is the one in the path, encoded once more to be a part of another.
        assert_eq!(who("coder-agent/my room", "http://h"), door("my%2520room"));
        assert_eq!(who("ws://other/agents/coder-agent/a", "http://h/api/v1"), door("a"));
        assert_eq!(who("ws://h/elsewhere/coder-agent/a", "http://h"), None);
        assert_eq!(who("coder-agent", "http://h"), None);
    }
}
