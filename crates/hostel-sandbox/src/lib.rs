//! Runs a command where it can do no harm, and streams what it says.
//!
//! On Linux a command gets a world of its own: it sees the system's programs read-only, its workspace, an empty `/tmp`, and nothing
//! else of the machine; no process but its own; no network, or only some ports; no more rights than an ordinary user without any
//! groups; a filter of system calls; limits of memory, processes, files and time. When it ends, or is ended, or the server dies,
//! everything it started ends with it.
//!
//! The restrictions are made by a small program that the server starts, which restricts itself and then becomes the command: so that
//! all of this is safe code. That program is the server's own binary: the first line of its `main` is [`run_if_helper`].
//!
//! ```no_run
//! use hostel_sandbox::{Command, Policy, Sandbox};
//!
//! fn main() {
//!     hostel_sandbox::run_if_helper();
//!     // .. and then whatever the program is for.
//! }
//!
//! async fn tests(sandbox: &Sandbox) -> Result<(), Box<dyn std::error::Error>> {
//!     let policy = Policy::new("/var/lib/hostel/workspaces/coder");
//!     let mut job = sandbox.start(&policy, &Command::shell("cargo test --offline")).await?;
//!     while let Some(piece) = job.next().await {
//!         print!("{}", String::from_utf8_lossy(&piece.bytes));
//!     }
//!     println!("{}", job.wait().await?);
//!     Ok(())
//! }
//! ```
//!
//! [`Sandbox::probe`] tries it out, and says in a sentence what is missing where it does not work: on other systems than Linux, and
//! where users may not make namespaces. [`Sandbox::start_unprotected`] runs a command there all the same, without a
//! promise, for whoever was asked and said yes.
#![cfg(unix)]

mod command;
mod error;
#[cfg(target_os = "linux")]
mod helper;
mod job;
mod jobs;
pub mod line;
mod order;
pub mod pattern;
mod policy;
mod sandbox;
#[cfg(target_os = "linux")]
mod stdio;
mod text;

pub use crate::command::{Command, Terminal};
pub use crate::error::{Error, Result};
pub use crate::job::{Canceller, Ended, Exit, Job, Output, Source};
pub use crate::jobs::{JobId, Jobs, State, Tail};
pub use crate::policy::{Limits, Network, Policy};
pub use crate::sandbox::{Report, Sandbox};
pub use crate::text::whole_characters;

/// What the helper is called by.
const WORD: &str = "__sandbox";

/// If this process was started as the helper, does the helper's work and ends; else does nothing.
///
/// It has to be the first line of `main`, before any thread is started: namespaces are made by processes of one thread.
pub fn run_if_helper() {
    #[cfg(target_os = "linux")]
    {
        let mut args = std::env::args_os().skip(1);
        if args.next().is_some_and(|word| word == WORD) {
            helper::run(args.next().as_deref().and_then(std::ffi::OsStr::to_str).unwrap_or_default());
        }
    }
}

/// The program of `docs/sandbox.md`, which is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sandbox.md")]
mod guide {}
