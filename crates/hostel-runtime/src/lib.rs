//! Wakes agents, runs their turns one at a time, holds effects back until writes are durable, and puts agents to sleep.
//!
//! A [`Node`] hosts every agent of one process. Each agent is a `Cell`: an inbox, one lock around the instance (the
//! turn), a gate for effects, and its connections. Whoever brings an event runs the inbox empty, so an idle agent costs
//! no task and a busy one no hop between threads.
//!
//! What is not here: sockets and HTTP (hostel-edge), files (hostel-store), the meaning of an agent (hostel-core).
//! Start with [`Node`], then `cell.rs`, then `cell/turn.rs`, where a turn commits or is undone.

mod alarms;
mod belongings;
mod cell;
mod clock;
mod directory;
mod durability;
mod gate;
mod heavy;
mod ids;
mod memories;
mod metrics;
mod node;
mod options;
mod outbox;
mod peer;
mod porter;
mod quarantine;
mod reply;
mod sleep;
mod storage;
mod watched;

#[doc(hidden)]
pub use belongings::settle;
pub use belongings::{Agents, Belongings, Held, Unpacked};
pub use cell::stored;
pub use clock::{Clock, SystemClock};
pub use directory::{Binding, Collision, Directory};
#[doc(hidden)]
pub use durability::{Done, Durability};
pub use ids::nanoid;
pub use node::{AgentOverview, ClassOverview, Node, NodeBuilder, Restored, SafeState, Session, WeakNode};
pub use options::{Destroyed, Options};
pub use outbox::{Batch, Outbox, Outgoing};
pub use quarantine::Quarantined;
pub use watched::StateWatch;
