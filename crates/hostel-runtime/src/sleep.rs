//! Puts idle agents to sleep: after a while, or at once when too many are awake.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{cell::Cell, node::Shared, options::Options};

/// How often the awake agents are looked through.
const ROUND: Duration = Duration::from_millis(500);
/// The shortest time between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Closing a database waits for the disk; waiting for many at a time takes hardly longer. At most so many, and one for
/// each [`PER_CLOSER`] awake agents.
const CLOSERS: usize = 16;
const PER_CLOSER: usize = 64;
/// Under pressure, an agent that did nothing for this long may go.
const PRESSED_IDLE_MS: u64 = 20;

/// The awake agents of a node, in the order they woke.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    awake: Mutex<VecDeque<Weak<Cell>>>,
    pressed: Notify,
}

impl Sleepers {
    /// Notes that an agent woke.
    pub(crate) fn add(&self, cell: &Arc<Cell>, options: &Options) {
        let mut awake = self.awake.lock();
        awake.push_back(Arc::downgrade(cell));
        if awake.len() > options.max_idle_awake {
            self.pressed.notify_one();
        }
    }

    /// Has whoever waits look again.
    pub(crate) fn wake(&self) {
        self.pressed.notify_one();
    }

    pub(crate) fn count(&self) -> usize {
        self.awake.lock().len()
    }

    /// How many may look at the same time.
    fn closers(&self) -> usize {
        (self.count() / PER_CLOSER).clamp(1, CLOSERS)
    }

    /// Looks at the given share of awake agents, each once.
    fn round(&self, options: &Options, share: usize) {
        let idle_ms = u64::try_from(options.idle_after.as_millis()).unwrap_or(u64::MAX);
        for _ in 0..self.count().div_ceil(share) {
            let Some(next) = self.awake.lock().pop_front() else { return };
            let Some(cell) = next.upgrade() else { continue };
            let pressed = self.count() >= options.max_idle_awake;
            let enough = if pressed { PRESSED_IDLE_MS.min(idle_ms) } else { idle_ms };
            let sleeps = cell.idle_ms() >= enough && cell.hibernate();
            if !sleeps && cell.is_awake() {
                self.awake.lock().push_back(next);
            }
        }
    }
}

/// Runs until the node is dropped.
pub(crate) async fn put_to_sleep(node: Weak<Shared>) {
    loop {
        let Some(shared) = node.upgrade().filter(|shared| !shared.is_stopping()) else { return };
        let round = shared.options.idle_after.min(ROUND).max(PAUSE);
        tokio::select! {
            () = tokio::time::sleep(round) => {}
            // However many agents wake, the others are not looked through without a pause.
            () = shared.sleepers.pressed.notified() => tokio::time::sleep(PAUSE).await,
        }
        // Closing a database touches the disk.
        let closers = shared.sleepers.closers();
        let round = |_| {
            let shared = Arc::clone(&shared);
            tokio::task::spawn_blocking(move || shared.sleepers.round(&shared.options, closers))
        };
        let rounds: Vec<_> = (0..closers).map(round).collect();
        // The node may go meanwhile.
        drop(shared);
        for round in rounds {
            if let Err(error) = round.await
                && error.is_panic()
            {
                tracing::error!(error = %error, "looking for idle agents failed and goes on");
            }
        }
    }
}
