//! What the code of a run sees of it, for one attempt.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use hostel_core::{
    BoxFuture, Message, Result, RunId, RunStatus, StepState,
    host::{Effect, Host},
    run::{Begin, Begun, Place, RunHost, Track, Wait, Waited},
};
use hostel_store::{AgentDb, RunRow, TaskRow};
use parking_lot::Mutex;
use serde_json::{json, value::RawValue};
use tokio::sync::watch;

use super::super::{Cell, tasks::Spec};
use crate::storage;

/// Why the code of a run is taken out of memory before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// It only waits.
    Waits,
    /// Nobody knows what became of this step, and why.
    Uncertain(Place, String),
    /// It was paused.
    Paused,
    /// It was ended, or forgotten.
    Over,
    /// It took too long.
    TimedOut,
}

impl Stop {
    /// Whether steps under way are not waited for.
    fn is_hard(&self) -> bool {
        matches!(self, Self::Over | Self::TimedOut)
    }
}

/// One attempt at a run, or at a task that may become one.
pub(in super::super) struct Scope {
    pub(super) cell: Arc<Cell>,
    pub(super) row: TaskRow,
    pub(super) spec: Spec,
    id: RunId,
    track: Track,
    /// It has done something that only runs do.
    touched: AtomicBool,
    stop: Mutex<Option<Stop>>,
    /// Waits that were not over.
    pub(super) waits: Mutex<BTreeSet<(String, u32)>>,
    waker: Mutex<Option<Waker>>,
    nudges: watch::Sender<()>,
}

impl Scope {
    pub(in super::super) fn new(cell: Arc<Cell>, row: TaskRow, spec: Spec) -> Arc<Self> {
        let id = RunId::new(&*row.id);
        Arc::new(Self {
            cell,
            touched: AtomicBool::new(spec.run),
            row,
            spec,
            id,
            track: Track::default(),
            stop: Mutex::default(),
            waits: Mutex::default(),
            waker: Mutex::default(),
            nudges: watch::channel(()).0,
        })
    }

    /// The name of the task's row.
    pub(in super::super) fn name(&self) -> &str {
        &self.row.id
    }

    /// Whether there may be a run, and not merely a task.
    pub(super) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// Whether its task is run again and again: that is no run.
    pub(in super::super) fn repeats(&self) -> bool {
        self.spec.repeats()
    }

    /// Has the code taken out of memory; the first reason counts, unless the new one cannot wait.
    pub(super) fn stop(&self, why: Stop) {
        {
            let mut stop = self.stop.lock();
            if stop.is_none() || why.is_hard() {
                *stop = Some(why);
            }
        }
        self.wake();
    }

    /// Why it was stopped.
    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stop.lock().clone()
    }

    /// Whether it is to be taken out of memory now.
    pub(super) fn is_to_stop(&self) -> bool {
        let mut stop = self.stop.lock();
        if stop.is_none() && self.track.may_be_dropped() {
            *stop = Some(Stop::Waits);
        }
        stop.as_ref().is_some_and(|why| why.is_hard() || !self.track.is_busy())
    }

    pub(super) fn listen(&self, waker: &Waker) {
        let mut own = self.waker.lock();
        match own.as_mut() {
            Some(own) => own.clone_from(waker),
            None => *own = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }

    /// Something has come for it.
    pub(super) fn nudge(&self) {
        self.nudges.send_replace(());
    }

    /// Does something with the run, as a part of the turn under way or as a turn of its own.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut AgentDb, RunRow) -> Result<T>) -> Result<T> {
        self.touched.store(true, Ordering::Relaxed);
        let cell = &self.cell;
        cell.as_turn(|| {
            cell.in_db(|db| {
                let run = cell.begin_run(db, &self.row, &self.spec)?;
                work(db, run)
            })
        })
    }

    /// Pauses the code if its run is paused.
    pub(super) fn is_paused(&self, run: &RunRow) -> bool {
        let paused = run.status == RunStatus::Paused.as_str();
        if paused {
            self.stop(Stop::Paused);
        }
        paused
    }

    fn now_ms(&self) -> i64 {
        self.cell.node.clock.now().as_millisecond()
    }
}

impl RunHost for Scope {
    fn id(&self) -> &RunId {
        &self.id
    }

    fn track(&self) -> &Track {
        &self.track
    }

    fn begin(&self, place: &Place, how: Begin) -> Result<Begun> {
        self.begin_step(place, how)
    }

    fn finish(&self, place: &Place, how: Begin, result: &str) -> Result<()> {
        self.finish_step(place, how, result)
    }

    fn take_back(&self, place: &Place) -> Result<()> {
        self.with(|db, run| db.remove_step(&run.id, &place.lane, place.position).map_err(storage::error))
    }

    fn give_up_on(&self, place: &Place, why: &str) {
        self.stop(Stop::Uncertain(place.clone(), why.to_owned()));
    }

    fn wait(&self, place: &Place, wait: &Wait) -> Result<Waited> {
        self.wait_now(place, wait)
    }

    fn nudged(&self) -> BoxFuture<()> {
        let mut nudges = self.nudges.subscribe();
        // An error means that the run is gone, and with it whoever waits.
        Box::pin(async move { drop(nudges.changed().await) })
    }

    fn stash(&self, json: &str) -> Result<()> {
        self.cell.check_kept_size("What is put aside", json)?;
        let now = self.now_ms();
        let json = self.cell.without_secrets(json.to_owned());
        self.with(|db, run| {
            let run = RunRow { stash: Some(json), updated_ms: now, ..run };
            db.put_run(&run).map_err(storage::error)
        })
    }

    fn stashed(&self) -> Result<Option<String>> {
        self.with(|_, run| Ok(run.stash))
    }

    /// Kept and told in one turn, so that clients are told once.
    fn progress(&self, place: &Place, progress: &str) -> Result<()> {
        self.cell.check_kept_size("Progress", progress)?;
        let progress = &*self.cell.without_secrets(progress.to_owned());
        let now = self.now_ms();
        let told = json!({
            "type": "progress",
            "workflowName": self.row.task,
            "workflowId": self.id,
            "timestamp": now,
            "progress": RawValue::from_string(progress.to_owned())?,
        });
        self.with(|db, run| {
            if self.look_up(db, &run, place, "progress")?.is_some() {
                return Ok(());
            }
            self.put_step(db, place, "progress", StepState::Done, None)?;
            let run = RunRow { progress: Some(progress.to_owned()), updated_ms: now, ..run };
            db.put_run(&run).map_err(storage::error)?;
            self.cell.emit(Effect::Broadcast { message: Message::from(told.to_string()), except: Vec::new() });
            self.track.note_advance();
            Ok(())
        })
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.id).finish()
    }
}
