//! The durability seam: a commit goes in, a durable acknowledgement comes out.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use hostel_journal::{AgentId, Failure, Lsn, Ticket};
use parking_lot::{Condvar, Mutex};

use crate::keeper::{Dirt, Keeper};
use crate::{AgentKey, Error, ErrorKind};

/// Told whether a commit became durable.
pub(crate) type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A committed turn that may not be on disk yet; it is on its way there. It owns what it needs, so it may travel to any
/// thread and outlive the [`AgentDb`](crate::AgentDb) that made it. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Commit {
    target: Option<(SyncHandle, u64)>,
}

/// Waits until `commit`, and with it every earlier commit of the same agent, would survive the loss of
/// power. Blocks for a sync, so it belongs on a thread where waiting is allowed;
/// [`Store::submit`](crate::Store::submit) does the same without blocking.
///
/// # Errors
///
/// If the journal cannot be written, now or for an earlier commit of the same open database: nothing more is acknowledged
/// and [`AgentDb::rebuild`](crate::AgentDb::rebuild) is due, which undoes what was not durable.
pub fn make_durable(commit: &Commit) -> Result<(), Error> {
    match &commit.target {
        Some((handle, number)) => handle.wait(*number),
        None => Ok(()),
    }
}

impl Commit {
    /// A commit that needs no sync.
    pub(crate) fn immediate() -> Self {
        Self { target: None }
    }

    pub(crate) fn pending(handle: SyncHandle, number: u64) -> Self {
        Self { target: Some((handle, number)) }
    }

    /// Whether this commit is durable already.
    pub fn is_durable(&self) -> bool {
        match &self.target {
            Some((handle, number)) => handle.0.state.lock().durable >= *number,
            None => true,
        }
    }

    /// Has `done` called when the commit is durable, or never will be.
    pub(crate) fn then(self, done: Done) {
        match self.target {
            Some((handle, number)) => handle.then(number, done),
            None => done(Ok(())),
        }
    }
}

/// The commits of one open database, on their way through the journal.
#[derive(Clone, Debug)]
pub struct SyncHandle(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    key: AgentKey,
    keeper: Weak<Keeper>,
    state: Mutex<State>,
    settled: Condvar,
    failed: AtomicBool,
}

#[derive(Default)]
struct State {
    committed: u64,
    durable: u64,
    /// Where SQLite's log ends with the last durable commit.
    durable_end: u64,
    waiting: Vec<(u64, Done)>,
    failure: Option<Failure>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("committed", &self.committed)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

impl SyncHandle {
    /// `keeper` has the journal that the commits go to.
    pub(crate) fn new(key: AgentKey, keeper: Option<&Arc<Keeper>>) -> Self {
        Self(Arc::new(Handle {
            key,
            keeper: keeper.map(Arc::downgrade).unwrap_or_default(),
            state: Mutex::default(),
            settled: Condvar::new(),
            failed: AtomicBool::new(false),
        }))
    }

    /// The same for a database whose log, kept from before, ends at `end` with a durable commit.
    pub(crate) fn going_on(key: AgentKey, keeper: Option<&Arc<Keeper>>, end: u64) -> Self {
        let handle = Self::new(key, keeper);
        handle.0.state.lock().durable_end = end;
        handle
    }

    /// Counts one more commit; the ticket goes to the journal with it.
    pub(crate) fn committed(&self, agent: AgentId, log_end: u64, dirt: &Arc<Mutex<Dirt>>) -> (u64, Box<dyn Ticket>) {
        let mut state = self.0.state.lock();
        state.committed += 1;
        let number = state.committed;
        (number, Box::new(OnItsWay { handle: self.clone(), number, agent, log_end, dirt: Arc::clone(dirt) }))
    }

    /// The commit made last.
    pub(crate) fn latest(&self) -> Commit {
        Commit::pending(self.clone(), self.0.state.lock().committed)
    }

    /// Makes everything committed so far durable.
    ///
    /// # Errors
    ///
    /// As [`make_durable`].
    pub fn sync(&self) -> Result<(), Error> {
        let number = self.0.state.lock().committed;
        self.wait(number)
    }

    /// Whether a commit was lost; then the database must be rebuilt before it is written again.
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    /// Whether every commit is durable.
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.0.state.lock();
        state.durable == state.committed && !self.has_failed()
    }

    /// Where SQLite's log ends with the last durable commit.
    pub(crate) fn durable_end(&self) -> u64 {
        self.0.state.lock().durable_end
    }

    /// SQLite's log was emptied, with everything in it durable.
    pub(crate) fn log_emptied(&self) {
        self.0.state.lock().durable_end = 0;
    }

    fn wait(&self, number: u64) -> Result<(), Error> {
        let waits = self.0.state.lock().durable < number;
        if let Some(keeper) = waits.then(|| self.0.keeper.upgrade()).flatten() {
            keeper.journal.write_now();
        }
        let mut state = self.0.state.lock();
        while state.durable < number {
            if self.has_failed() {
                return Err(self.lost(state.failure.as_ref()));
            }
            self.0.settled.wait(&mut state);
        }
        Ok(())
    }

    fn then(&self, number: u64, done: Done) {
        let mut state = self.0.state.lock();
        if state.durable >= number {
            drop(state);
            return done(Ok(()));
        }
        if self.has_failed() {
            let error = self.lost(state.failure.as_ref());
            drop(state);
            return done(Err(error));
        }
        state.waiting.push((number, done));
    }

    fn became_durable(&self, number: u64, log_end: u64) {
        let mut state = self.0.state.lock();
        state.durable = number;
        state.durable_end = log_end;
        let ready = state.waiting.iter().take_while(|(of, _)| *of <= number).count();
        let ready: Vec<_> = state.waiting.drain(..ready).collect();
        drop(state);
        self.0.settled.notify_all();
        ready.into_iter().for_each(|(_, done)| done(Ok(())));
    }

    /// A commit is lost, and with it every later one.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = self.0.state.lock();
        self.0.failed.store(true, Ordering::Release);
        let failure = state.failure.get_or_insert(failure).clone();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.0.settled.notify_all();
        waiting.into_iter().for_each(|(_, done)| done(Err(self.lost(Some(&failure)))));
    }

    fn lost(&self, failure: Option<&Failure>) -> Error {
        let subject = format!("agent {}", self.0.key);
        match failure {
            Some(failure) => Error::io(&subject, "making a commit durable", failure.to_io()),
            None => Error::new(ErrorKind::Failed, format!("{subject}: an earlier commit was lost")),
        }
    }
}

/// A commit's ticket.
struct OnItsWay {
    handle: SyncHandle,
    number: u64,
    agent: AgentId,
    log_end: u64,
    dirt: Arc<Mutex<Dirt>>,
}

impl Ticket for OnItsWay {
    fn stands(&self) -> bool {
        !self.handle.has_failed()
    }

    fn settle(self: Box<Self>, outcome: Result<Lsn, Failure>) {
        match outcome {
            Ok(lsn) => {
                // First the books: whoever hears of the commit may copy it away at once.
                self.dirt.lock().appended(self.agent, &self.handle.0.key, lsn);
                self.handle.became_durable(self.number, self.log_end);
            }
            Err(failure) => self.handle.fail(failure),
        }
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::{Failure, make_durable};
    use crate::{Options, Store};

    #[test]
    fn after_a_failed_sync_nothing_is_acknowledged_until_the_database_is_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        let mut commit = |n: &str| {
            agent.set_state(n).unwrap();
            agent.commit().unwrap().unwrap()
        };
        make_durable(&commit("0")).unwrap();
        let handle = agent.sync_handle().unwrap();
        handle.fail(Failure { kind: std::io::ErrorKind::Other, message: "test".into() });
        agent.begin().unwrap_err();

        assert_eq!(agent.set_state("2").unwrap_err().code(), "storage_failed");
        agent.rebuild().unwrap();
        assert_eq!(agent.state().unwrap().as_deref(), Some("0"));
        agent.begin().unwrap();
        agent.set_state("2").unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
        assert_eq!(agent.state().unwrap().as_deref(), Some("2"));
    }

    #[test]
    fn a_commit_that_is_being_written_when_a_later_one_fails_is_not_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let (mut a, mut b) = (store.agent("counter", "a").unwrap(), store.agent("counter", "b").unwrap());
        let set = |agent: &mut crate::AgentDb, state: &str| {
            agent.set_state(state).unwrap();
            agent.commit().unwrap().unwrap()
        };
        make_durable(&set(&mut a, "4")).unwrap();
        store.gather(Some(Arc::new(|| ())));
        // Both in one batch, which is written, and told in this order: `b` keeps the journal from telling of `a`.
        let ((told, hears), (lets_go, waits)) = (mpsc::channel(), mpsc::channel::<()>());
        store.submit(set(&mut b, "1"), move |_| {
            told.send(()).unwrap();
            waits.recv().unwrap();
        });
        set(&mut a, "5");
        store.write_now();
        hears.recv().unwrap();
        a.sync_handle().unwrap().fail(Failure { kind: std::io::ErrorKind::Other, message: "6 cannot be read".into() });

        let rebuilding = thread::spawn(move || {
            a.rebuild().unwrap();
            a
        });
        // Whether it waits cannot be seen; if it does not, it is done by then.
        (0..100_000).take_while(|_| !rebuilding.is_finished()).for_each(|_| thread::yield_now());
        lets_go.send(()).unwrap();
        let mut a = rebuilding.join().unwrap();
        store.gather(None);
        assert_eq!(a.state().unwrap().as_deref(), Some("5"), "as in the journal");
        make_durable(&set(&mut a, "6")).unwrap();
        assert_eq!(a.state().unwrap().as_deref(), Some("6"));
    }

    #[test]
    fn turns_that_are_held_when_an_earlier_commit_is_lost_are_lost_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        agent.set_state("1").unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
        agent.set_state("2").unwrap();
        assert!(matches!(agent.hold().unwrap(), crate::Kept::Held));
        let handle = agent.sync_handle().unwrap();
        handle.fail(Failure { kind: std::io::ErrorKind::Other, message: "test".into() });
        assert_eq!(agent.set_state("3").unwrap_err().code(), "storage_failed");
        let held = agent.commit().unwrap().unwrap();
        assert_eq!(make_durable(&held).unwrap_err().code(), "storage_failed");
        agent.rebuild().unwrap();
        assert_eq!(agent.state().unwrap().as_deref(), Some("1"));
        agent.set_state("4").unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
        assert_eq!(agent.state().unwrap().as_deref(), Some("4"));
    }

    #[test]
    fn a_durable_commit_covers_every_commit_made_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        let mut commit = |n: &str| {
            agent.set_state(n).unwrap();
            agent.commit().unwrap().unwrap()
        };
        let (first, second) = (commit("1"), commit("2"));
        make_durable(&second).unwrap();
        assert!(first.is_durable());
    }
}
