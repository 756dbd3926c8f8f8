//! Puts idle agents to sleep: after a while, or sooner when too many are awake.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{cell::Cell, node::Shared, options::Options};

/// How often the awake agents are looked through.
const ROUND: Duration = Duration::from_millis(500);
/// The shortest time between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Closing a database waits for the disk; waiting for many at a time takes hardly longer. At most so many, and one for
/// each [`PER_CLOSER`] awake agents.
const CLOSERS: usize = 16;
const PER_CLOSER: usize = 64;
/// With too many awake, an agent that did nothing for this long may go. An agent that is used more often stays: it would be
/// opened again at once, and if all are, none would be found open.
const PRESSED_IDLE_MS: u64 = 1000;
/// With so many awake, or half of those that may be, one that was woken for what was due is put to sleep when that is done.
const MANY: usize = 1024;
/// From so many on that were awake, memory is given back when three quarters of them sleep,
const WORTH_GIVING_BACK: usize = 256;
/// and have done so for this long: who wakes an agent meanwhile may have to wait for it.
const LOW_FOR: Duration = Duration::from_secs(3);
/// The same with twice too many.
const OVERRUN_IDLE_MS: u64 = 20;

/// The awake agents of a node, in the order they woke.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    awake: Mutex<VecDeque<Weak<Cell>>>,
    /// Those that were woken only for what was due, and have done it.
    done: Mutex<Vec<Weak<Cell>>>,
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

    /// Notes that an agent has done what it was woken for. If many are awake it need not stay: of a hundred thousand that are
    /// due at the same moment, each would be kept for nothing, and the memory with it.
    pub(crate) fn let_go(&self, cell: &Arc<Cell>, options: &Options) {
        if self.count() >= MANY.min(options.max_idle_awake / 2) {
            self.done.lock().push(Arc::downgrade(cell));
            self.pressed.notify_one();
        }
    }

    /// Puts those to sleep that have done what they were woken for, unless somebody is connected.
    fn dismiss(&self) {
        loop {
            let Some(next) = self.done.lock().pop() else { return };
            if let Some(cell) = next.upgrade().filter(|cell| cell.socket_count() == 0) {
                cell.hibernate();
            }
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

    /// Looks at the given share of awake agents, each once. Those that stay awake `keep_up` with the journal if it asks.
    fn round(&self, options: &Options, share: usize, keep_up: bool) {
        self.dismiss();
        for _ in 0..self.count().div_ceil(share) {
            let Some(next) = self.awake.lock().pop_front() else { return };
            let Some(cell) = next.upgrade() else { continue };
            let sleeps = cell.idle_ms() >= enough_ms(self.count(), options) && cell.hibernate();
            if !sleeps && cell.is_awake() {
                // One with turns does it by itself.
                if keep_up && cell.idle_ms() >= PRESSED_IDLE_MS {
                    cell.keep_up();
                }
                self.awake.lock().push_back(next);
            }
        }
    }
}

/// How long an agent must have done nothing to be put to sleep, with so many others awake.
fn enough_ms(others: usize, options: &Options) -> u64 {
    let enough = u64::try_from(options.idle_after.as_millis()).unwrap_or(u64::MAX);
    match others {
        few if few < options.max_idle_awake => enough,
        many if many / 2 < options.max_idle_awake => enough.min(PRESSED_IDLE_MS),
        _ => enough.min(OVERRUN_IDLE_MS),
    }
}

/// How many were awake at most since memory was last given back, and since when few are.
#[derive(Debug, Default)]
struct Tide {
    highest: usize,
    low: Option<Instant>,
}

impl Tide {
    /// Whether most of those that were awake have been asleep for a while, so that what they held is worth giving back.
    fn stays_low(&mut self, awake: usize, now: Instant) -> bool {
        self.highest = self.highest.max(awake);
        if self.highest < WORTH_GIVING_BACK || awake > self.highest / 4 {
            self.low = None;
            return false;
        }
        let stays = now - *self.low.get_or_insert(now) >= LOW_FOR;
        if stays {
            *self = Self::default();
        }
        stays
    }
}

/// Runs until the node is dropped.
pub(crate) async fn put_to_sleep(node: Weak<Shared>) {
    let (mut tide, mut asked) = (Tide::default(), 0);
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
        if tide.stays_low(shared.sleepers.count(), Instant::now()) {
            let store = shared.store.clone();
            drop(tokio::task::spawn_blocking(move || store.give_back_memory()));
        }
        let keep_up = std::mem::replace(&mut asked, shared.store.tide()) != asked;
        let round = |_| {
            let shared = Arc::clone(&shared);
            tokio::task::spawn_blocking(move || shared.sleepers.round(&shared.options, closers, keep_up))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_when_most_have_fallen_asleep() {
        let (mut tide, begun) = (Tide::default(), Instant::now());
        let awake = [10, 200, 40, 900, 225, 226, 200, 100, 0, 0, 0, 0, 0, 0, 300, 75, 75, 75, 75, 0];
        let gave = (0..).zip(awake).filter(|(at, awake)| tide.stays_low(*awake, begun + Duration::from_secs(*at)));
        assert_eq!(gave.collect::<Vec<_>>(), [(9, 0), (18, 75)]);
    }

    #[test]
    fn the_more_are_awake_the_sooner_one_sleeps() {
        let options = Options { max_idle_awake: 100, idle_after: Duration::from_secs(10), ..Options::default() };
        let enough = [99, 100, 199, 200, 100_000].map(|others| enough_ms(others, &options));
        assert_eq!(enough, [10_000, 1000, 1000, 20, 20]);
        let hasty = Options { idle_after: Duration::from_millis(5), ..options };
        assert_eq!(enough_ms(200, &hasty), 5);
    }
}
