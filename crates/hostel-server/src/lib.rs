//! The product: configuration, logs, metrics, and the server that puts every part together.

pub mod config;
