//! Tasks and their times, for the model, also under the names they once had.

use hostel::{JsonSchema, Result};
use hostel_chat::Tool;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use crate::{
    CoderAgent, ScheduleTask, TaskState, WorkTask, calls,
    work::{tasks, when},
};

#[derive(Deserialize, JsonSchema)]
struct Add {
    /// What is to be done.
    #[serde(alias = "description")]
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    /// The number of the task.
    #[serde(deserialize_with = "when::number", alias = "scheduleId", alias = "taskId")]
    id: i64,
}

const SCHEDULE: &str = "Schedules a task: when it is due, it becomes a message to you, in this conversation, whether somebody is \
there or not. Give the description, and exactly one of delay (seconds), time, cron (with zone), or webhook (with event).";

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "Adds something to do to the task list.";
    let add = Tool::new("add_task", about, |cx: Call, Add { text }: Add| async move {
        let id = cx.try_update(|me| me.with_work(cx.cx(), |cx| tasks::add(cx, &text, None)))?;
        Ok(json!({"id": id}))
    });
    let mut tools = vec![
        add,
        Tool::new("scheduleTask", SCHEDULE, |cx: Call, task: ScheduleTask| async move {
            cx.try_update(|me| calls::schedule(me, cx.cx(), &task))
        }),
        ending("complete_task", "A task of the list is done.", TaskState::Completed),
        ending("cancel_task", "Cancels a task, and its schedule if it has one.", TaskState::Cancelled),
    ];
    for old in ["deleteScheduledTask", "cancelSchedule", "deleteSystemSchedule"] {
        tools.push(ending(old, "The same as cancel_task.", TaskState::Cancelled));
    }
    let about = "The task list, with what is scheduled.";
    tools.push(listing("list_tasks", about, false));
    tools.push(listing("listAgentTasks", "The same as list_tasks.", false));
    tools.push(listing("listScheduledTasks", "The tasks that have a time.", true));
    tools.push(listing("listSystemSchedules", "The same as listScheduledTasks.", true));
    tools
}

fn ending(name: &str, about: &str, state: TaskState) -> Tool<CoderAgent> {
    Tool::new(name, about, move |cx: Call, Which { id }: Which| async move {
        cx.try_update(|me| me.with_work(cx.cx(), |cx| tasks::set(cx, id, state)))?;
        Ok::<Value, _>(json!({"id": id, "state": state}))
    })
    .repeatable()
}

fn listing(name: &str, about: &str, timed: bool) -> Tool<CoderAgent> {
    Tool::new(name, about, move |cx: Call, (): ()| async move { listed(&cx, timed) }).repeatable()
}

fn listed(cx: &Call, timed: bool) -> Result<Vec<WorkTask>> {
    tasks::list(cx.cx(), timed)
}
