//! The log of the chat as server-sent events, which can be gone on with from any number.

use std::{pin::Pin, time::Duration};

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use hostel::{
    Body, Cx, Error, Request, Response, Result,
    bytes::Bytes,
    http::{HeaderValue, header},
    protocol::chat::{Chunk, UiMessage},
};
use serde_json::json;
use tokio::time::timeout;

use super::query;
use crate::{
    agent::ChatAgent,
    room::{Entry, Room, Said},
};

/// How long nothing may be sent, so that no proxy takes the stream for dead.
const QUIET: Duration = Duration::from_secs(15);

type Log = Pin<Box<dyn Stream<Item = Result<(u64, Entry)>> + Send>>;

/// How a turn ended.
pub(super) struct End {
    pub(super) state: String,
    pub(super) error: Option<String>,
}

impl End {
    /// Of a turn that was open when everything was forgotten: its own end is forgotten with the rest.
    fn forgotten<A: ChatAgent>(room: &Room<A>, turn: &str) -> Result<Self> {
        let state = room.turn(turn)?.map_or_else(|| "cancelled".to_owned(), |info| info.state);
        Ok(Self { state, error: None })
    }

    fn event(&self, turn: &str) -> String {
        let end = json!({"turn": turn, "state": self.state, "error": self.error});
        format!("event: end\ndata: {end}\n\n")
    }
}

/// The answer to what was said.
pub(super) fn of_turn<A: ChatAgent>(room: Room<A>, said: Said) -> Response {
    let log = Box::pin(room.stream_from(said.seq));
    response(Feed { room, log, turn: Some(said.turn), next: said.seq, over: false })
}

/// The answer to what was said before, of which only the transcript is left.
pub(super) fn of_the_past(turn: &str, end: &End, message: Option<&UiMessage>) -> Response {
    let text = message.map(UiMessage::text).filter(|text| !text.is_empty());
    let chunks = message.zip(text).into_iter().flat_map(|(message, text)| {
        let start = Chunk::new("start").with("messageId", message.id.as_str());
        [start, Chunk::text_start("0"), Chunk::text_delta("0", &text), Chunk::text_end("0"), Chunk::finish("stop")]
    });
    let mut events: String = chunks.map(|chunk| format!("data: {}\n\n", chunk.to_json())).collect();
    events += &end.event(turn);
    events += "data: [DONE]\n\n";
    response_of(Body::from(events))
}

/// Waits until a turn is over.
pub(super) async fn wait_for_end<A: ChatAgent>(room: &Room<A>, said: &Said) -> Result<End> {
    let mut log: Log = Box::pin(room.stream_from(said.seq));
    while let Some(entry) = log.next().await {
        match entry?.1 {
            Entry::End { turn, state, error } if turn == said.turn => return Ok(End { state, error }),
            Entry::Cleared => return End::forgotten(room, &said.turn),
            _ => {}
        }
    }
    Err(Error::msg("The log ended before the turn."))
}

/// `GET …/chat/stream`: from a number on, or what is being said, or was said last.
pub(super) fn stream<A: ChatAgent>(cx: &Cx<A>, request: &Request) -> Result<Response> {
    let room = Room::of(cx);
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let asked = query(request, "from").and_then(|from| from.parse().ok());
    let from = match last.map(|last| last.saturating_add(1)).or(asked) {
        Some(from) => from,
        None => beginning(&room)?,
    };
    let log = Box::pin(room.stream_from(from));
    Ok(response(Feed { room, log, turn: None, next: from, over: false }))
}

/// Where the turn under way begins, or the last one.
fn beginning<A: ChatAgent>(room: &Room<A>) -> Result<u64> {
    let open = room.open_turns()?.into_iter().find_map(|turn| turn.seq);
    match open.or(room.last_turn()?.and_then(|turn| turn.seq)) {
        Some(seq) => Ok(seq),
        None => room.head(),
    }
}

fn response<A: ChatAgent>(feed: Feed<A>) -> Response {
    let events = stream::unfold(feed, |mut feed| async move {
        let bytes = feed.next().await?;
        Some((Ok::<_, std::io::Error>(bytes), feed))
    });
    response_of(Body::from_stream(events))
}

fn response_of(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Somebody who reads events.
struct Feed<A> {
    room: Room<A>,
    log: Log,
    /// The turn whose end is the end; without one, that of all turns.
    turn: Option<String>,
    next: u64,
    over: bool,
}

impl<A: ChatAgent> Feed<A> {
    /// The next event, as it is sent; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            let entry = match self.log.next().now_or_never() {
                Some(entry) => entry,
                None if self.is_through() => None,
                None => match timeout(QUIET, self.log.next()).await {
                    Ok(entry) => entry,
                    Err(_) => return Some(Bytes::from_static(b":\n\n")),
                },
            };
            let Some(Ok((seq, entry))) = entry else {
                self.over = true;
                // After a failure nothing is said to be complete: whoever reads comes back with the last number.
                return entry.is_none().then(|| Bytes::from_static(DONE));
            };
            self.next = seq + 1;
            if let Some(text) = self.shown(seq, &entry) {
                return Some(text.into());
            }
        }
        None
    }

    /// Nothing is to come: everything was read, and nothing is under way. Only asked where no single turn is read.
    fn is_through(&self) -> bool {
        let nothing_open = || self.room.open_turns().is_ok_and(|open| open.is_empty());
        self.turn.is_none() && nothing_open() && self.room.head().is_ok_and(|head| head <= self.next)
    }

    fn shown(&mut self, seq: u64, entry: &Entry) -> Option<String> {
        let ours = |turn: &String| self.turn.as_ref().is_none_or(|wanted| wanted == turn);
        match entry {
            Entry::Chunk { turn, body } if ours(turn) => Some(format!("id: {seq}\ndata: {body}\n\n")),
            Entry::End { turn, state, error } if ours(turn) => {
                let end = End { state: state.clone(), error: error.clone() }.event(turn);
                Some(self.ended(seq, &end))
            }
            Entry::Cleared => {
                let turn = self.turn.clone()?;
                let end = End::forgotten(&self.room, &turn).ok()?.event(&turn);
                Some(self.ended(seq, &end))
            }
            _ => None,
        }
    }
}

impl<A> Feed<A> {
    /// The end of a turn; where only one is read, it is the last event.
    fn ended(&mut self, seq: u64, end: &str) -> String {
        self.over = self.turn.is_some();
        let done = if self.over { "data: [DONE]\n\n" } else { "" };
        format!("id: {seq}\n{end}{done}")
    }
}

const DONE: &[u8] = b"data: [DONE]\n\n";
