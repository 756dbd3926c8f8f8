//! What an operator may choose about running agents.

mod memory;

use std::{fmt, sync::Arc, time::Duration};

use crate::belongings::Belongings;
use hostel_core::{AgentId, Scrub, errand::Errand, host::McpServers};

/// Is told of an agent that was destroyed, once that is durable: for what is kept elsewhere on its behalf. It must not block, and a
/// crash at that moment has it hear nothing.
#[derive(Clone)]
pub struct Destroyed(pub Arc<dyn Fn(&AgentId) + Send + Sync>);

impl fmt::Debug for Destroyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Destroyed")
    }
}

/// Limits and delays of a [`crate::Node`]. Every field has a sensible default.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an agent stays in memory after its last event. Default 10 s.
    pub idle_after: Duration,
    /// How many agents may be awake with nothing to do; beyond it those that did nothing for a second are put to sleep, and
    /// beyond twice as many those that are between two events. An agent in use, with its database open, costs up to 190 KB;
    /// the default is as many as fit in an eighth of the memory that the process may use, from 512 to 65,536.
    pub max_idle_awake: usize,
    /// Bytes that may wait for one slow client before it is closed with 1013, besides one state of any size. Default
    /// 8 MiB.
    pub outbox_bytes: usize,
    /// State, as JSON, from which on the log warns: it is sent whole to every client at each change. Default 1 MiB.
    pub state_warn_bytes: usize,
    /// State, as JSON, that is refused because it endangers the node. Default 256 MiB.
    pub state_bytes: usize,
    /// Calls of one connection that may be under way at a time. Default 1,024.
    pub calls_per_connection: usize,
    /// Agents that may be waiting for each other in one chain of calls; beyond it a call is refused, for it is probably one
    /// that never ends. Default 64.
    pub call_hops: u32,
    /// How long SQL of one turn may run. Default 2 s.
    pub turn_deadline: Duration,
    /// A turn beyond this makes its agent run beside the event loop, where it delays nobody else. Default 5 ms.
    pub heavy_turn: Duration,
    /// How many agents may be woken at a time by what is due; the others wait for their turn. Default 256.
    pub wakes_at_once: usize,
    /// How many runs of tasks, scheduled or queued, may wait for one agent. Default 10,000.
    pub orders: usize,
    /// How large the arguments of one of them may be, as JSON. Default 1 MiB.
    pub order_bytes: usize,
    /// How many runs that were given up are kept for one agent; beyond it the oldest are forgotten. Default 1,000.
    pub dead_letters: usize,
    /// Masks secrets in what agents store and send. Default none, which costs nothing.
    pub scrub: Option<Arc<dyn Scrub>>,
    /// How long a durable run that has ended is kept, with its steps. Default 30 days.
    pub run_retention: Duration,
    /// How many steps one run may have. Default 10,000.
    pub steps_per_run: u32,
    /// How large what a run keeps may be in one piece, as JSON: a result, an event, what it puts aside. Default 1 MiB.
    pub step_bytes: usize,
    /// What agents can order besides their own tasks. Default nothing.
    pub errands: Vec<Arc<dyn Errand>>,
    /// Knows the MCP servers of agents. Default none, which costs nothing.
    pub mcp_servers: Option<Arc<dyn McpServers>>,
    /// Who is told of agents that are gone for good. Default nobody.
    pub on_destroyed: Vec<Destroyed>,
    /// What is kept of agents outside of their databases. Default nothing.
    pub belongings: Vec<Arc<dyn Belongings>>,
    /// Whether refusals may name agents that exist. Off in production.
    pub development: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle_after: Duration::from_secs(10),
            max_idle_awake: memory::awake_agents(),
            outbox_bytes: 8 << 20,
            state_warn_bytes: 1 << 20,
            state_bytes: 256 << 20,
            calls_per_connection: 1024,
            call_hops: 64,
            turn_deadline: Duration::from_secs(2),
            heavy_turn: Duration::from_millis(5),
            wakes_at_once: 256,
            orders: 10_000,
            order_bytes: 1 << 20,
            dead_letters: 1_000,
            scrub: None,
            run_retention: Duration::from_secs(30 * 24 * 60 * 60),
            steps_per_run: 10_000,
            step_bytes: 1 << 20,
            errands: Vec::new(),
            mcp_servers: None,
            on_destroyed: Vec::new(),
            belongings: Vec::new(),
            development: false,
        }
    }
}
