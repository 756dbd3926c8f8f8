//! Agents that chat, with real sockets, a real database, and crashes.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]
#![allow(clippy::needless_pass_by_value, reason = "agents are handed what they are sent")]

mod it {
    mod agents;
    mod concurrency;
    mod crash;
    mod cuts;
    mod dialects;
    mod engine;
    mod http;
    mod kills;
    mod resume;
    mod room;
    mod support;
    mod titles;
    mod tools;
    mod turns;
}
