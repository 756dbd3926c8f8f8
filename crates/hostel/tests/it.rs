//! The face from outside: applications that take webhooks and mail, as processes of their own where that matters.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]
#![allow(clippy::needless_pass_by_value, reason = "agents are handed what they are sent")]
#![allow(clippy::print_stdout, reason = "a child says on its output where it is")]

mod it {
    mod family;
    mod handles;
    mod mail;
    mod process;
    mod webhooks;
}
