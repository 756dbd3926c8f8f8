//! `hostel token new`: the token on standard output, what to do with it beside it.

use std::process::ExitCode;

use hostel_server::{TokenHash, new_token};
use serde_json::json;

use crate::cli::TokenCommand;
use crate::output;

pub(super) fn run(command: &TokenCommand) -> anyhow::Result<ExitCode> {
    let TokenCommand::New { subject, roles, operator } = command;
    let token = new_token()?;
    let hash = TokenHash::of(&token)?;
    output::line(&token)?;
    output::note("Keep the token; nobody can find it from this entry, which goes into hostel.toml:\n")?;
    output::note(&entry(subject, &hash.to_string(), roles, *operator))?;
    Ok(ExitCode::SUCCESS)
}

fn entry(subject: &str, hash: &str, roles: &[String], operator: bool) -> String {
    // A JSON text without control characters is a TOML text.
    let mut entry = format!("[[auth.token]]\nsubject = {}\nhash = \"{hash}\"", json!(subject));
    if !roles.is_empty() {
        entry.push_str(&format!("\nroles = {}", json!(roles)));
    }
    if operator {
        entry.push_str("\noperator = true");
    }
    entry
}
