//! What the methods and tasks of plan, tasks and runs do, and how the chat's turns reach them.

use hostel::{Cx, Delivery, Error, Result};
use hostel_chat::{Room, TurnInfo};

use crate::{
    CoderAgent, runs,
    tools::refused,
    work::{
        self, ScheduleTask, WorkTask,
        tasks::{self, TaskState},
    },
};

/// Adds a task with a time.
pub(crate) fn schedule(me: &mut CoderAgent, cx: &Cx<CoderAgent>, task: &ScheduleTask) -> Result<WorkTask> {
    me.with_work(cx, |cx| {
        let id = tasks::add(cx, &task.description, Some(task))?;
        let all = tasks::list(cx, true)?;
        all.into_iter().find(|task| task.id == id).ok_or_else(|| Error::msg("the task was not kept"))
    })
}

/// Cancels a task; `false` if it is over already.
pub(crate) fn cancel(me: &mut CoderAgent, cx: &Cx<CoderAgent>, id: i64) -> Result<bool> {
    me.with_work(cx, |cx| {
        let all = tasks::list(cx, false)?;
        let Some(task) = all.iter().find(|task| task.id == id) else {
            return Err(refused(format!("There is no task {id}."), "getTasks shows which there are"));
        };
        let is_open = matches!(task.state, TaskState::Pending | TaskState::InProgress);
        if is_open {
            tasks::set(cx, id, TaskState::Cancelled)?;
        }
        Ok(is_open)
    })
}

/// A turn of the chat is over; whom it concerns hears of it in a turn of the agent.
pub(crate) fn order_turn_over(cx: &Cx<CoderAgent>, turn: &TurnInfo) -> Result<()> {
    if tasks::of_turn(&turn.id).is_none() && !runs::drive::is_on(cx)? && !tasks::has_some(cx)? {
        return Ok(());
    }
    cx.tasks().turn_over(&turn.id).in_any_order().now().map(drop)
}

/// The turn with this id is over.
pub(crate) fn turn_over(cx: &Cx<CoderAgent>, id: &str) -> Result<()> {
    let Some(turn) = Room::of(cx).turn(id)? else { return Ok(()) };
    if let Some(task) = tasks::of_turn(id) {
        tasks::turn_over(cx, task, &turn.state)?;
    }
    tasks::release(cx)?;
    runs::drive::turn_over(cx, &turn)
}

/// A turn begins, or goes on after somebody has answered.
pub(crate) fn turn_begins(cx: &Cx<CoderAgent>) -> Result<()> {
    if !runs::drive::is_on(cx)? {
        return Ok(());
    }
    cx.try_update(|me| me.with_work(cx, |cx| runs::drive::turn_begins(cx).map(drop)))
}

/// A webhook has come: what waits for it becomes turns.
pub(crate) fn webhook(cx: &Cx<CoderAgent>, delivery: &Delivery) -> Result<()> {
    if work::tasks::webhook(cx, delivery)? == 0 {
        tracing::info!(agent = %cx.id(), hook = %delivery.hook, "a webhook came, and no task waits for it");
    }
    Ok(())
}
