//! The log as it grows, for somebody who reads it inside the process.

use std::collections::VecDeque;

use futures_util::{Stream, stream};
use hostel::{Error, Result};
use serde_json::Value;
use tokio::sync::watch;

use super::{Entry, Room};
use crate::{
    agent::ChatAgent,
    memory::Talk,
    store::{
        self,
        log::{self, Kind},
        turns::State,
    },
};

/// The log from this number on.
pub(super) fn from<A: ChatAgent>(room: &Room<A>, seq: u64) -> impl Stream<Item = Result<(u64, Entry)>> + Send + use<A> {
    let state = Following { room: room.clone(), hear: Talk::here(&room.cx).hear(), next: seq, ready: VecDeque::new() };
    stream::try_unfold(state, |mut following| async move {
        let entry = following.next().await?;
        Ok(Some((entry, following)))
    })
}

/// Somebody who reads the log.
struct Following<A> {
    room: Room<A>,
    hear: watch::Receiver<u64>,
    next: u64,
    ready: VecDeque<(u64, Entry)>,
}

impl<A: ChatAgent> Following<A> {
    async fn next(&mut self) -> Result<(u64, Entry)> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.next = entry.0 + 1;
                return Ok(entry);
            }
            self.hear.mark_unchanged();
            let from = self.next;
            let rows =
                self.room.aside(|host| if store::is_begun(host)? { log::from(host, from) } else { Ok(Vec::new()) })?;
            if rows.is_empty() {
                self.hear.changed().await.map_err(|_| Error::msg("The agent has left memory."))?;
                continue;
            }
            // Nobody sees what a crash could take back.
            self.room.cx.durable().await?;
            self.ready.extend(rows.into_iter().flat_map(entries).filter(|(seq, _)| *seq >= from));
        }
    }
}

/// The entries of a row, each with its number.
fn entries(row: log::Row) -> Vec<(u64, Entry)> {
    let turn = row.id.unwrap_or_default();
    let entry = match row.kind {
        Kind::Chunks => {
            let chunk = |(at, body): (usize, &str)| {
                (row.seq + at as u64, Entry::Chunk { turn: turn.clone(), body: body.to_owned() })
            };
            return row.body.lines().enumerate().map(chunk).collect();
        }
        Kind::End => {
            let end: Value = serde_json::from_str(&row.body).unwrap_or_default();
            let state = end["state"].as_str().unwrap_or(State::Done.as_str()).to_owned();
            Entry::End { turn, state, error: end["error"].as_str().map(str::to_owned) }
        }
        Kind::Ask => Entry::Said(row.body),
        Kind::Settled => Entry::Settled(row.body),
        Kind::Clear => Entry::Cleared,
    };
    vec![(row.seq, entry)]
}
