//! The binary `hostel`: thin commands over the server and the client.
//!
//! Exit codes: 0 done; 1 the server, the agent or the connection said no; 2 the command line
//! or the configuration cannot be used.

mod cli;
mod commands;
mod doctor;
mod door;
mod failure;
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
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
