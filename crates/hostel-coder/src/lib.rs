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
//! | `getPolicy`, `setPolicy` | `{mode?, rules?}` | what the agent may do without asking: `docs/coder-policy.md` |
//! | `terminalOpen`, `terminalInput`, `terminalResize`, `terminalClose`, `terminalOutput`, `terminals` | | terminals in the workspace: `docs/coder-commands.md` |
//! | `getHands`, `setHands`, `handsOffer`, `handsReport` | | machines that people lend for commands: `docs/hands.md` |
//! | `getModels`, `setModel` | a model's name | which models there are, and which one answers here |
//! | `projectMcp`, `allowProjectMcp`, `forgetProjectMcp` | `{server, hash}` | MCP servers that the project names: `docs/coder-mcp.md` |
//! | `getPolicyLog` | | what rules decided and how they were changed, newest first |
//!
//! It chats: `useAgentChat` works with it. Without a model the server's answer says what to set.
//!
//! Where the application shares [`Workspaces`], it works in a directory of its own: its model reads, searches, and, once
//! somebody has said yes, edits, commits, clones and runs commands in a sandbox. The guide is `docs/coder.md`.
//!
//! ```
//! use hostel::Agent;
//! use hostel_coder::CoderAgent;
//!
//! assert_eq!(CoderAgent::CLASS, "CoderAgent");
//! ```

mod agent;
mod beside;
mod calls;
mod child;
mod command_options;
mod commands;
mod context;
mod conversations;
mod documented;
mod errands;
mod fork;
mod github;
mod hands;
mod instructions;
mod kept_back;
mod ledger;
mod models;
mod policy;
mod project_mcp;
mod prompt;
mod rewind;
mod runs;
mod shell;
mod snapshots;
mod told;
mod tools;
mod views;
mod work;
mod workspaces;

pub use agent::{CoderAgent, CoderAgentStub, ContextSet};
pub use child::{
    Above, Errand, ErrandResult,
    steps::{ErrandStep, StepAnswer},
};
pub use command_options::CommandOptions;
pub use context::{ContextChange, ProjectContext};
pub use conversations::{Conversation, Conversations, ConversationsStub, News, Renaming, Which};
pub use errands::ErrandNews;
pub use fork::{Fork, Forked, Heritage};
pub use github::{
    GithubOptions,
    account::{AccountView, TokenOf},
    token::{TokenGiven, TokenSet},
};
pub use hands::{ChooseHands, HandsMachine, HandsOffer, HandsOrder, HandsReport, HandsState, HandsView, Heard, Place};
pub use models::{ModelView, ModelsView};
pub use policy::{Action, KeptRule, Mode, PolicyChange, PolicyDefaults, PolicyView, Rule, RulingEntry};
pub use project_mcp::{AllowMcp, ProjectMcp, ProjectServer};
pub use rewind::{Rewind, Rewound};
pub use runs::{Budget, Budgets, ContextUse, RunState, RunView, StartRun, TokenUse, UsageView};
pub use shell::{
    Running, TerminalChunk, TerminalInfo, TerminalInput, TerminalOpen, TerminalOpened, TerminalOutput, TerminalSize,
    WhichTerminal,
};
pub use work::{Note, Plan, PlanStep, ScheduleTask, StepStatus, TaskState, Work, WorkTask};
pub use workspaces::Workspaces;

/// The program of `docs/github.md`, which is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/github.md")]
mod github_guide {}

/// The program of `docs/coder.md`, which is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coder.md")]
mod guide {}

/// The program of `docs/coder-runs.md`, which is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coder-runs.md")]
mod guide_of_runs {}

/// The program of `docs/coder-policy.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coder-policy.md")]
mod policy_guide {}
