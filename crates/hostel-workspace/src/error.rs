//! Why something in a workspace was refused or failed, in sentences that say what to do instead.

use std::io;
use std::time::Duration;

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed.
///
/// The texts are meant for whoever asked, a model included: they name places inside the workspace only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path leads out of the workspace.
    #[error("{path:?} is not inside the workspace: {why}")]
    Outside {
        /// As it was given.
        path: String,
        /// What about it leads out.
        why: &'static str,
    },
    /// There is nothing of this name.
    #[error("there is no {path:?} in the workspace")]
    NotFound {
        /// The name.
        path: String,
    },
    /// Whoever uses the workspace keeps it from being read.
    #[error("a rule of this agent keeps {path:?} from being read")]
    Kept {
        /// The name.
        path: String,
    },
    /// Something is there already.
    #[error("{path:?} is there already")]
    Exists {
        /// The name.
        path: String,
    },
    /// The operation is not for this kind of thing.
    #[error("{path:?} is {is}, not {wanted}")]
    WrongKind {
        /// The name.
        path: String,
        /// What it is.
        is: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// Git's own files are changed by git alone.
    #[error("{path:?} belongs to git: use the git operations")]
    GitsOwn {
        /// The name.
        path: String,
    },
    /// Larger than allowed.
    #[error("{what} has {bytes} bytes; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large it is, as far as is known.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The file is not text.
    #[error("{path:?} is not text: it can be replaced as a whole, not edited")]
    Binary {
        /// The name.
        path: String,
    },
    /// The text has characters that the file's encoding has not.
    #[error("{path:?} is in {encoding}, which cannot hold the new text: {character:?} is not part of it")]
    Unmappable {
        /// The name.
        path: String,
        /// The file's encoding.
        encoding: &'static str,
        /// The first character of that kind.
        character: char,
    },
    /// The text to replace is not there.
    #[error("the text to replace is not in {path:?}{hint}")]
    NoMatch {
        /// The name.
        path: String,
        /// Where something like it is.
        hint: String,
    },
    /// The text to replace is there more than once.
    #[error(
        "the text to replace is in {path:?} {count} times (lines {lines}): give more lines around it, or replace all"
    )]
    Ambiguous {
        /// The name.
        path: String,
        /// How often.
        count: usize,
        /// The first lines where it begins.
        lines: String,
    },
    /// A patch that cannot be read.
    #[error("line {line} of the patch: {why}")]
    Patch {
        /// The line of the patch, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A patch that does not fit the files.
    #[error("{path:?}: {why}")]
    DoesNotFit {
        /// The name.
        path: String,
        /// What does not fit.
        why: String,
    },
    /// A pattern that cannot be read.
    #[error("the pattern {pattern:?} cannot be read: {why}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The files are no longer what the plan was made for.
    #[error("{path:?} has changed since the change was planned: look again, then plan anew")]
    Changed {
        /// The first file that differs.
        path: String,
    },
    /// Something that cannot be carried to another place, or that was brought and is not taken.
    #[error("{path:?} cannot be carried: {why}")]
    Carried {
        /// Its path among what is carried.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A git operation that failed or was refused.
    #[error("git {command}: {why}")]
    Git {
        /// The subcommand.
        command: String,
        /// What it said, or why it was not run.
        why: String,
    },
    /// Git took too long.
    #[error("git {command} took longer than {limit:?} and was ended")]
    GitTimeout {
        /// The subcommand.
        command: String,
        /// How long it had.
        limit: Duration,
    },
    /// The operating system refused.
    #[error("{path:?}: {source}")]
    Io {
        /// The name.
        path: String,
        /// What it said.
        source: io::Error,
    },
}

impl Error {
    /// The error of a system call on `path`, told apart where it means something.
    pub(crate) fn of(path: &str, error: impl Into<io::Error>) -> Self {
        let source = error.into();
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::NotADirectory => Self::WrongKind { path, is: "not a directory", wanted: "a directory" },
            io::ErrorKind::CrossesDevices => Self::Outside { path, why: "a symbolic link on the way leads out" },
            _ if source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                Self::Outside { path, why: "it has a symbolic link where none is followed, or links in a circle" }
            }
            _ => Self::Io { path, source },
        }
    }
}
