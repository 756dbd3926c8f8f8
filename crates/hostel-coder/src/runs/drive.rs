//! Turn after turn: when a run has its next one, when it waits, and when it is over.

use std::time::Duration;

use hostel::{Cx, Result, protocol::chat::UiMessage};
use hostel_chat::{Room, Say, TurnInfo};

use super::{Pause, Run, RunView, StartRun, get, meter, view};
use crate::{CoderAgent, tools::refused, work::cut};

/// How long a goal may be.
const GOAL: usize = 8_000;
/// Turns in a row that do nothing, or fail, until the run is over.
const IDLE: u64 = 3;
const FAILED: u64 = 3;
/// The key of the order for the next turn.
const KEY: &str = "coder-run";
/// How the ids of a run's turns begin.
const TURN: &str = "run-";

/// Begins a run. Its first turn is said in the same transaction.
pub(crate) fn start(cx: &Cx<CoderAgent>, start: &StartRun) -> Result<RunView> {
    if start.goal.trim().is_empty() {
        let fix = "startContinuousRun({goal: \"..\", budget: {steps: 50}})";
        return Err(refused("A run needs a goal.", fix));
    }
    if get(cx)?.is_some_and(|run| run.over.is_none()) {
        return Err(refused("There is a run already.", "stop it with stopContinuousRun first"));
    }
    let run = Run {
        id: data_encoding::HEXLOWER.encode(&cx.random::<6>()),
        goal: cut(start.goal.trim(), GOAL),
        budget: start.budget.within(&meter::caps(cx).run),
        every: start.every.unwrap_or(0),
        over: None,
        pause: None,
        next: None,
        next_at: None,
        turns: 0,
        idle: 0,
        failed: 0,
        took: 0,
        since: Some(cx.now().as_millisecond()),
    };
    run.keep(cx)?;
    on(cx)
}

/// Ends it, for this reason.
pub(crate) fn end(cx: &Cx<CoderAgent>, why: &str) -> Result<RunView> {
    let Some(mut run) = get(cx)? else { return Ok(RunView::default()) };
    if run.over.is_none() {
        run.stop_clock(cx.now().as_millisecond());
        (run.over, run.pause, run.next_at) = (Some(cut(why, GOAL)), None, None);
        run.keep(cx)?;
        unorder(cx)?;
    }
    shown(cx)
}

/// Ends it, and stops the turn it is at.
pub(crate) fn stop(cx: &Cx<CoderAgent>) -> Result<RunView> {
    let is_on = get(cx)?.is_some_and(|run| run.over.is_none());
    let view = end(cx, "Somebody stopped it.")?;
    if is_on {
        stop_turns(cx)?;
    }
    Ok(view)
}

fn stop_turns(cx: &Cx<CoderAgent>) -> Result<()> {
    let room = Room::of(cx);
    for turn in room.open_turns()?.iter().filter(|turn| turn.id.starts_with(TURN)) {
        room.cancel(&turn.id)?;
    }
    Ok(())
}

/// Puts it off. The turn it is at goes on to its end.
pub(crate) fn pause(cx: &Cx<CoderAgent>) -> Result<RunView> {
    let Some(mut run) = get(cx)?.filter(|run| run.over.is_none()) else { return Err(no_run()) };
    run.stop_clock(cx.now().as_millisecond());
    (run.pause, run.next_at) = (Some((Pause::Person, "Somebody put it off.".to_owned())), None);
    run.keep(cx)?;
    unorder(cx)?;
    shown(cx)
}

/// Goes on.
pub(crate) fn resume(cx: &Cx<CoderAgent>) -> Result<RunView> {
    let Some(mut run) = get(cx)?.filter(|run| run.over.is_none()) else { return Err(no_run()) };
    if run.pause.take().is_some() {
        (run.since, run.idle, run.failed) = (Some(cx.now().as_millisecond()), 0, 0);
        run.keep(cx)?;
    }
    on(cx)
}

fn no_run() -> hostel::Error {
    refused("There is no run.", "begin one with startContinuousRun")
}

/// What comes next, in the agent's own words.
pub(crate) fn announce(cx: &Cx<CoderAgent>, next: &str) -> Result<()> {
    let Some(mut run) = get(cx)?.filter(|run| run.over.is_none()) else { return Err(no_run()) };
    run.next = Some(cut(next, 500));
    run.keep(cx)
}

fn shown(cx: &Cx<CoderAgent>) -> Result<RunView> {
    Ok(view(cx)?.unwrap_or_default())
}

fn unorder(cx: &Cx<CoderAgent>) -> Result<()> {
    for schedule in cx.schedules()?.iter().filter(|schedule| schedule.key.as_deref() == Some(KEY)) {
        cx.cancel(&schedule.id)?;
    }
    Ok(())
}

/// Whether the end of a turn concerns a run.
pub(crate) fn is_on(cx: &Cx<CoderAgent>) -> Result<bool> {
    Ok(get(cx)?.is_some_and(|run| run.over.is_none()))
}

/// A turn is over, of the run or not: the run goes on, waits, or ends.
pub(crate) fn turn_over(cx: &Cx<CoderAgent>, turn: &TurnInfo) -> Result<()> {
    let Some(mut run) = get(cx)?.filter(|run| run.over.is_none()) else { return Ok(()) };
    let now = cx.now().as_millisecond();
    let is_own = turn.id.starts_with(&format!("{TURN}{}-", run.id));
    match turn.state.as_str() {
        "suspended" if run.pause.is_none() => {
            run.stop_clock(now);
            run.pause = Some((Pause::Waiting, waiting(cx)?));
            return run.keep(cx);
        }
        "cancelled" if is_own && run.pause.is_none() => {
            run.stop_clock(now);
            run.pause = Some((Pause::Person, "Somebody stopped its answer; it goes on with resumeRun.".to_owned()));
            return run.keep(cx);
        }
        "failed" if is_own => run.failed += 1,
        "done" => {
            run.failed = 0;
            run.idle = if is_own && !has_done_something(cx, turn)? { run.idle + 1 } else { 0 };
        }
        _ => {}
    }
    // What was waited for has been answered: another turn has come to its end since.
    if matches!(run.pause, Some((Pause::Waiting, _))) && turn.state != "suspended" {
        (run.pause, run.since) = (None, Some(now));
    }
    run.keep(cx)?;
    on(cx).map(drop)
}

/// A turn begins, or goes on: a run that waited for an answer has it.
pub(crate) fn turn_begins(cx: &Cx<CoderAgent>) -> Result<bool> {
    let Some(mut run) = get(cx)?.filter(|run| matches!(run.pause, Some((Pause::Waiting, _)))) else { return Ok(false) };
    if !Room::of(cx).pending()?.is_empty() {
        return Ok(false);
    }
    (run.pause, run.since) = (None, Some(cx.now().as_millisecond()));
    run.keep(cx).map(|()| true)
}

fn waiting(cx: &Cx<CoderAgent>) -> Result<String> {
    let tools: Vec<String> = Room::of(cx).pending()?.into_iter().map(|pending| pending.tool).collect();
    Ok(match tools.is_empty() {
        true => "It waits for somebody.".to_owned(),
        false => format!("It waits for somebody's answer: {}.", tools.join(", ")),
    })
}

fn has_done_something(cx: &Cx<CoderAgent>, turn: &TurnInfo) -> Result<bool> {
    let transcript = Room::of(cx).transcript()?;
    let message: Option<&UiMessage> = transcript.iter().rfind(|message| message.id == turn.message);
    let is_tool = |kind: &str| kind.starts_with("tool-") || kind == "dynamic-tool";
    Ok(message.is_some_and(|message| message.parts.iter().any(|part| part["type"].as_str().is_some_and(is_tool))))
}

/// Goes on with the run, if it can: its next turn is said, or ordered for later. Part of a turn of the agent.
pub(crate) fn on(cx: &Cx<CoderAgent>) -> Result<RunView> {
    let Some(mut run) = get(cx)?.filter(Run::is_going) else { return shown(cx) };
    let room = Room::of(cx);
    if let Some(why) = ending(cx, &run)? {
        return end(cx, &why);
    }
    // What is under way says that it is over when it is.
    if !room.open_turns()?.is_empty() {
        return shown(cx);
    }
    if !room.pending()?.is_empty() {
        run.stop_clock(cx.now().as_millisecond());
        run.pause = Some((Pause::Waiting, waiting(cx)?));
        run.keep(cx)?;
        return shown(cx);
    }
    let pause = if run.failed > 0 {
        15 << run.failed.min(6)
    } else if run.turns > 0 {
        run.every
    } else {
        0
    };
    if pause == 0 {
        return say(cx, run);
    }
    let after = Duration::from_secs(pause);
    cx.tasks().run_on(&run.id).key(KEY).in_any_order().after(after)?;
    run.next_at = cx.now().checked_add(after).ok().map(|at| at.as_millisecond());
    run.keep(cx)?;
    shown(cx)
}

fn ending(cx: &Cx<CoderAgent>, run: &Run) -> Result<Option<String>> {
    if run.idle >= IDLE {
        return Ok(Some(format!("It did nothing {IDLE} turns in a row.")));
    }
    if run.failed >= FAILED {
        return Ok(Some(format!("{FAILED} turns in a row failed; the last message says why.")));
    }
    let used_up = run.budget.used_up(&run.used(cx)?);
    Ok(used_up.map(|what| format!("Its budget is used up: {what}.")))
}

/// The time between two turns has passed.
pub(crate) fn time_has_come(cx: &Cx<CoderAgent>, id: &str) -> Result<()> {
    let Some(run) = get(cx)?.filter(|run| run.id == id && run.is_going()) else { return Ok(()) };
    if Room::of(cx).open_turns()?.is_empty() { say(cx, run).map(drop) } else { Ok(()) }
}

fn say(cx: &Cx<CoderAgent>, mut run: Run) -> Result<RunView> {
    run.turns += 1;
    run.next_at = None;
    run.keep(cx)?;
    let text = words(&run, &run.budget.in_words(&run.used(cx)?));
    let turn = format!("{TURN}{}-{}", run.id, run.turns);
    Room::of(cx).say(Say::text(text).with_id(turn))?;
    shown(cx)
}

fn words(run: &Run, used: &str) -> String {
    let goal = &run.goal;
    match run.turns {
        1 => format!(
            "An autonomous run begins. Its goal:\n\n{goal}\n\nWork at it by yourself; nobody may be looking. Keep a plan with \
             update_plan, say with next_step what comes next, and end the run with finish_run when the goal is reached or \
             cannot be. Used so far: {used}."
        ),
        turn => format!("Go on with the run (turn {turn}). Its goal:\n\n{goal}\n\nUsed so far: {used}."),
    }
}
