//! What to run.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Where, relative to the workspace.
    pub dir: PathBuf,
    /// Variables besides the usual ones (`PATH`, `HOME`, `USER`, `LANG`, `TERM`, ..). Nothing of the server's environment is in them.
    pub env: BTreeMap<String, String>,
    /// A terminal instead of pipes.
    pub terminal: Option<Terminal>,
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { rows: 24, columns: 100 }
    }
}

impl Command {
    /// A program with its arguments.
    #[must_use]
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self { argv, dir: PathBuf::new(), env: BTreeMap::new(), terminal: None }
    }

    /// A line for the shell: `bash` where there is one, else `sh`.
    #[must_use]
    pub fn shell(line: impl Into<String>) -> Self {
        let shell = if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
        Self::new([shell.to_owned(), "-c".to_owned(), line.into()])
    }

    /// Runs it in this directory of the workspace.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Gives it a terminal.
    #[must_use]
    pub fn terminal(mut self, terminal: Terminal) -> Self {
        self.terminal = Some(terminal);
        self
    }
}
