//! Outbound HTTP that keeps away from the networks of the machine it runs on.
//!
//! Somebody else chooses many of the addresses a server is asked to fetch: a user adds an MCP server, that server names its
//! authorisation server, a redirect names anything. [`Reach`] says what may be reached: the public internet, and what the
//! operator lists. [`Fetch`] is an HTTP client that asks it for every URL, every redirect and every address a name resolves
//! to, and connects to the addresses it has checked, so that a name cannot mean something else a moment later.
//!
//! # What is not here
//!
//! Whose URL it is, and what it is fetched for.

mod address;
mod error;
mod fetch;
mod reach;
mod resolve;
mod tls;

pub use error::FetchError;
pub use fetch::{Fetch, Redirects, Settings, body};
pub use reach::{BadHost, Reach};
pub use reqwest;
pub use resolve::{Lookup, SystemLookup};
pub use tls::config as tls_config;
pub use url::Url;
