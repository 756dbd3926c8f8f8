//! What the test kit promises.

#[path = "it/kit.rs"]
mod kit;
