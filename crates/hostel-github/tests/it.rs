//! Tests of the client against the fake.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "it/reading.rs"]
mod reading;
#[path = "it/refusals.rs"]
mod refusals;
#[path = "it/scene.rs"]
mod scene;
#[path = "it/writing.rs"]
mod writing;
