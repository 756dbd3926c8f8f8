//! Reading and replacing the state.

use hostel_protocol::server::{state_update, state_update_if};
use serde_json::Value;

use super::Client;
use crate::call::json;
use crate::{Call, Error};

/// A name no agent gives to a method: its refusal shows that everything before it was handled.
const BARRIER: &str = "__hostel_client_barrier";

/// A state and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned {
    /// The state; `None` if the agent has none.
    pub state: Option<Value>,
    /// Its version, from a Hostel server that was asked for versions.
    pub version: Option<String>,
}

/// What the server made of a new state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The version of the state now, from a Hostel server that was asked for versions.
    pub version: Option<String>,
    /// What looks wrong although it was done.
    pub warnings: Vec<Warning>,
}

/// What a Hostel server says of a frame that it acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The stable code.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// What to change.
    pub fix: Option<String>,
    /// The fields it is about.
    pub fields: Vec<String>,
}

impl Client {
    /// The latest state; `None` if the agent has none. Waits for the first one after connecting.
    ///
    /// # Errors
    ///
    /// As [`Client::identity`].
    pub async fn state(&self) -> Result<Option<Value>, Error> {
        Ok(self.versioned_state().await?.state)
    }

    /// As [`Client::state`], with the version if [`crate::Options::state_versions`] asked for it.
    ///
    /// # Errors
    ///
    /// As [`Client::identity`].
    pub async fn versioned_state(&self) -> Result<Versioned, Error> {
        let seen = self.wait("waiting for the state frame", |seen| seen.ready).await?;
        Ok(Versioned { state: seen.state.map(|raw| json(&raw)), version: seen.version })
    }

    /// Replaces the whole state and waits until the server has handled it.
    ///
    /// The protocol has no acknowledgement for a state; a call that every server refuses,
    /// sent right behind it, stands in for one.
    ///
    /// # Errors
    ///
    /// [`Error::State`] if the server refused it, otherwise as [`Client::call`].
    pub async fn set_state(&self, state: &Value) -> Result<Accepted, Error> {
        self.replace_state(state_update(&state.to_string())).await
    }

    /// Replaces the whole state if it still has this version. Only Hostel servers look at versions.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`], with the present state, if it has another version; otherwise as [`Client::set_state`].
    pub async fn set_state_if(&self, version: &str, state: &Value) -> Result<Accepted, Error> {
        self.replace_state(state_update_if(&state.to_string(), version)).await
    }

    async fn replace_state(&self, frame: String) -> Result<Accepted, Error> {
        let (refused, warned) = {
            let seen = self.shared.seen.borrow();
            (seen.refused_states, seen.warned)
        };
        self.send_text(frame).await?;
        match self.call(Call::new(BARRIER, Vec::new())).await {
            Ok(_) | Err(Error::Call(_)) => {}
            Err(error) => return Err(error),
        }
        let seen = self.shared.seen.borrow();
        if seen.refused_states > refused {
            let conflict = seen.conflict.clone().map(|conflict| Error::Conflict(Box::new(conflict)));
            return Err(conflict.unwrap_or_else(|| Error::State(seen.state_error.clone().unwrap_or_default())));
        }
        let fresh = usize::try_from(seen.warned - warned).unwrap_or(usize::MAX);
        let known = seen.warnings.len().saturating_sub(fresh);
        let warnings = seen.warnings.iter().skip(known).cloned().collect();
        Ok(Accepted { version: seen.version.clone(), warnings })
    }
}
