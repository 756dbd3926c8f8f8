//! Runs that begin: by name, or by the first step of a task that was ordered once.

use hostel_core::{Args, Error, Result, RunId, RunStatus, Started, event::Event, handler::Mode, task::Order};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, RunRow, TaskRow};

use super::{
    super::{Cell, tasks::Spec},
    existing, put,
};
use crate::{ids, storage};

/// Length of a run's id.
const ID_CHARS: usize = 16;

impl Cell {
    pub(super) fn start_now(&self, mut order: Order) -> Result<Started> {
        self.mask_order(&mut order);
        self.check_waits(&order.task)?;
        self.check_args_size(&order.task, &order.args)?;
        order.retry.check()?;
        let now = self.node.clock.now().as_millisecond();
        let spec = Spec::of(&order).as_run().to_json()?;
        self.with_db(|db| {
            if let Some(key) = &order.key
                && let Some(other) = db.run_by_key(key).map_err(storage::error)?
            {
                return the_same(other, &order);
            }
            self.check_room(db)?;
            self.forget_stale_runs(db, now)?;
            let id = ids::nanoid(ID_CHARS);
            let mut row = RunRow {
                id: id.clone(),
                task: order.task.into_owned(),
                args: order.args,
                spec,
                key: order.key,
                created_ms: now,
                ..RunRow::default()
            };
            put(db, &mut row, RunStatus::Queued, Some(now), now)?;
            Ok(Started { id: RunId::new(id), accepted: true })
        })
    }

    fn check_waits(&self, task: &str) -> Result<()> {
        self.check_task(task)?;
        let event = self.class.info().task(task).map(|task| Event::Task { task, args: Args::none() });
        if event.is_some_and(|event| self.class.mode(&event) == Some(Mode::Task)) {
            return Ok(());
        }
        let message = format!("The task {task:?} is a turn, and a turn has no steps.");
        Err(Error::coded(Code::InvalidArguments, message).with_fix("order it with `.now()`, or make it async"))
    }

    /// The run that a task is, from its first step on.
    pub(super) fn begin_run(&self, db: &mut AgentDb, row: &TaskRow, spec: &Spec) -> Result<RunRow> {
        if spec.run {
            return existing(db, &row.id);
        }
        if let Some(run) = db.run(&row.id).map_err(storage::error)? {
            return Ok(run);
        }
        let now = self.node.clock.now().as_millisecond();
        self.scratch.lock().orders = true;
        let mut run = RunRow {
            id: row.id.clone(),
            task: row.task.clone(),
            args: row.args.clone(),
            spec: spec.as_run().to_json()?,
            attempts: row.attempts,
            created_ms: now,
            ..RunRow::default()
        };
        put(db, &mut run, RunStatus::Queued, Some(row.due_ms), now)?;
        Ok(run)
    }
}

fn the_same(run: RunRow, order: &Order) -> Result<Started> {
    if run.task != order.task || run.args != order.args {
        let key = run.key.unwrap_or_default();
        let message = format!("The key {key:?} belongs to a run of {} with other arguments.", run.task);
        return Err(Error::coded(Code::IdempotencyConflict, message).with_fix("use another key for another run"));
    }
    Ok(Started { id: RunId::new(run.id), accepted: false })
}
