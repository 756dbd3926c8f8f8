//! One connection as its agent's cell sees it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hostel_core::connection::ConnectionRecord;
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::outbox::Outbox;

/// A connection: what hooks may see of it, its outbox, and its calls under way.
pub(crate) struct Peer {
    pub(crate) record: Arc<ConnectionRecord>,
    pub(crate) outbox: Outbox,
    /// It is on its agent's list. What comes from it before or after is nobody's.
    joined: AtomicBool,
    /// Something it asked for was lost, and it was told to come back: what it still says on this socket must not be done
    /// as if that had happened.
    let_down: AtomicBool,
    calls: AtomicUsize,
    cancellable: Mutex<Vec<AbortHandle>>,
}

impl Peer {
    pub(crate) fn new(record: ConnectionRecord, outbox_bytes: usize) -> Self {
        Self {
            record: Arc::new(record),
            outbox: Outbox::new(outbox_bytes),
            joined: AtomicBool::new(false),
            let_down: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            cancellable: Mutex::default(),
        }
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    pub(crate) fn set_joined(&self, joined: bool) {
        self.joined.store(joined, Ordering::Release);
    }

    pub(crate) fn is_let_down(&self) -> bool {
        self.let_down.load(Ordering::Acquire)
    }

    pub(crate) fn let_down(&self) {
        self.let_down.store(true, Ordering::Release);
    }

    /// Counts a call in, unless `limit` are under way.
    pub(crate) fn begin_call(&self, limit: usize) -> bool {
        let begun = self.calls.fetch_add(1, Ordering::Relaxed) < limit;
        if !begun {
            self.end_call();
        }
        begun
    }

    pub(crate) fn end_call(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// Has the call ended when this connection does.
    pub(crate) fn cancel_with_me(&self, call: AbortHandle) {
        let mut calls = self.cancellable.lock();
        calls.retain(|call| !call.is_finished());
        calls.push(call);
    }

    pub(crate) fn cancel_calls(&self) {
        self.cancellable.lock().drain(..).for_each(|call| call.abort());
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("record", &self.record).finish_non_exhaustive()
    }
}
