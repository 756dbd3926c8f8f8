//! Calls with an idempotency key: stored with their turn, joined while they are under way.

use std::sync::Arc;

use hostel_core::{
    Args, Error, Reply, Result,
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
    key: String,
    /// A digest of method and arguments: the same key for another call is a mistake.
    fingerprint: String,
}

impl Key {
    pub(super) fn new(key: String, method: &str, args: &Args) -> Self {
        let digest = Sha256::new().chain_update(method).chain_update([0]).chain_update(args.as_bytes()).finalize();
        let fingerprint = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key, fingerprint }
    }

    fn cycle(&self) -> Error {
        let message = format!("The call with the idempotency key \"{}\" waits for itself.", self.key.escape_debug());
        Error::coded(Code::CallCycle, message).with_fix("give each call of a chain a key of its own")
    }

    fn conflict(&self) -> Error {
        let message = format!("The idempotency key \"{}\" belongs to another call.", self.key.escape_debug());
        Error::coded(Code::IdempotencyConflict, message)
            .with_fix("use a new key for a new call; repeat method and arguments exactly with the old one")
    }
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
        let error = match call.fingerprint == key.fingerprint {
            true if self.is_within(key, &reply) => key.cycle(),
            true => {
                call.joined.push(reply);
                return None;
            }
            false => key.conflict(),
        };
        drop(keyed);
        self.release(vec![reply.deliver(Err(error))]);
        None
    }

    /// Whether the call that `reply` is for was made, directly or by others, by the one it would wait for.
    fn is_within(&self, key: &Key, reply: &ReplyTo) -> bool {
        let mut before = reply.incoming().into_iter().flat_map(|call| call.chain().skip(1));
        before
            .any(|link| link.target == self.id && matches!(&link.kind, IncomingKind::Keyed(other) if *other == key.key))
    }

    /// Whether somebody else waits for a call under way.
    pub(super) fn is_joined(&self, key: &Key) -> bool {
        self.keyed.lock().get(&key.key).is_some_and(|call| !call.joined.is_empty())
    }

    /// What calls within a client's call with a key are told they are within.
    pub(super) fn keyed_call(&self, key: Option<&Key>) -> Option<Arc<Incoming>> {
        Some(Arc::new(Incoming {
            caller: None,
            target: self.id.clone(),
            kind: IncomingKind::Keyed(key?.key.clone()),
            hops: 0,
            deadline: None,
            within: None,
        }))
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
