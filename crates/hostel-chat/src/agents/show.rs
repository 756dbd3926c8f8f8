//! What pages are told of runs, live and when they come later.

use hostel::{
    Message, Result,
    host::{Effect, Host},
    protocol::chat::{AgentToolEvent, AgentToolFrame},
};

use super::{
    below,
    rows::{AgentRun, AgentRunState, Kept, Rows},
};
use crate::memory::Talk;

/// What a new connection is sent of runs at most; of older ones it hears that they were.
const MOST_REPLAYED: usize = 2 << 20;

/// Tells everybody of an event.
pub(super) fn tell(host: &dyn Host, kept: &Kept, sequence: u64, event: AgentToolEvent<'_>) {
    let frame = AgentToolFrame::new(Some(&kept.run.tool_call_id), sequence, event);
    host.emit(Effect::Broadcast { message: frame.to_json().into(), except: Vec::new() });
}

pub(super) fn started(kept: &Kept) -> AgentToolEvent<'_> {
    AgentToolEvent::Started {
        run_id: &kept.run.run_id,
        agent_type: &kept.run.agent_type,
        input_preview: Some(&kept.preview),
        order: kept.order,
        display: kept.display.as_ref(),
    }
}

/// The event of its end, if it is over.
pub(super) fn ended(kept: &Kept) -> Option<AgentToolEvent<'_>> {
    let run = &kept.run;
    let (run_id, error) = (run.run_id.as_str(), run.error.as_deref());
    match run.state {
        AgentRunState::Running => None,
        AgentRunState::Completed => {
            Some(AgentToolEvent::Finished { run_id, summary: run.summary.as_deref().unwrap_or_default() })
        }
        AgentRunState::Error => Some(AgentToolEvent::Error { run_id, error: error.unwrap_or("It failed.") }),
        AgentRunState::Aborted => Some(AgentToolEvent::Aborted { run_id, reason: error }),
    }
}

/// What a new connection is told of all runs.
pub(crate) fn replay(host: &dyn Host) -> Result<Vec<Message>> {
    let Some(rows) = known(host)? else { return Ok(Vec::new()) };
    let runs = rows.all()?;
    let mut left = i64::try_from(MOST_REPLAYED).unwrap_or(i64::MAX);
    let mut whole = Vec::with_capacity(runs.len());
    for kept in runs.iter().rev() {
        left -= kept.bytes;
        whole.push(left >= 0);
    }
    let mut frames = Vec::new();
    for (kept, whole) in runs.iter().zip(whole.into_iter().rev()) {
        frames.extend(of_run(&rows, kept, whole)?);
    }
    Ok(frames)
}

fn of_run(rows: &Rows<'_>, kept: &Kept, whole: bool) -> Result<Vec<Message>> {
    let frame = |sequence, event| -> Message {
        AgentToolFrame::new(Some(&kept.run.tool_call_id), sequence, event).again().to_json().into()
    };
    let mut frames = vec![frame(0, started(kept))];
    let chunks = if whole { rows.chunks(kept.n)? } else { Vec::new() };
    let run_id = kept.run.run_id.as_str();
    frames.extend(chunks.iter().map(|(sequence, body)| frame(*sequence, AgentToolEvent::Chunk { run_id, body })));
    frames.extend(ended(kept).map(|event| frame(kept.sequence, event)));
    Ok(frames)
}

/// A turn is over: what it has below is stopped. Nothing is left behind that nobody waits for.
pub(crate) fn abandon(host: &dyn Host, turn: &str) -> Result<()> {
    let Some(rows) = known(host)? else { return Ok(()) };
    for mut kept in rows.open()?.into_iter().filter(|kept| kept.turn == turn) {
        below::end(host, &rows, &mut kept, AgentRunState::Aborted, "The answer that it was for is over.")?;
        below::order_stop(host, &kept)?;
    }
    Ok(())
}

/// Everything is forgotten, and the agents below with it.
pub(crate) fn forget(host: &dyn Host) -> Result<()> {
    let Some(rows) = known(host)? else { return Ok(()) };
    rows.all()?.iter().try_for_each(|kept| rows.forget(kept))
}

/// All runs, oldest first.
pub(crate) fn runs(host: &dyn Host) -> Result<Vec<AgentRun>> {
    let Some(rows) = known(host)? else { return Ok(Vec::new()) };
    Ok(rows.all()?.into_iter().map(|kept| kept.run).collect())
}

/// The tables, if there are any. That there are none is looked up once.
pub(super) fn known(host: &dyn Host) -> Result<Option<Rows<'_>>> {
    let talk = Talk::of(host);
    if talk.has_no_runs() {
        return Ok(None);
    }
    let rows = Rows::of(host)?;
    if rows.is_none() {
        talk.note_runs(false);
    }
    Ok(rows)
}
