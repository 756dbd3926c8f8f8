//! A home for stateful agents, in ordinary Rust.
//!
//! An agent is a struct. Its fields are the state that clients see; its methods are what they may call; whatever happens
//! to it survives a restart. The published JavaScript clients (`agents/client`, `agents/react`) talk to it unchanged.
//!
//! ```no_run
//! use hostel::prelude::*;
//!
//! /// A counter that several people share. Its fields are the state clients see.
//! #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
//! struct Counter {
//!     count: i64,
//! }
//!
//! #[agent]
//! impl Counter {
//!     /// Adds `by` and returns the new count.
//!     #[callable]
//!     fn increment(&mut self, by: i64) -> i64 {
//!         self.count += by;
//!         self.count
//!     }
//!
//!     /// Copies the count of another counter.
//!     #[callable]
//!     async fn follow(cx: &Cx<Self>, other: &str) -> Result<i64> {
//!         let theirs = cx.agent::<Counter>(other).increment(0).await?;
//!         cx.update(|me| me.count = theirs)?;
//!         Ok(theirs)
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     Ok(App::new().agent::<Counter>().serve("127.0.0.1:8787").await?)
//! }
//! ```
//!
//! A page then says `useAgent({ agent: "counter", host: "localhost:8787" })`, and with the types that
//! [`typescript::declarations`] prints, `useAgent<Counter, CounterState>(..)` knows `agent.stub.increment(1)`.
//!
//! # The three kinds of method
//!
//! | signature | what it is |
//! | --- | --- |
//! | `fn(&self, ..)` | a turn that looks |
//! | `fn(&mut self, ..)` | a turn that changes: everything it does commits together, or, when it returns an error, not at all |
//! | `async fn(cx: &Cx<Self>, ..)` | waits, while other turns run; changes the state with `cx.update(\|me\| ..)` |
//!
//! A turn never waits, so no method can block its own agent, and `self` is never stale. All three may take
//! `cx: &Cx<Self>` for what is not a field: connections, private SQL rows, other agents, wake-ups.
//!
//! `#[callable]` opens a method to clients and other agents under its camelCase name. [Hooks] are known by their
//! names. Everything else in the block is a private helper.
//!
//! # Dependencies of an application
//!
//! The derives write the names of their own crates, so an application lists those beside this one:
//!
//! ```toml
//! [dependencies]
//! hostel = "0.1"
//! serde = { version = "1", features = ["derive"] }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! schemars = "1" # only for `JsonSchema`, which gives `hostel types` something to print
//! ```
//!
//! Or name this crate's copies: `#[serde(crate = "hostel::serde")]` and `#[schemars(crate = "hostel::schemars")]` on the
//! type do without.

// What the macros write names this crate.
#[cfg(test)]
extern crate self as hostel;

mod app;
mod past;

pub use app::{App, Home, StartError};
/// The built-in ways to find out who somebody is.
pub use hostel_auth as auth;
#[doc(hidden)]
pub use hostel_core::host;
pub use hostel_core::{
    Access, Agent, AgentId, Args, BeforeSubAgent, Body, BoxFuture, Call, ClassOptions, CloseEvent, ConnectRequest,
    Connection, Cx, Error, Extends, Extension, Handler, Hooks, Identity, Message, Method, MethodKind, Offer, Reply,
    Request, Response, Result, Row, Rows, Scrub, Source, SqlValue, StateField, Stream, Stub, SubAgent, allow,
    connection, erased, extension,
    run::{
        Answer, Answered, Decision, RunAnswer, RunAsk, RunId, RunInfo, RunPage, RunQuery, RunStatus, Runs, Started,
        StepInfo, StepState, UncertainStep, Verdict,
    },
    schedule::{Cron, Missed, When},
    sql::IntoParams,
    task::{
        DeadLetter, Declared, Order, Retry, Run, Schedule, ScheduleId, ScheduleKind, ScheduleQuery, Task, TaskOrders,
        retry, retry_when,
    },
    typescript,
};
pub use hostel_edge::{
    Admission, AgentHandle, AgentHost, AgentRouter, Annex, Authenticator, BadNetwork, BadRate, Before, Cors, Edge,
    Limits, Lobby, Network, Permissions, Plot, Rate, Rates, RequestId, RoutingRetry,
    listener::{BodyFault, BodyLimit, ConnInfo, Tls, TlsError, body_fault},
    problem,
};
pub use hostel_inbound::{Delivery, Email, Letter, Mail, SendMail, Target, Webhook, mail, webhook};
pub use hostel_macros::{State, agent, callable, task};
/// The wire: frames, refusals, and the chat.
pub use hostel_protocol as protocol;
pub use hostel_protocol::refusal::{Code, Refusal};
#[doc(hidden)]
pub use hostel_runtime::settle;
pub use hostel_runtime::{
    AgentOverview, Agents, Belongings, ClassOverview, Clock, Held, Node, Options, Quarantined, Restored, SafeState,
    Unpacked, stored,
};
pub use hostel_store::Options as StorageOptions;
pub use hostel_store::{
    At, CauseRun, Changes, Difference, HistoryOptions, HistoryPage, HistoryQuery, Image, Moment, Retention,
    StateChange, TableChange, TableDifference, TurnCause, TurnEntry,
};
pub use hostel_vault::{self as vault, SecretName, SecretValue, Vault};
pub use jiff::Timestamp;
pub use schemars::{self, JsonSchema};
pub use {axum, bytes, http, serde, serde_json};

/// The Model Context Protocol: agents as servers and as clients.
#[cfg(feature = "mcp")]
pub use hostel_mcp as mcp;

#[doc(hidden)]
pub use hostel_core::__private;

/// What an agent's file needs: `use hostel::prelude::*;`.
pub mod prelude {
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};

    pub use crate::{
        App, BeforeSubAgent, Body, CloseEvent, ConnectRequest, Connection, Cx, Error, Identity, Message, Request,
        Response, Result, Schedule, ScheduleId, Source, State, Stream, SubAgent, agent, callable, task,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/writing-agents.md")]
struct GuideDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/schedules.md")]
struct SchedulesDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/sub-agents.md")]
struct SubAgentsDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/durable-steps.md")]
struct DurableStepsDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/secrets.md")]
struct SecretsDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/auth.md")]
struct AuthDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/webhooks.md")]
struct WebhooksDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/email.md")]
struct EmailDoctests;

#[cfg(all(doctest, feature = "mcp"))]
#[doc = include_str!("../../../docs/mcp.md")]
struct McpDoctests;
