//! Typing at a terminal: an editor of lines with history and completion, on a thread of its own, and keys that answer a question.
//!
//! Everything that is shown goes through one more thread, in the order it came: while somebody types it stands above what they
//! type, line by line, and as it comes otherwise.

mod help;
mod out;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, mpsc as ways};

use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Cmd, CompletionType, Config, Event, EventHandler, KeyCode, KeyEvent, Modifiers};
use tokio::sync::mpsc;

use self::help::{Answers, Help};
pub(crate) use self::out::Out;
pub(crate) use self::state::{Mode, State};
use super::screen::Aim;
use crate::output;

/// The keys that answer a question.
const KEYS: &str = "ynarYNAR";

/// What somebody typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    /// A line, or several, and what it is meant for.
    Line(String, Aim),
    /// A key that answers a question, and which.
    Key(char, Aim),
    /// Ctrl-C.
    Cancelled,
    /// Ctrl-D, or there is no terminal any more.
    End,
}

/// The editor's end in the conversation.
pub(crate) struct Editor {
    asks: ways::Sender<String>,
    typed: mpsc::Receiver<Typing>,
    pub(crate) state: Arc<State>,
    pub(crate) out: Out,
    /// Somebody is typing, or may.
    pub(crate) is_open: bool,
    /// How the terminal was.
    before: Option<Termios>,
}

impl Editor {
    /// Takes the terminal.
    ///
    /// # Errors
    /// There is none, or it cannot do what it has to.
    pub(crate) fn start(state: Arc<State>) -> anyhow::Result<Self> {
        let before = tcgetattr(std::io::stdin()).ok();
        let mut editor = rustyline::Editor::<Help, FileHistory>::with_config(config()?)?;
        let printer = editor.create_external_printer()?;
        editor.set_helper(Some(Help(Arc::clone(&state))));
        editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), EventHandler::Simple(Cmd::Newline));
        for key in KEYS.chars() {
            let answers = EventHandler::Conditional(Box::new(Answers(Arc::clone(&state))));
            editor.bind_sequence(Event::from(KeyEvent::from(key)), answers);
        }
        let ((asks, asked), (to, typed)) = (ways::channel(), mpsc::channel(1));
        let of_thread = Arc::clone(&state);
        std::thread::spawn(move || edit(editor, &asked, &to, &of_thread));
        let out = Out::start(printer, Arc::clone(&state));
        Ok(Self { asks, typed, state, out, is_open: false, before })
    }

    /// Lets somebody type, after this, and once the question stands there that it is about. What was typed before that is dropped.
    pub(crate) async fn open(&mut self, prompt: &str, question: Option<&str>) {
        self.is_open = true;
        self.out.opened().await;
        if let Some(question) = question {
            let _no_terminal = tcflush(std::io::stdin(), QueueSelector::IFlush);
            self.state.drawn(question);
        }
        let _gone_with_the_terminal = self.asks.send(prompt.to_owned());
    }

    /// What was typed, once [`open`](Self::open) was called. Cancel safe.
    pub(crate) async fn next(&mut self) -> Typing {
        let typed = self.typed.recv().await.unwrap_or(Typing::End);
        self.is_open = false;
        self.out.closed();
        typed
    }
}

impl Drop for Editor {
    /// Where the conversation ends while somebody is typing, the terminal is as it was before.
    fn drop(&mut self) {
        if let (true, Some(before)) = (self.is_open, &self.before) {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
            let _ = output::piece("\x1b[?2004l\n");
        }
    }
}

fn config() -> anyhow::Result<Config> {
    let config = Config::builder().completion_type(CompletionType::List).history_ignore_space(true);
    Ok(config.history_ignore_dups(true)?.max_history_size(1000)?.bracketed_paste(true).build())
}

/// Where what was typed before is kept; nothing where there is no home.
fn history() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")))?;
    Some(state.join("hostel").join("chat-history"))
}

fn edit(
    mut editor: rustyline::Editor<Help, FileHistory>,
    asked: &ways::Receiver<String>,
    to: &mpsc::Sender<Typing>,
    state: &State,
) {
    let history = history();
    if let Some(path) = &history {
        // What cannot be kept is not worth a word.
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.load_history(path);
    }
    for prompt in asked {
        // What was begun, and cancelled, is no beginning of this.
        let _ = state.begun();
        let typing = match editor.readline(prompt.as_str()) {
            Ok(line) => match (state.begun(), state.key()) {
                (_, Some((key, aim))) => Typing::Key(key, aim),
                (aim, None) => Typing::Line(joined(&line), aim),
            },
            Err(ReadlineError::Interrupted) => Typing::Cancelled,
            Err(_) => Typing::End,
        };
        if let (Typing::Line(line, _), true) = (&typing, state.is_kept())
            && matches!(editor.add_history_entry(line), Ok(true))
            && let Some(path) = &history
        {
            let _ = editor.append_history(path);
        }
        if to.blocking_send(typing).is_err() {
            return;
        }
    }
}

/// A line that ends in a backslash goes on in the next.
fn joined(line: &str) -> String {
    line.replace("\\\n", "\n")
}
