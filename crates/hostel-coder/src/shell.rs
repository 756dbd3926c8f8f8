//! Commands in the background and terminals: what runs in an agent's workspace beside its answers.
//!
//! They run in this process and end with it, or on a machine that is lent. That they were there is kept with the agent, so that people
//! and the model are told after a restart.

mod lent;
mod rows;
mod terminal;
pub(crate) mod tools;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hostel::{AgentId, Cx, Error, JsonSchema, Result};
use hostel_sandbox::{Command, JobId, Jobs, State, Tail, Terminal};
use hostel_workspace::Place;
use serde::{Deserialize, Serialize};

pub(crate) use self::lent::{follow_again, is_lent};
pub use self::terminal::{
    TerminalChunk, TerminalInfo, TerminalInput, TerminalOpen, TerminalOpened, TerminalOutput, TerminalSize,
    WhichTerminal,
};
pub(crate) use self::terminal::{close, input, list, open, output, resize};
use self::{
    lent::Fars,
    rows::{Row, Rows},
};
use crate::{
    CoderAgent,
    beside::beside,
    hands,
    told::{self, News},
    workspaces::{Workspaces, said},
};

/// How many may run at once in one agent, how much each one's output is kept of, and how many that are over are remembered.
const MOST: usize = 16;
const KEPT: usize = 256 << 10;
const REMEMBERED: usize = 20;

/// What runs beside the answers of each agent.
#[derive(Debug, Default)]
pub(crate) struct Shells(Mutex<HashMap<AgentId, Arc<Shell>>>);

/// What runs beside the answers of one agent.
#[derive(Debug)]
struct Shell {
    jobs: Jobs,
    /// By the numbers that the agent gave them.
    known: Mutex<BTreeMap<i64, JobId>>,
    fars: Mutex<Fars>,
}

/// What to start.
struct Start<'a> {
    /// A line for the shell; nothing for a shell.
    line: Option<&'a str>,
    directory: &'a str,
    terminal: Option<Terminal>,
    time: Duration,
    /// The call of a tool that starts it, or nothing if a person does.
    call: Option<&'a str>,
}

/// How a command is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Running {
    /// It runs.
    Running,
    /// It is over.
    Ended,
}

impl Shells {
    fn of(&self, id: &AgentId) -> Arc<Shell> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Shell { jobs: Jobs::new(MOST, KEPT), known: Mutex::default(), fars: Mutex::default() });
        Arc::clone(all.entry(id.clone()).or_insert_with(made))
    }

    /// Ends everything that runs for an agent, and forgets it.
    pub(crate) fn end(&self, id: &AgentId) {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        for (job, _, state) in ended.iter().flat_map(|shell| shell.jobs.list()) {
            if state == State::Running {
                let _ = ended.as_ref().map(|shell| shell.jobs.cancel(job));
            }
        }
        if let Some(shell) = ended {
            shell.fars().all().for_each(|far| far.cancel());
        }
    }

    fn find(&self, id: &AgentId) -> Option<Arc<Shell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Shell {
    fn known(&self) -> MutexGuard<'_, BTreeMap<i64, JobId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fars(&self) -> MutexGuard<'_, Fars> {
        self.fars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(&self, id: i64) -> Option<JobId> {
        self.known().get(&id).copied()
    }

    /// Forgets the oldest that are over.
    fn trim(&self) {
        let list = self.jobs.list();
        let over: Vec<JobId> =
            list.into_iter().filter(|(_, _, state)| *state != State::Running).map(|(id, ..)| id).collect();
        for job in over.iter().take(over.len().saturating_sub(REMEMBERED)) {
            let _ = self.jobs.forget(*job);
            self.known().retain(|_, known| known != job);
        }
    }
}

fn shell(cx: &Cx<CoderAgent>) -> Result<Arc<Shell>> {
    Ok(cx.env::<Workspaces>()?.shells().of(cx.id()))
}

/// Starts it, and answers its number.
async fn start(cx: &Cx<CoderAgent>, start: &Start<'_>) -> Result<i64> {
    let (workspaces, shell) = (cx.env::<Workspaces>()?, shell(cx)?);
    shell.trim();
    shell.jobs.check_room().map_err(wrong)?;
    let (of, id) = (Arc::clone(&workspaces), cx.id().clone());
    let mut policy = beside(move || {
        let workspace = of.open(&id)?;
        workspace.check_size().map_err(said)?;
        Ok(of.policy(workspace.path()))
    })
    .await?;
    policy.limits.time = start.time;
    // What is said is not kept whole.
    policy.limits.output_bytes = u64::MAX;
    let command = command(start)?;
    let title = start.line.unwrap_or("a shell").to_owned();
    let row = Row { title: title.clone(), call: start.call.map(str::to_owned), terminal: start.terminal.is_some() };
    let number = Rows(cx).add(&row, workspaces.era())?;
    cx.durable().await?;
    match workspaces.start(&policy, &command).await {
        Ok(job) => {
            let job = shell.jobs.adopt(title, job);
            shell.known().insert(number, job);
            told::tell(cx, News::Terminals);
            Ok(number)
        }
        Err(error) => {
            Rows(cx).remove(number)?;
            Err(wrong(error))
        }
    }
}

fn command(start: &Start<'_>) -> Result<Command> {
    let directory = Place::parse(start.directory).map_err(said)?;
    let command = match (start.line, start.terminal) {
        (Some(line), Some(_)) => Command::shell(line),
        (Some(line), None) => Command::shell(format!("exec 2>&1\n{line}")),
        (None, _) => {
            let program = if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
            Command::new([program, "-i"])
        }
    };
    let command = command.dir(directory.as_str());
    Ok(match start.terminal {
        Some(size) => command.terminal(size),
        None => command,
    })
}

/// How a command ended, for people; nothing while it runs.
fn end_of(state: &State) -> Option<String> {
    match state {
        State::Running => None,
        State::Over(exit) => Some(exit.to_string()),
        State::Lost(why) => Some(why.clone()),
    }
}

/// What became of those that ran when the server stopped.
const STOPPED: &str = "ended when the server stopped";

/// What it said from `from` on, once there is something, it is over, or nobody wants to wait any longer.
async fn tail(cx: &Cx<CoderAgent>, id: i64, from: u64, patience: Duration) -> Result<Option<Tail>> {
    if let Some(far) = lent::find(cx, id, patience).await? {
        let more = tokio::time::timeout(patience, far.more(from)).await;
        return Ok(Some(more.unwrap_or_else(|_| far.tail(from))));
    }
    let found = cx.env::<Workspaces>()?.shells().find(cx.id()).and_then(|shell| Some((shell.job(id)?, shell)));
    let Some((job, shell)) = found else { return Ok(None) };
    match tokio::time::timeout(patience, shell.jobs.more(job, from)).await {
        Ok(tail) => tail.map(Some).map_err(wrong),
        Err(_) => shell.jobs.tail(job, from).map(Some).map_err(wrong),
    }
}

/// The job with this number, if it is one of this process.
fn running(cx: &Cx<CoderAgent>, id: i64) -> Result<(Arc<Shell>, JobId)> {
    let shell = shell(cx)?;
    match shell.job(id) {
        Some(job) => Ok((shell, job)),
        None if Rows(cx).has(id)? => Err(Error::msg(format!("Command {id} {STOPPED}.")).with_fix("start it again")),
        None => Err(unknown(id)),
    }
}

fn unknown(id: i64) -> Error {
    Error::msg(format!("There is no command {id}.")).with_fix("list those there are, and use a number from there")
}

#[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn wrong(error: hostel_sandbox::Error) -> Error {
    Error::msg(error.to_string())
}

/// One that was started and is remembered: its number, what it is, how it ended, if it did, and on which machine, if not here.
struct Known {
    id: i64,
    row: Row,
    ended: Option<String>,
    on: Option<String>,
}

/// Everything that was started and is remembered.
fn all(cx: &Cx<CoderAgent>) -> Result<Vec<Known>> {
    let workspaces = cx.env::<Workspaces>()?;
    let shell = workspaces.shells().find(cx.id());
    let states: HashMap<JobId, State> =
        shell.iter().flat_map(|shell| shell.jobs.list()).map(|(id, _, state)| (id, state)).collect();
    let end = |number: i64| match shell.as_ref().and_then(|shell| states.get(&shell.job(number)?)) {
        Some(state) => end_of(state),
        None => Some(STOPPED.to_owned()),
    };
    let lent: BTreeMap<i64, hands::Ordered> = Rows(cx).ordered()?.into_iter().collect();
    let known = |(id, row): (i64, Row)| {
        let Some(ordered) = lent.get(&id) else { return Known { id, row, ended: end(id), on: None } };
        let far = shell.as_ref().and_then(|shell| shell.fars().find(id));
        let ended = far.map_or_else(|| Some(lent::unknown_end(ordered)), |far| far.ended());
        Known { id, row, ended, on: Some(ordered.choice.name.clone()) }
    };
    Ok(Rows(cx).all()?.into_iter().map(known).collect())
}

/// What the model is told of commands that ran when the server stopped, once.
pub(crate) fn lost(cx: &Cx<CoderAgent>) -> Result<Option<String>> {
    let Ok(workspaces) = cx.env::<Workspaces>() else { return Ok(None) };
    let lost = Rows(cx).lost(workspaces.era())?;
    if lost.is_empty() {
        return Ok(None);
    }
    let list: Vec<String> = lost.iter().map(|(id, title)| format!("{id} ({title})")).collect();
    Ok(Some(format!("These commands in the background {STOPPED}; start again what is needed: {}.", list.join(", "))))
}
