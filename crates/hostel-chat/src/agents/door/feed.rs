//! What an agent above is told of a run: what is certain, what is being said, and the end.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use hostel::{Result, Timestamp};

use super::{Line, Lines, Told};
use crate::{
    agent::ChatAgent,
    agents::{held::Held, rows::AgentRunState},
    engine,
    room::{Entry, Room},
    store::{
        log, notes, transcript,
        turns::{self, State},
    },
};

/// How often it is said at most what is being said.
const PROGRESS: Duration = Duration::from_millis(200);

/// How a turn's chunks are read: those of the loop may be taken back.
#[derive(Debug, Clone, Copy)]
struct Ours {
    n: i64,
    is_of_loop: bool,
}

/// The log of the agent, as it grows.
type Log = Pin<Box<dyn Stream<Item = Result<(u64, Entry)>> + Send>>;

pub(super) struct Feed<A> {
    room: Room<A>,
    log: Log,
    run: String,
    /// The message that the run grows.
    message: String,
    /// Turns that were seen: those of the run, and others.
    turns: HashMap<String, Option<Ours>>,
    held: Held,
    ready: VecDeque<Line>,
    told_at: Timestamp,
    over: bool,
}

impl<A: ChatAgent> Feed<A> {
    /// What happens in a run that is in the log from `seq` on.
    pub(super) fn lines(room: Room<A>, told: &Told, seq: u64) -> Result<Lines> {
        let message = room.turn(&told.run)?.map(|turn| turn.message).unwrap_or_default();
        let log = Box::pin(room.stream_from(told.from.max(seq)));
        let mut feed = Self {
            room,
            log,
            run: told.run.clone(),
            message,
            turns: HashMap::new(),
            held: Held::default(),
            ready: VecDeque::new(),
            told_at: Timestamp::MIN,
            over: false,
        };
        feed.look_for_the_end()?;
        Ok(Box::pin(stream::unfold(feed, |mut feed| async move {
            let line = feed.next().await?;
            Some((line, feed))
        })))
    }

    async fn next(&mut self) -> Option<Result<Line>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.over {
                return None;
            }
            let entry = match self.log.next().now_or_never() {
                Some(entry) => entry,
                None => match self.pause() {
                    Ok(true) => continue,
                    Ok(false) => self.log.next().await,
                    Err(error) => Some(Err(error)),
                },
            };
            let taken = match entry? {
                Ok((seq, entry)) => self.take(seq, entry),
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
                self.over = true;
                return Some(Err(error));
            }
        }
    }

    /// Everything there is was read. Whether there is something to say nonetheless.
    fn pause(&mut self) -> Result<bool> {
        if self.held.may_be_over() && self.is_certain()? {
            self.release();
            return Ok(true);
        }
        let now = self.room.now();
        let is_due = now.duration_since(self.told_at) >= PROGRESS.try_into().unwrap_or_default();
        if let Some(text) = if is_due { self.held.news() } else { None } {
            self.told_at = now;
            self.ready.push_back(Line::Progress(text));
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether nothing of what is held back can be taken back any more.
    fn is_certain(&self) -> Result<bool> {
        let open = self.turns.iter().filter_map(|(id, ours)| Some((id, ours.as_ref()?)));
        let Some((id, ours)) = open.max_by_key(|(_, ours)| ours.n) else { return Ok(false) };
        self.room.aside(|host| {
            let root = turns::get(host, ours.n)?.map_or(ours.n, |turn| turn.root());
            let (said, noted) = (log::read_chunks(host, ours.n)?, notes::all(host, root)?);
            Ok(engine::unfinished(id, &said, &noted).is_none())
        })
    }

    fn release(&mut self) {
        let mut certain = VecDeque::new();
        self.held.release(&mut certain);
        self.ready.extend(certain.into_iter().map(|(seq, body)| Line::Chunk(seq, body)));
    }

    fn take(&mut self, seq: u64, entry: Entry) -> Result<()> {
        match entry {
            Entry::Chunk { turn, body } => {
                if let Some(ours) = self.ours(&turn)? {
                    self.chunk(seq, body, ours.is_of_loop);
                }
            }
            Entry::End { turn, state, error } if self.ours(&turn)?.is_some() => {
                self.release();
                self.end(&state, error)?;
            }
            Entry::Cleared => {
                self.finish(AgentRunState::Error, "The conversation of the agent was deleted.".to_owned())
            }
            _ => {}
        }
        Ok(())
    }

    fn chunk(&mut self, seq: u64, body: String, is_of_loop: bool) {
        // What was taken back says nothing, and errors are told at the end.
        if body == engine::NOTHING || body.starts_with(r#"{"type":"error""#) {
            return;
        }
        if !is_of_loop {
            return self.ready.push_back(Line::Chunk(seq, body));
        }
        let mut certain = VecDeque::new();
        self.held.take(seq, body, &mut certain);
        self.ready.extend(certain.into_iter().map(|(seq, body)| Line::Chunk(seq, body)));
    }

    /// Whether a turn is the run's: the first of them, or one that goes on with its message.
    fn ours(&mut self, id: &str) -> Result<Option<Ours>> {
        if let Some(known) = self.turns.get(id) {
            return Ok(*known);
        }
        let ours = self.room.aside(|host| {
            let Some(turn) = turns::by_id(host, id)?.filter(|turn| turn.id == self.run || turn.message == self.message)
            else {
                return Ok(None);
            };
            let notes = notes::all(host, turn.root())?;
            let is_of_loop = notes.iter().any(|(kind, note)| kind == "engine" && note["turn"] == id);
            Ok(Some(Ours { n: turn.n, is_of_loop }))
        })?;
        self.turns.insert(id.to_owned(), ours);
        Ok(ours)
    }

    fn end(&mut self, state: &str, error: Option<String>) -> Result<()> {
        match state {
            // Somebody has to say something first; then it goes on.
            "suspended" => {}
            "done" => {
                let text = self.room.aside(|host| {
                    let message = transcript::get(host, &self.message)?;
                    Ok(message.map(|(message, _)| message.text()).unwrap_or_default())
                })?;
                self.finish(AgentRunState::Completed, text);
            }
            "cancelled" => self.finish(AgentRunState::Aborted, "Somebody stopped the agent.".to_owned()),
            _ => self.finish(AgentRunState::Error, error.unwrap_or_else(|| "The agent did not answer.".to_owned())),
        }
        Ok(())
    }

    fn finish(&mut self, state: AgentRunState, said: String) {
        self.ready.push_back(Line::End(state, said));
        self.over = true;
    }

    /// The log has nothing of a run that was over long ago.
    fn look_for_the_end(&mut self) -> Result<()> {
        let last = self.room.aside(|host| {
            let Some(turn) = turns::of_message(host, &self.message)? else { return Ok(None) };
            let is_past = !turn.state.is_open() && turn.state != State::Suspended;
            let is_gone = is_past && log::beginning(host, turn.n)?.is_none();
            Ok(is_gone.then_some(turn))
        })?;
        match last {
            Some(turn) => self.end(turn.state.as_str(), turn.error),
            None => Ok(()),
        }
    }
}
