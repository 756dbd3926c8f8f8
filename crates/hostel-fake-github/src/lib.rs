//! A GitHub for tests, on this machine: the part of the REST API that Hostel uses, and git over HTTP.
//!
//! Repositories are real ones, served by `git http-backend`; what is pushed is what the API tells, and what the API commits can be
//! fetched. Tokens, pages, limits and refusals have the shape that GitHub documents. Everything that changed something is
//! counted, so that a test can say "once"; and the next requests can be made to fail in the ways a network knows.
//!
//! ```
//! use hostel_fake_github::{FakeGithub, Scope};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let github = FakeGithub::start().await?;
//! let token = github.token("ada", Scope::Write);
//! github.repository("ada/engine", &[("README.md", "An engine.\n")])?;
//! assert!(token.starts_with("ghp_") && github.writes().is_empty());
//! assert!(github.clone_url("ada/engine").ends_with("/ada/engine.git"));
//! # anyhow::Ok(()) })?;
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! The program `hostel-fake-github` is the same as a process; `GET /_fake/writes` tells what was counted.

mod answer;
mod fake;
mod git;
mod http;
mod routes;
mod shapes;
mod smart;
mod world;

pub use fake::FakeGithub;
pub use world::{Fault, Scope, Write};
