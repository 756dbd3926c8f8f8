//! The turn under way: what it says is logged, folded and sent, in this order, and how it ends.

mod end;
mod load;
mod say;

use std::time::Duration;

use hostel::{Code, Error, Order, Result, Retry, When, host::Host, protocol::chat::UiMessage};

pub(crate) use self::{
    end::{End, close, finish},
    load::{begin_again, ensure},
    say::push,
};
use crate::{
    memory::{Inner, Talk},
    settle,
    store::{
        transcript,
        turns::{self, State, Turn},
    },
    submit,
};

/// The task that runs a turn.
pub(crate) const RUN: &str = "chat:turn";
/// What a task of ours fails with passes, or is for the operator to mend.
pub(crate) const RETRY: Retry =
    Retry { attempts: 100, first: Duration::from_millis(200), longest: Duration::from_secs(60) };

/// Begins the first turn that waits, if none is under way.
pub(crate) fn begin_next(host: &dyn Host, inner: &mut Inner) -> Result<()> {
    let open = turns::open(host)?;
    if open.iter().any(|turn| turn.state == State::Running) {
        return Ok(());
    }
    for next in open.into_iter().filter(|turn| turn.state == State::Queued) {
        if next.ask.by_itself && !settle::is_wanted(host, inner, &next)? {
            settle::drop_turn(host, inner, &next)?;
            continue;
        }
        if has_gone_on(host, inner, &next)? {
            submit::skip_queued(host, inner, &next)?;
            continue;
        }
        turns::set_state(host, next.n, State::Running)?;
        Talk::undoable(host, || {});
        inner.live = Some(load::load(host, inner, &next)?);
        return order(host, RUN, next.n, None, None);
    }
    Ok(())
}

/// A page asked for an answer to the results of its tools, and got it meanwhile: the agent had heard of them first, and went on by
/// itself.
fn has_gone_on(host: &dyn Host, inner: &Inner, turn: &Turn) -> Result<bool> {
    match (&turn.ask.continues, &turn.ask.after_call) {
        (Some(message), Some(call)) => settle::can_tell_gone_on(host, inner, message, call),
        _ => Ok(false),
    }
}

/// Has a task of ours run, now or later; under a key it takes the place of the one before.
pub(crate) fn order(
    host: &dyn Host,
    task: &'static str,
    n: i64,
    after: Option<Duration>,
    key: Option<&str>,
) -> Result<()> {
    let order = Order {
        when: after.map(When::After),
        ordered: false,
        key: key.map(str::to_owned),
        retry: RETRY,
        ..Order::new(task, &(n,))?
    };
    host.order(order).map(drop)
}

/// The transcript as it is to be shown in the middle of an answer.
pub(crate) fn shown(host: &dyn Host, inner: &Inner) -> Result<Vec<String>> {
    let Some(live) = inner.live.as_ref().filter(|live| !live.fold.message().parts.is_empty()) else {
        return transcript::texts(host);
    };
    let turn = turns::get(host, live.n)?;
    let partial = live.fold.message();
    let mut shown: Vec<UiMessage> = transcript::until(host, &turn.map(|turn| turn.stamp).unwrap_or_default())?;
    match shown.iter_mut().find(|message| message.id == partial.id) {
        Some(message) => message.clone_from(partial),
        None => shown.push(partial.clone()),
    }
    let known: std::collections::BTreeSet<_> = shown.iter().map(|message| message.id.clone()).collect();
    shown.extend(transcript::all(host)?.into_iter().filter(|message| !known.contains(&message.id)));
    Ok(shown.iter().map(UiMessage::to_json).collect())
}

/// What a turn hears that was stopped.
pub(crate) fn cancelled() -> Error {
    Error::coded(Code::TurnCancelled, "This turn of the chat was stopped.").with_fix("end without saying any more")
}
