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
        let base = server.path("")?;
        let prefix = match base.path().trim_matches('/') {
            "" => "agents".to_owned(),
            prefix => prefix.to_owned(),
        };
        match route(target.path(), &prefix) {
            Route::Agent(AgentPath { agent, name, .. }) => Ok(Self { class: kebab(agent), name: name.to_owned() }),
            Route::NoMatch(_) => Err(Usage(format!("{} is not the path of an agent", target.path())).into()),
        }
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

/// The past of one agent.
#[derive(Debug)]
pub(crate) enum Past<'a> {
    Server(Door<'a>, Who),
    Directory(Offline, Who),
}

impl<'a> Past<'a> {
    pub(crate) fn of(agent: &str, place: &'a Place) -> anyhow::Result<Self> {
        let who = Who::parse(agent, &place.server)?;
        Ok(match &place.data {
            Some(dir) => Self::Directory(directory(dir)?, who),
            None => Self::Server(Door(&place.server), who),
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
