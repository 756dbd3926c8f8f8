//! Agents that the macros made, on the in-memory host; and the refusals of those that they did not make.

// The shared host says `hostel_core`; here the core has the face's name, because that is what the macros write.
extern crate hostel as hostel_core;

#[path = "it/calls.rs"]
mod calls;
#[path = "it/hooks.rs"]
mod hooks;
#[path = "it/printed.rs"]
mod printed;
#[path = "it/refusals.rs"]
mod refusals;
#[path = "../../hostel-core/tests/it/second_host.rs"]
mod second_host;
#[path = "it/state.rs"]
mod state;
