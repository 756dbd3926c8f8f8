//! What an application may do with the past of its agents.

use hostel_core::{AgentId, Result};
use hostel_runtime::Restored;
use hostel_store::{Difference, HistoryPage, HistoryQuery, Image, Moment};

use crate::Home;

/// The past of agents. Nothing here asks who is allowed to: that is for the routes of an application to do.
///
/// ```no_run
/// use hostel::{AgentId, HistoryQuery, Home, Moment, prelude::*};
///
/// /// Takes back whatever was done to a document since `since`, unless nothing was; the damage is kept as another agent.
/// async fn undo(home: &Home, name: &str, since: &str) -> Result<bool> {
///     let id = AgentId::new("Document", name);
///     let since = Moment::parse(since)?;
///     let difference = home.difference(&id, since, Moment::Now, 10).await?;
///     if difference.state.is_empty() && difference.tables.is_empty() {
///         return Ok(false);
///     }
///     home.fork(&id, &format!("{name} (before undo)"), Moment::Now).await?;
///     let restored = home.restore(&id, since).await?;
///     let page = home.history(&id, HistoryQuery { limit: 1, ..HistoryQuery::default() }).await?;
///     for turn in page.turns {
///         println!("back at turn {}: #{} {}", restored.turn, turn.turn, turn.cause);
///     }
///     Ok(true)
/// }
/// ```
impl Home {
    /// Lists an agent's turns, newest first: when, why, by whom, and on demand what each changed.
    ///
    /// # Errors
    /// `agent_not_found`, `history_off`, or a storage code.
    pub async fn history(&self, id: &AgentId, query: HistoryQuery) -> Result<HistoryPage> {
        self.edge().node().history(id, query).await
    }

    /// Says what differs between two moments: the state as JSON, the rows by table, at most `rows` of each.
    ///
    /// # Errors
    /// `history_gone`, `moment_invalid`, `agent_not_found`, `history_off`, or a storage code.
    pub async fn difference(&self, id: &AgentId, from: Moment, to: Moment, rows: usize) -> Result<Difference> {
        self.edge().node().difference(id, from, to, rows).await
    }

    /// An agent's whole database as it was at a moment, as a SQLite file of its own that goes when it is dropped.
    ///
    /// # Errors
    /// `history_gone`, `moment_invalid`, `agent_not_found`, `history_off` (not for the present), or a storage code.
    pub async fn image(&self, id: &AgentId, at: Moment) -> Result<Image> {
        self.edge().node().image(id, at).await
    }

    /// Puts an agent back to a moment, with state, rows, wake-up and stored results. Its clients stay connected and are
    /// sent the state. The restore is a turn in the history, so it can be undone the same way. See
    /// [`Node::restore`](crate::Node::restore) for the rest.
    ///
    /// # Errors
    /// Those of [`Home::image`], and `state_shape` if the class cannot read that state any more. Nothing has changed then.
    pub async fn restore(&self, id: &AgentId, at: Moment) -> Result<Restored> {
        self.edge().node().restore(id, at).await
    }

    /// Makes a new agent of the same class that begins as `id` was at a moment. The original is not touched.
    ///
    /// # Errors
    /// `agent_exists` if the name is taken, and those of [`Home::restore`].
    pub async fn fork(&self, id: &AgentId, new_name: &str, at: Moment) -> Result<Restored> {
        self.edge().node().fork(id, new_name, at).await
    }
}
