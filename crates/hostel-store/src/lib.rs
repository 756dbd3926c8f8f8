//! One SQLite file per agent, and one small register of wake-ups per node.
//!
//! This crate keeps what an agent must not lose: its state, its rows, its alarm and the results of
//! calls that carried an idempotency key. The interface is synchronous and may be called from any
//! thread. There is one storage engine and no storage trait; [`Store::in_memory`] is the test double.
//!
//! What is not here: when an agent wakes, who may call it, and when an effect is let out. The runtime
//! does that, and it holds every effect of a turn back until [`make_durable`] has returned.
//!
//! # How a commit becomes durable
//!
//! SQLite runs in WAL mode with `synchronous=OFF` and never syncs anything. After each commit the pages that it changed are
//! read from SQLite's log and go to the node's journal (the crate `hostel-journal`), which writes and syncs the commits of
//! all agents together. A [`Commit`] goes in, a durable acknowledgement comes out: blocking with [`make_durable`], or as a
//! call with [`Store::submit`]. After a stop that was not clean the agents' files are brought up to date from the journal;
//! SQLite's own logs are thrown away, since they may hold what nobody was told.
//!
//! # Where to start reading
//!
//! [`Store`] opens the directory, [`AgentDb`] is one agent's database and its turn.
//!
//! ```
//! use hostel_store::{Options, Store, make_durable};
//!
//! let store = Store::in_memory(Options::default())?;
//! let mut agent = store.agent("counter", "default")?;
//! agent.begin()?;
//! agent.set_state(r#"{"count":1}"#)?;
//! let commit = agent.commit()?.expect("the turn wrote something");
//! make_durable(&commit)?;
//! assert_eq!(agent.state()?.as_deref(), Some(r#"{"count":1}"#));
//! # Ok::<(), hostel_store::Error>(())
//! ```

mod adopt;
mod agent;
mod capture;
mod cause;
mod connect;
mod durability;
mod error;
mod guard;
mod history;
mod keeper;
mod kept;
mod key;
mod layout;
mod listing;
mod lock;
mod node;
mod options;
mod portable;
mod registry;
mod schema;
mod store;
mod value;

pub use agent::children::ChildRow;
pub use agent::idempotency::Stored;
pub use agent::runs::{RunFilter, RunRow, StepRow};
pub use agent::tasks::{Queued, TaskRow, letters::DeadLetter};
pub use agent::{AgentDb, Kept};
pub use cause::{Author, Cause, CauseRun, TurnCause};
pub use durability::{Commit, SyncHandle, make_durable};
pub use error::{Error, ErrorKind};
pub use history::{
    At, Changes, Difference, HistoryPage, HistoryQuery, Image, Moment, Row, StateChange, TableChange, TableDifference,
    TurnEntry,
};
pub use hostel_journal::{Counts as JournalCounts, Retention, Summons};
/// For whoever starts the process.
pub use hostel_vfs::raise_descriptors;
pub use key::AgentKey;
pub use listing::AgentEntry;
pub use options::{HistoryOptions, Options};
pub use portable::{
    Attached, Attachment, BackedUp, Beside, Chronicle, ExportOptions, Exported, Held, LeftOut, Parcel, Problem,
    Progress, Verified, VerifyOptions, verify, verify_with,
};
pub use store::{QueuedAlarm, Store};
pub use value::{Rows, SqlValue};

/// The compiler's word that a store is shared by threads, and that a database and a commit may change threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn sendable<T: Send>() {}
    shared::<Store>();
    shared::<Commit>();
    sendable::<AgentDb>();
    sendable::<Image>();
};
