//! What can go wrong, under stable codes.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

type Source = Box<dyn StdError + Send + Sync>;

/// A failure of storage: a stable code, a sentence that names the agent and the remedy, and its cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
    #[source]
    source: Option<Source>,
}

/// The kinds of failure; each has one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file is damaged or is not what it should be.
    Corrupt,
    /// The disk, or the agent's allowance, is full.
    Full,
    /// The disk or the file cannot be written.
    ReadOnly,
    /// Any other failure of the disk or of SQLite.
    Failed,
    /// The file was written by a newer version.
    Schema,
    /// Somebody else has the file or the directory.
    Locked,
    /// The agent's own SQL is wrong or not allowed.
    Sql,
    /// The agent's own SQL ran past the turn's deadline.
    Timeout,
    /// The agent's name has too many bytes.
    NameTooLong,
    /// The namespace is not a kebab-case name.
    NameInvalid,
    /// There is no such agent, or there was none at that moment.
    NotFound,
    /// There is such an agent already.
    Exists,
    /// The moment is before the oldest one that is kept whole.
    HistoryGone,
    /// No history is kept.
    HistoryOff,
    /// What was said is no moment of the agent's history.
    MomentInvalid,
    /// A file is not a whole export, or not of this version.
    ExportInvalid,
}

impl ErrorKind {
    /// The stable code of this kind.
    pub fn code(self) -> &'static str {
        match self {
            Self::Corrupt => "storage_corrupt",
            Self::Full => "storage_full",
            Self::ReadOnly => "storage_read_only",
            Self::Failed => "storage_failed",
            Self::Schema => "storage_schema",
            Self::Locked => "storage_locked",
            Self::Sql => "sql_error",
            Self::Timeout => "turn_timeout",
            Self::NameTooLong => "name_too_long",
            Self::NameInvalid => "name_invalid",
            Self::NotFound => "agent_not_found",
            Self::Exists => "agent_exists",
            Self::HistoryGone => "history_gone",
            Self::HistoryOff => "history_off",
            Self::MomentInvalid => "moment_invalid",
            Self::ExportInvalid => "export_invalid",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Corrupt => "the file was left as it is; restore it from a backup or move it away",
            Self::Full => "nothing of this turn was kept; free some space and retry",
            Self::ReadOnly => "make the data directory writable for this user and retry",
            Self::Failed => "nothing of this turn was acknowledged; see the cause and the system's log",
            Self::Schema => "start a version at least as new as the one that wrote it",
            Self::Locked => "close whatever else has the file open and retry",
            Self::Sql => "correct the statement",
            Self::Timeout => "make the statement cheaper or allow the turn more time",
            Self::NameTooLong | Self::NameInvalid | Self::Exists => "choose another name",
            Self::NotFound => "list the agents for their names",
            Self::HistoryGone | Self::MomentInvalid => "list the history for the turns that are kept",
            Self::HistoryOff => "give its class a retention",
            Self::ExportInvalid => "export it again",
        }
    }
}

/// Where it happened.
#[derive(Debug, thiserror::Error)]
#[error("in the file {}", path.display())]
struct InFile {
    path: PathBuf,
    #[source]
    cause: Option<Source>,
}

/// Whose statement failed: ours (then it is storage) or the agent's (then it may be its own mistake).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    Store,
    Author,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into().into_boxed_str(), source: None }
    }

    /// The stable code, for answers and for documentation.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The kind behind the code.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same attempt may succeed later, once the operator or time has done something.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Full | ErrorKind::ReadOnly | ErrorKind::Failed | ErrorKind::Locked)
    }

    /// The same failure for one more who meets it; its cause stays with the first, for the log.
    pub(crate) fn again(&self) -> Self {
        Self { kind: self.kind, message: self.message.clone(), source: None }
    }

    /// The same failure under a kind found out later.
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        let message = self.message.replace(self.kind.remedy(), kind.remedy()).into_boxed_str();
        Self { kind, message, source: self.source }
    }

    /// What the file system called it.
    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        self.source.as_ref()?.downcast_ref::<io::Error>().map(io::Error::kind)
    }

    /// The same failure with another way out.
    pub(crate) fn with_remedy(self, remedy: &str) -> Self {
        let message = self.message.replace(self.kind.remedy(), remedy).into_boxed_str();
        Self { kind: self.kind, message, source: self.source }
    }

    /// Translates a failure of SQLite while `doing` something to `subject`.
    pub(crate) fn sqlite(subject: &str, doing: &str, blame: Blame, cause: rusqlite::Error) -> Self {
        let kind = classify(&cause, blame);
        let message = match kind {
            ErrorKind::Sql => format!("{subject}: {doing} failed: {cause}"),
            ErrorKind::Timeout => format!("{subject}: {doing} ran past the deadline of the turn; {}", kind.remedy()),
            _ => format!("{subject}: {doing} failed: {cause}; {}", kind.remedy()),
        };
        Self { kind, message: message.into_boxed_str(), source: Some(Box::new(cause)) }
    }

    /// Keeps which file it was for the log: the sentence may reach strangers, a path is for the operator.
    pub(crate) fn in_file(mut self, path: &Path) -> Self {
        let cause = self.source.take();
        self.source = Some(Box::new(InFile { path: path.to_owned(), cause }));
        self
    }

    /// A data directory that cannot be used; told to whoever starts the server.
    pub(crate) fn directory(dir: &Path, doing: &str, cause: &io::Error) -> Self {
        let kind = classify_io(cause);
        let remedy = match kind {
            ErrorKind::Full => "free some space on its disk",
            ErrorKind::ReadOnly => "make it writable for this user, or choose another directory",
            _ => "choose another directory",
        };
        Self::new(kind, format!("data directory {}: {doing} failed: {cause}; {remedy}", dir.display()))
    }

    /// Translates a failure of the file system while `doing` something to `subject`.
    pub(crate) fn io(subject: &str, doing: &str, cause: io::Error) -> Self {
        let kind = classify_io(&cause);
        let message = format!("{subject}: {doing} failed: {cause}; {}", kind.remedy());
        Self { kind, message: message.into_boxed_str(), source: Some(Box::new(cause)) }
    }
}

fn classify(cause: &rusqlite::Error, blame: Blame) -> ErrorKind {
    let Some(code) = cause.sqlite_error_code() else {
        return match blame {
            Blame::Author => ErrorKind::Sql,
            Blame::Store => ErrorKind::Corrupt,
        };
    };
    match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => ErrorKind::Corrupt,
        ErrorCode::DiskFull => ErrorKind::Full,
        ErrorCode::ReadOnly => ErrorKind::ReadOnly,
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory => ErrorKind::Failed,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => ErrorKind::Locked,
        ErrorCode::OperationInterrupted => ErrorKind::Timeout,
        ErrorCode::ConstraintViolation => ErrorKind::Sql,
        _ if blame == Blame::Author => ErrorKind::Sql,
        _ => ErrorKind::Failed,
    }
}

pub(crate) fn classify_io(cause: &io::Error) -> ErrorKind {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => ErrorKind::ReadOnly,
        _ => ErrorKind::Failed,
    }
}
