//! GitHub's REST API, as far as a coding agent needs it.
//!
//! [`Github`] is a client for one server, GitHub's own or one of GitHub Enterprise; [`Github::with_token`] is the same in
//! somebody's name. It keeps to GitHub's limits, follows its pages, and turns what it refuses into a [`GithubError`] with a stable
//! code and what to do about it. The token is in no error, no log and no answer.
//!
//! ```no_run
//! use hostel_github::{Github, RepoName, Settings, Token};
//!
//! # async fn demo(token: String) -> Result<(), hostel_github::GithubError> {
//! let github = Github::new(&Settings::default())?.with_token(Token::new(token));
//! let name: RepoName = "ada/engine".parse()?;
//! let readme = github.file(&name, "README.md", None).await?;
//! println!("{} bytes", readme.bytes.len());
//! # Ok(())
//! # }
//! ```
//!
//! # What is not here
//!
//! Where tokens are kept, and who may do what with them. Git itself: pushing is `hostel-workspace`'s.

mod ask;
mod client;
mod commits;
mod contents;
mod error;
mod issues;
mod limits;
mod name;
mod page;
mod pulls;
mod repositories;
mod search;
mod token;

pub use client::{Github, Settings};
pub use commits::{Commit, NewFile, Signature};
pub use contents::{Content, Entry, Put};
pub use error::GithubError;
pub use issues::{Comment, Issue, IssueChange, IssueFilter, NewIssue, State, StateFilter};
pub use name::RepoName;
pub use page::Page;
pub use pulls::{End, NewPull, Pull, PullFilter};
pub use repositories::{NewRepository, Permissions, Repository, User};
pub use search::{Found, Match};
pub use token::Token;
pub use url::Url;

/// What every fallible function here returns.
pub type Result<T, E = GithubError> = std::result::Result<T, E>;
