//! What is shown, in the order it came, by one thread.

use std::mem::take;
use std::sync::{Arc, mpsc as ways};
use std::thread::JoinHandle;

use rustyline::ExternalPrinter;
use tokio::sync::oneshot;

use super::state::State;
use crate::output;

/// Shows text: at once, or above what somebody is typing.
pub(crate) struct Out {
    to: Option<ways::Sender<Piece>>,
    thread: Option<JoinHandle<()>>,
    /// Somebody is typing.
    is_open: bool,
    /// What of a line came, while somebody is typing.
    held: String,
}

enum Piece {
    /// As it is.
    Plain(String),
    /// Whole lines, above what somebody is typing.
    Above(String),
    /// All before it is shown.
    Shown(oneshot::Sender<()>),
    /// The question before it is shown.
    Drawn(String),
}

impl Out {
    pub(super) fn start(mut printer: impl ExternalPrinter + Send + 'static, state: Arc<State>) -> Self {
        let (to, pieces) = ways::channel();
        let thread = std::thread::spawn(move || {
            // A terminal that is gone is noticed by whoever reads from it.
            for piece in pieces {
                match piece {
                    Piece::Plain(text) => drop(output::piece(&text)),
                    Piece::Above(text) => drop(printer.print(text)),
                    Piece::Shown(tell) => drop(tell.send(())),
                    Piece::Drawn(question) => state.drawn(&question),
                }
            }
        });
        Self { to: Some(to), thread: Some(thread), is_open: false, held: String::new() }
    }

    /// Shows text.
    pub(crate) fn piece(&mut self, text: &str) {
        if !self.is_open {
            return self.send(Piece::Plain(text.to_owned()));
        }
        self.held.push_str(text);
        if let Some(end) = self.held.rfind('\n') {
            let rest = self.held.split_off(end + 1);
            let lines = std::mem::replace(&mut self.held, rest);
            self.send(Piece::Above(lines));
        }
    }

    /// Shows a line.
    pub(crate) fn line(&mut self, text: &str) {
        self.piece(&format!("{text}\n"));
    }

    /// This question was shown last, while somebody is typing.
    pub(crate) fn drawn(&mut self, question: &str) {
        self.send(Piece::Drawn(question.to_owned()));
    }

    /// Somebody may type from here on: once all is shown that came before.
    pub(super) async fn opened(&mut self) {
        self.is_open = true;
        let (tell, told) = oneshot::channel();
        self.send(Piece::Shown(tell));
        let _ = told.await;
    }

    /// Nobody is typing.
    pub(super) fn closed(&mut self) {
        self.is_open = false;
        if !self.held.is_empty() {
            let held = take(&mut self.held);
            self.send(Piece::Plain(held));
        }
    }

    fn send(&self, piece: Piece) {
        if let Some(to) = &self.to {
            let _ = to.send(piece);
        }
    }
}

impl Drop for Out {
    /// What was said before the end is shown.
    fn drop(&mut self) {
        self.closed();
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
