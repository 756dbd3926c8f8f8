//! Between the event loop and the journal's thread: what passes in either direction passes once for many agents.
//!
//! Turns that commit in one round of the event loop are written, and synced, together; and one wake-up of the loop opens the
//! gates of all whose writes have become durable.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use hostel_core::Result;
use hostel_store::{Commit, Store};
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    durability::{Done, Durability},
    node::Shared,
};

/// Somebody to be told, and what.
type News = (Done, Result<()>);

/// Carries news from the journal's thread to the event loop, and summons back.
pub(crate) struct Porter {
    /// `None` once the event loop is gone.
    news: Mutex<Option<Vec<News>>>,
    settled: Arc<Notify>,
    gathered: Arc<Notify>,
}

impl Default for Porter {
    fn default() -> Self {
        Self { news: Mutex::new(Some(Vec::new())), settled: Arc::default(), gathered: Arc::default() }
    }
}

impl Porter {
    /// Begins to carry. The tasks end with the node.
    pub(crate) fn start(&self, node: &Arc<Shared>, runtime: &Handle) {
        runtime.spawn(tell(Guard(Arc::downgrade(node)), Arc::clone(&self.settled)));
        runtime.spawn(write_gathered(Guard(Arc::downgrade(node)), Arc::clone(&self.gathered)));
        let bell = Arc::clone(&self.gathered);
        // The task is queued behind all that are ready now: it runs at the end of the round, at once if nothing else is.
        node.store.gather(Some(Arc::new(move || bell.notify_one())));
    }

    /// Has somebody told on the event loop.
    fn carry(&self, done: Done, outcome: Result<()>) {
        let mut news = self.news.lock();
        let Some(waiting) = &mut *news else {
            drop(news);
            return done(outcome);
        };
        waiting.push((done, outcome));
        if waiting.len() == 1 {
            drop(news);
            self.settled.notify_one();
        }
    }

    fn tell(&self) {
        let news = self.news.lock().as_mut().map(std::mem::take);
        news.into_iter().flatten().for_each(pass_on);
    }

    /// The event loop is gone, or the node is: nobody will come for what is left here.
    fn stop(&self, store: &Store) {
        store.gather(None);
        let news = self.news.lock().take();
        news.into_iter().flatten().for_each(pass_on);
    }

    /// Has the tasks notice that the node is gone.
    pub(crate) fn dismiss(&self) {
        self.settled.notify_one();
        self.gathered.notify_one();
    }
}

/// Tells one of them. If that panics, it is no reason to leave the others, who are of other agents, without an answer.
fn pass_on((done, outcome): News) {
    if catch_unwind(AssertUnwindSafe(|| done(outcome))).is_err() {
        tracing::error!("whoever was told that a commit is durable, or lost, panicked; the others are told");
    }
}

/// What makes commits durable, with the porter between it and the node.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) durability: Box<dyn Durability>,
    pub(crate) porter: Arc<Porter>,
}

impl Durability for Carried {
    fn is_durable(&self, commit: &Commit) -> bool {
        self.durability.is_durable(commit)
    }

    fn make_durable(&self, commit: &Commit) -> Result<()> {
        self.durability.make_durable(commit)
    }

    fn submit(&self, commit: Commit, done: Done) -> Option<(Commit, Done)> {
        let porter = Arc::clone(&self.porter);
        self.durability.submit(commit, Box::new(move |outcome| porter.carry(done, outcome)))
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

async fn tell(node: Guard, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        let Some(node) = node.0.upgrade() else { return };
        node.porter.tell();
    }
}

async fn write_gathered(node: Guard, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        let Some(node) = node.0.upgrade() else { return };
        node.store.write_now();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panic_of_one_who_is_told_leaves_nobody_else_without_an_answer() {
        let (porter, (told, hears)) = (Porter::default(), mpsc::channel());
        let tells = |n: u32| -> Done {
            let told = told.clone();
            Box::new(move |outcome| told.send((n, outcome.is_ok())).unwrap())
        };
        porter.carry(tells(1), Ok(()));
        porter.carry(Box::new(|_| panic!("as a test of the next one")), Ok(()));
        porter.carry(tells(2), Ok(()));
        porter.tell();
        porter.carry(tells(3), Ok(()));
        porter.tell();
        assert_eq!(hears.try_iter().collect::<Vec<_>>(), [(1, true), (2, true), (3, true)]);
    }
}
