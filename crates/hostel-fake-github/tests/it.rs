//! Tests of the fake from outside.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "it/git.rs"]
mod git;
