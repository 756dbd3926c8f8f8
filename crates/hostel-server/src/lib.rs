//! The product: configuration, logs, metrics, operator endpoints, and the server that puts every part together.
//!
//! The one place that knows every part; `hostel-cli` is a thin user of it. Start with [`Server`].

pub mod config;
pub mod hands;
pub mod logs;
pub mod offline;
pub mod vault;

mod admin;
mod auth;
mod banner;
mod builtin;
mod configured;
mod disk;
mod health;
mod hooks;
mod mcp;
mod models;
mod openai;
mod page;
mod refused;
mod retention;
mod server;
mod travel;

pub use admin::operator;
pub use banner::Banner;
pub use builtin::types;
pub use hostel::Scrub;
pub use hostel::auth::{TokenHash, new_token};
pub use refused::Refused;
pub use server::Server;
pub use travel::{Arrival, Form};
