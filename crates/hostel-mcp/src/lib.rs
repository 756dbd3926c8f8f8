//! The Model Context Protocol in both directions: agents as servers, agents as clients.
//!
//! # What this is for
//!
//! [`McpServer`] offers an agent's callables as tools, and its state as a resource, over streamable HTTP: below each agent
//! at `/agents/{agent}/{name}/mcp`, or mounted anywhere else. [`ToolOutput`] is for a callable that answers with more than
//! one JSON value.
//!
//! The protocol itself is the official Rust SDK's. None of its types shows here, because its majors come quickly.

pub mod output;
pub mod server;

pub use output::{Content, ToolOutput};
pub use server::{McpAnnex, McpServer};
