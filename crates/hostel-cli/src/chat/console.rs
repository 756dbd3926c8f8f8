//! Where a conversation is held: at a terminal with an editor, or at something simpler.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::editor::{Editor, Mode, State, Typing};
use super::lines::{Line, Shown};
use crate::output;

/// What people type, and where it is shown.
pub(crate) enum Console {
    /// An editor of lines.
    Editor(Editor),
    /// Lines as they come.
    Lines { lines: mpsc::Receiver<Line>, shown: Shown, prompt: Prompt },
}

/// How it stands with a prompt that no editor keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Nobody is asked for anything.
    #[default]
    None,
    /// It stands on the line of the cursor.
    Shown,
    /// A line came. One that was typed before the prompt was shown ended the line above it: then it stands there still.
    Answered,
}

impl Console {
    /// The editor where there is a terminal that can do it, and lines otherwise. `own` are the commands that are not the agent's.
    pub(crate) fn start(own: &[&str]) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let editor = || Editor::start(Arc::new(State::new(own))).ok();
        match (!dumb && is_terminal).then(editor).flatten() {
            Some(editor) => Self::Editor(editor),
            None => {
                let shown = Shown::default();
                Self::Lines { lines: shown.lines(), shown, prompt: Prompt::None }
            }
        }
    }

    /// Text, as it is.
    pub(crate) fn piece(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Editor(editor) => editor.out.piece(text),
            Self::Lines { .. } => {
                self.wipe()?;
                output::piece(text)?;
            }
        }
        Ok(())
    }

    /// A line that is not the agent's.
    pub(crate) fn note(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Editor(editor) => editor.out.line(text),
            Self::Lines { .. } => {
                self.wipe()?;
                output::note(text)?;
            }
        }
        Ok(())
    }

    /// A line of the agent's, whole.
    pub(crate) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Editor(editor) => editor.out.line(text),
            Self::Lines { .. } => {
                self.wipe()?;
                output::line(text)?;
            }
        }
        Ok(())
    }

    /// A question, and the keys that answer it. Nothing that was typed before it answers it.
    pub(crate) fn question(&mut self, id: &str, text: &str, each_time: bool) -> anyhow::Result<()> {
        let always = if each_time { "" } else { "   a always" };
        let keys = format!("y yes   n no   r no, and why{always}");
        self.wipe()?;
        match self {
            Self::Editor(editor) if editor.is_open => {
                editor.out.line(text);
                editor.out.drawn(id);
                editor.out.line(&format!("{keys}, and Enter"));
            }
            Self::Editor(editor) => {
                editor.out.line(text);
                editor.out.line(&keys);
            }
            Self::Lines { shown, .. } => shown.draw(id, || output::note(text))?,
        }
        Ok(())
    }

    /// No question stands on the screen any more.
    pub(crate) fn answered(&self) {
        match self {
            Self::Editor(editor) => editor.state.gone(),
            Self::Lines { shown, .. } => shown.gone(),
        }
    }

    /// Takes the prompt off the line of the cursor.
    pub(crate) fn wipe(&mut self) -> anyhow::Result<()> {
        if let Self::Lines { prompt, .. } = self
            && std::mem::take(prompt) != Prompt::None
        {
            output::ask("\r\x1b[K")?;
        }
        Ok(())
    }

    /// What is typed next. Where there is an editor, only while it is open. Cancel safe.
    pub(crate) async fn next(&mut self) -> Typing {
        match self {
            Self::Editor(editor) if editor.is_open => editor.next().await,
            Self::Editor(_) => std::future::pending().await,
            Self::Lines { lines, prompt, .. } => {
                let line = lines.recv().await;
                if *prompt == Prompt::Shown {
                    *prompt = Prompt::Answered;
                }
                line.map_or(Typing::End, |Line { text, aim }| Typing::Line(text, aim))
            }
        }
    }

    /// Whether somebody can type now, and the prompt stands there.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Editor(editor) => editor.is_open,
            Self::Lines { prompt, .. } => *prompt == Prompt::Shown,
        }
    }

    /// Shows a prompt, and with it what is asked, if something is.
    pub(crate) async fn open(&mut self, mode: Mode, question: Option<&str>, each_time: bool) -> anyhow::Result<()> {
        match self {
            Self::Editor(editor) => {
                editor.state.set(mode);
                editor.open(if mode == Mode::Why { "why? " } else { "> " }, question).await;
            }
            Self::Lines { prompt, .. } if std::io::stderr().is_terminal() => {
                *prompt = Prompt::Shown;
                output::ask(match mode {
                    Mode::Keys | Mode::Words if each_time => "[y/n] ",
                    Mode::Keys | Mode::Words => "[y/n/always] ",
                    _ => "> ",
                })?;
            }
            Self::Lines { .. } => {}
        }
        Ok(())
    }

    /// What is typed for becomes something else while somebody is typing.
    pub(crate) fn becomes(&mut self, mode: Mode) {
        if let Self::Editor(editor) = self {
            editor.state.set(mode);
        }
    }

    /// What the editor knows, if there is one.
    pub(crate) fn state(&self) -> Option<&Arc<State>> {
        match self {
            Self::Editor(editor) => Some(&editor.state),
            Self::Lines { .. } => None,
        }
    }
}
