//! The Agents wire protocol without I/O: names and routes, frames in both
//! directions, reasons for a refusal, close codes.
//!
//! # What this is for
//!
//! Everything here is a pure function over text. The edge asks [`name`] where
//! a path leads, the runtime asks [`client`] what a frame means and
//! [`server`] how to answer it, and whoever has to say no takes the sentence,
//! the HTTP status and the close code from [`refusal`].
//!
//! # What is not here
//!
//! No sockets, no clock, no tasks, no storage, and no knowledge of which agent
//! classes exist.
//!
//! # Where to start reading
//!
//! [`client::parse`] is the door every byte of a client comes through; the
//! writers of [`server`] are what it gets back. What is inside a chat frame is
//! the matter of [`chat`].
//!
//! ```
//! use hostel_protocol::client::{ClientFrame, parse};
//! use hostel_protocol::name::{Route, route};
//! use hostel_protocol::server;
//!
//! let Route::Agent(path) = route("/agents/coder-agent/room-1", "agents") else {
//!     panic!("this path names an agent");
//! };
//! assert_eq!((path.agent, path.name), ("coder-agent", "room-1"));
//!
//! let answer = match parse(r#"{"type":"rpc","id":"1","method":"add","args":[1,2]}"#) {
//!     ClientFrame::Rpc(call) => server::rpc_result(&call.id, Some("3")),
//!     ClientFrame::Unknown(fault) => fault.refusal().to_error_frame(),
//!     _ => unreachable!("the frame is a call"),
//! };
//! assert_eq!(answer, r#"{"done":true,"id":"1","result":3,"success":true,"type":"rpc"}"#);
//! ```

pub mod chat;
pub mod client;
pub mod connection;
pub mod json;
pub mod name;
pub mod refusal;
pub mod server;

mod fields;
mod text;

pub use refusal::{Code, Refusal};
pub use text::OneLine;
