//! A stream that is folded into a message as it arrives.

use hostel_protocol::chat::{Chunk, Fold, Outcome, UiMessage};

use super::frame::{Response, outcome};

/// A stream under way.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) request: String,
    /// The message it goes on with, if it is a continuation.
    base: Option<UiMessage>,
    fold: Fold,
    /// The number of the next piece that was not taken yet.
    next: u64,
    /// Pieces that were sent before are arriving.
    replaying: bool,
    error: Option<String>,
}

/// The end of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The id of the request it answered.
    pub request: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What the server said of it, if it failed.
    pub error: Option<String>,
    /// Whether the answer did not come with it: the transcript has it.
    pub elsewhere: bool,
}

impl End {
    /// Whether the answer is whole.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome == Outcome::Completed
    }
}

impl Live {
    /// A stream of which `first` is the first piece that is seen here.
    pub(super) fn begin(first: &Response, last: Option<&UiMessage>, fallback: &str) -> Self {
        let base = last.filter(|_| first.continuation).cloned();
        let fold = fold_on(base.as_ref(), fallback);
        Self { request: first.id.clone(), base, fold, next: 0, replaying: first.replay, error: None }
    }

    /// Takes a piece; `None` if it was taken before, or cannot be read.
    pub(super) fn take(&mut self, piece: &Response) -> Option<Chunk> {
        if piece.replay && !self.replaying {
            // All of it comes once more, and the pieces of before are in it.
            self.replaying = true;
            self.next = 0;
            let fallback = self.fold.message().id.clone();
            self.fold = fold_on(self.base.as_ref(), &fallback);
        }
        if let Some(seq) = piece.seq {
            if seq < self.next {
                return None;
            }
            self.next = seq + 1;
        }
        let chunk: Chunk = Chunk::parse(&piece.body).ok()?;
        self.fold.apply(&chunk);
        Some(chunk)
    }

    /// All of it will come once more.
    pub(super) fn rewind(&mut self) {
        self.replaying = false;
    }

    /// The server has changed the message meanwhile.
    pub(super) fn becomes(&mut self, message: &UiMessage) {
        self.fold = Fold::continuing(message.clone());
    }

    /// What was said before is complete.
    pub(super) fn caught_up(&mut self) {
        self.replaying = false;
    }

    pub(super) fn fails(&mut self, why: &str) {
        self.error = Some(why.to_owned());
    }

    pub(super) fn message(&self) -> &UiMessage {
        self.fold.message()
    }

    pub(super) fn end(self, last: &Response) -> (UiMessage, End) {
        let error = self.error.or_else(|| said(last));
        let outcome = outcome(last.outcome.as_deref(), error.is_some());
        let end = End { request: self.request, outcome, error, elsewhere: false };
        (self.fold.message().clone(), end)
    }
}

fn fold_on(base: Option<&UiMessage>, fallback: &str) -> Fold {
    match base {
        Some(base) => Fold::continuing(base.clone()),
        None => Fold::new(fallback),
    }
}

/// The reason in a last frame, if it has one.
pub(super) fn said(last: &Response) -> Option<String> {
    (last.error || !last.body.is_empty()).then(|| last.body.clone())
}
