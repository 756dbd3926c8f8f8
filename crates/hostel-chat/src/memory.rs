//! What is kept of a conversation while its agent is in memory: the turn under way, and who waits for what.
//!
//! Nothing in here is the truth: all of it can be made again from the tables, but for who is connected.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hostel::{
    Cx, Identity,
    connection::ConnectionKey,
    extension::Memory,
    host::Host,
    protocol::chat::{Chunk, DataStream, Fold},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A conversation in memory.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    inner: Mutex<Inner>,
    /// The number behind the last row of the log.
    head: watch::Sender<u64>,
    /// Agents below were never made to do anything here.
    has_no_runs: AtomicBool,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    /// The turn under way, or the one that will be once its task has begun.
    pub(crate) live: Option<Live>,
    /// Connections that were told of a turn which has not said anything yet.
    pub(crate) pending: BTreeSet<ConnectionKey>,
    /// Who asked for a turn that is not over, by its number.
    pub(crate) requesters: HashMap<i64, ConnectionKey>,
    /// Whoever gave the answer that a continuation to come rests on.
    pub(crate) owner: Option<ConnectionKey>,
    /// Who got the transcript because its answer was stopped, and has not asked for anything since. What it said before it had that
    /// is not in it, and comes back to it.
    pub(crate) stopped: BTreeSet<ConnectionKey>,
    /// Who came back to an answer of its own whose end it may have missed, and has not asked yet what there is to resume.
    pub(crate) back: BTreeSet<ConnectionKey>,
    /// The turn of which a client that is about to acknowledge it has had the end and the transcript.
    pub(crate) told: BTreeMap<ConnectionKey, i64>,
    /// The pages that were shown calls which wait as they came, and the turn that made those.
    pub(crate) shown: (i64, Vec<String>),
    /// How a turn is being run whose message has to be read again.
    pub(crate) run: Option<Run>,
}

/// What the tables do not have of a turn under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) n: i64,
    attempt: u64,
    owner: Option<ConnectionKey>,
    suspended: bool,
    recovering: bool,
    excluded: BTreeSet<ConnectionKey>,
    resumed: BTreeSet<ConnectionKey>,
    found: BTreeMap<ConnectionKey, Vec<String>>,
    cancel: CancellationToken,
}

/// A turn that is under way.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) n: i64,
    pub(crate) id: Arc<str>,
    /// Which run of it: what an earlier one still says does not count.
    pub(crate) attempt: u64,
    pub(crate) continuation: bool,
    /// Whose continuation it is.
    pub(crate) owner: Option<ConnectionKey>,
    pub(crate) message_ids: Vec<String>,
    /// Whether it has said something.
    pub(crate) streaming: bool,
    pub(crate) next_seq: u64,
    pub(crate) fold: Fold,
    /// For clients of old.
    pub(crate) old: DataStream,
    /// The reason, if it has said that it failed.
    pub(crate) error: Option<String>,
    /// It goes on only when somebody has answered.
    pub(crate) suspended: bool,
    /// It was interrupted, and has not said anything since.
    pub(crate) recovering: bool,
    /// Connections that were told to acknowledge first: they get none of it live.
    pub(crate) excluded: BTreeSet<ConnectionKey>,
    /// Connections that came in the middle and were replayed what there was.
    pub(crate) resumed: BTreeSet<ConnectionKey>,
    /// The calls that waited when a connection came: what its page said of them before that may be lost.
    pub(crate) found: BTreeMap<ConnectionKey, Vec<String>>,
    pub(crate) who: Option<Identity>,
    pub(crate) cancel: CancellationToken,
}

impl Talk {
    /// The conversation of the agent behind this host.
    pub(crate) fn of(host: &dyn Host) -> Arc<Self> {
        fn make() -> Memory {
            Arc::new(Talk::default())
        }
        let memory: Arc<dyn Any + Send + Sync> = host.memory(make);
        // A class has one extension, and this is it.
        memory.downcast().unwrap_or_default()
    }

    /// The conversation of this agent.
    pub(crate) fn here<A>(cx: &Cx<A>) -> Arc<Self> {
        Self::of(&**cx.host())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Has what is under way read again, should the turn of the agent be undone in which this is called; otherwise does
    /// `then` once it is kept.
    pub(crate) fn undoable(host: &dyn Host, then: impl FnOnce() + Send + 'static) {
        let undo = Undo(Some(Self::of(host)));
        // Work that is spawned begins with the commit, and is dropped without one.
        host.spawn(Box::pin(async move {
            let mut undo = undo;
            undo.0 = None;
            then();
        }));
    }

    /// Whether it is known that no agents below were ever made to do anything.
    pub(crate) fn has_no_runs(&self) -> bool {
        self.has_no_runs.load(Ordering::Relaxed)
    }

    /// Notes whether some may have been.
    pub(crate) fn note_runs(&self, some: bool) {
        self.has_no_runs.store(!some, Ordering::Relaxed);
    }

    fn rolled_back(&self) {
        let mut inner = self.lock();
        let Some(live) = inner.live.take() else { return };
        // One that has not begun may be the next of one that was thought to be over.
        if live.attempt > 0 || inner.run.is_none() {
            inner.run = Some(Run::of(&live));
        }
    }

    /// Tells those inside the process that the log has grown.
    pub(crate) fn grew(&self, head: u64) {
        self.head.send_replace(head);
    }

    /// Hears when the log grows.
    pub(crate) fn hear(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }
}

/// Dropped while it has something: what was done is undone.
struct Undo(Option<Arc<Talk>>);

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(talk) = self.0.take() {
            talk.rolled_back();
        }
    }
}

impl Run {
    pub(crate) fn of(live: &Live) -> Self {
        Self {
            n: live.n,
            attempt: live.attempt,
            owner: live.owner,
            suspended: live.suspended,
            recovering: live.recovering,
            excluded: live.excluded.clone(),
            resumed: live.resumed.clone(),
            found: live.found.clone(),
            cancel: live.cancel.clone(),
        }
    }

    pub(crate) fn is(&self, n: i64, attempt: u64) -> bool {
        (self.n, self.attempt) == (n, attempt)
    }

    /// Goes on with what was read again. Who was told to ask for it, and cannot yet, waits again.
    pub(crate) fn go_on(self, live: &mut Live, pending: &mut BTreeSet<ConnectionKey>) {
        let Self { attempt, owner, suspended, recovering, excluded, resumed, found, cancel, .. } = self;
        match live.streaming {
            true => live.excluded = excluded,
            false => pending.extend(excluded),
        }
        (live.attempt, live.owner, live.cancel) = (attempt, owner, cancel);
        (live.resumed, live.found) = (resumed, found);
        (live.suspended, live.recovering) = (suspended, recovering);
    }
}

impl Live {
    /// Folds chunks that are in the log already.
    pub(crate) fn replay(&mut self, chunk: &Chunk) {
        if chunk.kind() == "error" {
            self.error = chunk.text("errorText").map(str::to_owned);
        }
        self.fold.apply_at(self.next_seq, chunk);
        self.old.encode(chunk);
        self.next_seq += 1;
        self.streaming = true;
    }
}
