//! Whoever sits at this terminal is asked, one question at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc};

use crate::chat::{Aim, CHANGED, Line, OnScreen, Verdict, verdict};
use crate::output::{self, harmless};

/// The terminal, if there is one.
#[derive(Debug)]
pub(crate) struct Asking(Option<Terminal>);

#[derive(Debug)]
struct Terminal {
    lines: Mutex<mpsc::Receiver<Line>>,
    screen: OnScreen,
    /// How many questions there were.
    asked: AtomicU64,
}

/// A question on the screen, which stands there until this is dropped.
struct Stands<'a>(&'a OnScreen);

impl Drop for Stands<'_> {
    fn drop(&mut self) {
        self.0.gone();
    }
}

impl Asking {
    /// Whoever sits at this terminal.
    pub(crate) fn at_terminal() -> Self {
        let screen = OnScreen::default();
        Self::new(screen.lines(), screen)
    }

    /// Nobody can be asked.
    pub(crate) fn nobody() -> Self {
        Self(None)
    }

    fn new(lines: mpsc::Receiver<Line>, screen: OnScreen) -> Self {
        Self(Some(Terminal { lines: Mutex::new(lines), screen, asked: AtomicU64::new(0) }))
    }

    /// Whether somebody can be asked.
    pub(super) fn asks(&self) -> bool {
        self.0.is_some()
    }

    /// Asks a question, and for the answer behind the prompt; nothing if nobody can be asked, or nobody types any more. Only what was typed at this question
    /// answers it. Cancel safe: the question is one no more.
    pub(super) async fn ask(&self, question: &str, prompt: &str) -> Option<Verdict> {
        let Terminal { lines, screen, asked } = self.0.as_ref()?;
        let mut lines = lines.lock().await;
        let id = asked.fetch_add(1, Ordering::Relaxed).to_string();
        drop_earlier(&mut lines).ok()?;
        let _stands = Stands(screen);
        screen.draw(&id, || output::note(&harmless(question))).ok()?;
        loop {
            output::ask(prompt).ok()?;
            let Line { text, aim } = lines.recv().await?;
            match verdict(&text) {
                Some(verdict) if aim.is_at(&id) => return Some(verdict),
                Some(_) => output::note(CHANGED).ok()?,
                None => {}
            }
        }
    }
}

/// What was typed before a question is no answer to it. Of what was one to another is said so.
fn drop_earlier(lines: &mut mpsc::Receiver<Line>) -> std::io::Result<()> {
    let mut is_late = false;
    while let Ok(Line { text, aim }) = lines.try_recv() {
        is_late |= aim != Aim::Nothing && verdict(&text).is_some();
    }
    if is_late { output::note(CHANGED) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn asking() -> (mpsc::Sender<Line>, Arc<Asking>) {
        let (typed, lines) = mpsc::channel(8);
        (typed, Arc::new(Asking::new(lines, OnScreen::default())))
    }

    fn at(id: &str, text: &str) -> Line {
        Line { text: text.to_owned(), aim: Aim::At(id.to_owned()) }
    }

    /// Asks, beside everything else.
    async fn asked(asking: &Arc<Asking>) -> tokio::task::JoinHandle<Option<Verdict>> {
        let asking = Arc::clone(asking);
        let asked = tokio::spawn(async move { asking.ask("ls", "?").await });
        // On one thread: the question is out once the task waits.
        tokio::task::yield_now().await;
        asked
    }

    #[tokio::test]
    async fn what_was_typed_before_is_no_answer_and_only_clear_words_are() {
        let (typed, asking) = asking();
        typed.send(Line { text: "y".to_owned(), aim: Aim::Nothing }).await.unwrap();
        let asked = asked(&asking).await;
        typed.send(at("0", "perhaps")).await.unwrap();
        typed.send(at("0", "no, not now")).await.unwrap();
        assert_eq!(asked.await.unwrap(), Some(Verdict::NoBecause("not now".to_owned())));
        drop(typed);
        assert_eq!(asking.ask("ls", "?").await, None);
        assert_eq!(Asking::nobody().ask("ls", "?").await, None);
    }

    #[tokio::test]
    async fn a_yes_to_a_question_that_went_is_none_to_the_one_in_its_place() {
        let (typed, asking) = asking();
        let first = asked(&asking).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let second = asked(&asking).await;
        typed.send(at("0", "y")).await.unwrap();
        typed.send(Line { text: "y".to_owned(), aim: Aim::TooSoon }).await.unwrap();
        typed.send(at("1", "no")).await.unwrap();
        assert_eq!(second.await.unwrap(), Some(Verdict::No));
    }
}
