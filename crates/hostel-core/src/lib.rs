//! What an agent *is*: the [`Agent`] trait, handlers and hooks, the context [`Cx`], and the seam to a host.
//!
//! Nothing here does I/O, and nothing knows tokio, SQLite, sockets or a clock: whatever an agent needs from the outside
//! comes through [`host::Host`], which the runtime implements. That keeps a second host (WebAssembly, a test double)
//! possible without touching agent code.
//!
//! Start with [`Agent`] and [`Cx`]; then [`handler`] for how a method becomes callable, and [`erased`] for how a runtime
//! drives a class it has no type for.

pub mod agent;
pub mod allow;
pub mod args;
pub mod body;
pub mod call;
pub mod connection;
pub mod cx;
pub mod erased;
pub mod errand;
pub mod error;
pub mod event;
pub mod extension;
pub mod handler;
pub mod host;
pub mod id;
pub mod identity;
pub mod reply;
pub mod run;
pub mod schedule;
pub mod scrub;
pub mod sql;
pub mod state;
pub mod stream;
pub mod sub_agent;
pub mod task;
pub mod typescript;

pub use agent::{Agent, ClassOptions};
pub use args::Args;
pub use body::{Body, Request, Response};
pub use call::{Call, Stub};
pub use connection::{CloseEvent, ConnectRequest, Connection, Message};
pub use cx::Cx;
pub use error::{Error, Result};
pub use event::Source;
pub use extension::{Extends, Extension};
pub use handler::{Handler, Hooks, Method, MethodKind, Offer};
pub use id::AgentId;
pub use identity::Identity;
pub use reply::Reply;
pub use run::{
    Answer, Answered, Decision, RunId, RunInfo, RunPage, RunQuery, RunStatus, Runs, Started, StepInfo, StepState,
    UncertainStep, Verdict,
};
pub use schedule::{Cron, Missed, When};
pub use scrub::{Masked, Scrub};
pub use sql::{Row, Rows, SqlValue};
pub use state::{Access, StateField};
pub use stream::Stream;
pub use sub_agent::{BeforeSubAgent, SubAgent};
pub use task::{
    DeadLetter, Declared, Order, Retry, Run, Schedule, ScheduleId, ScheduleKind, ScheduleQuery, Task, TaskOrders,
    retry, retry_when,
};

/// A boxed future that may move between threads.
pub type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// What generated code names. No part of the interface; it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        agent::{DeclaredFields, FieldsProbe, NoDeclaredFields, OwnStruct},
        reply::{Infallible, IntoReply, Returned},
        typescript::{Signature, TypeBook, TypeProbe, WithoutSchema},
    };
    pub use serde::Serialize;
    pub use serde_json::Value;
}
