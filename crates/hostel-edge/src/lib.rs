//! HTTP and WebSocket in front of the runtime.
//!
//! # What this is for
//!
//! [`listener`] accepts connections, keeps them within [`limits`] and hands
//! checked requests to any tower service; [`ws`] turns an upgrade into a small
//! socket that one task can both read and write.
//!
//! # What is not here
//!
//! Agents, turns and storage (the runtime), the meaning of frames (the
//! protocol crate), configuration files (the server).

pub mod limits;
pub mod listener;
pub mod ws;

mod stream;

pub use limits::Limits;
