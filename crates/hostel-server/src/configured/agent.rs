//! The one type of all agents that are nothing but configuration.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hostel::{Code, Cx, Error, JsonSchema, Result, State, agent};
use hostel_chat::{ApprovalPolicy, ChatAgent, ChatSetup, McpTools, Policy, Room, Say};
use serde::{Deserialize, Serialize};

use super::{Configured, Made, servers, tools};
use crate::config::{Concurrency, ScheduleSection};

/// An agent that is made in `hostel.toml`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, State)]
pub(crate) struct ConfiguredAgent {
    /// What the agent has noted for itself.
    #[serde(default)]
    #[state(server)]
    pub(super) notes: BTreeMap<String, String>,
}

#[agent(extend = hostel_chat::Chat)]
impl ConfiguredAgent {
    /// Brings what is on order in step with the file.
    fn on_start(&self, cx: &Cx<Self>) -> Result<()> {
        let made = made(cx)?;
        servers::keep_in_step(cx, &made)?;
        let ours: Vec<&ScheduleSection> =
            made.section.schedule.iter().filter(|schedule| schedule.agent == cx.name()).collect();
        for schedule in cx.schedules()? {
            let is_ours = |one: &&ScheduleSection| schedule.task == TASK && schedule_says(schedule.args.get(), one);
            if schedule.task == TASK && !ours.iter().any(is_ours) {
                cx.cancel(&schedule.id)?;
            }
        }
        for one in ours {
            let run = cx.tasks().prompt(one.prompt.clone(), &one.cron.0);
            let run = one.zone.iter().fold(run, |run, zone| run.in_zone(zone));
            run.cron(&one.cron.0)?;
        }
        Ok(())
    }

    /// Says to the agent what the file says it is told at this time.
    #[task]
    fn prompt(&self, cx: &Cx<Self>, text: String, cron: &str) -> Result<()> {
        let made = made(cx)?;
        let stands = |one: &ScheduleSection| one.agent == cx.name() && one.prompt == text && one.cron.0 == cron;
        if made.section.schedule.iter().any(stands) {
            Room::of(cx).say(Say::text(text))?;
        }
        Ok(())
    }
}

/// The task that schedules run.
const TASK: &str = "prompt";

/// Whether a run on order is the one of this entry.
fn schedule_says(args: &str, one: &ScheduleSection) -> bool {
    let said = serde_json::from_str::<(String, String)>(args);
    said.is_ok_and(|(prompt, cron)| prompt == one.prompt && cron == one.cron.0)
}

/// What the file says of the agent's class.
pub(super) fn made(cx: &Cx<ConfiguredAgent>) -> Result<Arc<Made>> {
    let found = cx.env::<Configured>()?.of(cx.id().namespace());
    found.ok_or_else(|| {
        Error::coded(Code::UnknownAgent, format!("The file says nothing of {}.", cx.id().namespace()))
            .with_fix("put the class into hostel.toml again, and restart the server")
    })
}

impl ChatAgent for ConfiguredAgent {
    fn chat(&self, cx: &Cx<Self>) -> ChatSetup<Self> {
        let Ok(made) = made(cx) else { return ChatSetup::new() };
        let section = &made.section;
        let mut setup = ChatSetup::new().tools(tools::of(&made)).approvals(approvals(&made));
        if let Some(system) = &made.system {
            setup = setup.system(system.clone());
        }
        if let Some(model) = &section.model {
            setup = setup.model(model.clone());
        }
        if let Some(small) = &section.small {
            setup = setup.small(small.clone());
        }
        if let Some(steps) = section.max_steps {
            setup = setup.max_steps(steps);
        }
        if let Some(temperature) = section.temperature {
            setup = setup.temperature(temperature);
        }
        if let Some(tokens) = section.max_output_tokens {
            setup = setup.max_output_tokens(tokens);
        }
        if !section.mcp.is_empty() {
            setup = setup.mcp(McpTools::asking());
        }
        if section.open_settings {
            setup = setup.open_settings();
        }
        setup.concurrency(policy(section.concurrency))
    }
}

fn policy(concurrency: Option<Concurrency>) -> Policy {
    match concurrency {
        None | Some(Concurrency::Queue) => Policy::Queue,
        Some(Concurrency::Latest) => Policy::Latest,
        Some(Concurrency::Merge) => Policy::Merge,
        Some(Concurrency::Drop) => Policy::Drop,
    }
}

fn approvals(made: &Made) -> ApprovalPolicy {
    let section = &made.section;
    let policy = section.trust.iter().fold(ApprovalPolicy::new(), ApprovalPolicy::allow);
    let policy = section.ask.iter().fold(policy, ApprovalPolicy::always_ask);
    match section.ask_expires {
        Some(after) => policy.expires(Duration::max(after.0, Duration::from_secs(1))),
        None => policy,
    }
}
