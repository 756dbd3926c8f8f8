//! The state: what a turn makes of it, what a client may, and what clients are shown.

mod client;
mod remarks;
mod warned;

use std::sync::Arc;

use hostel_core::{Error, Result, Source, event::Event, handler::Mode, state};
use hostel_protocol::{refusal::Code, server};

pub(super) use self::warned::Warned;
use super::{
    Cell,
    turn::{Awake, Turn},
};
use crate::{gate::Delivery, peer::Peer};

impl Cell {
    /// What the agent's own code may ask for within a turn, where the agent's lock is held.
    pub(super) fn note_state(&self, state: Option<&Arc<str>>) {
        *self.kept_state.lock() = state.cloned();
    }

    /// The new state, checked, if the turn changed it.
    pub(super) fn changed_state(&self, awake: &mut Awake, turn: &Turn<'_>, barred: bool) -> Result<Option<Arc<str>>> {
        if turn.mode == Mode::Read {
            return Ok(None);
        }
        let json = self.guarded(|| awake.instance.to_json())?;
        let json = self.masked_state(awake, json)?;
        let before = awake.state.as_deref().unwrap_or("null");
        if json == before && !turn.replaces_state {
            return Ok(None);
        }
        if barred {
            return Err(Error::msg("Connection is readonly"));
        }
        self.check_size(json.len())?;
        if self.validate(awake, turn.source.clone())? != Some(Mode::Turn) {
            return Ok(Some(json.into()));
        }
        // The hook may have mended the state on its way.
        let json = self.guarded(|| awake.instance.to_json())?;
        let json = self.masked_state(awake, json)?;
        self.check_size(json.len())?;
        Ok(Some(json.into()))
    }

    /// A large state is warned of; only one that endangers the node is refused.
    fn check_size(&self, bytes: usize) -> Result<()> {
        let options = &self.node.options;
        if bytes > options.state_bytes {
            return Err(too_large(bytes, options.state_bytes));
        }
        if bytes > options.state_warn_bytes && self.may_warn(&self.warned.size) {
            tracing::warn!(
                agent = %self.id, bytes, threshold = options.state_warn_bytes,
                "a state is large: it is sent whole to every client at each change; keep bulk data in rows (cx.sql)"
            );
        }
        Ok(())
    }

    /// Asks `validate_state_change`, and tells how it ran.
    fn validate(&self, awake: &mut Awake, source: Source) -> Result<Option<Mode>> {
        let event = Event::Validate(source);
        let mode = self.class.mode(&event);
        if matches!(mode, Some(Mode::Read | Mode::Turn)) {
            let origin = self.origin(None);
            self.guarded(|| awake.instance.run(&origin, event))?;
        }
        Ok(mode)
    }

    /// The state frame to every client that takes protocol frames, except one.
    pub(super) fn state_frame(&self, state: &str, except: Option<&Arc<Peer>>) -> Option<Delivery> {
        let wanted =
            |peer: &&Arc<Peer>| !peer.record.no_protocol() && !except.is_some_and(|except| Arc::ptr_eq(except, peer));
        let peers: Vec<_> = self.peers.lock().values().filter(wanted).cloned().collect();
        (!peers.is_empty()).then(|| self.state_to(peers, state, server::state, server::state_versioned))
    }

    /// Tells services that watch the state, when its change is durable.
    pub(super) fn tell_watchers(&self) -> Option<Delivery> {
        if !self.node.watched.has(&self.id) {
            return None;
        }
        let (node, id) = (self.shared(), self.id.clone());
        Some(Delivery::resolve(move |durable| {
            if durable.is_ok() {
                node.watched.tell(&id);
            }
        }))
    }

    /// The state as a new connection is told it.
    pub(super) fn first_state(&self, peer: &Arc<Peer>, state: &str) -> Delivery {
        self.state_to(vec![Arc::clone(peer)], state, server::state_initial, server::state_initial_versioned)
    }

    /// Written once for all, and once more if somebody asked for versions.
    fn state_to(
        &self,
        peers: Vec<Arc<Peer>>,
        state: &str,
        plain: fn(&str) -> String,
        versioned: fn(&str, &str) -> String,
    ) -> Delivery {
        let seen = state::visible(state, self.class.info().fields);
        let asked = peers.iter().any(|peer| peer.record.state_versions());
        let versioned = asked.then(|| versioned(&seen, &state::version(&seen)).into());
        Delivery::State { peers, message: plain(&seen).into(), versioned }
    }
}

fn too_large(bytes: usize, limit: usize) -> Error {
    let message = format!("The new state has {bytes} bytes; {limit} is the limit. The old state stays.");
    Error::coded(Code::StateTooLarge, message)
        .with_fix("keep bulk data in rows (cx.sql), or raise the limit `state_bytes`")
}
