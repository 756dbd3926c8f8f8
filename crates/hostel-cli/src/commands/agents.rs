//! `hostel agents`: what the server has, through its own door.

use std::process::ExitCode;

use hostel_client::{Target, http};
use hostel_protocol::name::kebab;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{AgentsArgs, AgentsCommand, ServerArgs};
use crate::door::encoded;
use crate::failure::{Refused, Usage};
use crate::output::{self, table};
use crate::progress::size;

#[derive(Debug, Deserialize)]
struct Classes {
    classes: Vec<Class>,
}

#[derive(Debug, Deserialize)]
struct Class {
    class: String,
    namespace: String,
    #[serde(default)]
    instances: u64,
    #[serde(default)]
    awake: u64,
    #[serde(default)]
    sockets: u64,
    #[serde(default)]
    history_bytes: u64,
    #[serde(default)]
    quarantined: Vec<Quarantined>,
}

#[derive(Debug, Deserialize)]
struct Quarantined {
    name: String,
    failures: u64,
    retry_in_seconds: f64,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Agents {
    agents: Vec<Agent>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Agent {
    /// The address of the agent it is under.
    #[serde(default)]
    parent: Option<String>,
    name: String,
    awake: bool,
    sockets: u64,
}

pub(super) async fn run(args: &AgentsArgs) -> anyhow::Result<ExitCode> {
    match (&args.command, &args.class) {
        (Some(AgentsCommand::Clear { agent, server }), _) => clear(agent, server).await?,
        (None, Some(class)) => list(class, args).await?,
        (None, None) => classes(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn classes(args: &AgentsArgs) -> anyhow::Result<()> {
    let answer = get(args.server.path("/_hostel/agents")?, &args.server).await?;
    if args.json {
        return Ok(output::line(&answer.to_string())?);
    }
    let Classes { classes } = serde_json::from_value(answer)?;
    let head = ["CLASS", "PATH", "AGENTS", "AWAKE", "SOCKETS", "HISTORY"].map(str::to_owned).to_vec();
    let row = |class: &Class| {
        let counts = [class.instances, class.awake, class.sockets].map(|count| count.to_string());
        let names = [class.class.clone(), format!("/{}/…", class.namespace)];
        names.into_iter().chain(counts).chain([history(class)]).collect()
    };
    print(&std::iter::once(head).chain(classes.iter().map(row)).collect::<Vec<_>>())?;
    for class in &classes {
        for agent in &class.quarantined {
            output::line(&quarantined(&class.namespace, agent))?;
        }
    }
    Ok(())
}

fn history(class: &Class) -> String {
    if class.history_bytes == 0 { "-".to_owned() } else { size(class.history_bytes) }
}

fn quarantined(namespace: &str, agent: &Quarantined) -> String {
    let Quarantined { name, failures, retry_in_seconds, reason } = agent;
    output::harmless(&format!(
        "quarantined: {namespace}/{name} failed to start {failures} times, next try in {retry_in_seconds:.0} s: {reason}"
    ))
}

async fn list(class: &str, args: &AgentsArgs) -> anyhow::Result<()> {
    let after = args.after.as_ref().map_or_else(String::new, |name| format!("&after={}", encoded(name)));
    let path = format!("/_hostel/agents/{}?limit={}{after}", kebab(class), args.limit);
    let answer = get(args.server.path(&path)?, &args.server).await?;
    if args.json {
        return Ok(output::line(&answer.to_string())?);
    }
    let Agents { agents, next } = serde_json::from_value(answer)?;
    let head = ["NAME", "AWAKE", "SOCKETS"].map(str::to_owned).to_vec();
    let row = |agent: &Agent| {
        let awake = if agent.awake { "yes" } else { "no" };
        let under = agent.parent.as_ref().map_or_else(String::new, |parent| format!("  (under {parent})"));
        vec![output::harmless(&format!("{}{under}", agent.name)), awake.to_owned(), agent.sockets.to_string()]
    };
    print(&std::iter::once(head).chain(agents.iter().map(row)).collect::<Vec<_>>())?;
    if let Some(next) = next {
        output::note(&format!("There are more: --after {next}"))?;
    }
    Ok(())
}

async fn clear(agent: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let Some((class, name)) = agent.split_once('/').filter(|(class, name)| !class.is_empty() && !name.is_empty())
    else {
        return Err(Usage(format!("{agent:?} is no agent: write {agent}/default")).into());
    };
    let door = server.path(&format!("/_hostel/agents/{}/{name}/clear", kebab(class)))?;
    let answer = http::post_json(&door, &json!({}), &server.options()).await?;
    match answer.status {
        200..=299 => Ok(output::line(&format!("{class}/{name} may start again."))?),
        _ => Err(Refused::answer(&answer).into()),
    }
}

async fn get(door: Target, server: &ServerArgs) -> anyhow::Result<Value> {
    let answer = http::get(&door, &server.options()).await?;
    match (answer.status, answer.json()) {
        (200, Some(value)) => Ok(value),
        _ => Err(Refused::answer(&answer).into()),
    }
}

fn print(rows: &[Vec<String>]) -> anyhow::Result<()> {
    for line in table(rows) {
        output::line(&line)?;
    }
    Ok(())
}
