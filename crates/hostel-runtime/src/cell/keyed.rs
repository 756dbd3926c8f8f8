//! Calls with an idempotency key: stored with their turn, joined while they are under way.

use std::{collections::HashSet, fmt::Write as _, sync::Arc};

use hostel_core::{
    AgentId, Args, Error, Identity, Reply, Result,
    handler::Mode,
    host::{Incoming, IncomingKind},
};
use hostel_protocol::refusal::Code;
use sha2::{Digest, Sha256};

use super::{
    Cell,
    turn::{Turn, asleep},
};
use crate::{reply::ReplyTo, storage};

/// An async call with an idempotency key, under way.
pub(super) struct KeyedCall {
    fingerprint: String,
    /// Who else waits for its answer.
    joined: Vec<ReplyTo>,
}

/// Makes a repeated call recognisable, within one agent.
pub(super) struct Key {
    /// As the caller gave it.
    given: String,
    /// The same, set apart from the same key of anybody else.
    key: String,
    /// A digest of method and arguments: the same key for another call is a mistake.
    fingerprint: String,
}

impl Key {
    /// `client` is who calls, as [`ReplyTo::client`] has it.
    pub(super) fn new(given: String, method: &str, args: &Args, client: Option<Option<&Identity>>) -> Self {
        let digest = Sha256::new().chain_update(method).chain_update([0]).chain_update(args.as_bytes());
        Self { key: set_apart(&given, client), given, fingerprint: hex(digest) }
    }

    fn cycle(&self) -> Error {
        let message = format!("The call with the idempotency key \"{}\" waits for itself.", self.given.escape_debug());
        Error::coded(Code::CallCycle, message).with_fix("give each call of a chain a key of its own")
    }

    fn conflict(&self) -> Error {
        let message = format!("The idempotency key \"{}\" belongs to another call.", self.given.escape_debug());
        Error::coded(Code::IdempotencyConflict, message)
            .with_fix("use a new key for a new call; repeat method and arguments exactly with the old one")
    }
}

/// Nobody may hear what another was answered, nor be in their way, by guessing a key: agents and the application share
/// theirs, clients without an identity theirs, and everybody else has their own.
fn set_apart(key: &str, client: Option<Option<&Identity>>) -> String {
    match client {
        None => internal(key),
        Some(None) => format!("client:{key}"),
        Some(Some(identity)) => {
            let issuer = identity.issuer().map_or(String::new(), |issuer| format!("{}:{issuer}", issuer.len()));
            let who = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(identity.subject());
            format!("user:{}:{key}", hex(who))
        }
    }
}

fn internal(key: &str) -> String {
    format!("agent:{key}")
}

/// The first half of a digest.
fn hex(digest: Sha256) -> String {
    digest.finalize()[..16].iter().fold(String::new(), |mut text, byte| {
        let _writing_to_a_string_succeeds = write!(text, "{byte:02x}");
        text
    })
}

/// The calls with a key that `call` was made within, by agent and key.
fn keyed_around(call: &Incoming) -> impl Iterator<Item = (AgentId, String)> {
    call.chain().skip(1).filter_map(|link| match &link.kind {
        IncomingKind::Keyed(key) => Some((link.target.clone(), internal(key))),
        _ => None,
    })
}

impl Cell {
    /// Forgets that a call with this key is under way, and hands over who waits for it.
    pub(super) fn take_joined(&self, key: &Key) -> Vec<ReplyTo> {
        self.keyed.lock().remove(&key.key).map(|call| call.joined).unwrap_or_default()
    }

    /// Answers a repetition from the store, or lets it join; gives the reply back when the call is new.
    ///
    /// The call is noted as under way before the store is asked: one that ends in between is found in either place.
    pub(super) fn begin_keyed(&self, key: Option<&Key>, reply: ReplyTo) -> Option<ReplyTo> {
        let Some(key) = key else { return Some(reply) };
        let reply = self.join_keyed(key, reply)?;
        let mut found = Ok(None);
        self.turn(&Turn::own(Mode::Read), |_| self.stored(Some(key)), |result, _| found = result);
        let answer = match found {
            Ok(None) => return Some(reply),
            Ok(Some(answer)) => Ok(answer),
            Err(error) => Err(error),
        };
        self.take_joined(key);
        self.release(vec![reply.deliver(answer)]);
        None
    }

    fn join_keyed(&self, key: &Key, reply: ReplyTo) -> Option<ReplyTo> {
        let mut keyed = self.keyed.lock();
        let Some(call) = keyed.get_mut(&key.key) else {
            keyed.insert(key.key.clone(), KeyedCall { fingerprint: key.fingerprint.clone(), joined: Vec::new() });
            return Some(reply);
        };
        if call.fingerprint != key.fingerprint {
            drop(keyed);
            self.release(vec![reply.deliver(Err(key.conflict()))]);
            return None;
        }
        let incoming = reply.incoming().cloned();
        call.joined.push(reply);
        drop(keyed);
        // Looked at only now that it is among those that wait: of two that wait for each other, the later sees the earlier.
        if let Some(incoming) = incoming.filter(|incoming| self.waits_for_itself_by_keys(key, incoming)) {
            self.refuse_joined(key, &incoming);
        }
        None
    }

    /// Whether the call under way with this key waits, by whatever way, for one that `incoming` was made within.
    fn waits_for_itself_by_keys(&self, key: &Key, incoming: &Incoming) -> bool {
        let mut seen = HashSet::new();
        let mut around: Vec<_> = keyed_around(incoming).collect();
        while let Some(place) = around.pop() {
            if place.0 == self.id && place.1 == key.key {
                return true;
            }
            if !seen.contains(&place) {
                let waiting = self.node.existing_cell(&place.0).map(|cell| cell.wait_for_keyed(&place.1));
                around.extend(waiting.into_iter().flatten());
                seen.insert(place);
            }
        }
        false
    }

    /// The calls with a key that wait for the one under way with this key.
    fn wait_for_keyed(&self, key: &str) -> Vec<(AgentId, String)> {
        let keyed = self.keyed.lock();
        let joined = keyed.get(key).into_iter().flat_map(|call| &call.joined);
        joined
            .filter(|reply| !reply.is_abandoned())
            .filter_map(ReplyTo::incoming)
            .flat_map(|call| keyed_around(call))
            .collect()
    }

    fn refuse_joined(&self, key: &Key, incoming: &Arc<Incoming>) {
        let reply = {
            let mut keyed = self.keyed.lock();
            let is_it = |reply: &ReplyTo| reply.incoming().is_some_and(|other| Arc::ptr_eq(other, incoming));
            keyed.get_mut(&key.key).and_then(|call| {
                let place = call.joined.iter().position(is_it)?;
                Some(call.joined.swap_remove(place))
            })
        };
        if let Some(reply) = reply {
            self.release(vec![reply.deliver(Err(key.cycle()))]);
        }
    }

    /// Whether somebody else waits for a call under way.
    pub(super) fn is_joined(&self, key: &Key) -> bool {
        self.keyed.lock().get(&key.key).is_some_and(|call| !call.joined.is_empty())
    }

    pub(super) fn stored(&self, key: Option<&Key>) -> Result<Option<Reply>> {
        let Some(key) = key else { return Ok(None) };
        let store = self.store.lock();
        let Some(db) = store.as_ref() else { return Ok(None) };
        match db.idempotent_result(&key.key).map_err(storage::error)? {
            None => Ok(None),
            Some(stored) if stored.fingerprint == key.fingerprint => Ok(Some(from_stored(&stored.result))),
            Some(_) => Err(key.conflict()),
        }
    }

    pub(super) fn store(&self, key: Option<&Key>, answer: &Reply) -> Result<()> {
        let Some(key) = key else { return Ok(()) };
        let now = self.node.clock.now().as_millisecond();
        let mut store = self.store.lock();
        let Some(db) = store.as_mut() else { return Err(asleep(self)) };
        // `undefined` is kept as the empty text, which is no JSON.
        db.store_result(&key.key, &key.fingerprint, answer.as_json().unwrap_or(""), now).map_err(storage::error)
    }
}

fn from_stored(json: &str) -> Reply {
    if json.is_empty() { Reply::undefined() } else { Reply::from_json(json) }
}
