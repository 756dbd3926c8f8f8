//! Messages on their way to one client, bounded in bytes.

use std::{
    collections::VecDeque,
    fmt,
    task::{Context, Poll, Waker},
};

use hostel_core::Message;
use hostel_protocol::{connection::close, refusal::Code};
use parking_lot::Mutex;
use smallvec::SmallVec;

/// Beyond this many waiting bytes, a newer state replaces an older one that still waits.
const COALESCE_BYTES: usize = 64 << 10;

/// What a waiting message costs beside its bytes, so that empty ones are bounded too.
const OVERHEAD: usize = 64;

/// What the owner of a socket writes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A message.
    Message(Message),
    /// The close frame; nothing follows.
    Close {
        /// Close code.
        code: u16,
        /// Close reason.
        reason: String,
    },
}

/// A few things to write, in order.
pub type Batch = SmallVec<[Outgoing; 16]>;

impl Outgoing {
    fn cost(&self) -> usize {
        match self {
            Self::Message(message) => cost(message),
            Self::Close { .. } => 0,
        }
    }
}

/// Messages on their way to one client.
///
/// Agents push without waiting; the one task that owns the socket polls. A client that does not read fills its outbox,
/// and is closed with 1013 and a reason: it delays nobody. While much is waiting, only the latest state is kept, and that
/// one does not count: a state of any size reaches a client that reads, and all clients share its bytes.
pub struct Outbox {
    inner: Mutex<Inner>,
    limit: usize,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Outgoing>,
    /// How many items have left the queue.
    taken: usize,
    /// The place of the latest state, counted from the first item ever.
    last_state: Option<usize>,
    /// What it costs; it no longer counts when it has left the queue.
    state_cost: usize,
    bytes: usize,
    closing: bool,
    overflowed: bool,
    /// Who is told that something waits.
    waker: Option<Waker>,
}

impl Outbox {
    /// An empty outbox that holds at most `limit` bytes besides the latest state.
    pub fn new(limit: usize) -> Self {
        Self { inner: Mutex::default(), limit }
    }

    pub(crate) fn push(&self, message: Message, is_state: bool) {
        let mut inner = self.inner.lock();
        if inner.closing {
            return;
        }
        let was_empty = inner.queue.is_empty();
        inner.push(message, is_state);
        if inner.bytes - inner.waiting_state() > self.limit {
            inner.overflow(self.limit);
        }
        // Who knows that something waits need not hear of more, but must hear that it fell too far behind.
        let waker = if was_empty || inner.overflowed { inner.waker.take() } else { None };
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Queues a close after everything that waits; later messages are dropped.
    pub fn close(&self, code: u16, reason: &str) {
        let mut inner = self.inner.lock();
        if !inner.closing {
            inner.close(code, reason.to_owned());
        }
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The next thing to write, if any. Registers no waker.
    pub fn try_next(&self) -> Option<Outgoing> {
        self.inner.lock().pop()
    }

    /// Moves the next few things to write into `batch`: at least one if any waits, and no more once they have `bytes`.
    /// Returns whether they are all that is left of an outbox that overflowed. Registers no waker.
    pub fn try_some(&self, bytes: usize, batch: &mut Batch) -> bool {
        let mut inner = self.inner.lock();
        let mut taken = 0;
        while taken < bytes.max(1) && batch.len() < batch.inline_size() {
            let Some(next) = inner.pop() else { break };
            taken += next.cost();
            batch.push(next);
        }
        inner.overflowed
    }

    /// Resolves when something waits to be written. Even then the waker is kept: it is told of an overflow and a close.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner.lock();
        match &mut inner.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if inner.queue.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Forgets the waker: until the next poll, pushing wakes nobody. For the task that is about to drain it anyway.
    pub fn quiet(&self) {
        self.inner.lock().waker = None;
    }

    /// Whether the client fell so far behind that what waited was dropped; only the close is left.
    pub fn overflowed(&self) -> bool {
        self.inner.lock().overflowed
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.inner.lock().bytes
    }
}

impl Inner {
    fn pop(&mut self) -> Option<Outgoing> {
        let next = self.queue.pop_front()?;
        self.bytes -= next.cost();
        self.taken += 1;
        if self.queue.is_empty() {
            self.queue.shrink_to(8);
        }
        Some(next)
    }

    /// What the latest state costs, while it waits.
    fn waiting_state(&self) -> usize {
        if self.last_state.is_some_and(|at| at >= self.taken) { self.state_cost } else { 0 }
    }

    /// While much is waiting, a newer state takes the place of the older one: still before the replies that follow it.
    fn push(&mut self, message: Message, is_state: bool) {
        let waiting = self.last_state.and_then(|at| at.checked_sub(self.taken)).filter(|_| is_state);
        let cost_now = cost(&message);
        self.bytes += cost_now;
        if is_state {
            self.state_cost = cost_now;
        }
        if self.bytes > COALESCE_BYTES
            && let Some(older) = waiting.and_then(|index| self.queue.get_mut(index))
            && let Outgoing::Message(older) = older
        {
            self.bytes -= cost(older);
            *older = message;
            return;
        }
        if is_state {
            self.last_state = Some(self.taken + self.queue.len());
        }
        self.queue.push_back(Outgoing::Message(message));
    }

    fn overflow(&mut self, limit: usize) {
        self.queue.clear();
        self.last_state = None;
        self.state_cost = 0;
        self.bytes = 0;
        self.overflowed = true;
        let reason = format!("{}: more than {limit} bytes were waiting to be read", Code::SlowConsumer.as_str());
        self.close(close::TRY_AGAIN_LATER, reason);
    }

    fn close(&mut self, code: u16, reason: String) {
        self.closing = true;
        self.queue.push_back(Outgoing::Close { code, reason });
    }
}

fn cost(message: &Message) -> usize {
    message.len() + OVERHEAD
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting_bytes", &self.waiting_bytes()).finish_non_exhaustive()
    }
}
