//! Agents that chat: one ordered log per conversation, durable turns, and the chat protocol of the published clients.
//!
//! A class chats when `#[agent(extend = hostel_chat::Chat)]` stands on its block and it implements [`ChatAgent`]. Pages with
//! `useAgentChat` then work unchanged: streaming, several tabs, reload in the middle of an answer, cancel, regenerate, clear,
//! tools of the page, approvals.
//!
//! Start with [`ChatAgent`] and [`ChatSetup`]; [`Tool`] is what a model may do, [`ChatTurn`] is for answers of your own, and
//! [`Room`] is the chat from inside the process.

mod agent;
mod agents;
mod approval;
mod chat;
mod context;
mod cut;
pub mod engine;
mod http;
mod ids;
mod live;
mod memory;
mod offer;
mod out;
mod policy;
mod resume;
mod room;
mod run;
mod settings;
mod settle;
mod setup;
mod store;
mod submit;
mod tool;
mod turn;
mod welcome;

pub use agent::ChatAgent;
pub use agents::{AgentRun, AgentRunState, AgentTask, ApprovalBelow};
pub use approval::{
    Always, Answering, Approval, ApprovalPolicy, ApprovalState, Decided, Rules, Ruling, Standing, ToolCall,
};
pub use chat::Chat;
pub use context::Context;
pub use engine::Metered;
/// The wire's own words: messages, chunks, and what is made of them.
pub use hostel::protocol::chat as wire;
pub use hostel_model as model;
pub use policy::Policy;
pub use room::{Entry, Pending, Room, Said, Say, TurnInfo};
pub use settings::Settings;
pub use setup::{ChatSetup, ModelChoice};
#[cfg(feature = "mcp")]
pub use tool::mcp::McpTools;
pub use tool::{Preview, Tool, ToolCx};
pub use turn::ChatTurn;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/chat-tools.md")]
struct ChatToolsDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/chat.md")]
struct ChatDoctests;
