//! The vault from outside: its file, its commands, and the environment of a process that is started anew.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod it {
    mod command;
    mod file;
}
