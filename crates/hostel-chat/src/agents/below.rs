//! The side above: a run is begun once, followed to its end across crashes, and stopped with whatever it is for.

mod follow;

use std::time::Duration;

use futures_util::future::{Either, select};
use hostel::{AgentId, Body, Code, Cx, Error, Order, Request, Result, host::Host};

use self::follow::Above;
use super::{
    door::Knock,
    rows::{AgentRun, AgentRunState, Kept, Rows},
    show,
    task::AgentTask,
};
use crate::{live, memory::Talk, run::is_of_host, tool::ToolCx};

/// The task that stops an agent below.
pub(crate) const STOP: &str = "chat:stop";
/// Runs that may be under way at a time.
const MOST_OPEN: usize = 32;

/// Has an agent below do something, and waits for the end.
pub(super) async fn run<A: Send + Sync + 'static>(cx: &ToolCx<A>, class: &str, task: AgentTask) -> Result<AgentRun> {
    let host = &**cx.host();
    let child = host.id().sub_agent(class, &run_id(cx, &task)?)?;
    let kept = begin(cx, class, &child, &task)?;
    if kept.run.state != AgentRunState::Running {
        return Ok(kept.run);
    }
    let (limit, id) = (task.limit, kept.run.run_id.clone());
    let work = std::pin::pin!(Above { cx, child, task, id: id.clone(), caller: host.caller(None) }.follow());
    match select(work, host.sleep(limit)).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => give_up(host, &id, limit),
    }
}

/// The run of a task. Models number their calls as they please: one of an earlier answer with the same id is another run. So is one
/// with the same name that is for another call.
pub(super) fn run_id<A: Send + Sync + 'static>(cx: &ToolCx<A>, task: &AgentTask) -> Result<String> {
    let id = task.run_id(cx.call_id());
    let is_other = |kept: &Kept| kept.turn != cx.turn_id() || kept.run.tool_call_id != cx.call_id();
    let taken = match Rows::of(&**cx.host())? {
        Some(rows) => rows.get(&id)?.is_some_and(|kept| is_other(&kept)),
        None => false,
    };
    Ok(if taken { task.another_run_id(&id, cx.turn_id(), cx.call_id()) } else { id })
}

/// The run, begun now if it was not.
fn begin<A: Send + Sync + 'static>(cx: &ToolCx<A>, class: &str, child: &AgentId, task: &AgentTask) -> Result<Kept> {
    let host = &**cx.host();
    let run = child.name();
    Talk::of(host).note_runs(true);
    aside(host, || {
        let rows = Rows::make(host)?;
        if let Some(kept) = rows.get(run)? {
            return Ok(kept);
        }
        if rows.open()?.len() >= MOST_OPEN {
            return Err(Error::coded(
                Code::QueueFull,
                format!("{MOST_OPEN} agents are at work below this one already."),
            )
            .with_fix("wait until one of them has ended"));
        }
        rows.tidy()?;
        host.add_sub_agent(child)?;
        let begun = Kept {
            n: 0,
            run: AgentRun {
                run_id: run.to_owned(),
                agent_type: class.to_owned(),
                tool_call_id: cx.call_id().to_owned(),
                state: AgentRunState::Running,
                summary: None,
                error: None,
                started_at: host.now(),
                ended_at: None,
            },
            turn: cx.turn_id().to_owned(),
            preview: task.preview(),
            display: task.display.clone(),
            order: task.order,
            base: None,
            next: 0,
            sequence: 1,
            bytes: 0,
        };
        rows.begin(&begun)?;
        show::tell(host, &begun, 0, show::started(&begun));
        rows.get(run)?.ok_or_else(live::cancelled)
    })
}

/// Ends a run and tells everybody, unless it was over.
pub(super) fn end(host: &dyn Host, rows: &Rows<'_>, kept: &mut Kept, state: AgentRunState, said: &str) -> Result<()> {
    if rows.end(kept, state, Some(said.to_owned()))?
        && let Some(event) = show::ended(kept)
    {
        show::tell(host, kept, kept.sequence, event);
    }
    Ok(())
}

/// It took too long.
fn give_up(host: &dyn Host, id: &str, limit: Duration) -> Result<AgentRun> {
    aside(host, || {
        let rows = Rows::make(host)?;
        let mut kept = rows.get(id)?.ok_or_else(live::cancelled)?;
        let why = format!("The agent took longer than {limit:?} and was stopped.");
        end(host, &rows, &mut kept, AgentRunState::Error, &why)?;
        order_stop(host, &kept)?;
        Ok(kept.run)
    })
}

/// Has an agent below stopped, also if the process dies before that is done.
pub(super) fn order_stop(host: &dyn Host, kept: &Kept) -> Result<()> {
    let args = (&kept.run.agent_type, &kept.run.run_id);
    let order = Order { ordered: false, retry: live::RETRY, ..Order::new(STOP, &args)? };
    host.order(order).map(drop)
}

/// Stops an agent below.
pub(crate) async fn stop<A>(cx: Cx<A>, class: String, run: String) -> Result<()> {
    let child = cx.id().sub_agent(&class, &run)?;
    let asked = cx.host().caller(None).fetch(child, request(Knock::Stop { run })).await;
    match asked {
        Err(error) if passes(&error) => Err(error),
        // One that is not there any more is stopped.
        _ => Ok(()),
    }
}

pub(super) fn request(knock: Knock) -> Request {
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(knock);
    request
}

/// Whether the same may go well in a moment.
pub(super) fn passes(error: &Error) -> bool {
    error.code().is_some_and(|code| is_of_host(code) || matches!(code, Code::RunBusy | Code::QueueFull))
}

/// As a turn of its own, or part of the one under way.
fn aside<R>(host: &dyn Host, mut work: impl FnMut() -> Result<R>) -> Result<R> {
    let mut result = None;
    host.aside(&mut || {
        result = Some(work()?);
        Ok(())
    })?;
    result.ok_or_else(|| Error::msg("nothing was done"))
}
