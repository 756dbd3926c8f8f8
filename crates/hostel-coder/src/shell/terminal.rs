//! Terminals of people, who may also watch what the model runs in the background. Several may watch the same one.

use std::time::Duration;

use hostel::{Cx, Error, JsonSchema, Result, Stream};
use hostel_sandbox::{State, Terminal, whole_characters};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Known, Rows, Running, Start, all, running, shell, start, tail, wrong};
use crate::{
    CoderAgent,
    told::{self, News},
    workspaces::Workspaces,
};

/// How long a terminal may be open.
const TIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How often it is looked whether somebody still watches.
const LOOK: Duration = Duration::from_secs(20);
/// How much may be typed at once.
const INPUT: usize = 64 << 10;

/// What `terminalOpen` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TerminalOpen {
    /// A line for the shell; a shell without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Lines; 24 without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Characters of a line; 100 without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<u16>,
    /// Where, relative to the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// What `terminalOpen` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalOpened {
    /// Its number.
    pub id: i64,
}

/// A terminal or a command in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhichTerminal {
    /// Its number.
    pub id: i64,
}

/// What `terminalInput` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalInput {
    /// Its number.
    pub id: i64,
    /// What is typed.
    pub data: String,
}

/// What `terminalResize` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalSize {
    /// Its number.
    pub id: i64,
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// What `terminalOutput` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalOutput {
    /// Its number.
    pub id: i64,
    /// From which byte on; all that is kept without.
    #[serde(default)]
    pub from: u64,
}

/// A piece of what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalChunk {
    /// How many bytes were said before.
    pub from: u64,
    /// What was said, as long as it was: with one `?` for each byte that belongs to no character.
    pub data: String,
}

/// One line of `terminals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalInfo {
    /// Its number.
    pub id: i64,
    /// What it runs.
    pub title: String,
    /// How it is.
    pub state: Running,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// The machine it runs on, if one that is lent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
}

/// Opens a terminal. It needs no approval, since a person does it, but a sandbox.
pub(crate) async fn open(cx: &Cx<CoderAgent>, ask: TerminalOpen) -> Result<TerminalOpened> {
    let workspaces = cx.env::<Workspaces>()?;
    workspaces.probe().await;
    if let Some(why) = workspaces.unsandboxed() {
        return Err(Error::msg(format!("There are no terminals here: {why}.")));
    }
    let usual = Terminal::default();
    let size =
        Terminal { rows: ask.rows.unwrap_or(usual.rows).max(1), columns: ask.columns.unwrap_or(usual.columns).max(1) };
    let directory = ask.directory.unwrap_or_default();
    let line = ask.command.as_deref();
    let start_ = Start { line, directory: &directory, terminal: Some(size), time: TIME, call: None };
    Ok(TerminalOpened { id: start(cx, &start_).await? })
}

/// Types into it.
pub(crate) async fn input(cx: &Cx<CoderAgent>, ask: TerminalInput) -> Result<()> {
    if ask.data.len() > INPUT {
        return Err(Error::msg("That is too much at once.").with_fix("send at most 64 KiB in one call"));
    }
    if let Some(ordered) = Rows(cx).far(ask.id)? {
        return ordered.typed_by_hand(cx, ask.data).await;
    }
    let (shell, job) = running(cx, ask.id)?;
    shell.jobs.write(job, Some(ask.data.into_bytes())).map_err(wrong)
}

/// Changes its size.
pub(crate) fn resize(cx: &Cx<CoderAgent>, ask: TerminalSize) -> Result<()> {
    let size = Terminal { rows: ask.rows.max(1), columns: ask.columns.max(1) };
    let far = shell(cx)?.fars().find(ask.id);
    if let Some(far) = far {
        far.resize(size);
        return Ok(());
    }
    let (shell, job) = running(cx, ask.id)?;
    shell.jobs.resize(job, size).map_err(wrong)
}

/// Ends it; one that is over is forgotten.
pub(crate) fn close(cx: &Cx<CoderAgent>, id: i64) -> Result<()> {
    told::tell(cx, News::Terminals);
    let far = shell(cx)?.fars().find(id);
    if let Some(far) = far {
        if far.ended().is_none() {
            far.cancel();
            return Ok(());
        }
        shell(cx)?.fars().forget(id);
    }
    let Ok((shell, job)) = running(cx, id) else { return Rows(cx).forget(id) };
    if shell.jobs.tail(job, u64::MAX).map_err(wrong)?.state == State::Running {
        return shell.jobs.cancel(job).map_err(wrong);
    }
    shell.jobs.forget(job).map_err(wrong)?;
    shell.known().remove(&id);
    Rows(cx).forget(id)
}

/// Those that run, and those that are over and remembered.
pub(crate) fn list(cx: &Cx<CoderAgent>) -> Result<Vec<TerminalInfo>> {
    let info = |Known { id, row, ended, on }: Known| TerminalInfo {
        id,
        title: row.title,
        state: if ended.is_none() { Running::Running } else { Running::Ended },
        exit: ended,
        on,
    };
    Ok(all(cx)?.into_iter().map(info).collect())
}

/// Streams what is said until it is over.
pub(crate) async fn output(cx: &Cx<CoderAgent>, ask: TerminalOutput, chunks: &Stream<TerminalChunk>) -> Result<()> {
    let mut from = ask.from;
    while !chunks.is_closed() {
        let Some(tail) = tail(cx, ask.id, from, LOOK).await? else {
            let exit = all(cx)?.into_iter().find(|known| known.id == ask.id).map(|known| known.ended);
            return chunks.end_with(&json!({"exit": exit.ok_or_else(|| super::unknown(ask.id))?}));
        };
        let end = super::end_of(&tail.state);
        let (data, took) = whole_characters(&tail.bytes, end.is_some());
        if !data.is_empty() {
            chunks.send(&TerminalChunk { from: tail.from, data })?;
        }
        from = tail.from + took as u64;
        if let Some(exit) = end {
            return chunks.end_with(&json!({"exit": exit}));
        }
    }
    Ok(())
}
