//! What an application keeps of agents outside of their databases, so that it goes where they go.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostel_core::{AgentId, Result};
use hostel_store::{AgentKey, Store};

pub use hostel_store::Held;

/// Files, or anything else, that belong to agents and are not in their databases: they are in the exports of agents and in backups, and
/// end with the agents. Everything here blocks.
pub trait Belongings: fmt::Debug + Send + Sync {
    /// What they are called in exports: small letters, digits and hyphens.
    fn name(&self) -> &'static str;

    /// Writes those of `agent` as one stream, while the agent may be at work; `false` if it has none.
    ///
    /// # Errors
    /// If they cannot be read, or `out` refuses: nothing is exported then.
    fn pack(&self, agent: &AgentId, out: &mut dyn Write) -> Result<bool>;

    /// Reads such a stream, from anybody, for `agent`, which is perhaps not there yet. Nothing that the agent has is changed by it.
    ///
    /// # Errors
    /// If it is not sound, or there is no room for it: nothing is imported then.
    fn unpack(&self, agent: &AgentId, from: &mut dyn Read) -> Result<Box<dyn Unpacked>>;

    /// `agent` is about to be destroyed. What has to be known of that after a crash in the middle is written down, durably.
    ///
    /// # Errors
    /// If that is not possible: the agent is not destroyed then.
    fn ending(&self, agent: &AgentId) -> Result<()>;

    /// `agent` was destroyed, and that is durable. It must not wait for long.
    fn ended(&self, agent: &AgentId);

    /// The process starts, and nothing runs yet: what a crash has left is put right. It may take its time.
    fn settle(&self, agents: &dyn Agents);

    /// Everything that is there, of whichever agents, for a backup.
    ///
    /// # Errors
    /// If it cannot be looked at: no backup is made then.
    fn held(&self) -> Result<Vec<Held>>;

    /// Writes what [`held`](Self::held) has named as one stream, for a backup; `false` if it is gone.
    ///
    /// # Errors
    /// If it cannot be read, or `out` refuses: a backup is made without it, and says so.
    fn pack_held(&self, name: &str, out: &mut dyn Write) -> Result<bool>;

    /// A backup has become a data directory, and nothing runs yet: puts what it has under `name` where it was, in the place of what is
    /// there. What belongs to no agent of `agents` is not put anywhere. It may be done twice.
    ///
    /// # Errors
    /// If that is not possible: nothing starts then.
    fn put_back(&self, name: &str, from: &mut dyn Read, agents: &dyn Agents) -> Result<()>;
}

/// Which agents there are, before any of them runs.
pub trait Agents {
    /// Whether there is such an agent. What is not known for sure is there.
    fn is_there(&self, agent: &AgentId) -> bool;

    /// Whether there is a database of the agent with this hash: the first 16 bytes of the SHA-256 of its two stored texts, with a zero
    /// byte between. What is not known for sure is there.
    fn has_file(&self, hash: &[u8; 16]) -> bool;

    /// The number of the arrival ([`Unpacked::put`]) that an agent is there by, if it came by one.
    fn arrival(&self, agent: &AgentId) -> Option<u32>;
}

/// What was read for an agent, and is beside what it has. Dropped without [`Unpacked::keep`] or [`Unpacked::leave`], it is gone, and
/// everything is as before.
pub trait Unpacked: Send {
    /// Puts it where the agent looks for it, in the place of what it has if `replace` says so. If the process dies before the agent is
    /// there, the next start puts everything back: whether it is tells the number `arrival`, which its database has then.
    ///
    /// # Errors
    /// `agent_exists` if something is there that is not to be replaced; if it is not possible. What the agent has is as it was then.
    fn put(&mut self, replace: bool, arrival: u32) -> Result<()>;

    /// The agent is there, durably. Says where that is which was in its place, if anything was.
    fn keep(self: Box<Self>) -> Option<String>;

    /// The agent could not be put in place, and will perhaps be there after the next start. Everything stays as it is, and that start's
    /// [`Belongings::settle`] decides, as after a crash.
    fn leave(self: Box<Self>);
}

/// Has what a crash has left put right, and what a backup has brought put back, before anything runs on `store`.
///
/// # Errors
/// If what a backup has brought cannot be put where it was.
#[doc(hidden)]
pub fn settle(store: &Store, kept: &[Arc<dyn Belongings>]) -> Result<()> {
    kept.iter().for_each(|kept| kept.settle(&Stored(store)));
    kept.iter().try_for_each(|kept| put_all_back(store, &**kept))
}

/// How often is said how far a start has come with it.
const TOLD_EVERY: Duration = Duration::from_secs(5);

fn put_all_back(store: &Store, kept: &dyn Belongings) -> Result<()> {
    let brought = store.brought(kept.name())?;
    let (of, mut told) = (brought.len(), None::<Instant>);
    for (done, (name, path)) in brought.into_iter().enumerate() {
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            tracing::info!(done, of, next = name, "what a backup has of each agent's {} is put back", kept.name());
            told = Some(Instant::now());
        }
        let put = || -> Result<()> {
            kept.put_back(&name, &mut BufReader::new(File::open(&path)?), &Stored(store))?;
            fs::remove_file(&path)?;
            // Otherwise it may be there again after a loss of power, and would be put over what agents have done since.
            Ok(path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())?)
        };
        put().map_err(|error| error.with_fix(advice(&path)))?;
    }
    if of > 0 {
        tracing::info!(of, "what a backup had of each agent's {} is in its place", kept.name());
    }
    Ok(())
}

fn advice(path: &Path) -> String {
    format!("see to the cause and start again, or move {} elsewhere to start without it", path.display())
}

/// The agents of a store.
struct Stored<'a>(&'a Store);

impl Agents for Stored<'_> {
    fn is_there(&self, agent: &AgentId) -> bool {
        let (namespace, name) = agent.stored();
        !self.0.agent(namespace, name).is_ok_and(|db| db.state().is_ok() && !db.is_created())
    }

    fn has_file(&self, hash: &[u8; 16]) -> bool {
        self.0.has_file(hash)
    }

    fn arrival(&self, agent: &AgentId) -> Option<u32> {
        let (namespace, name) = agent.stored();
        self.0.arrival(&AgentKey::new(namespace, name))
    }
}
