//! A client of the Agents wire protocol.
//!
//! # What this is for
//!
//! Programs and tests that talk to an agent: [`Client`] connects a WebSocket, makes calls
//! (many at a time on one socket), reads and sets the state, and shows the raw frames.
//! Whatever goes wrong is an [`Error`] that still has the server's code, sentence and fix:
//! the HTTP answer of a refused upgrade is kept, and so are the last error frame and the
//! close reason.
//!
//! # What is not here
//!
//! No reconnecting and no buffering while offline: a lost connection is an error. A conversation with a chat agent is a
//! state machine of its own, [`chat::Conversation`], over whatever connections there are.
//!
//! # Where to start reading
//!
//! [`Client::connect`]; what happens before the first frame is in [`dial`], [`http`] and
//! [`handshake`], which can be used step by step.
//!
//! ```no_run
//! use hostel_client::{Call, Client, Options, Target};
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), hostel_client::Error> {
//! let target = Target::parse("coder-agent/default", "http://127.0.0.1:8787")?;
//! let client = Client::connect(&target, &Options::default()).await?;
//! let context = json!({"repoOwner": "a", "repoName": "b"});
//! client.call(Call::new("setProjectContext", vec![context])).await?;
//! println!("{:?}", client.state().await?);
//! client.close().await;
//! # Ok(())
//! # }
//! ```

pub mod chat;
pub mod dial;
pub mod handshake;
pub mod http;

mod call;
mod client;
mod error;
mod options;
mod target;
mod tls;

pub use call::{Call, Part, Parts};
pub use client::{Accepted, Client, Event, Events, Identity, Versioned, Warning};
pub use error::{Closed, Conflict, Error, Reason};
pub use options::{Options, TlsOptions};
pub use target::{BadTarget, Target};
