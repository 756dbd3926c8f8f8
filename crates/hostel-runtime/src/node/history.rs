//! What operators may do with an agent's past: look, compare, put back, fork.

use hostel_core::{AgentId, Result};
use hostel_store::{AgentKey, Difference, HistoryPage, HistoryQuery, Image, Moment};
use serde::Serialize;

use super::{Node, overview::beside, shared::key_of};
use crate::{
    cell::{Admission, Job, Replacement},
    storage,
};

/// Where an agent was put back to, or what it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The last turn that is in it; 0 if that is not known, as for a file from elsewhere.
    pub turn: i64,
    /// When that turn was, in Unix milliseconds.
    pub time_ms: i64,
}

impl Node {
    /// Lists an agent's turns, newest first: when, why, by whom, and on demand what each changed.
    ///
    /// # Errors
    /// `agent_not_found`, `history_off`, or a storage code.
    pub async fn history(&self, id: &AgentId, query: HistoryQuery) -> Result<HistoryPage> {
        let (store, key) = (self.0.store.clone(), key_of(id));
        beside(move || store.history(&key, &query).map_err(storage::error)).await
    }

    /// Says what differs between two moments of an agent: its state as JSON, its rows by table, at most `rows` of each.
    ///
    /// # Errors
    /// `history_gone`, `moment_invalid`, `agent_not_found`, `history_off`, or a storage code.
    pub async fn difference(&self, id: &AgentId, from: Moment, to: Moment, rows: usize) -> Result<Difference> {
        let (store, key) = (self.0.store.clone(), key_of(id));
        beside(move || store.difference(&key, from, to, rows).map_err(storage::error)).await
    }

    /// An agent's whole database as it was at a moment, as a file of its own.
    ///
    /// # Errors
    /// `history_gone`, `moment_invalid`, `agent_not_found`, `history_off` (not for the present), or a storage code.
    pub async fn image(&self, id: &AgentId, at: Moment) -> Result<Image> {
        let (store, key) = (self.0.store.clone(), key_of(id));
        beside(move || store.image(&key, at).map_err(storage::error)).await
    }

    /// Puts an agent back to a moment, with all that belongs to it: state, rows, wake-up, stored results.
    ///
    /// It happens between turns. What was committed before is durable and stays in the history; the restore is a turn of
    /// its own there, so it can be undone by another. Async work under way is broken off; calls that wait are served
    /// afterwards. Connections stay open, and each is sent the state. An agent that is damaged, held back after failures,
    /// or destroyed can be restored as well. A wake-up that was due in the meantime comes at once. Durable runs that had
    /// not ended are paused: what they did after that moment is not known there.
    ///
    /// # Errors
    /// Those of [`Node::image`]; `state_shape` if the class cannot read that state any more; a storage code. Nothing has
    /// changed then.
    ///
    /// # Cancel safety
    /// Once begun it is carried through, whether or not anybody waits for it.
    pub async fn restore(&self, id: &AgentId, at: Moment) -> Result<Restored> {
        self.0.check_served(id)?;
        let mut image = self.image(id, at).await?;
        let image = beside(move || image.pause_runs().map_err(storage::error).map(|()| image)).await?;
        let what = format!("#{}", image.turn());
        self.put(id, image, "restore", what, true).await
    }

    /// Makes a new agent of the same class that begins as `id` was at a moment. The original is not touched. The new one
    /// has no wake-up and no stored results of calls; durable runs that have not ended are paused in it.
    ///
    /// # Errors
    /// `agent_exists` if the name is taken, `name_too_long`, and those of [`Node::restore`].
    pub async fn fork(&self, id: &AgentId, new_name: &str, at: Moment) -> Result<Restored> {
        let target = match id.parent() {
            Some(parent) => parent.sub_agent_in(id.namespace(), new_name)?,
            None => AgentId::in_namespace(id.namespace().into(), new_name),
        };
        self.0.check_served(&target)?;
        let image = self.image(id, at).await?;
        let what = format!("{id} #{}", image.turn());
        self.put(&target, image, "fork", what, false).await
    }

    /// Makes an agent from an image, under whatever name; `event` is what its history will say. An agent that exists is
    /// replaced only if `over_existing`, which its history keeps.
    ///
    /// # Errors
    /// `agent_exists`, `unknown_agent`, `state_shape`, or a storage code. Nothing has changed then.
    pub async fn install(&self, id: &AgentId, image: Image, event: &str, over_existing: bool) -> Result<Restored> {
        self.put(id, image, event, String::new(), over_existing).await
    }

    async fn put(
        &self,
        id: &AgentId,
        image: Image,
        event: &str,
        what: String,
        over_existing: bool,
    ) -> Result<Restored> {
        if id.is_sub_agent() {
            self.0.admit(id, Admission::Note).await?;
        }
        let restored = Restored { turn: image.turn(), time_ms: image.time_ms() };
        let key = key_of(id);
        let image = beside(move || named(image, &key)).await?;
        let mut with = Some(Replacement { image, event: event.to_owned(), what, over_existing });
        if let Some(cell) = self.0.existing_cell(id) {
            cell.break_off_start();
        }
        self.0.ask(id, |done| with.take().map_or(Job::Tidy, |with| Job::Replace(Box::new(with), done))).await?;
        tracing::info!(agent = %id, event, turn = restored.turn, "an agent was put in place from an image");
        Ok(restored)
    }
}

/// The image as the database of `key`.
fn named(mut image: Image, key: &AgentKey) -> Result<Image> {
    if image.identity().map_err(storage::error)?.as_ref() != Some(key) {
        image.rename_to(key).map_err(storage::error)?;
    }
    Ok(image)
}
