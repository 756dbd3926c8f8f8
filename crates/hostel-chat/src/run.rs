//! Running a turn: begun at least once, ended exactly once.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use hostel::{Cx, Error, Reply, Result, protocol::chat::recovering};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::ChatAgent,
    live::{self, End},
    memory::Talk,
    out::Audience,
    room,
    store::turns::{self, State},
    turn::ChatTurn,
};

/// How often a turn is begun without saying anything new: one that takes the process down with it must not do so for ever.
const MOST_ATTEMPTS: i64 = 5;

/// Runs the turn with this number, as the task of the agent.
pub(crate) async fn run<A: ChatAgent>(cx: Cx<A>, n: i64) -> Result<Reply> {
    let Some((turn, cancel)) = begin(&cx, n)? else { return Ok(Reply::undefined()) };
    let cx = cx.with_identity(turn.who().cloned());
    let end = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(Reply::undefined()),
        outcome = AssertUnwindSafe(A::answer(cx.clone(), turn.clone())).catch_unwind() => match outcome {
            Ok(Ok(())) => End::Said,
            Ok(Err(error)) if turn.is_cancelled() => return stopped(&error),
            Ok(Err(error)) => failed(&cx, &error)?,
            Err(_) => panicked(&cx),
        },
    };
    finish(&cx, &turn, &end)?;
    Ok(Reply::undefined())
}

fn begin<A: ChatAgent>(cx: &Cx<A>, n: i64) -> Result<Option<(ChatTurn<A>, CancellationToken)>> {
    let (host, talk) = (&**cx.host(), Talk::here(cx));
    let mut begun = None;
    host.aside(&mut || {
        let mut inner = talk.lock();
        let Some(mut turn) = turns::get(host, n)?.filter(|turn| turn.state == State::Running) else { return Ok(()) };
        live::begin_again(host, &mut inner, &turn)?;
        live::ensure(host, &mut inner)?;
        let Some(said) = inner.live.as_ref().filter(|live| live.n == n).map(|live| live.next_seq) else {
            return Ok(());
        };
        turns::set_attempt(host, &mut turn, said)?;
        if turn.stuck > MOST_ATTEMPTS {
            let reason = format!("This answer was interrupted {MOST_ATTEMPTS} times at one place and is given up.");
            live::finish(host, &talk, &mut inner, &End::Failed(reason))?;
            drop(inner);
            return tell_over(cx, &turn.id);
        }
        let Some(live) = inner.live.as_mut() else { return Ok(()) };
        live.attempt = turn.attempts.unsigned_abs();
        live.cancel = CancellationToken::new();
        if live.recovering {
            Audience::others(host, None).send(host, &recovering(true, Some(&live.id)));
        }
        let cancel = live.cancel.clone();
        begun = Some((ChatTurn::new(cx.clone(), talk.clone(), turn, live), cancel));
        Ok(())
    })?;
    Ok(begun)
}

fn finish<A: ChatAgent>(cx: &Cx<A>, turn: &ChatTurn<A>, end: &End) -> Result<()> {
    let (host, talk) = (&**cx.host(), Talk::here(cx));
    host.aside(&mut || {
        let mut inner = talk.lock();
        live::ensure(host, &mut inner)?;
        if inner.live.as_ref().is_none_or(|live| *live.id != *turn.id()) {
            return Ok(());
        }
        live::finish(host, &talk, &mut inner, end)?;
        drop(inner);
        tell_over(cx, turn.id())
    })
}

/// Tells the agent that a turn is over, if it is.
pub(crate) fn tell_over<A: ChatAgent>(cx: &Cx<A>, id: &str) -> Result<()> {
    let host = &**cx.host();
    match turns::by_id(host, id)?.filter(|turn| turn.state != State::Running) {
        Some(turn) => A::on_turn_over(cx, &room::info(host, turn)?),
        None => Ok(()),
    }
}

/// Its own error is no news to a turn that was stopped.
fn stopped(error: &Error) -> Result<Reply> {
    tracing::debug!(error = ?error, "a turn of a chat was stopped");
    Ok(Reply::undefined())
}

/// What the agent's own code says is told to clients. What the host says may pass: then the turn is run again.
fn failed<A>(cx: &Cx<A>, error: &Error) -> Result<End> {
    if error.code().is_some_and(|code| is_of_host(code) || code == hostel::Code::TurnCancelled) {
        return Err(hostel::Error::coded(error.code().unwrap_or(hostel::Code::Internal), error.message()));
    }
    tracing::warn!(agent = %cx.id(), error = ?error, "a turn of a chat failed");
    Ok(End::Failed(error.message().to_owned()))
}

/// Whether it is the host's trouble, and the same may go well in a moment.
pub(crate) fn is_of_host(code: hostel::Code) -> bool {
    use hostel::Code as C;
    let of_storage = [C::StorageFull, C::StorageReadOnly, C::StorageFailed, C::StorageLocked];
    of_storage.contains(&code) || matches!(code, C::ShuttingDown | C::AgentUnavailable)
}

fn panicked<A>(cx: &Cx<A>) -> End {
    tracing::error!(agent = %cx.id(), "the answer of a chat agent panicked");
    End::Failed("The agent's code panicked while it answered.".to_owned())
}
