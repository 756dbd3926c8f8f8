//! Commands in the background: started, looked at now and then, written to, ended.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::{Canceller, Command, Error, Exit, Job, Policy, Result, Sandbox, Terminal};

/// The commands in the background of one agent. Dropped, it ends them all.
#[derive(Debug)]
pub struct Jobs {
    kept: Arc<Mutex<BTreeMap<JobId, Entry>>>,
    next: Mutex<u64>,
    most: usize,
    keep_bytes: usize,
}

/// The number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It is over.
    Over(Exit),
    /// It was lost.
    Lost(String),
}

/// What a job said from some point on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// How many bytes were said before `bytes`; more than was asked for if those are no longer kept.
    pub from: u64,
    /// What was said, outputs and errors in the order they came.
    pub bytes: Vec<u8>,
    /// Where to go on.
    pub next: u64,
    /// How the job is.
    pub state: State,
}

/// What a job is given.
#[derive(Debug)]
enum Input {
    Bytes(Vec<u8>),
    End,
    Size(Terminal),
}

#[derive(Debug)]
struct Entry {
    title: String,
    said: VecDeque<u8>,
    /// Bytes that were said and are not kept.
    gone: u64,
    state: watch::Sender<State>,
    /// How many bytes were said.
    end: watch::Sender<u64>,
    input: mpsc::Sender<Input>,
    canceller: Canceller,
    task: tokio::task::AbortHandle,
}

impl Jobs {
    /// At most `most` that run, each with the last `keep_bytes` of its output.
    #[must_use]
    pub fn new(most: usize, keep_bytes: usize) -> Self {
        Self { kept: Arc::default(), next: Mutex::new(1), most, keep_bytes }
    }

    /// Starts a command in the background.
    ///
    /// # Errors
    /// [`Error::Refused`] if there are as many as may be, and what [`Sandbox::start`] can end in.
    pub async fn start(&self, sandbox: &Sandbox, policy: &Policy, command: &Command) -> Result<JobId> {
        self.check_room()?;
        let job = sandbox.start(policy, command).await?;
        Ok(self.adopt(command.argv.join(" "), job))
    }

    /// Refuses if there are as many as may run.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn check_room(&self) -> Result<()> {
        let running = self.kept().values().filter(|entry| *entry.state.borrow() == State::Running).count();
        if running < self.most {
            return Ok(());
        }
        let many = format!("{running} commands run in the background, which is as many as may: end one first");
        Err(Error::Refused(many))
    }

    /// Keeps a job that was started elsewhere. It has to be called within a runtime.
    pub fn adopt(&self, title: String, job: Job) -> JobId {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let id = JobId(*next);
        *next += 1;
        let (input, inputs) = mpsc::channel(16);
        let canceller = job.canceller();
        let mut kept = self.kept();
        let task = tokio::spawn(tend(job, inputs, id, Arc::clone(&self.kept), self.keep_bytes)).abort_handle();
        let ((state, _), (end, _)) = (watch::channel(State::Running), watch::channel(0));
        kept.insert(id, Entry { title, said: VecDeque::new(), gone: 0, state, end, input, canceller, task });
        id
    }

    /// All jobs: their numbers, what they run, and how they are.
    #[must_use]
    pub fn list(&self) -> Vec<(JobId, String, State)> {
        self.kept().iter().map(|(id, entry)| (*id, entry.title.clone(), entry.state.borrow().clone())).collect()
    }

    /// What a job said after its first `from` bytes, as far as it is kept.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub fn tail(&self, id: JobId, from: u64) -> Result<Tail> {
        self.with(id, |entry| {
            let end = entry.gone + entry.said.len() as u64;
            let from = from.clamp(entry.gone, end);
            let skip = usize::try_from(from - entry.gone).unwrap_or(usize::MAX);
            let bytes = entry.said.iter().skip(skip).copied().collect();
            Tail { from, bytes, next: end, state: entry.state.borrow().clone() }
        })
    }

    /// [`tail`](Self::tail), once there is something after `from`, or the job is over. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub async fn more(&self, id: JobId, from: u64) -> Result<Tail> {
        let (mut end, mut state) = self.with(id, |entry| (entry.end.subscribe(), entry.state.subscribe()))?;
        tokio::select! {
            _ = end.wait_for(|end| *end > from) => {}
            _ = state.wait_for(|state| *state != State::Running) => {}
        }
        self.tail(id, from)
    }

    /// Changes the size of a job's terminal.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job, or if it is over.
    pub fn resize(&self, id: JobId, size: Terminal) -> Result<()> {
        self.give(id, Input::Size(size))
    }

    /// Writes to the input of a job; nothing ends it.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job, if it is over, or if it does not read what it was given before.
    pub fn write(&self, id: JobId, bytes: Option<Vec<u8>>) -> Result<()> {
        self.give(id, bytes.map_or(Input::End, Input::Bytes))
    }

    fn give(&self, id: JobId, input: Input) -> Result<()> {
        let sent = self.with(id, |entry| entry.input.try_send(input))?;
        sent.map_err(|_| Error::Refused(format!("job {id} takes no input: it is over, or does not read")))
    }

    /// Asks a job to end.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub fn cancel(&self, id: JobId) -> Result<()> {
        self.with(id, |entry| entry.canceller.cancel())
    }

    /// Waits until a job is over. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub async fn wait(&self, id: JobId) -> Result<State> {
        let mut state = self.with(id, |entry| entry.state.subscribe())?;
        let over = state.wait_for(|state| *state != State::Running).await;
        Ok(over.map_or_else(|_| State::Lost("it was forgotten".into()), |state| state.clone()))
    }

    /// Forgets a job and what it said; one that runs is ended.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub fn forget(&self, id: JobId) -> Result<()> {
        let entry = self.kept().remove(&id);
        entry.map(|entry| entry.task.abort()).ok_or_else(|| no_such(id))
    }

    fn with<T>(&self, id: JobId, look: impl FnOnce(&Entry) -> T) -> Result<T> {
        self.kept().get(&id).map(look).ok_or_else(|| no_such(id))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        for entry in self.kept().values() {
            entry.task.abort();
        }
    }
}

/// How long a job has to take what it is given.
const INPUT: Duration = Duration::from_secs(1);

fn no_such(id: JobId) -> Error {
    Error::Refused(format!("there is no job {id}"))
}

/// Takes what a job says until it is over.
async fn tend(
    mut job: Job,
    mut inputs: mpsc::Receiver<Input>,
    id: JobId,
    kept: Arc<Mutex<BTreeMap<JobId, Entry>>>,
    keep: usize,
) {
    let with = |change: &mut dyn FnMut(&mut Entry)| {
        if let Some(entry) = kept.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id) {
            change(entry);
        }
    };
    loop {
        tokio::select! {
            piece = job.next() => match piece {
                Some(piece) => with(&mut |entry| keep_last(entry, &piece.bytes, keep)),
                None => break,
            },
            Some(input) = inputs.recv() => {
                // A command that closed its input is told nothing more, and one that does not read holds nothing up for long.
                let given = async {
                    match input {
                        Input::Bytes(bytes) => job.write(&bytes).await,
                        Input::End => job.close_input().await,
                        Input::Size(size) => job.resize(size),
                    }
                };
                let _ = tokio::time::timeout(INPUT, given).await;
            }
        }
    }
    let state = match job.wait().await {
        Ok(exit) => State::Over(exit),
        Err(error) => State::Lost(error.to_string()),
    };
    with(&mut |entry| drop(entry.state.send_replace(state.clone())));
}

fn keep_last(entry: &mut Entry, bytes: &[u8], keep: usize) {
    entry.said.extend(bytes);
    let gone = entry.said.len().saturating_sub(keep);
    entry.said.drain(..gone);
    entry.gone += gone as u64;
    entry.end.send_replace(entry.gone + entry.said.len() as u64);
}
