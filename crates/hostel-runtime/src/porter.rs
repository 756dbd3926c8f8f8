//! Between the event loop and the journal's thread: what passes in either direction passes once for many agents.
//!
//! Turns that commit in one round of the event loop are written, and synced, together; and one wake-up of the loop opens the
//! gates of all whose writes have become durable.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use hostel_store::Store;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::{cell::Cell, node::Shared};

/// An agent whose commits up to a number are durable.
pub(crate) struct Settled {
    pub(crate) cell: Arc<Cell>,
    pub(crate) number: u64,
    /// A shutdown waits for it.
    pub(crate) under_way: TaskTrackerToken,
}

impl Settled {
    fn open(self) {
        let Self { cell, number, under_way } = self;
        cell.open_gate(number);
        drop(under_way);
    }
}

/// Carries news from the journal's thread to the event loop, and summons back.
pub(crate) struct Porter {
    /// `None` once the event loop is gone.
    settled: Mutex<Option<Vec<Settled>>>,
    durable: Arc<Notify>,
    gathered: Arc<Notify>,
}

impl Default for Porter {
    fn default() -> Self {
        Self { settled: Mutex::new(Some(Vec::new())), durable: Arc::default(), gathered: Arc::default() }
    }
}

impl Porter {
    /// Begins to carry. The tasks end with the node.
    pub(crate) fn start(&self, node: &Arc<Shared>, runtime: &Handle) {
        runtime.spawn(open_gates(Guard(Arc::downgrade(node)), Arc::clone(&self.durable)));
        runtime.spawn(write_gathered(Guard(Arc::downgrade(node)), Arc::clone(&self.gathered)));
        let bell = Arc::clone(&self.gathered);
        // The task is queued behind all that are ready now: it runs at the end of the round, at once if nothing else is.
        node.store.gather(Some(Arc::new(move || bell.notify_one())));
    }

    /// Has a gate opened on the event loop.
    pub(crate) fn settled(&self, news: Settled) {
        let mut settled = self.settled.lock();
        let Some(waiting) = &mut *settled else {
            drop(settled);
            return news.open();
        };
        waiting.push(news);
        if waiting.len() == 1 {
            drop(settled);
            self.durable.notify_one();
        }
    }

    fn open_gates(&self) {
        let news = self.settled.lock().as_mut().map(std::mem::take);
        news.into_iter().flatten().for_each(Settled::open);
    }

    /// The event loop is gone, or the node is: nobody will come for what is left here.
    fn stop(&self, store: &Store) {
        store.gather(None);
        let news = self.settled.lock().take();
        news.into_iter().flatten().for_each(Settled::open);
    }

    /// Has the tasks notice that the node is gone.
    pub(crate) fn dismiss(&self) {
        self.durable.notify_one();
        self.gathered.notify_one();
    }
}

impl fmt::Debug for Porter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Porter").finish_non_exhaustive()
    }
}

/// Held by the tasks. They can end before the node does: with their runtime.
struct Guard(Weak<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(node) = self.0.upgrade() {
            node.porter.stop(&node.store);
        }
    }
}

async fn open_gates(node: Guard, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        let Some(node) = node.0.upgrade() else { return };
        node.porter.open_gates();
    }
}

async fn write_gathered(node: Guard, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        let Some(node) = node.0.upgrade() else { return };
        node.store.write_now();
    }
}
