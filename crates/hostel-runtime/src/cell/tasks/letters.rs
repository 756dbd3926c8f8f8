//! The runs that were given up: looking at them, having them run again, forgetting them.

use hostel_core::{
    Error, Result,
    task::{DeadLetter, ScheduleId},
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, TaskRow};
use serde_json::value::RawValue;

use super::{super::Cell, spec, spec::Spec};
use crate::storage;

/// As many as are ever kept.
const ALL: usize = 1_000;

/// Every one of them in a database that nobody works on, newest first.
pub(in super::super) fn stored_letters(db: &AgentDb) -> Result<Vec<DeadLetter>> {
    shown(db.dead_letters(ALL).map_err(storage::error)?)
}

impl Cell {
    /// Every one of them, newest first.
    pub(in super::super) fn letters_now(&self) -> Result<Vec<DeadLetter>> {
        shown(self.look_into_db(|db| db.dead_letters(ALL))?)
    }

    /// Has one run again, within a turn.
    pub(in super::super) fn retry_letter_now(&self, id: &ScheduleId, args: Option<String>) -> Result<bool> {
        self.with_db(|db| {
            let Some(letter) = db.dead_letter(id.as_str()).map_err(storage::error)? else { return Ok(false) };
            self.check_task(&letter.task)?;
            let args = args.map(|args| self.check_args(&letter.task, args)).transpose()?.unwrap_or(letter.args);
            let now = self.node.clock.now().as_millisecond();
            let spec = Spec::read(&letter.spec).ok_or_else(|| unreadable(id))?.again(now).to_json()?;
            let row = TaskRow {
                id: letter.id,
                task: letter.task,
                args,
                due_ms: now,
                queued: letter.queued,
                spec,
                key: None,
                declared: false,
                attempts: 0,
            };
            self.add(db, &row)?;
            db.remove_dead_letter(id.as_str()).map_err(storage::error)
        })
    }

    fn check_args(&self, task: &str, args: String) -> Result<String> {
        let args = self.masked(&args, "arguments of a task").unwrap_or(args);
        self.check_args_size(task, &args)?;
        if serde_json::from_str::<Vec<&RawValue>>(&args).is_err() {
            let message = format!("The arguments of {task} are to be a JSON array.");
            return Err(Error::coded(Code::InvalidArguments, message).with_fix("write them as in [\"a\", 1]"));
        }
        Ok(args)
    }

    /// Forgets one, within a turn.
    pub(in super::super) fn discard_letter_now(&self, id: &ScheduleId) -> Result<bool> {
        self.with_db(|db| db.remove_dead_letter(id.as_str()).map_err(storage::error))
    }
}

/// The letters of an agent that is not in memory.
pub(super) fn asleep(db: &AgentDb) -> Result<Vec<DeadLetter>> {
    shown(db.dead_letters(ALL).map_err(storage::error)?)
}

fn shown(letters: Vec<hostel_store::DeadLetter>) -> Result<Vec<DeadLetter>> {
    letters.into_iter().map(spec::letter).collect()
}

fn unreadable(id: &ScheduleId) -> Error {
    Error::msg(format!("the order of {id} cannot be read")).with_fix("order the run anew and discard this one")
}
