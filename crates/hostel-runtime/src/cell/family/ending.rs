//! Deleting agents with all that are under them, so that neither a crash nor a failure leaves some of them behind.
//!
//! The decision is a row in the parent's database, committed with the turn that made it, and the node's register has the
//! parent woken until it is carried out. An agent that has others under it dooms all of them in one commit, is nobody's from
//! then on, and goes when the last of them has gone.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hostel_core::{AgentId, Error, Result, handler::Mode};
use hostel_protocol::{connection::close, refusal::Code};
use hostel_store::{AgentDb, Author, Cause, ChildRow, Commit, ErrorKind};

use super::{
    super::{Cell, Job, task::Busy, turn::Turn},
    new_number,
};
use crate::{gate::Delivery, storage};

/// How long a deletion that failed waits before it is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// The moment of the register for what has to be done as soon as possible.
pub(in super::super) const AT_ONCE: i64 = 0;
const CLOSED: &str = "Sub-agent deleted";
const ENDING: Cause<'static> = Cause { event: "destroy", what: "", author: Author::Agent };

/// Told when an agent is gone with all under it, or why it is not.
pub(crate) type Destroyed = Box<dyn FnOnce(Result<()>) + Send>;

/// Agents that are being deleted from above, in this process.
#[derive(Default)]
pub(crate) struct Doomed {
    /// Told to go, with the number of the decision.
    told: HashSet<(AgentId, i64)>,
    /// Who waits for an agent that goes when those under it have gone.
    waiting: HashMap<AgentId, Vec<Destroyed>>,
}

impl Doomed {
    /// The node ends: nobody is told anything any more, and after a restart it goes on.
    pub(crate) fn let_go(&mut self) -> Vec<Destroyed> {
        std::mem::take(&mut self.waiting).into_values().flatten().collect()
    }
}

impl fmt::Debug for Doomed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doomed").field("told", &self.told).finish_non_exhaustive()
    }
}

/// How far an agent has got that was told to go.
enum Down {
    Gone,
    /// Those under it go first.
    Ending(Vec<ChildRow>),
}

impl Cell {
    /// Tells an agent under this one to go, once for each decision. This one stays awake, if it is, until it has.
    pub(in super::super) fn doom(&self, child: &AgentId, number: i64) {
        if !self.node.doomed.lock().told.insert((child.clone(), number)) {
            return;
        }
        if let Some(cell) = self.node.existing_cell(child) {
            cell.break_off_start();
        }
        let (busy, parent, of) = (Busy::new(self.arc()), self.arc(), child.clone());
        let done = move |gone: Result<()>| {
            let node = parent.shared();
            node.doomed.lock().told.remove(&(of.clone(), number));
            match gone {
                Ok(()) => node.post(&parent.id, Job::Gone(of, number)),
                Err(error) => parent.tend_later(&of, &error),
            }
            drop(busy);
        };
        self.node.post(child, Job::Destroy(Box::new(done)));
    }

    fn tend_later(&self, child: &AgentId, error: &Error) {
        if self.node.is_stopping() {
            return;
        }
        tracing::error!(agent = %child, error = ?error, "an agent could not be deleted; it is tried again");
        let (node, id) = (Arc::downgrade(&self.shared()), self.id.clone());
        let wait = self.node.clock.sleep(RETRY);
        self.node.spawn(async move {
            wait.await;
            if let Some(node) = node.upgrade() {
                node.post(&id, Job::Tend);
            }
        });
    }

    /// Goes on with deletions that were decided: as the agent comes into memory, and after one has failed.
    pub(in super::super) fn tend(&self) {
        let tended = if self.is_awake() {
            let mut rows = Ok(Vec::new());
            let look = |_: &mut super::super::Awake| self.look_into_db(AgentDb::children);
            self.turn(&Turn::own(Mode::Read), look, |found, _| rows = found);
            rows.map(|rows| self.doom_all(&rows))
        } else {
            self.node.block(|| self.tend_asleep())
        };
        if let Err(error) = tended {
            self.tend_later(&self.id, &error);
        }
    }

    fn tend_asleep(&self) -> Result<()> {
        let core = self.lock_core();
        let db = self.node.open_db(&self.id)?;
        let rows = db.children().map_err(storage::error)?;
        match db.is_ending().map_err(storage::error)? && rows.is_empty() {
            true => {
                self.finish(db)?;
                drop(core);
                self.tell_gone();
                Ok(())
            }
            false => {
                self.doom_all(&rows);
                db.close().map_err(storage::error)
            }
        }
    }

    fn doom_all(&self, rows: &[ChildRow]) {
        for row in rows.iter().filter(|row| row.doomed != 0) {
            match self.id.sub_agent_in(&row.class, &row.name) {
                Ok(child) => self.doom(&child, row.doomed),
                Err(error) => tracing::error!(agent = %self.id, error = ?error, "a row names no sub-agent"),
            }
        }
    }

    /// An agent under this one has gone: crosses the decision off.
    pub(in super::super) fn child_gone(&self, child: &AgentId, number: i64) {
        let noted = if self.is_awake() {
            let mut noted = Ok(());
            let cross_off = |_: &mut super::super::Awake| {
                self.scratch.lock().orders = true;
                self.change_children(|db| cross_off(db, child, number))
            };
            let turn = Turn { cause: ENDING, ..Turn::own(Mode::Read) };
            self.turn(&turn, cross_off, |outcome, _| noted = outcome);
            noted
        } else {
            self.node.block(|| self.child_gone_asleep(child, number))
        };
        if let Err(error) = noted {
            self.tend_later(child, &error);
        }
    }

    /// The same for an agent out of memory, which is not woken for it. The last to go takes one with it that is ending.
    fn child_gone_asleep(&self, child: &AgentId, number: i64) -> Result<()> {
        let core = self.lock_core();
        self.node.rebuild_if_due(&self.id)?;
        let mut db = self.node.open_db(&self.id)?;
        cross_off(&mut db, child, number).map_err(storage::error)?;
        db.set_cause(ENDING);
        let moments = self.moments(&db)?;
        let commit = db.commit().map_err(storage::error)?;
        let is_last = db.is_ending().map_err(storage::error)? && db.children().map_err(storage::error)?.is_empty();
        self.make_durable(commit)?;
        if is_last {
            self.finish(db)?;
            drop(core);
            self.tell_gone();
            return Ok(());
        }
        let moved = self.moments_committed(moments);
        db.close().map_err(storage::error)?;
        self.release(vec![moved]);
        Ok(())
    }

    fn make_durable(&self, commit: Option<Commit>) -> Result<()> {
        let made = commit.map_or(Ok(()), |commit| self.node.durability.make_durable(&commit));
        if made.is_err() {
            self.node.rebuild_later(&self.id);
        }
        made
    }

    /// Nobody is under the agent any more: it goes. With its lock held, out of memory.
    fn finish(&self, db: AgentDb) -> Result<()> {
        self.destroy_db(db)?;
        self.forget_wake_up();
        self.note_destroyed();
        Ok(())
    }

    fn tell_gone(&self) {
        let waiting = self.node.doomed.lock().waiting.remove(&self.id);
        waiting.into_iter().flatten().for_each(|done| done(Ok(())));
    }

    fn forget_wake_up(&self) {
        self.alarm_failures.store(0, Ordering::Relaxed);
        if let Err(error) = self.node.clear_alarm(self) {
            tracing::warn!(agent = %self.id, error = ?error, "a destroyed agent's wake-up could not be cleared");
        }
    }

    /// The agent's parent, or its own turn, has it deleted.
    pub(in super::super) fn destroy_from_above(&self, done: Destroyed) {
        match self.node.block(|| self.take_down()) {
            Ok(Down::Gone) => done(Ok(())),
            Ok(Down::Ending(rows)) => {
                self.wait_for_the_end(done);
                self.doom_all(&rows);
            }
            Err(error) => done(Err(error)),
        }
    }

    fn wait_for_the_end(&self, done: Destroyed) {
        let mut doomed = self.node.doomed.lock();
        // Asked within the lock: who ends the node takes everybody out of it afterwards.
        if !self.node.is_stopping() {
            doomed.waiting.entry(self.id.clone()).or_default().push(done);
        }
    }

    fn take_down(&self) -> Result<Down> {
        let mut core = self.lock_core();
        if self.inbox.lock().retired {
            return Err(Error::coded(Code::ShuttingDown, "The server is restarting."));
        }
        self.hand_over_held();
        self.say_good_bye();
        // From here on turns of async work that was begun before are refused.
        drop(self.end_era());
        let open = self.store.lock().take();
        if self.awake.swap(false, Ordering::AcqRel) {
            self.metrics.awake.decrement(1.0);
        }
        let taken = (core.take(), std::mem::take(&mut *self.scratch.lock()));
        let down = self.delete_stored(open);
        drop(core);
        self.drop_guarded(taken);
        down
    }

    fn say_good_bye(&self) {
        let peers: Vec<_> = self.peers.lock().values().cloned().collect();
        peers.iter().for_each(|peer| self.forget(peer));
        let bye = |peer| Delivery::Close(peer, close::GOING_AWAY, CLOSED.to_owned());
        self.release(peers.into_iter().map(bye).collect());
    }

    fn delete_stored(&self, open: Option<AgentDb>) -> Result<Down> {
        self.node.rebuild_if_due(&self.id)?;
        let mut db = open.map_or_else(|| self.open_asleep(), Ok)?;
        db.rollback().map_err(storage::error)?;
        let rows = match db.children() {
            // Nobody can tell who was under it; it would otherwise be tried again for ever.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(agent = %self.id, error = %error, "a damaged agent is deleted; agents under it may be left");
                Vec::new()
            }
            rows => rows.map_err(storage::error)?,
        };
        if rows.is_empty() {
            self.destroy_db(db)?;
            self.node.quarantine.clear(&self.id);
            self.forget_wake_up();
            self.note_destroyed();
            return Ok(Down::Gone);
        }
        if !db.is_ending().map_err(storage::error)? {
            db.end_with_children(new_number()).map_err(storage::error)?;
            db.set_cause(ENDING);
            self.register_earlier(Some(AT_ONCE))?;
            let commit = db.commit().map_err(storage::error)?;
            self.note_wanted(Some(AT_ONCE));
            self.make_durable(commit)?;
        }
        let rows = db.children().map_err(storage::error)?;
        db.close().map_err(storage::error)?;
        Ok(Down::Ending(rows))
    }

    /// Within a turn that ends the agent: if others are under it, they are doomed with it. Returns whether there are.
    pub(in super::super) fn end_with_children(&self, db: &mut AgentDb) -> Result<bool> {
        if !db.has_children() || db.children().map_err(storage::error)?.is_empty() {
            return Ok(false);
        }
        db.end_with_children(new_number()).map_err(storage::error)?;
        Ok(true)
    }

    /// After such a turn: the agent is out of memory, and goes when those under it have gone.
    pub(in super::super) fn end_after_children(&self, db: AgentDb) -> Result<Delivery> {
        let rows = db.children().map_err(storage::error)?;
        self.note_wanted(Some(AT_ONCE));
        let cell = self.arc();
        db.close().map_err(storage::error)?;
        Ok(Delivery::resolve(move |durable| {
            if durable.is_ok() {
                cell.doom_all(&rows);
            }
        }))
    }

    /// When the register has to have the agent looked at for the sake of those under it.
    pub(in super::super) fn kin_moment(&self, db: &AgentDb) -> Result<Option<i64>> {
        if !db.has_children() {
            return Ok(None);
        }
        let doomed = db.children().map_err(storage::error)?.iter().any(|row| row.doomed != 0);
        Ok((doomed || db.is_ending().map_err(storage::error)?).then_some(AT_ONCE))
    }

    /// Refuses an agent that is ending; goes on with what was decided about those under it. As it comes into memory.
    pub(in super::super) fn check_family(&self, db: &AgentDb) -> Result<()> {
        let Some(moment) = self.kin_moment(db)? else { return Ok(()) };
        self.note_wanted(Some(moment));
        self.node.post(&self.id, Job::Tend);
        match db.is_ending().map_err(storage::error)? {
            true => Err(ending(&self.id)),
            false => Ok(()),
        }
    }
}

fn cross_off(db: &mut AgentDb, child: &AgentId, number: i64) -> std::result::Result<(), hostel_store::Error> {
    match db.child(child.namespace(), child.name())? {
        Some(row) if row.doomed == number && row.alive => db.put_child(&ChildRow { doomed: 0, ..row }),
        Some(row) if row.doomed == number => db.remove_child(&row.class, &row.name),
        _ => Ok(()),
    }
}

fn ending(id: &AgentId) -> Error {
    Error::coded(Code::AgentUnavailable, format!("{id} is being deleted, with the agents under it."))
        .with_fix("come back in a moment, and find a new one")
}
