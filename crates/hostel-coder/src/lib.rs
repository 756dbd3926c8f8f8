//! `CoderAgent`, the coding agent that old clients know: `useAgent({ agent: "CoderAgent" })`, or `"coderagent"`.
//!
//! # What it does today
//!
//! It keeps which project people are talking about. The context is its state: every client sees it, every change reaches
//! all of them, and it survives restarts. In its first life the context was memory only and lost at each eviction, later
//! it lived in a state that any page could overwrite whole; here a state with fields that do not belong is refused with
//! a reason.
//!
//! | method | arguments | answer |
//! | --- | --- | --- |
//! | `setProjectContext` | `{repoOwner?, repoName?, branch?, path?}` | `{success: true, context}` |
//! | `getProjectContext` | | the context |
//! | `getMessages` | | the stored chat messages, oldest first |
//!
//! # What it does not do yet
//!
//! Chat, tools, commands and a workspace. Until the chat stores messages, `getMessages` answers `[]`.
//!
//! ```
//! use hostel::Agent;
//! use hostel_coder::CoderAgent;
//!
//! assert_eq!(CoderAgent::CLASS, "CoderAgent");
//! ```

mod agent;
mod context;

pub use agent::{CoderAgent, CoderAgentStub, ContextSet};
pub use context::{ContextChange, ProjectContext};
