//! A command that runs: its output as it comes, its input, its end.

use std::fmt;
use std::time::Duration;

/// Where a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
    /// The terminal, which does not tell the two apart.
    Terminal,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where it came from.
    pub source: Source,
    /// What was said. A character may be cut in two.
    pub bytes: Vec<u8>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why.
    pub ended: Ended,
    /// How long it ran.
    pub took: Duration,
}

/// Why a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was done.
    Itself,
    /// It was asked to.
    Cancelled,
    /// It ran for too long.
    TimeLimit,
    /// It took too much memory.
    MemoryLimit,
    /// It had too many processes.
    ProcessLimit,
    /// It said too much.
    OutputLimit,
}

impl Exit {
    /// Whether it was done, with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0) && self.ended == Ended::Itself
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ended {
            Ended::Itself => match (self.code, self.signal) {
                (Some(code), _) => write!(f, "ended with code {code}"),
                (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
                (None, None) => f.write_str("ended"),
            },
            Ended::Cancelled => f.write_str("was cancelled"),
            Ended::TimeLimit => f.write_str("ran for longer than it may, and was ended"),
            Ended::MemoryLimit => f.write_str("took more memory than it may, and was ended"),
            Ended::ProcessLimit => f.write_str("started more processes than it may, and was ended"),
            Ended::OutputLimit => f.write_str("said more than is kept, and was ended"),
        }?;
        write!(f, " after {:.1} s", self.took.as_secs_f64())
    }
}

#[cfg(target_os = "linux")]
pub use self::running::{Canceller, Job};

#[cfg(not(target_os = "linux"))]
pub use self::never::{Canceller, Job};

#[cfg(target_os = "linux")]
mod running;

/// Where there is no sandbox, there is no job.
#[cfg(not(target_os = "linux"))]
mod never;
