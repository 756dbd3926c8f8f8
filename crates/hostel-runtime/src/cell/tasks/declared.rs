//! Keeps what a class declares in step with what its agents have on order: never twice, and gone when the declaration is.

use std::sync::atomic::Ordering;

use hostel_core::{Error, Result, Retry, handler::Mode, task::Declared};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, Queued, TaskRow};
use jiff::Timestamp;

use super::{
    super::{
        Cell, cause,
        turn::{Awake, Turn},
    },
    spec::Spec,
};
use crate::{ids, storage};

impl Cell {
    /// Whether the class declares schedules.
    pub(in super::super) fn declares_schedules(&self) -> bool {
        self.class.info().tasks.iter().any(|task| !task.declared.is_empty())
    }

    /// With the first write of an agent's life in memory, what its class declares is on order as well. An agent that was never
    /// written to has no schedules: whoever asks for a name creates nothing.
    pub(in super::super) fn declare(&self, db: &mut AgentDb) -> Result<bool> {
        if self.declared.load(Ordering::Relaxed) || !self.declares_schedules() {
            return Ok(false);
        }
        let changed = self.keep_declared(db)?;
        self.declared.store(true, Ordering::Relaxed);
        Ok(changed)
    }

    /// The same as an agent that exists comes into memory.
    pub(in super::super) fn keep_declared_at_start(&self) {
        let has_any = || self.look_into_db(|db| Ok(db.is_created() && !db.next_tasks(1)?.is_empty()));
        let exists = || self.look_into_db(|db| Ok(db.is_created()));
        let concerned = if self.declares_schedules() { exists() } else { has_any() };
        if !concerned.unwrap_or(false) {
            return;
        }
        let mut outcome = Ok(());
        let turn = Turn { cause: cause::START, ..Turn::own(Mode::Read) };
        let keep = |_: &mut Awake| self.with_db(|db| self.keep_declared(db)).map(drop);
        self.turn(&turn, keep, |result, _| outcome = result);
        match outcome {
            Ok(()) => self.declared.store(true, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(agent = %self.id, error = ?error, "what the class declares could not be put on order");
            }
        }
    }

    /// The same for an agent that exists, while it goes on sleeping. Durable when it returns.
    pub(in super::super) fn bring_in_step(&self) -> Result<()> {
        if self.is_awake() {
            // That was seen to as it woke.
            return Ok(());
        }
        self.node.block(|| self.declare_asleep())
    }

    fn declare_asleep(&self) -> Result<()> {
        let _core = self.lock_core();
        if self.inbox.lock().retired {
            return Err(Error::coded(Code::ShuttingDown, "The server is restarting."));
        }
        self.node.rebuild_if_due(&self.id)?;
        let mut db = self.open_asleep()?;
        if !db.is_created() {
            return Ok(());
        }
        db.begin().map_err(storage::error)?;
        if !self.keep_declared(&mut db)? {
            return db.rollback().map_err(storage::error);
        }
        db.set_cause(cause::START);
        let moments = self.moments(&db)?;
        self.register_earlier(moments.wake)?;
        let commit = db.commit().map_err(storage::error)?;
        if let Some(commit) = &commit {
            self.node.durability.make_durable(commit)?;
        }
        db.close().map_err(storage::error)?;
        self.release(vec![self.moments_committed(moments)]);
        Ok(())
    }

    /// Adds what is declared and not on order, and removes what is on order and not declared any more. Returns whether
    /// anything changed.
    pub(in super::super) fn keep_declared(&self, db: &mut AgentDb) -> Result<bool> {
        let now = self.node.clock.now();
        let mut stale: Vec<TaskRow> = db.declared_tasks().map_err(storage::error)?;
        let mut changed = false;
        for task in self.class.info().tasks.iter() {
            for declared in task.declared {
                let spec = spec(declared)?;
                let same = |row: &TaskRow| row.task == task.name && is_same(row, &spec);
                match stale.iter().position(same) {
                    Some(at) => drop(stale.swap_remove(at)),
                    None => {
                        db.put_task(&row(task.name, &spec, now)?).map_err(storage::error)?;
                        changed = true;
                    }
                }
            }
        }
        for row in stale {
            changed |= db.remove_task(&row.id).map_err(storage::error)?;
        }
        Ok(changed)
    }
}

fn spec(declared: &Declared) -> Result<Spec> {
    let (when, missed) = declared.when()?;
    Ok(Spec::new(Some(&when), missed, Retry::default()))
}

fn is_same(row: &TaskRow, spec: &Spec) -> bool {
    Spec::read(&row.spec).is_some_and(|own| own.following(false) == *spec)
}

fn row(task: &str, spec: &Spec, now: Timestamp) -> Result<TaskRow> {
    let first = spec.when()?.map_or(Ok(now), |when| when.first(now))?;
    Ok(TaskRow {
        id: ids::nanoid(super::ID_CHARS),
        task: task.to_owned(),
        args: "[]".to_owned(),
        due_ms: first.as_millisecond(),
        queued: Queued::No,
        spec: spec.to_json()?,
        key: None,
        declared: true,
        attempts: 0,
    })
}
