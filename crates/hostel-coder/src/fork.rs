//! A second agent that goes on from where this one is, or was: the talk, what is known of the work, and a copy of the files.

use std::sync::Arc;

use hostel::{Code, Cx, Error, Identity, JsonSchema, Permissions, Result, SqlValue};
use hostel_chat::{Room, wire::UiMessage};
use hostel_workspace::Workspace;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    CoderAgent, PolicyChange, ProjectContext,
    beside::beside,
    policy, rewind, snapshots,
    workspaces::{Workspaces, said},
};

/// What to make.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fork {
    /// From before this message of a user; from now without.
    #[serde(default)]
    pub message_id: Option<String>,
    /// The name of the new agent.
    pub name: String,
}

/// The new agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forked {
    /// Its class, as in addresses.
    pub agent: String,
    /// Its name.
    pub name: String,
}

/// What the new agent takes over.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Heritage {
    /// The fork: one that comes again after a crash is the same.
    id: String,
    context: ProjectContext,
    messages: Vec<String>,
    tables: Vec<Table>,
    /// What of the policy makes the new agent stricter than the operator does.
    policy: PolicyChange,
}

/// A table, as it is made and what is in it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Table {
    name: String,
    sql: String,
    rows: Vec<Map<String, Value>>,
}

/// The tables that go along, where there are any: what the agent knows, and nothing that is under way or was allowed.
const TABLES: [&str; 3] = ["coder_snapshots", "coder_plan", "coder_notes"];

/// Forks that are being made: what a crash has stopped is gone on with.
const MAKE: &str = "create table if not exists coder_forks (name text primary key, files text, heritage text not null)";
const BEGIN: &str = "insert into coder_forks (name, files, heritage) values (?, ?, ?)";
const FIND: &str = "select files, heritage from coder_forks where name = ?";
const END: &str = "delete from coder_forks where name = ?";
/// In the new agent: which fork it is.
const FORKED: &str =
    "create table if not exists coder_forked (one integer primary key check (one = 1), id text not null)";

/// Makes the new agent.
pub(crate) async fn fork(cx: &Cx<CoderAgent>, Fork { message_id, name }: Fork) -> Result<Forked> {
    is_reached(cx, &name)?;
    rewind::at_rest(cx)?;
    let mut said = Room::of(cx).transcript()?;
    let mut files = None;
    if let Some(id) = &message_id {
        let gone = said.split_off(rewind::position(&said, id)?);
        files = rewind::files_before(cx, &gone)?;
    }
    if !cx.agent::<CoderAgent>(&name).call::<bool>("isNew", &()).await? {
        return Err(exists(&name));
    }
    let heritage = Heritage {
        id: data_encoding::HEXLOWER.encode(&cx.random::<8>()),
        context: cx.read(|me| me.context())?,
        messages: said.iter().map(UiMessage::to_json).collect(),
        tables: tables(cx)?,
        policy: policy::stricter(cx)?,
    };
    begin(cx, &name, files.as_ref(), &heritage)?;
    if let Err(error) = finish(cx, &name).await {
        give_up(cx, &name).await?;
        return Err(error);
    }
    Ok(Forked { agent: cx.id().stored().0.to_owned(), name })
}

fn begin(cx: &Cx<CoderAgent>, name: &str, files: Option<&snapshots::Taken>, heritage: &Heritage) -> Result<()> {
    let files = files.map(serde_json::to_string).transpose()?;
    let heritage = serde_json::to_string(heritage)?;
    cx.try_update(|_| {
        cx.sql(MAKE, ())?;
        if !cx.sql(FIND, (name,))?.is_empty() {
            return Err(exists(name));
        }
        cx.sql(BEGIN, (name, files, heritage))?;
        cx.tasks().finish_fork(name).in_any_order().now().map(drop)
    })
}

/// Makes what was begun: files first, then all else in one step. Whoever comes second finds it done.
pub(crate) async fn finish(cx: &Cx<CoderAgent>, name: &str) -> Result<()> {
    let workspaces = cx.env::<Workspaces>().ok();
    let _alone = match &workspaces {
        Some(workspaces) => Some(workspaces.alone().await),
        None => None,
    };
    let found = cx.sql(FIND, (name,))?;
    let Some(row) = found.iter().next() else { return Ok(()) };
    let (files, heritage): (Option<String>, String) = (row.get("files")?, row.get("heritage")?);
    let files = files.map(|files| serde_json::from_str(&files)).transpose()?;
    if let Some((workspaces, workspace)) = rewind::workspace(cx).await?
        && is_empty(&workspaces, &of_name(cx, name)).await?
    {
        copied(&workspaces, workspace, &of_name(cx, name), files).await?;
    }
    let heritage: Heritage = serde_json::from_str(&heritage)?;
    cx.agent::<CoderAgent>(name).call::<()>("takeOver", &(heritage,)).await?;
    cx.sql(END, (name,)).map(drop)
}

/// It could not be made: what there is of it goes, and the name is free.
async fn give_up(cx: &Cx<CoderAgent>, name: &str) -> Result<()> {
    cx.sql(END, (name,))?;
    let other = cx.agent::<CoderAgent>(name);
    let Ok(workspaces) = cx.env::<Workspaces>() else { return Ok(()) };
    // Whoever has come to have a talk meanwhile keeps its files.
    if other.call::<bool>("isSilent", &()).await? {
        let id = of_name(cx, name);
        beside(move || workspaces.delete(&id)).await?;
    }
    Ok(())
}

fn of_name(cx: &Cx<CoderAgent>, name: &str) -> hostel::AgentId {
    hostel::AgentId::new(cx.id().stored().0, name)
}

async fn is_empty(workspaces: &Arc<Workspaces>, id: &hostel::AgentId) -> Result<bool> {
    let (of, id) = (Arc::clone(workspaces), id.clone());
    beside(move || Ok(of.existing(&id).is_none_or(|there| has_nothing(&there)))).await
}

fn has_nothing(workspace: &Workspace) -> bool {
    std::fs::read_dir(workspace.path()).map_or(true, |mut all| all.next().is_none())
}

/// Refuses whoever could not reach the new agent, by the rules of the class, and whoever reaches this one because it has their name.
fn is_reached(cx: &Cx<CoderAgent>, name: &str) -> Result<()> {
    let Some(who) = cx.identity() else { return Ok(()) };
    let class = <CoderAgent as hostel::Agent>::CLASS;
    let is_let_in = cx.env::<Permissions>().map_or(true, |all| all.lets_in(class, Some(who), name));
    if is_let_in && !is_owner(who, cx.name(), name) {
        return Ok(());
    }
    let words = "This agent is yours by its name, and one with another name would not be.";
    Err(Error::coded(Code::Forbidden, words).with_fix("go back with rewind, or ask whoever runs this server"))
}

fn is_owner(who: &Identity, here: &str, name: &str) -> bool {
    !who.is_operator() && who.subject() == here && name != here
}

fn exists(name: &str) -> Error {
    Error::coded(Code::AgentExists, format!("There is something in the agent {name:?} already."))
        .with_fix("choose another name")
}

/// Copies the files: beside the new place at first, so that it is all there, or nothing is.
async fn copied(
    workspaces: &Arc<Workspaces>,
    from: Workspace,
    to: &hostel::AgentId,
    files: Option<snapshots::Taken>,
) -> Result<()> {
    let (of, id) = (Arc::clone(workspaces), to.clone());
    let place = beside(move || of.open(&id)).await?;
    let made = workspaces.beside(&place).await?;
    let copy = made.clone();
    beside(move || {
        from.copy_to(copy.path()).map_err(said)?;
        let (side, new) = (Workspaces::side(from.path()), Workspaces::side(copy.path()));
        if side.is_dir() {
            let new = Workspace::create(new, from.limits().clone()).map_err(said)?;
            Workspace::open(side, from.limits().clone()).and_then(|side| side.copy_to(new.path())).map_err(said)?;
        }
        Ok(())
    })
    .await?;
    if let Some(taken) = files {
        snapshots::put_back(workspaces, &made, &taken).await?;
    }
    workspaces.put(made, place).await
}

fn tables(cx: &Cx<CoderAgent>) -> Result<Vec<Table>> {
    let mut found = Vec::new();
    for name in TABLES {
        let sql = cx.sql("select sql from sqlite_master where type = 'table' and name = ?", (name,))?;
        let Some(sql) = sql.value::<String>()? else { continue };
        let rows = cx.sql(&format!("select * from {name}"), ())?;
        let object = |row: hostel::Row<'_>| match row.to_json() {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        found.push(Table { name: name.to_owned(), sql, rows: rows.iter().map(object).collect() });
    }
    Ok(found)
}

/// Whether nothing was ever said here, and no file made.
pub(crate) fn is_new(cx: &Cx<CoderAgent>) -> Result<bool> {
    let no_files =
        cx.env::<Workspaces>().map_or(true, |of| of.existing(cx.id()).is_none_or(|there| has_nothing(&there)));
    Ok(no_files && is_silent(cx)?)
}

/// Whether nothing was ever said here.
pub(crate) fn is_silent(cx: &Cx<CoderAgent>) -> Result<bool> {
    Ok(Room::of(cx).transcript()?.is_empty())
}

/// Takes over what another agent knows.
pub(crate) fn take_over(cx: &Cx<CoderAgent>, me: &mut CoderAgent, heritage: Heritage) -> Result<()> {
    cx.sql(FORKED, ())?;
    let before: Option<String> = cx.sql("select id from coder_forked", ())?.value()?;
    if before.as_deref() == Some(&*heritage.id) {
        return Ok(());
    }
    if !is_silent(cx)? {
        return Err(exists(cx.name()));
    }
    cx.sql("insert or replace into coder_forked (one, id) values (1, ?)", (&*heritage.id,))?;
    policy::change(cx, heritage.policy)?;
    let messages: Vec<UiMessage> = heritage.messages.iter().filter_map(|text| UiMessage::parse(text).ok()).collect();
    me.set_context(heritage.context);
    for table in heritage.tables.iter().filter(|table| TABLES.contains(&table.name.as_str())) {
        cx.sql(&format!("drop table if exists {}", table.name), ())?;
        cx.sql(&table.sql, ())?;
        for row in &table.rows {
            let columns: Vec<String> = row.keys().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
            let marks = vec!["?"; columns.len()].join(", ");
            let insert = format!("insert into {} ({}) values ({marks})", table.name, columns.join(", "));
            cx.sql(&insert, row.values().map(value).collect::<Vec<_>>())?;
        }
    }
    me.with_work(cx, |_| Ok(()))?;
    if messages.is_empty() { Ok(()) } else { Room::of(cx).put(&messages) }
}

fn value(json: &Value) -> SqlValue {
    match json {
        Value::Null => SqlValue::Null,
        Value::Bool(on) => (*on).into(),
        Value::Number(number) => number.as_i64().map_or_else(|| number.as_f64().into(), SqlValue::Integer),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_an_agent_by_its_name_makes_none_of_another() {
        let ada = Identity::new("ada");
        assert!(is_owner(&ada, "ada", "bob") && !is_owner(&ada, "room", "bob"));
    }
}
