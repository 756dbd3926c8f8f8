//! The Model Context Protocol in both directions: agents as servers, agents as clients.
//!
//! # What this is for
//!
//! [`McpServer`] offers an agent's callables as tools, and its state as a resource, over streamable HTTP: below each agent
//! at `/agents/{agent}/{name}/mcp`, or mounted anywhere else. [`ToolOutput`] is for a callable that answers with more than
//! one JSON value.
//!
//! [`McpClient`] gives agents `cx.mcp()`: servers they add at run time, over streamable HTTP, HTTP+SSE or as programs of the
//! operator's configuration, with their tools. [`McpHub`] is the node's side of it.
//!
//! The protocol itself is the official Rust SDK's. None of its types shows here, because its majors come quickly.

mod callback;
pub mod caller;
pub mod client;
pub mod hub;
mod launch;
pub mod output;
pub mod server;
pub mod settings;

pub use callback::McpCallback;
pub use caller::{Elicited, LogLevel, McpCaller, McpServed, Sampled};
pub use client::{Mcp, McpClient, McpTool, Server, ServerId, ServerState, ServerStatus, Transport};
pub use hostel_fetch::{BadHost, Reach};
pub use hub::McpHub;
pub use launch::{Launched, Launcher};
pub use output::{Content, Saying, ToolOutput};
pub use server::{McpAnnex, McpServer};
pub use settings::{BadPublicUrl, McpSettings, Program, PublicUrl};
