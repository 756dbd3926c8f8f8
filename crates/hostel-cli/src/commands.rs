//! One file per command.

mod agents;
mod approvals;
mod backup;
mod call;
mod chat;
mod config;
mod connect;
mod dead_letters;
mod diff;
mod doctor;
mod export;
mod fork;
mod hands;
mod history;
mod import;
mod restore;
mod runs;
mod schedules;
mod secret;
mod serve;
mod state;
mod token;
mod types;
mod verify;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Cli, Command};

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Some(command) = cli.command else {
        return serve::run(&cli.settings);
    };
    match command {
        Command::Serve(settings) => serve::run(&settings),
        Command::Config(settings) => config::run(&settings),
        Command::Types => types::run(),
        Command::Connect(args) => wait_for(connect::run(&args)),
        Command::Chat(args) => wait_for(chat::run(&args)),
        Command::Hands(args) => wait_for(hands::run(&args)),
        Command::Approvals(args) => wait_for(approvals::run(&args)),
        Command::Call(args) => wait_for(call::run(args)),
        Command::State(command) => wait_for(state::run(&command)),
        Command::Agents(args) => wait_for(agents::run(&args)),
        Command::Schedules(args) => wait_for(schedules::run(&args)),
        Command::DeadLetters(args) => wait_for(dead_letters::run(&args)),
        Command::History(args) => wait_for(history::run(&args)),
        Command::Diff(args) => wait_for(diff::run(&args)),
        Command::Restore(args) => wait_for(restore::run(&args)),
        Command::Runs(args) => wait_for(runs::run(&args)),
        Command::Fork(args) => wait_for(fork::run(&args)),
        Command::Export(args) => wait_for(export::run(&args)),
        Command::Import(args) => wait_for(import::run(&args)),
        Command::Backup(args) => wait_for(backup::run(&args)),
        Command::Verify(args) => verify::run(&args),
        Command::Vault(command) => secret::vault(&command),
        Command::Secret(command) => secret::secret(&command),
        Command::Token(command) => token::run(&command),
        Command::Doctor(args) => wait_for(doctor::run(&args)),
    }
}

/// Runs a command of the client on a small runtime.
fn wait_for(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(command)
}
