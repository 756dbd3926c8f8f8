//! Having done what is due.
//!
//! A task that is a turn is done and crossed off in one transaction: exactly once. One that waits is crossed off in the turn
//! that follows its end: at least once, since a crash in between has it run again.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use hostel_core::{Args, Error, Missed, Result, event::Event, handler::Mode};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, Queued, TaskRow};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    super::{
        Cell,
        cause::Why,
        runs::Scope,
        turn::{Awake, Turn},
    },
    spec::Spec,
};
use crate::{ids, node::Seat, storage};

/// Runs begun in one go, before others get their turn.
const AT_ONCE: usize = 16;
/// How long nothing is begun after the outcome of a run could not be kept.
const STUCK_MS: i64 = 2_000;
/// Runs due at once that look like a mistake, if they are equal.
const MANY_ALIKE: usize = 10;
/// A run that waits does not hold its seat for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(1);
/// A run is missed when it is this late.
const GRACE: Duration = Duration::from_secs(60);

/// The number of the place it holds, and what its code sees of it.
type Attempt = (u64, Option<Arc<Scope>>);

/// The runs under way.
#[derive(Debug)]
pub(in super::super) struct Running {
    ids: Mutex<HashMap<String, Attempt>>,
    /// None begins before this: what became of the last ones could not be written down.
    not_before: AtomicI64,
}

impl Default for Running {
    fn default() -> Self {
        Self { ids: Mutex::default(), not_before: AtomicI64::new(i64::MIN) }
    }
}

impl Running {
    pub(in super::super) fn has(&self, id: &str) -> bool {
        self.ids.lock().contains_key(id)
    }

    /// What the code of a run that is under way sees of it.
    pub(in super::super) fn scope(&self, id: &str) -> Option<Arc<Scope>> {
        self.ids.lock().get(id)?.1.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.ids.lock().len()
    }

    pub(super) fn not_before(&self, at: i64) -> i64 {
        at.max(self.not_before.load(Ordering::Relaxed))
    }

    /// None is under way any more: the agent was put out of memory.
    pub(in super::super) fn clear(&self) {
        self.ids.lock().clear();
    }
}

/// Holds a run's place among those under way.
pub(in super::super) struct Place {
    cell: Arc<Cell>,
    id: String,
    /// Unique among all places: an attempt that outlives the agent in memory does not free the place of the next.
    number: u64,
    /// Keeps others from being woken while the run begins.
    seat: Arc<Mutex<Option<Seat>>>,
}

impl Place {
    pub(in super::super) fn take(cell: &Cell, id: &str, scope: Option<Arc<Scope>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        cell.running.ids.lock().insert(id.to_owned(), (number, scope));
        Self { cell: cell.arc(), id: id.to_owned(), number, seat: Arc::default() }
    }

    /// Keeps the seat of whoever was woken for the run while it begins, but not for long: a run that waits for something
    /// keeps nobody from being woken.
    fn hold(&self, seat: Seat) -> Weak<Mutex<Option<Seat>>> {
        *self.seat.lock() = Some(seat);
        Arc::downgrade(&self.seat)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut ids = self.cell.running.ids.lock();
        if ids.get(&self.id).is_some_and(|(number, _)| *number == self.number) {
            ids.remove(&self.id);
        }
    }
}

impl Cell {
    /// Begins what is due and not under way, as far as it goes before others get their turn.
    pub(in super::super) fn run_due(&self, now: i64, seat: &Seat) -> Result<()> {
        if self.running.not_before(now) > now {
            return Ok(());
        }
        let limit = AT_ONCE + self.running.count();
        let rows = self.look_into_db(|db| db.due_tasks(now, limit))?;
        let rows: Vec<_> = rows.into_iter().filter(|row| !self.running.has(&row.id)).take(AT_ONCE).collect();
        self.warn_of_duplicates(&rows);
        for row in rows {
            self.run_row(row, now, seat);
        }
        Ok(())
    }

    /// Many runs of one task that are due together were most often ordered anew at every start.
    fn warn_of_duplicates(&self, rows: &[TaskRow]) {
        let is_alike = |one: &&TaskRow, other: &TaskRow| {
            other.queued == Queued::No && (&other.task, &other.args) == (&one.task, &one.args)
        };
        let alike = |row: &&TaskRow| rows.iter().filter(|other| is_alike(row, other)).count() >= MANY_ALIKE;
        if let Some(row) = rows.iter().find(alike) {
            tracing::warn!(
                agent = %self.id,
                task = row.task,
                code = "duplicate_schedules",
                "ten or more equal runs are due at once; order them with `.idempotent(true)` or under a key"
            );
        }
    }

    fn run_row(&self, row: TaskRow, now: i64, seat: &Seat) {
        let (index, spec) = match (self.class.info().task(&row.task), Spec::read(&row.spec)) {
            (Some(index), Some(spec)) => (index, spec),
            (None, Some(spec)) if let Some(errand) = self.errand(&row.task) => {
                return self.run_errand(errand, row, spec);
            }
            _ => return self.give_up(&row, Code::TaskUnknown.as_str(), "The class has no such task any more."),
        };
        if spec.missed() == Missed::Skip
            && now.saturating_sub(row.due_ms) > GRACE.as_millis() as i64
            && row.attempts == 0
        {
            self.metrics.tasks_missed.increment(1);
            tracing::info!(agent = %self.id, task = row.task, code = "task_missed", "a run was missed, and is left out");
            return self.cross_off(&row, &spec, now);
        }
        if spec.run && self.tell_of_end(&row, &spec) {
            return;
        }
        self.note_begin(&row, now);
        let event = Event::Task { task: index, args: Args::from_json(row.args.clone()) };
        match self.class.mode(&event) {
            Some(Mode::Task) if self.is_of_extension(index) => {
                self.run_beside_turns(index, event, row, spec, Seat::given_back());
            }
            Some(Mode::Task) => self.run_beside_turns(index, event, row, spec, seat.clone()),
            Some(mode) => self.run_as_turn(mode, event, &row, &spec, now),
            None => {}
        }
    }

    /// Such a task goes on for as long as somebody waits for it: it holds nobody else up meanwhile.
    fn is_of_extension(&self, index: usize) -> bool {
        let info = self.class.info();
        index + info.extension.tasks >= info.tasks.len()
    }

    fn note_begin(&self, row: &TaskRow, now: i64) {
        self.metrics.tasks.increment(1);
        if row.attempts > 0 {
            return;
        }
        let late = now.saturating_sub(row.due_ms).max(0) as f64 / 1_000.0;
        match row.queued {
            Queued::No => self.metrics.task_lateness.record(late),
            Queued::InOrder | Queued::AnyOrder => self.metrics.queue_wait.record(late),
        }
    }

    fn run_as_turn(&self, mode: Mode, event: Event, row: &TaskRow, spec: &Spec, now: i64) {
        let why = self.task_why(row);
        let origin = self.origin(None);
        let mut outcome = Ok(());
        let work = |awake: &mut Awake| {
            // A run before it in the same go may have taken it back.
            if self.look_into_db(|db| db.task(&row.id))?.is_none() {
                return Ok(());
            }
            awake.instance.run(&origin, event)?;
            self.with_db(|db| advance(db, row, spec, now))
        };
        let turn = Turn { cause: why.cause(), ..Turn::own(mode) };
        self.turn(&turn, work, |result, _| outcome = result);
        if let Err(error) = outcome {
            self.task_failed(row, spec, error);
        }
    }

    fn run_beside_turns(&self, index: usize, event: Event, row: TaskRow, spec: Spec, seat: Seat) {
        let why = self.task_why(&row);
        let timeout = self.class.info().tasks[index].timeout;
        let scope = Scope::new(self.arc(), row, spec);
        let place = Place::take(self, scope.name(), Some(Arc::clone(&scope)));
        let held = place.hold(seat);
        self.begin_attempt(why, event, scope, place, timeout);
        // Most runs have ended by now.
        if held.strong_count() > 0 {
            let limit = self.node.clock.sleep(LONGEST_HOLD);
            self.node.spawn_loose(async move {
                limit.await;
                drop(held.upgrade().and_then(|seat| seat.lock().take()));
            });
        }
    }

    pub(in super::super) fn task_why(&self, row: &TaskRow) -> Why {
        let name = self.class.info().tasks.iter().find(|task| task.name == row.task).map_or("", |task| task.name);
        Why::task(name)
    }

    /// A run has succeeded, or is left out.
    pub(in super::super) fn cross_off(&self, row: &TaskRow, spec: &Spec, now: i64) {
        self.own_turn(row, |_| self.with_db(|db| advance(db, row, spec, now)));
    }

    /// Tries again later, or gives the run up.
    pub(in super::super) fn task_failed(&self, row: &TaskRow, spec: &Spec, error: Error) {
        let attempts = row.attempts + 1;
        self.metrics.task_failures.increment(1);
        let Some(wait) = spec.retry.retry().wait_after(attempts, ids::random()) else {
            let code = error.code().unwrap_or(Code::TaskFailed).as_str();
            let failed = TaskRow { attempts, ..row.clone() };
            self.give_up(&failed, code, error.message());
            return self.report("a task", error);
        };
        let code = error.code().unwrap_or(Code::TaskFailed).as_str();
        tracing::warn!(agent = %self.id, task = row.task, run = spec.run_id(row), attempts, code, error = ?error, wait = ?wait, "a task failed and is tried again");
        let now = self.node.clock.now().as_millisecond();
        let due_ms = now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        let again = spec.at(spec.moment_ms.or(Some(row.due_ms)));
        let keep = |_: &mut Awake| {
            let row = TaskRow { due_ms, attempts, spec: again.to_json()?, ..row.clone() };
            self.with_db(|db| if_there(db, &row.id, |db| db.put_task(&row).map_err(storage::error)))
        };
        self.own_turn(row, keep);
    }

    /// A run will not be done: it is kept, with the reason, where somebody can look at it, mend it and have it run again.
    pub(super) fn give_up(&self, row: &TaskRow, code: &str, reason: &str) {
        self.metrics.tasks_given_up.increment(1);
        let masked = self.masked(reason, "reason of a dead letter");
        let reason = masked.as_deref().unwrap_or(reason);
        let spec = Spec::read(&row.spec);
        let letter = match &spec {
            Some(spec) => TaskRow { id: spec.run_id(row), due_ms: spec.moment(row), ..row.clone() },
            None => row.clone(),
        };
        tracing::error!(agent = %self.id, task = row.task, run = letter.id, attempts = row.attempts, code, reason, "a run is given up");
        let now = self.node.clock.now().as_millisecond();
        self.own_turn(row, |_| {
            self.with_db(|db| {
                let kept = self.node.options.dead_letters;
                let forgotten = db.bury_task(&letter, code, reason, now, kept).map_err(storage::error)?;
                if forgotten > 0 {
                    self.metrics.letters_forgotten.increment(forgotten as u64);
                    tracing::warn!(
                        agent = %self.id,
                        forgotten,
                        kept,
                        "the oldest of the runs that were given up are forgotten; see `hostel dead-letters`, or raise `dead_letters`"
                    );
                }
                match &spec {
                    Some(spec) if self.is_known(&row.task) => advance(db, row, spec, now),
                    _ => db.remove_task(&row.id).map(drop).map_err(storage::error),
                }
            })
        });
    }

    pub(in super::super) fn own_turn(&self, row: &TaskRow, work: impl FnOnce(&mut Awake) -> Result<()>) {
        let why = self.task_why(row);
        let turn = Turn { cause: why.cause(), ..Turn::own(Mode::Read) };
        let mut outcome = Ok(());
        self.turn(&turn, work, |result, _| outcome = result);
        let Err(error) = outcome else { return };
        tracing::error!(agent = %self.id, task = row.task, error = ?error, "what became of a run could not be written down; it is done again");
        let soon = self.node.clock.now().as_millisecond().saturating_add(STUCK_MS);
        self.running.not_before.store(soon, Ordering::Relaxed);
        self.node.ring_no_later(&self.id, soon);
    }
}

/// The next run, or none.
fn advance(db: &mut AgentDb, row: &TaskRow, spec: &Spec, now: i64) -> Result<()> {
    let next = next_run(row, spec, now)?;
    if_there(db, &row.id, |db| match next {
        None => db.remove_task(&row.id).map(drop).map_err(storage::error),
        Some(due_ms) => {
            let spec = spec.following(due_ms <= now).to_json()?;
            db.put_task(&TaskRow { due_ms, spec, attempts: 0, ..row.clone() }).map_err(storage::error)
        }
    })
}

fn next_run(row: &TaskRow, spec: &Spec, now: i64) -> Result<Option<i64>> {
    let Some(when) = spec.when()? else { return Ok(None) };
    let (now, due) = (Timestamp::from_millisecond(now)?, Timestamp::from_millisecond(spec.moment(row))?);
    Ok(when.following(due, now, spec.missed(), spec.made_up).map(Timestamp::as_millisecond))
}

/// What was taken back meanwhile does not come back.
fn if_there(db: &mut AgentDb, id: &str, change: impl FnOnce(&mut AgentDb) -> Result<()>) -> Result<()> {
    if db.task(id).map_err(storage::error)?.is_none() { Ok(()) } else { change(db) }
}

pub(in super::super) fn timed_out(row: &TaskRow, timeout: Duration) -> Error {
    Error::coded(Code::TaskTimeout, format!("The task {} did not end within {timeout:?}.", row.task))
        .with_fix("have it do less at once, or give it more time: #[task(timeout = \"1h\")]")
}
