//! MCP servers that a project names in its `.mcp.json`. One is used after somebody has said yes to exactly its entry; an entry that
//! is another one later is not used before somebody has said yes to that. Programs run in the sandbox of the workspace.

mod file;
mod launch;
mod rows;

use hostel::{
    Cx, Error, Identity, JsonSchema, Result,
    mcp::{McpClient as _, Server, ServerId, ServerStatus, Transport},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::file::{Entry, FILE};
use self::{file::Remote, rows::Allowed};
use crate::{
    CoderAgent, Mode,
    beside::beside,
    kept_back::KeptBack,
    policy,
    tools::refused,
    workspaces::{Workspaces, said},
};

/// What `projectMcp` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectMcp {
    /// The servers that the project names.
    pub servers: Vec<ProjectServer>,
    /// Why the file cannot be read, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An MCP server that a project names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectServer {
    /// What it is called.
    pub name: String,
    /// Its entry; nothing if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Value>,
    /// What stands for the name and the entry: a yes is for this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// `unusable`, `not-allowed`, `changed` since somebody said yes, or how the connection stands: `ready`, `failed`,
    /// `not-connected`, ..
    pub state: String,
    /// Why it cannot be used, or what went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What `allowProjectMcp` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowMcp {
    /// The server.
    pub server: String,
    /// The hash of the entry that was shown.
    pub hash: String,
}

/// Whether somebody has said yes to servers of a project, and the application uses any.
pub(crate) fn is_used(cx: &Cx<CoderAgent>) -> bool {
    cx.mcp().is_on() && rows::is_there(cx).unwrap_or(false)
}

/// Whether the model is offered their tools: in plan mode it is offered none that asks.
pub(crate) fn is_offered(cx: &Cx<CoderAgent>) -> bool {
    is_used(cx) && !matches!(policy::mode(cx), Ok(Mode::Plan))
}

/// The servers, and how they stand. Connects none.
pub(crate) async fn view(cx: &Cx<CoderAgent>) -> Result<ProjectMcp> {
    let (allowed, connected) = (rows::all(cx)?, if cx.mcp().is_on() { cx.mcp().list()? } else { Vec::new() });
    Ok(match named(cx).await {
        Ok(named) => {
            let servers = named.into_iter().map(|one| shown(one, &allowed, &connected)).collect();
            ProjectMcp { servers, error: None }
        }
        Err(error) => ProjectMcp { servers: Vec::new(), error: Some(error.message().to_owned()) },
    })
}

fn shown(file::Named { name, entry }: file::Named, allowed: &[Allowed], connected: &[ServerStatus]) -> ProjectServer {
    let entry = match entry {
        Ok(entry) => entry,
        Err(why) => {
            return ProjectServer { name, entry: None, hash: None, state: "unusable".to_owned(), error: Some(why) };
        }
    };
    let hash = entry.hash(&name);
    let (state, error) = match allowed.iter().find(|allowed| allowed.server == name) {
        None => ("not-allowed".to_owned(), None),
        Some(allowed) if allowed.entry != hash => ("changed".to_owned(), None),
        Some(_) => standing(connected.iter().find(|server| server.name == name)),
    };
    ProjectServer { name, entry: serde_json::to_value(&entry).ok(), hash: Some(hash), state, error }
}

fn standing(server: Option<&ServerStatus>) -> (String, Option<String>) {
    let state = server.and_then(|server| serde_json::to_value(server.state).ok());
    let state = state.as_ref().and_then(Value::as_str).unwrap_or("not-connected");
    (state.to_owned(), server.and_then(|server| server.error.clone()))
}

/// The servers that the project names now.
async fn named(cx: &Cx<CoderAgent>) -> Result<Vec<file::Named>> {
    let Ok(workspaces) = cx.env::<Workspaces>() else { return Ok(Vec::new()) };
    let (id, kept) = (cx.id().clone(), KeptBack::from_model(cx)?);
    beside(move || {
        let Some(workspace) = workspaces.existing(&id) else { return Ok(Vec::new()) };
        kept.check(&workspace, FILE).map_err(said)?;
        file::read(&workspace)
    })
    .await
}

/// The entry of a server, and its hash.
pub(crate) async fn entry(cx: &Cx<CoderAgent>, server: &str) -> Result<(Entry, String)> {
    let named = named(cx).await?;
    let names = || named.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let Some(found) = named.iter().find(|one| one.name == server) else {
        let fix = if named.is_empty() {
            format!("it would have a {FILE} at its top")
        } else {
            format!("it names: {}", names())
        };
        return Err(refused(format!("The project names no MCP server {server:?}."), fix));
    };
    match &found.entry {
        Ok(entry) => Ok((entry.clone(), entry.hash(server))),
        Err(why) => Err(refused(format!("{server} cannot be used: {why}."), format!("mend its entry in {FILE}"))),
    }
}

/// Somebody said yes to the entry with this hash: it is used from now on.
pub(crate) async fn allow(cx: &Cx<CoderAgent>, AllowMcp { server, hash }: AllowMcp) -> Result<()> {
    let (entry, now) = entry(cx, &server).await?;
    if now != hash {
        let fix = "look at it again, and say yes to the entry that is there now";
        return Err(refused(format!("The entry of {server} is another one by now."), fix));
    }
    let by = cx.identity().map(|who| Identity::subject(who).to_owned());
    cx.mcp().launch_with(cx.env::<Workspaces>()?).map_err(off)?;
    cx.try_update(|_| {
        drop_server(cx, &server)?;
        cx.mcp().add(&server, place(&entry)?)?;
        rows::put(cx, &Allowed { server, entry: hash }, by.as_deref())
    })
}

fn off(error: Error) -> Error {
    error.with_fix("the operator turns MCP servers on with a section [mcp] in hostel.toml")
}

fn place(entry: &Entry) -> Result<Server> {
    Ok(match entry {
        Entry::Stdio(program) => Server::launched(serde_json::to_value(program)?),
        Entry::Http(remote) => elsewhere(remote),
        Entry::Sse(remote) => elsewhere(remote).transport(Transport::Sse),
    })
}

fn elsewhere(remote: &Remote) -> Server {
    remote.headers.iter().fold(Server::http(&remote.url), |server, (name, value)| server.header(name, value))
}

/// Takes a yes back, and ends the connection; `false` if there was none.
pub(crate) fn forget(cx: &Cx<CoderAgent>, server: &str) -> Result<bool> {
    if cx.mcp().is_on() {
        drop_server(cx, server)?;
    }
    rows::remove(cx, server)
}

fn drop_server(cx: &Cx<CoderAgent>, name: &str) -> Result<()> {
    let ids = cx.mcp().list()?.into_iter().filter(|server| server.name == name).map(|server| server.id);
    ids.collect::<Vec<ServerId>>().iter().try_for_each(|id| cx.mcp().remove(id).map(drop))
}

/// Brings the servers in use up to what the file says now: one whose entry is another, or gone, is not used any more, until it is
/// again what somebody said yes to.
pub(crate) async fn follow(cx: &Cx<CoderAgent>) -> Result<()> {
    if !is_used(cx) {
        return Ok(());
    }
    cx.mcp().launch_with(cx.env::<Workspaces>()?)?;
    // A file that cannot be read names none.
    let (named, connected) = (named(cx).await.unwrap_or_default(), cx.mcp().list()?);
    let (mut come, mut go) = (Vec::new(), Vec::new());
    for Allowed { server, entry } in rows::all(cx)? {
        let found = named.iter().find(|one| one.name == server).and_then(|one| one.entry.as_ref().ok());
        let found = found.filter(|found| found.hash(&server) == entry);
        let is_there = connected.iter().any(|status| status.name == server);
        match found {
            Some(found) if !is_there => come.push((server, place(found)?)),
            None if is_there => go.push(server),
            _ => {}
        }
    }
    if come.is_empty() && go.is_empty() {
        return Ok(());
    }
    cx.try_update(|_| {
        go.iter().try_for_each(|server| drop_server(cx, server))?;
        come.into_iter().try_for_each(|(name, server)| cx.mcp().add(&name, server).map(drop))
    })
}
