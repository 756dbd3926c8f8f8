//! The binary `hostel`: thin commands over the server and the client.
//!
//! Exit codes: 0 done; 1 the server, the agent or the connection said no; 2 the command line
//! or the configuration cannot be used.

mod chat;
mod cli;
mod commands;
mod doctor;
mod door;
mod failure;
mod hands;
mod output;
mod past;
mod place;
mod progress;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hostel_sandbox::run_if_helper();
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
