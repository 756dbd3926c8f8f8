//! The promises of `docs/runtime-semantics.md`, driven through [`hostel_runtime::Node`] with real stores.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]
#![allow(clippy::needless_pass_by_value, reason = "agents are handed what they are sent; JSON is written in place")]

// What the macros write compiles against the core as well; the face itself stands on this crate.
extern crate hostel_core as hostel;

mod it {
    mod alarms;
    mod among;
    mod belongings;
    mod calls;
    mod causes;
    mod connections;
    mod extension;
    mod failures;
    mod family;
    mod gate;
    mod groups;
    mod hibernation;
    mod keep_up;
    mod letters;
    mod lifecycle;
    mod limits;
    mod mask;
    mod named;
    mod order;
    mod past;
    mod retries;
    mod run_kills;
    mod runs;
    mod state;
    mod stress;
    mod support;
    mod tasks;
    mod turns;
    mod wheel;
}
