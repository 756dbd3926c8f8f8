//! The product: configuration, logs, metrics, operator endpoints, and the server that puts every part together.
//!
//! The one place that knows every part; `hostel-cli` is a thin user of it. Start with [`Server`].

pub mod config;
pub mod logs;

mod admin;
mod banner;
mod disk;
mod health;
mod server;

pub use banner::Banner;
pub use server::{Server, types};
