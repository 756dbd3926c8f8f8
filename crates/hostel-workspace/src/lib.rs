//! A directory that an agent works in: reading, searching, editing, patching and git, and nothing outside of it.
//!
//! A [`Workspace`] is opened once, by path; from then on every name is looked up *beneath* the open directory, by the kernel
//! (`openat2` with `RESOLVE_BENEATH`). An absolute path, a `..`, a symbolic link that leads out, or a directory that is swapped for
//! such a link while it is being walked: all end in [`Error::Outside`]. Where the kernel cannot do that (other Unix systems, Linux
//! before 5.6), names are walked one by one without following any link, so links inside are refused too.
//!
//! Changes are planned first and made afterwards: [`Workspace::plan_replace`], [`Workspace::plan_patch`] and their like answer a
//! [`Plan`], which can be shown ([`Plan::diff`]), stored by its digests, made ([`Workspace::apply`]: all of it or nothing), and
//! asked about after a crash ([`Workspace::progress`]) or brought to its end then ([`Workspace::finish`]).
//!
//! What is here blocks, except [`git`], which waits for a program. What is not here: running commands (`hostel-sandbox`), who may do
//! what, and the network.
//!
//! ```
//! use hostel_workspace::{Limits, Occurrence, Workspace};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let workspace = Workspace::create(dir.path().join("notes"), Limits::default())?;
//! let plan = workspace.plan_write("todo.md", "- tea\n- milk\n")?;
//! workspace.apply(&plan)?;
//!
//! let plan = workspace.plan_replace("todo.md", "milk", "oat milk", Occurrence::Unique)?;
//! assert!(plan.diff().contains("+- oat milk"));
//! workspace.apply(&plan)?;
//! assert_eq!(workspace.read("todo.md", Default::default())?.text(), Some("- tea\n- oat milk\n"));
//!
//! assert!(workspace.read("../outside", Default::default()).is_err());
//! # Ok(())
//! # }
//! ```
#![cfg(unix)]

mod apply;
mod beneath;
pub mod bundle;
mod copy;
mod error;
mod finish;
pub mod git;
mod limits;
mod list;
mod nearest;
mod patch;
mod place;
mod plan;
mod read;
mod real;
mod replace;
mod search;
mod text;
mod unified;
mod walk;
mod workspace;

pub use crate::apply::Progress;
pub use crate::error::{Error, Result};
pub use crate::finish::Trace;
pub use crate::limits::Limits;
pub use crate::list::{Entry, Globbed, Kind, ListOptions, Listing};
pub use crate::patch::files_of_patch;
pub use crate::place::Place;
pub use crate::plan::{Action, Digest, FileChange, Image, Plan};
pub use crate::read::{Content, Lines, Page};
pub use crate::replace::Occurrence;
pub use crate::search::{FileMatches, Found, Line, Pattern, SearchOptions};
pub use crate::text::Encoding;
pub use crate::workspace::{Usage, Workspace};

/// The programs of `docs/workspace.md`, which are compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/workspace.md")]
mod guide {}
