//! One append-only log of committed turns per node.
//!
//! A record holds one committed turn of one agent: who, when, why, and the database pages that it changed. A batch of
//! records, of as many agents as have something to write, is written at once and synced once; then, and not before, are
//! the turns acknowledged. The agents' database files are never synced on the way: [`replay`] brings them up to date after
//! a crash, and [`Ledger`] says when a part of the log has become superfluous.
//!
//! The core ([`record`], [`segment`], [`Log`], [`scan`], [`replay`], [`Ledger`]) has no thread and no clock, and reaches the disk
//! only through [`Disk`], so that a simulation can drop, tear and reorder every write that was not synced. [`Journal`] is
//! the thread that groups commits; [`LocalDisk`] is the file system.
//!
//! `design/0007-the-journal.md` has the format and the reasons.

pub mod archive;
pub mod disk;
mod journal;
mod ledger;
mod log;
pub mod points;
pub mod record;
pub mod replay;
pub mod scan;
pub mod seams;
pub mod segment;

pub use archive::{Archive, Findings, Flaw, Listing, Past, Retention, Tended, Trail, read_live};
pub use disk::{Disk, DiskFile, local::LocalDisk};
pub use journal::{Counts, Failure, Health, Journal, Summons, Ticket};
pub use ledger::Ledger;
pub use log::{LiveSegment, Log, LogOptions, Tail};
pub use record::{AgentId, Entry, EntryHead, Kind};
pub use seams::{CommitLog, LeaseStore, LocalLease, SnapshotStore};
pub use segment::Extent;

/// The number of a record within a node's log: rises by one from record to record, for ever.
pub type Lsn = u64;

/// The number of a lease. Whoever holds a later one has the right; an append under an earlier one is refused.
pub type Epoch = u64;

/// Where a node's log lives, below the data directory.
pub const DIR: &str = "journal";
