//! The Model Context Protocol in both directions: agents as servers, agents as clients.
//!
//! # What this is for
//!
//! [`McpServer`] offers an agent's callables as tools, and its state as a resource, over streamable HTTP: below each agent
//! at `/agents/{agent}/{name}/mcp`, or mounted anywhere else. [`ToolOutput`] is for a callable that answers with more than
//! one JSON value.
//!
//! [`McpClient`] gives agents `cx.mcp()`: servers they add at run time, over streamable HTTP or as programs of the operator's
//! configuration, with their tools. [`McpHub`] is the node's side of it.
//!
//! The protocol itself is the official Rust SDK's. None of its types shows here, because its majors come quickly.

pub mod client;
pub mod hub;
pub mod output;
pub mod server;
pub mod settings;

pub use client::{Mcp, McpClient, McpTool, Server, ServerId, ServerState, ServerStatus};
pub use hostel_fetch::Reach;
pub use hub::McpHub;
pub use output::{Content, ToolOutput};
pub use server::{McpAnnex, McpServer};
pub use settings::{McpSettings, Program};
