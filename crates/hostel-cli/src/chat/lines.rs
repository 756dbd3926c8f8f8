//! Lines that are typed at a terminal without an editor, each with the question that stood on the screen when it was read.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc;

use super::screen::{Aim, Screen};

/// A line, and what it is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) aim: Aim,
}

/// What stands on the screen. A line is read either before a question is drawn or after it, and never while it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    screen: Screen,
    /// What was read and is not yet given on: lines, and the beginning of one whose end is still to come.
    read: Vec<u8>,
}

/// How much is read at once.
const PIECE: usize = 4096;

impl Shown {
    /// The lines of stdin, read on a thread of its own: nothing can interrupt that read.
    pub(crate) fn lines(&self) -> mpsc::Receiver<Line> {
        let (sender, lines) = mpsc::channel(64);
        let shown = self.clone();
        std::thread::spawn(move || {
            while let Some(line) = shown.read(&io::stdin()) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        lines
    }

    /// Draws a question. What of a line was typed before it is dropped: it is no beginning of an answer.
    pub(crate) fn draw(&self, id: &str, show: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.0.lock();
        // What comes from elsewhere than a terminal was not typed at anything.
        if tcflush(io::stdin(), QueueSelector::IFlush).is_ok() {
            state.drop_half();
        }
        show()?;
        state.screen.drawn(id, Instant::now());
        Ok(())
    }

    /// No question stands there any more.
    pub(crate) fn gone(&self) {
        self.0.lock().screen.gone(Instant::now());
    }

    /// The next line; nothing at the end, or where it is no text. Of a line that is not whole, what there is is taken, and nobody is kept
    /// from drawing while the rest is waited for.
    fn read(&self, from: &impl AsFd) -> Option<Line> {
        loop {
            if let Some(line) = self.0.lock().line() {
                return line;
            }
            is_there(from, None)?;
            let mut state = self.0.lock();
            // A question that was drawn meanwhile has dropped it.
            if is_there(from, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? && !state.take(from)? {
                return state.rest();
            }
        }
    }
}

impl State {
    /// Reads what there is; whether that is not the end.
    fn take(&mut self, from: &impl AsFd) -> Option<bool> {
        let mut piece = [0; PIECE];
        let bytes = rustix::io::retry_on_intr(|| rustix::io::read(from, &mut piece)).ok()?;
        self.read.extend(&piece[..bytes]);
        Some(bytes > 0)
    }

    /// The next line that is whole, if there is one; within it nothing, if it is no text.
    fn line(&mut self) -> Option<Option<Line>> {
        let end = self.read.iter().position(|byte| *byte == b'\n')?;
        let line = self.read.drain(..=end).collect();
        Some(self.aimed(line))
    }

    /// What was begun before the end came.
    fn rest(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.read);
        if rest.is_empty() { None } else { self.aimed(rest) }
    }

    fn aimed(&mut self, line: Vec<u8>) -> Option<Line> {
        let mut text = String::from_utf8(line).ok()?;
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        Some(Line { text, aim: self.screen.aim(Instant::now()) })
    }

    fn drop_half(&mut self) {
        let whole = self.read.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read.truncate(whole);
    }
}

/// Whether there is something to read, once there is or this time has passed.
fn is_there(from: &impl AsFd, time: Option<&Timespec>) -> Option<bool> {
    loop {
        match poll(&mut [PollFd::new(from, PollFlags::IN)], time) {
            Ok(ready) => return Some(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn said(text: &str) -> Option<Line> {
        Some(Line { text: text.to_owned(), aim: Aim::Nothing })
    }

    #[test]
    fn lines_are_whole_however_they_come_and_the_last_one_needs_no_end() {
        let (from, mut to) = io::pipe().unwrap();
        let shown = Shown::default();
        to.write_all("one\r\ntwo\nthr\u{fc}".as_bytes()).unwrap();
        assert_eq!((shown.read(&from), shown.read(&from)), (said("one"), said("two")));
        drop(to);
        assert_eq!((shown.read(&from), shown.read(&from)), (said("thr\u{fc}"), None));
    }

    #[test]
    fn what_is_no_text_ends_it() {
        let (from, mut to) = io::pipe().unwrap();
        to.write_all(b"\xff\n").unwrap();
        assert_eq!(Shown::default().read(&from), None);
    }

    #[test]
    fn half_a_line_keeps_nobody_from_drawing_and_is_a_whole_one_when_its_end_comes() {
        let (from, mut to) = io::pipe().unwrap();
        let shown = Shown::default();
        to.write_all(b"yes and ").unwrap();
        let reads = std::thread::spawn({
            let shown = shown.clone();
            move || shown.read(&from)
        });
        // It has been read, and its end is waited for.
        while shown.0.lock().read.is_empty() {
            std::thread::yield_now();
        }
        shown.0.lock().screen.drawn("one", Instant::now());
        to.write_all(b"no\n").unwrap();
        assert_eq!(reads.join().unwrap(), Some(Line { text: "yes and no".to_owned(), aim: Aim::At("one".to_owned()) }));
    }

    #[test]
    fn of_what_was_typed_before_a_question_whole_lines_stay() {
        let mut state = State { read: b"one\ntw".to_vec(), ..State::default() };
        state.drop_half();
        assert_eq!((state.line().flatten(), state.rest()), (said("one"), None));
    }
}
