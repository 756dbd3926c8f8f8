//! The application whose answers were recorded, in Rust.
//!
//! # What this is for
//!
//! The agents and routes of the recorded application, on the public face alone, so that recorded clients can be replayed
//! against this server and answers compared; an echo agent for suites that test WebSocket itself, and one for what Hostel
//! adds to the state. The names, texts and odd corners are the recording's: they are what is compared.
//!
//! # What is not here
//!
//! Schedules and queues.

mod chat;
mod counter;
mod echo;
mod everything;
mod family;
mod fronts;
mod helper;
mod log;
mod manners;
mod mcp_user;
mod plain;
mod readonly;
mod team;
mod text;

use std::path::PathBuf;

use hostel::{Admission, App, Limits};

pub use self::{
    chat::{ChatAgent, ChatDrop, ChatLatest},
    counter::{CoderAgent, CounterAgent, MyMCPAgent2},
    echo::EchoAgent,
    everything::EverythingAgent,
    family::{ChildAgent, MidAgent, ParentAgent},
    helper::{HelperAgent, models_at},
    manners::MannersAgent,
    mcp_user::ToolsAgent,
    plain::{NoIdAgent, PlainAgent, StartFailAgent},
    readonly::ROAgent,
    team::{TeamAgent, WorkerAgent},
};

/// The application, with its data in `directory`. Like the recorded one it lets pages of any origin in.
pub fn app(directory: PathBuf) -> App {
    App::new()
        .agent::<CounterAgent>()
        .agent::<CoderAgent>()
        .agent_as::<CoderAgent>("SECOND_AGENT")
        .agent::<MyMCPAgent2>()
        .agent::<PlainAgent>()
        .agent_as::<PlainAgent>("lowername")
        .agent::<ROAgent>()
        .agent_as::<ROAgent>("RO2")
        .agent::<NoIdAgent>()
        .agent::<StartFailAgent>()
        .agent::<EchoAgent>()
        .agent::<EverythingAgent>()
        .agent::<MannersAgent>()
        .agent::<ToolsAgent>()
        .mcp(mcp_user::settings())
        .agent::<ParentAgent>()
        .agent::<ChatAgent>()
        .agent::<ChatLatest>()
        .agent::<ChatDrop>()
        .agent::<HelperAgent>()
        .agent::<TeamAgent>()
        .sub_agent::<WorkerAgent>()
        .sub_agent::<ChildAgent>()
        .sub_agent::<MidAgent>()
        .data(directory)
        .admission(Admission::default().allow_origin("*"))
        .limits(Limits { message_bytes: Limits::MAX_MESSAGE_BYTES, outbox_bytes: 80 << 20, ..Limits::default() })
        .routes(fronts::routes)
}
