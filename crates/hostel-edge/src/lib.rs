//! HTTP and WebSocket in front of the runtime.
//!
//! # What this is for
//!
//! [`AgentRouter`] is `routeAgentRequest` as a tower service: it finds the agent a URL names and hands it the request or
//! the socket. [`Edge`] holds what all routers of an application share and reaches agents by name
//! ([`Edge::get_agent_by_name`]). [`listener`] accepts connections, keeps them within [`limits`] and hands checked requests
//! to any tower service; [`ws`] turns an upgrade into a small socket that one task can both read and write.
//!
//! # What is not here
//!
//! Agents, turns and storage (the runtime), the meaning of frames (the protocol crate), configuration files (the server).

pub mod admission;
pub mod auth;
pub mod limits;
pub mod listener;
pub mod router;
pub mod ws;

mod address;
mod answer;
mod brake;
mod drive;
mod edge;
mod headers;
mod host;
mod rate;
mod request_id;
mod steps;
mod stream;

pub use admission::Admission;
pub use answer::problem;
pub use auth::{Authenticator, BadNetwork, Network, Permissions, Rates};
pub use edge::{AgentHandle, Edge};
pub use host::AgentHost;
pub use limits::Limits;
pub use rate::{BadRate, Buckets, Rate};
pub use request_id::RequestId;
pub use router::{AgentRouter, Annex, Before, Cors, Lobby, Plot, RoutingRetry};
