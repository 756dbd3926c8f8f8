//! `hostel state get|set|watch`.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::Context as _;
use hostel_client::{Client, Error, Event, Options, Warning};
use hostel_protocol::server::ServerFrame;
use serde_json::{Value, json};

use crate::cli::{ServerArgs, StateCommand};
use crate::door::Door;
use crate::failure::{Refused, Usage};
use crate::output;
use crate::place::Who;

pub(super) async fn run(command: &StateCommand) -> anyhow::Result<ExitCode> {
    match command {
        StateCommand::Get { target, safe: true, server, .. } => get_safe(target, server).await?,
        StateCommand::Get { target, version: true, server, .. } => get_versioned(target, server).await?,
        StateCommand::Get { target, server, .. } => get(target, server).await?,
        StateCommand::Set { target, state, if_version, server } => {
            set(target, state, if_version.as_deref(), server).await?;
        }
        StateCommand::Watch { target, server } => watch(target, server).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn get(target: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::connect(&server.target(target)?, &server.options()).await?;
    let state = client.state().await?;
    client.close().await;
    output::line(&state.unwrap_or(Value::Null).to_string())?;
    Ok(())
}

async fn get_versioned(target: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let options = Options { state_versions: true, ..server.options() };
    let client = Client::connect(&server.target(target)?, &options).await?;
    let found = client.versioned_state().await?;
    client.close().await;
    let Some(version) = found.version else {
        return Err(
            Refused::plain("This server gives no versions of states: it is no Hostel server, or an old one.").into()
        );
    };
    output::line(&json!({"version": version, "state": found.state}).to_string())?;
    Ok(())
}

/// Through the operator's door, which does not wake the agent.
async fn get_safe(target: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let who = Who::parse(target, server)?;
    let mut found = Door::to(target, server)?.get(&who.door("state")).await?;
    let state = found.get_mut("state").map(Value::take);
    output::line(&state.unwrap_or(Value::Null).to_string())?;
    Ok(())
}

async fn set(target: &str, state: &str, if_version: Option<&str>, server: &ServerArgs) -> anyhow::Result<()> {
    let state: Value = match state {
        "-" => serde_json::from_str(&stdin()?),
        text => serde_json::from_str(text),
    }
    .map_err(|error| Usage(format!("the new state is no JSON: {error}")))?;
    let options = Options { state_versions: if_version.is_some(), ..server.options() };
    let client = Client::connect(&server.target(target)?, &options).await?;
    let accepted = match if_version {
        Some(version) => client.set_state_if(version, &state).await?,
        None => client.set_state(&state).await?,
    };
    client.close().await;
    warn(&accepted.warnings)?;
    if let Some(version) = accepted.version {
        output::line(&version)?;
    }
    Ok(())
}

fn warn(warnings: &[Warning]) -> std::io::Result<()> {
    for Warning { code, message, fix, .. } in warnings {
        output::note(&output::harmless(&format!("warning: {code}: {message}")))?;
        if let Some(fix) = fix {
            output::note(&output::harmless(&format!("fix: {fix}")))?;
        }
    }
    Ok(())
}

fn stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the new state cannot be read from stdin")?;
    Ok(text)
}

async fn watch(target: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let target = server.target(target)?;
    let (_client, mut events) = Client::connect_with_events(&target, &server.options()).await?;
    while let Some(event) = events.next().await {
        match event {
            Event::Text { frame: ServerFrame::State { state, .. }, .. } => output::line(state.get())?,
            Event::Closed(closed) => return Err(Error::Closed(closed).into()),
            _ => {}
        }
    }
    Ok(())
}
