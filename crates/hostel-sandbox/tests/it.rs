//! What a sandboxed command can do, and above all what it cannot.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, reason = "what is skipped is said aloud")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod it {
    mod bare;
    mod escapes;
    mod policies;
    mod running;
    pub(crate) mod scene;
}
