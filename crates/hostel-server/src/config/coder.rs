//! `[coder]`: what the operator decides about coding agents.

use std::{collections::BTreeMap, path::PathBuf};

use hostel_coder::{Budget, Budgets, CommandOptions, Mode, PolicyDefaults, Rule};
use serde::Deserialize;

use super::github::GithubSection;
use super::origin::Origin;
use super::sections::{Size, Time};

/// `[coder]`: what the operator decides about coding agents.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoderSection {
    /// `[coder.budget]`: what may be taken at most.
    pub budget: BudgetSection,
    /// `[coder.policy]`: what agents may do without asking, and what not at all.
    pub policy: PolicySection,
    /// `[coder.commands]`: what commands see, reach and take.
    pub commands: CommandsSection,
    /// From where may be cloned besides GitHub, instead of the great public hosts.
    pub clone_hosts: Option<Vec<String>>,
    /// Whether models are told of tools by their older names, too.
    pub old_tools: bool,
    /// `[coder.github]`: which GitHub, and everybody's token.
    pub github: GithubSection,
}

/// `[coder.budget]`: what turns and autonomous runs may take at most.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSection {
    /// For one turn of the chat.
    pub turn: Budget,
    /// For a run; what is said here is in place of the 500 steps and 12 hours.
    pub run: Option<Budget>,
}

/// `[coder.policy]`: what all coding agents may do without asking, and what not at all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySection {
    /// How agents work that nobody has set otherwise.
    pub mode: Mode,
    /// Rules besides each agent's own.
    pub rules: Vec<Rule>,
}

impl PolicySection {
    /// What agents are told.
    #[must_use]
    pub fn defaults(&self) -> PolicyDefaults {
        PolicyDefaults { mode: self.mode, rules: self.rules.clone() }
    }
}

/// `[coder.commands]`: what commands see, reach and take.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandsSection {
    /// Files and directories they may read: toolchains, caches.
    pub read: Vec<PathBuf>,
    /// Where programs are looked for before the system's own.
    pub path: Vec<PathBuf>,
    /// Variables. They are no place for secrets: every command sees them.
    pub env: BTreeMap<String, String>,
    /// TCP ports they may connect to. None means no network.
    pub ports: Vec<u16>,
    /// How long one may run that says nothing else.
    pub time: Option<Time>,
    /// Memory of all its processes together.
    pub memory: Option<Size>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Output.
    pub output: Option<Size>,
    /// What becomes of commands where this machine cannot sandbox.
    pub unsandboxed: Unsandboxed,
    /// Whether people may lend machines for commands to run on; they may, if nothing is said.
    pub hands: Option<bool>,
    /// How long such a machine is waited for.
    pub hands_wait: Option<Time>,
}

/// What becomes of commands where this machine cannot sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unsandboxed {
    /// Each one is asked for, and then runs unprotected.
    #[default]
    Ask,
    /// None is run.
    Never,
}

impl CommandsSection {
    /// What agents are told.
    #[must_use]
    pub fn options(&self) -> CommandOptions {
        let mut options = CommandOptions {
            read: self.read.clone(),
            path: self.path.clone(),
            env: self.env.clone(),
            ports: self.ports.clone(),
            only_sandboxed: self.unsandboxed == Unsandboxed::Never,
            hands: self.hands.unwrap_or(true),
            ..CommandOptions::default()
        };
        options.hands_wait = self.hands_wait.map_or(options.hands_wait, |time| time.0);
        let limits = &mut options.limits;
        limits.time = self.time.map_or(limits.time, |time| time.0);
        limits.memory = self.memory.map_or(limits.memory, |size| size.0 as u64);
        limits.processes = self.processes.unwrap_or(limits.processes);
        limits.output_bytes = self.output.map_or(limits.output_bytes, |size| size.0 as u64);
        options
    }
}

impl BudgetSection {
    /// What agents are told.
    #[must_use]
    pub fn budgets(&self) -> Budgets {
        Budgets { turn: self.turn, run: self.run.unwrap_or(Budgets::default().run) }
    }
}

impl super::Config {
    /// `[coder]` as `hostel config` prints it: name, value, and where it came from.
    #[must_use]
    pub fn coder_entries(&self) -> Vec<(String, String, Origin)> {
        let Some((section, origin)) = &self.sections.coder else { return Vec::new() };
        let budgets = section.budget.budgets();
        let of = |whose: &str, budget: &Budget| {
            let Ok(serde_json::Value::Object(numbers)) = serde_json::to_value(budget) else { return Vec::new() };
            let entry = |(what, number): (&String, &serde_json::Value)| {
                (format!("coder.budget.{whose}.{what}"), number.to_string(), origin.clone())
            };
            numbers.iter().map(entry).collect()
        };
        let set = |name: &str, value: String| (format!("coder.{name}"), value, origin.clone());
        let mut entries = [of("turn", &budgets.turn), of("run", &budgets.run)].concat();
        let (policy, commands) = (&section.policy, &section.commands);
        if policy.mode != Mode::default() {
            entries.push(set("policy.mode", format!("{:?}", policy.mode).to_lowercase()));
        }
        entries.extend(policy.rules.iter().map(|rule| set("policy.rules", rule.to_string())));
        entries.extend(commands.read.iter().map(|path| set("commands.read", path.display().to_string())));
        entries.extend(commands.path.iter().map(|path| set("commands.path", path.display().to_string())));
        entries.extend(commands.env.keys().map(|name| set(&format!("commands.env.{name}"), "(set)".to_owned())));
        entries.extend(commands.ports.iter().map(|port| set("commands.ports", port.to_string())));
        entries.extend(commands.hands.map(|may| set("commands.hands", may.to_string())));
        entries.extend(commands.hands_wait.map(|time| set("commands.hands_wait", format!("{}s", time.0.as_secs()))));
        entries.extend(section.clone_hosts.as_ref().map(|hosts| set("clone_hosts", hosts.join(","))));
        entries.extend(section.old_tools.then(|| set("old_tools", "true".to_owned())));
        let github = section.github.options();
        entries
            .extend(section.github.api_url.is_some().then(|| set("github.api_url", github.settings.api.to_string())));
        entries.extend(github.token.map(|token| set("github.token", token.to_string())));
        entries
    }
}
