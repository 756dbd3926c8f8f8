//! What an agent has ordered for later: keeping it, showing it, taking it back. [`run`] has it done.
//!
//! The agent's own database says what is due when; the node's register only says when to look.

mod declared;
mod desk;
mod errand;
mod letters;
mod run;
mod spec;

use hostel_core::{
    Error, Result,
    handler::Mode,
    task::{Order, Schedule, ScheduleId},
};
use hostel_protocol::{name::nearest, refusal::Code};
use hostel_store::{AgentDb, Queued, TaskRow};

use super::{
    Awake, Cell, cause,
    turn::{Turn, asleep},
};
use crate::{ids, storage};

pub(crate) use desk::{Answer, Ask};
pub(super) use letters::stored_letters;
pub(super) use run::{Place, Running, timed_out};
pub(super) use spec::{Spec, after};

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

/// Everything that waits, in a database that nobody works on.
pub(super) fn stored(db: &AgentDb) -> Result<Vec<Schedule>> {
    db.tasks().map_err(storage::error)?.into_iter().map(|row| spec::schedule(row, |_| false)).collect()
}

impl Cell {
    /// Keeps an order, within a turn.
    pub(super) fn order_now(&self, mut order: Order) -> Result<ScheduleId> {
        self.mask_order(&mut order);
        let now = self.node.clock.now();
        self.check_task(&order.task)?;
        self.check_args_size(&order.task, &order.args)?;
        order.retry.check()?;
        let due = order.when.as_ref().map_or(Ok(now), |when| when.first(now))?.as_millisecond();
        let spec = Spec::of(&order).to_json()?;
        let idempotent = order.idempotent.unwrap_or(order.when.as_ref().is_some_and(hostel_core::When::repeats));
        let row = TaskRow {
            id: ids::nanoid(ID_CHARS),
            queued: queued(order.when.is_none(), order.ordered),
            task: order.task.into_owned(),
            args: order.args,
            due_ms: due,
            spec,
            key: order.key,
            declared: false,
            attempts: 0,
        };
        self.with_db(|db| self.keep(db, row, idempotent))
    }

    /// Adds an order, unless it is one of those there are; one with the same key makes room.
    fn keep(&self, db: &mut AgentDb, row: TaskRow, idempotent: bool) -> Result<ScheduleId> {
        let other = match &row.key {
            Some(key) => db.task_with_key(key).map_err(storage::error)?,
            None if idempotent => {
                let alike = db.tasks_like(&row.task, &row.args, row.queued).map_err(storage::error)?;
                alike.into_iter().find(|other| is_the_same(other, &row))
            }
            None => None,
        };
        if let Some(other) = other {
            // A delay that is ordered anew begins anew; what repeats, or stands in the queue, keeps its place.
            let keeps_place = idempotent || row.queued != Queued::No;
            if keeps_place && is_the_same(&other, &row) {
                return Ok(ScheduleId::new(other.id));
            }
            db.remove_task(&other.id).map_err(storage::error)?;
        }
        self.add(db, &row)?;
        Ok(ScheduleId::new(row.id))
    }

    fn add(&self, db: &mut AgentDb, row: &TaskRow) -> Result<()> {
        self.check_room(db)?;
        db.put_task(row).map_err(storage::error)
    }

    /// Refuses what is ordered when too much waits.
    pub(super) fn check_room(&self, db: &AgentDb) -> Result<()> {
        let (count, most) = (db.count_tasks().map_err(storage::error)?, self.node.options.orders);
        if count >= most as u64 {
            let message = format!("{} has {count} runs waiting, which is the limit.", self.id);
            return Err(Error::coded(Code::QueueFull, message).with_fix(
                "order under a key or idempotently what is ordered again and again; or wait for some to be done",
            ));
        }
        Ok(())
    }

    pub(super) fn check_args_size(&self, task: &str, args: &str) -> Result<()> {
        let most = self.node.options.order_bytes;
        if args.len() <= most {
            return Ok(());
        }
        let message = format!("The arguments of {task} have {} bytes; {most} is the limit.", args.len());
        Err(Error::coded(Code::TaskTooLarge, message)
            .with_fix("keep what is large in a table, and order the task with its key"))
    }

    pub(super) fn check_task(&self, task: &str) -> Result<()> {
        let info = self.class.info();
        if info.task(task).is_some() || self.errand(task).is_some() {
            return Ok(());
        }
        let names: Vec<_> = info.tasks.iter().map(|task| task.name).collect();
        let fix = match nearest(task, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("mark a method of {} with #[task]", info.class),
        };
        Err(Error::coded(Code::TaskUnknown, format!("{} has no task {task:?}.", info.class)).with_fix(fix))
    }

    /// Everything that waits.
    pub(super) fn schedules_now(&self) -> Result<Vec<Schedule>> {
        let rows = self.look_into_db(AgentDb::tasks)?;
        rows.into_iter().map(|row| spec::schedule(row, |id| self.running.has(id))).collect()
    }

    /// The time of day went back: what was to come after a while comes after that while from now at the latest.
    pub(super) fn shorten_delays(&self, now: i64) -> Result<()> {
        let shorten = |_: &mut Awake| {
            self.with_db(|db| {
                let rows = db.tasks().map_err(storage::error)?;
                let idle = rows.into_iter().filter(|row| !self.running.has(&row.id));
                for row in idle {
                    self.hurry_run(db, &row, now)?;
                    if let Some(row) = spec::no_later(row, now) {
                        db.put_task(&row).map_err(storage::error)?;
                    }
                }
                self.shorten_waits(db, now)
            })
        };
        let turn = Turn { cause: cause::ALARM, ..Turn::own(Mode::Read) };
        let mut done = Ok(());
        self.turn(&turn, shorten, |outcome, _| done = outcome);
        done
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

    /// [`Cell::with_db`] for what does not change when something is due.
    pub(super) fn in_db<T>(&self, work: impl FnOnce(&mut AgentDb) -> Result<T>) -> Result<T> {
        let mut store = self.store.lock();
        let Some(db) = store.as_mut() else { return Err(asleep(self)) };
        work(db)
    }

    pub(super) fn look_into_db<T>(
        &self,
        look: impl FnOnce(&AgentDb) -> std::result::Result<T, hostel_store::Error>,
    ) -> Result<T> {
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
        let kin = self.kin_moment(db)?;
        Ok(Moments { wake: earlier(earlier(alarm, first), kin), look: earlier(self.alarm_to_ring(alarm), idle) })
    }
}

fn is_the_same(one: &TaskRow, other: &TaskRow) -> bool {
    let when = |row: &TaskRow| Spec::read(&row.spec).map(|spec| spec.when);
    (one.queued, &one.task, &one.args) == (other.queued, &other.task, &other.args) && when(one) == when(other)
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
