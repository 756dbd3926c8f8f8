//! What an agent has ordered for later: keeping it, showing it, taking it back. [`run`] has it done.
//!
//! The agent's own database says what is due when; the node's register only says when to look.

mod declared;
mod run;
mod spec;

use hostel_core::{
    Error, Result,
    task::{Order, Schedule, ScheduleId},
};
use hostel_protocol::{name::nearest, refusal::Code};
use hostel_store::{AgentDb, Queued, TaskRow};

use self::spec::Spec;
use super::{Cell, turn::asleep};
use crate::{ids, storage};

pub(super) use run::Running;

/// Length of a schedule's id (agents-protocol, 6.1).
const ID_CHARS: usize = 9;

/// When an agent has something to do of its own accord.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    /// The earliest of all: what the register has to know.
    pub(super) wake: Option<i64>,
    /// The earliest that is not under way already: when to look.
    pub(super) look: Option<i64>,
}

impl Moments {
    pub(super) fn is_due(self, now: i64) -> bool {
        self.look.is_some_and(|at| at <= now)
    }
}

impl Cell {
    /// Keeps an order, within a turn.
    pub(super) fn order_now(&self, order: Order) -> Result<ScheduleId> {
        let now = self.node.clock.now();
        self.check_task(order.task)?;
        let due = order.when.as_ref().map_or(Ok(now), |when| when.first(now))?.as_millisecond();
        let spec = Spec::of(&order).to_json()?;
        let row = TaskRow {
            id: ids::nanoid(ID_CHARS),
            task: order.task.to_owned(),
            args: order.args,
            due_ms: due,
            queued: queued(order.when.is_none(), order.ordered),
            spec,
            key: order.key,
            declared: false,
            attempts: 0,
        };
        let repeats = order.when.as_ref().is_some_and(hostel_core::When::repeats);
        self.with_db(|db| keep(db, row, order.idempotent.unwrap_or(repeats)))
    }

    fn check_task(&self, task: &str) -> Result<()> {
        let info = self.class.info();
        if info.task(task).is_some() {
            return Ok(());
        }
        let names: Vec<_> = info.tasks.iter().map(|task| task.name).collect();
        let fix = match nearest(task, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("mark a method of {} with #[task]", info.class),
        };
        Err(Error::coded(Code::InvalidArguments, format!("{} has no task {task:?}.", info.class)).with_fix(fix))
    }

    /// Everything that waits.
    pub(super) fn schedules_now(&self) -> Result<Vec<Schedule>> {
        let rows = self.look_into_db(AgentDb::tasks)?;
        rows.into_iter().map(|row| spec::schedule(row, |id| self.running.has(id))).collect()
    }

    /// Takes an order back.
    pub(super) fn cancel_now(&self, id: &ScheduleId) -> Result<bool> {
        self.with_db(|db| db.remove_task(id.as_str()).map_err(storage::error))
    }

    /// Changes what the agent has ordered, within a turn.
    pub(super) fn with_db<T>(&self, change: impl FnOnce(&mut AgentDb) -> Result<T>) -> Result<T> {
        let mut store = self.store.lock();
        let Some(db) = store.as_mut() else { return Err(asleep(self)) };
        self.scratch.lock().orders = true;
        change(db)
    }

    fn look_into_db<T>(&self, look: impl FnOnce(&AgentDb) -> std::result::Result<T, hostel_store::Error>) -> Result<T> {
        let store = self.store.lock();
        let Some(db) = store.as_ref() else { return Err(asleep(self)) };
        look(db).map_err(storage::error)
    }

    /// [`Cell::moments`] of the open database.
    pub(super) fn moments_now(&self) -> Result<Moments> {
        match self.store.lock().as_ref() {
            Some(db) => self.moments(db),
            None => Err(asleep(self)),
        }
    }

    /// When there is something to do, as the database has it within the turn under way.
    pub(super) fn moments(&self, db: &AgentDb) -> Result<Moments> {
        let alarm = db.alarm().map_err(storage::error)?;
        let next = db.next_tasks(self.running.count() + 1).map_err(storage::error)?;
        let first = next.first().map(|(_, at)| *at);
        let idle = next.iter().find(|(id, _)| !self.running.has(id)).map(|(_, at)| self.running.not_before(*at));
        Ok(Moments { wake: earlier(alarm, first), look: earlier(self.alarm_to_ring(alarm), idle) })
    }
}

/// Adds an order, unless it is one of those there are; one with the same key makes room.
fn keep(db: &mut AgentDb, row: TaskRow, idempotent: bool) -> Result<ScheduleId> {
    let others = db.tasks().map_err(storage::error)?;
    if let Some(other) = row.key.as_ref().and_then(|key| others.iter().find(|other| other.key.as_ref() == Some(key))) {
        if is_the_same(other, &row) {
            return Ok(ScheduleId::new(&*other.id));
        }
        db.remove_task(&other.id).map_err(storage::error)?;
    } else if let Some(other) = others.iter().find(|other| idempotent && is_the_same(other, &row)) {
        return Ok(ScheduleId::new(&*other.id));
    }
    db.put_task(&row).map_err(storage::error)?;
    Ok(ScheduleId::new(row.id))
}

fn is_the_same(one: &TaskRow, other: &TaskRow) -> bool {
    let same = |row: &TaskRow| (row.task.clone(), row.args.clone(), Spec::read(&row.spec).map(|spec| spec.when));
    one.queued == other.queued && same(one) == same(other)
}

fn queued(is: bool, ordered: bool) -> Queued {
    match (is, ordered) {
        (false, _) => Queued::No,
        (true, true) => Queued::InOrder,
        (true, false) => Queued::AnyOrder,
    }
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}
