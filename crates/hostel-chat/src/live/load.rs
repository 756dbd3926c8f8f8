//! The turn under way, read from the tables: after a crash, after sleep, and when what was done is undone.

use hostel::{
    Result,
    host::Host,
    protocol::chat::{DataStream, Fold, Outcome, ResponseFrame, stream_resuming},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine,
    memory::{Inner, Live},
    out::Audience,
    store::{
        log, notes, transcript,
        turns::{self, Turn},
    },
};

/// Has the turn under way in memory, if there is one.
pub(crate) fn ensure(host: &dyn Host, inner: &mut Inner) -> Result<()> {
    if inner.live.is_some() {
        return Ok(());
    }
    let run = inner.run.take();
    if run.is_some() {
        // What a turn that was undone had in mind.
        let open = turns::open(host)?;
        inner.requesters.retain(|n, _| open.iter().any(|turn| turn.n == *n));
        inner.owner = inner.owner.filter(|_| open.iter().any(|turn| turn.ask.by_itself));
    }
    let Some(turn) = turns::running(host)? else { return Ok(()) };
    inner.live = Some(match run.filter(|run| run.n == turn.n) {
        Some(run) => {
            let mut live = read(host, inner, &turn)?;
            run.go_on(&mut live, &mut inner.pending);
            live
        }
        None => load(host, inner, &turn)?,
    });
    Ok(())
}

/// A turn as the tables have it.
pub(crate) fn load(host: &dyn Host, inner: &Inner, turn: &Turn) -> Result<Live> {
    take_back(host, turn)?;
    read(host, inner, turn)
}

/// A turn as the tables have it, all that it has said.
fn read(host: &dyn Host, inner: &Inner, turn: &Turn) -> Result<Live> {
    let stored = turn.ask.continues.as_deref().map_or(Ok(None), |id| transcript::get(host, id))?;
    let fold = stored.map_or_else(|| Fold::new(turn.message.as_str()), |(message, _)| Fold::continuing(message));
    let mut live = Live {
        n: turn.n,
        id: turn.id.as_str().into(),
        attempt: 0,
        continuation: turn.ask.by_itself,
        owner: inner.owner.filter(|_| turn.ask.by_itself),
        message_ids: turn.ask.message_ids.clone(),
        streaming: false,
        next_seq: 0,
        fold,
        old: DataStream::new(turn.message.as_str()),
        error: None,
        suspended: false,
        recovering: turn.attempts > 0,
        excluded: Default::default(),
        resumed: Default::default(),
        found: Default::default(),
        who: turn.ask.who.clone().map(Into::into),
        cancel: CancellationToken::new(),
    };
    log::read_chunks(host, turn.n)?.iter().for_each(|chunk| live.replay(chunk));
    Ok(live)
}

/// Takes back what an interrupted turn will say again; `false` if there is nothing.
fn take_back(host: &dyn Host, turn: &Turn) -> Result<bool> {
    if turn.attempts == 0 {
        return Ok(false);
    }
    let (said, noted) = (log::read_chunks(host, turn.n)?, notes::all(host, turn.root())?);
    let Some(from) = engine::unfinished(&turn.id, &said, &noted) else { return Ok(false) };
    log::take_back(host, turn.n, from, engine::NOTHING)?;
    Ok(true)
}

/// Begins an interrupted turn again. Whoever has seen what is taken back, because the process did not end, gets the stream
/// anew.
pub(crate) fn begin_again(host: &dyn Host, inner: &mut Inner, turn: &Turn) -> Result<()> {
    if inner.run.is_some() {
        ensure(host, inner)?;
    }
    if !take_back(host, turn)? {
        return Ok(());
    }
    let Some(old) = inner.live.take() else { return Ok(()) };
    let mut live = load(host, inner, turn)?;
    let seen = Audience::without(host, &old.excluded);
    let end = ResponseFrame {
        outcome: Some(Outcome::Recovering),
        continuation: live.continuation,
        ..ResponseFrame::end(&live.id)
    };
    seen.send_end(host, end, None);
    seen.send(host, &stream_resuming(&live.id, None));
    (live.excluded, live.found) = (old.excluded, old.found);
    live.excluded.extend(seen.tolerant.iter().chain(&*seen.strict));
    inner.live = Some(live);
    Ok(())
}
