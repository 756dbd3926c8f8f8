//! `[agents.CLASS]`: what the operator decides about a class, and whole classes that are nothing but configuration.

mod http;
mod said;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hostel::Cron;
use hostel_protocol::name::{kebab, nearest};
use serde::Deserialize;

pub use self::{
    http::{HttpMethod, HttpSection, InputSection, ToolName, UrlTemplate},
    said::{CronText, HostPattern, ScheduleSection},
};
use super::auth::Rules;
use super::sections::Time;

/// `[agents.CLASS]`: what the operator decides about one class; with `kind = "chat"` the class itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Written")]
pub struct AgentSection {
    /// Who may reach its agents, in place of what the class says.
    pub allow: Option<Rules>,
    /// The class that is made here, if one is.
    pub chat: Option<Box<ChatSection>>,
}

/// What a chat agent is made of.
#[derive(Debug, Clone, Default)]
pub struct ChatSection {
    /// What it is for; shown to operators.
    pub description: Option<String>,
    /// Its model, by the name in `[models.NAME]`. Default `main`.
    pub model: Option<String>,
    /// The model for titles and summaries. Default `small`.
    pub small: Option<String>,
    /// What stands above each conversation.
    pub system: Option<String>,
    /// Or the file that says it.
    pub system_file: Option<PathBuf>,
    /// The built-in tools it has.
    pub tools: Vec<BuiltIn>,
    /// The hosts that the tool `fetch` may reach.
    pub fetch_hosts: Vec<HostPattern>,
    /// The servers of `[mcp.servers.NAME]` whose tools it has.
    pub mcp: Vec<String>,
    /// Other classes of the file that it can have do something, each as a tool.
    pub agents: Vec<String>,
    /// `[agents.CLASS.http.NAME]`: requests it can make, each as a tool.
    pub http: BTreeMap<ToolName, HttpSection>,
    /// `[[agents.CLASS.schedule]]`: what it is told, and when.
    pub schedule: Vec<ScheduleSection>,
    /// How often the model is asked for one answer, at most.
    pub max_steps: Option<usize>,
    /// How much chance there is in its answers.
    pub temperature: Option<f64>,
    /// How long one step may be.
    pub max_output_tokens: Option<u64>,
    /// Tools that need somebody's yes.
    pub ask: Vec<String>,
    /// Tools that need none.
    pub trust: Vec<String>,
    /// How long a question stands.
    pub ask_expires: Option<Time>,
    /// What happens with a message that comes while another is being answered.
    pub concurrency: Option<Concurrency>,
    /// Whether who reaches an agent may choose model, system prompt and temperature of its conversation.
    pub open_settings: bool,
}

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    allow: Option<Rules>,
    kind: Option<AgentKind>,
    description: Option<String>,
    model: Option<String>,
    small: Option<String>,
    system: Option<String>,
    system_file: Option<PathBuf>,
    tools: Vec<BuiltIn>,
    fetch_hosts: Vec<HostPattern>,
    mcp: Vec<String>,
    agents: Vec<String>,
    http: BTreeMap<ToolName, HttpSection>,
    schedule: Vec<ScheduleSection>,
    max_steps: Option<usize>,
    temperature: Option<f64>,
    max_output_tokens: Option<u64>,
    ask: Vec<String>,
    trust: Vec<String>,
    ask_expires: Option<Time>,
    concurrency: Option<Concurrency>,
    open_settings: Option<bool>,
}

/// What kind of class is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AgentKind {
    Chat,
}

/// A tool that needs no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuiltIn {
    /// What time it is, in any zone.
    Time,
    /// Notes that the agent keeps between conversations.
    Notes,
    /// Reads pages of `fetch_hosts`.
    Fetch,
}

/// What happens with a message that comes while another is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are named after what they are")]
pub enum Concurrency {
    Queue,
    Latest,
    Merge,
    Drop,
}

impl TryFrom<Written> for AgentSection {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let allow = written.allow.clone();
        if written.kind.is_none() {
            return match written.first_of_chat() {
                Some(key) => Err(format!("{key} is for classes that are made here: add kind = \"chat\"")),
                None if allow.is_none() => Err("it says nothing: give allow, or kind = \"chat\"".to_owned()),
                None => Ok(Self { allow, chat: None }),
            };
        }
        let chat = ChatSection {
            description: written.description,
            model: written.model,
            small: written.small,
            system: written.system,
            system_file: written.system_file,
            tools: written.tools,
            fetch_hosts: written.fetch_hosts,
            mcp: written.mcp,
            agents: written.agents,
            http: written.http,
            schedule: written.schedule,
            max_steps: written.max_steps,
            temperature: written.temperature,
            max_output_tokens: written.max_output_tokens,
            ask: written.ask,
            trust: written.trust,
            ask_expires: written.ask_expires,
            concurrency: written.concurrency,
            open_settings: written.open_settings.unwrap_or_default(),
        };
        chat.check()?;
        Ok(Self { allow, chat: Some(Box::new(chat)) })
    }
}

impl Written {
    /// The first key that only a class made here has.
    fn first_of_chat(&self) -> Option<&'static str> {
        let there = [
            ("model", self.model.is_some()),
            ("system", self.system.is_some()),
            ("system_file", self.system_file.is_some()),
            ("tools", !self.tools.is_empty()),
            ("http", !self.http.is_empty()),
            ("schedule", !self.schedule.is_empty()),
            ("description", self.description.is_some()),
            ("small", self.small.is_some()),
            ("fetch_hosts", !self.fetch_hosts.is_empty()),
            ("mcp", !self.mcp.is_empty()),
            ("agents", !self.agents.is_empty()),
            ("max_steps", self.max_steps.is_some()),
            ("temperature", self.temperature.is_some()),
            ("max_output_tokens", self.max_output_tokens.is_some()),
            ("ask", !self.ask.is_empty()),
            ("trust", !self.trust.is_empty()),
            ("ask_expires", self.ask_expires.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("open_settings", self.open_settings.is_some()),
        ];
        there.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
    }
}

impl ChatSection {
    fn check(&self) -> Result<(), String> {
        let fetches = self.tools.contains(&BuiltIn::Fetch);
        if self.system.is_some() && self.system_file.is_some() {
            return Err("say one of system and system_file".to_owned());
        }
        if fetches && self.fetch_hosts.is_empty() {
            return Err("which hosts may the tool fetch reach? say fetch_hosts = [\"docs.example.com\"]".to_owned());
        }
        if !fetches && !self.fetch_hosts.is_empty() {
            return Err("fetch_hosts is for the tool fetch: add \"fetch\" to tools".to_owned());
        }
        for schedule in &self.schedule {
            Cron::parse(&schedule.cron.0, schedule.zone.as_deref()).map_err(|error| said::spoken(&error))?;
        }
        self.http.iter().try_for_each(|(name, tool)| tool.check(&name.0))?;
        self.check_names()
    }

    /// Each tool has a name of its own, and what is said of tools is said of those there are.
    fn check_names(&self) -> Result<(), String> {
        let names = self.names_of_tools();
        if let Some(name) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
            return Err(format!("two of its tools are called {name}: give one of them another name"));
        }
        if let Some(name) = self.ask.iter().find(|name| self.trust.contains(name)) {
            return Err(format!("{name} stands in ask and in trust: take it out of one of them"));
        }
        // What servers call their tools is found out when they are reached.
        if !self.mcp.is_empty() {
            return Ok(());
        }
        let lists = [("ask", &self.ask), ("trust", &self.trust)];
        let mut said = lists.iter().flat_map(|(key, list)| list.iter().map(move |name| (key, name)));
        said.find(|(_, name)| !names.contains(name)).map_or(Ok(()), |(key, name)| Err(no_tool(key, name, &names)))
    }

    /// The names of its tools as a model knows them, but for those of MCP servers.
    fn names_of_tools(&self) -> Vec<String> {
        let built_in = self.tools.iter().flat_map(|tool| match tool {
            BuiltIn::Time => vec!["time"],
            BuiltIn::Notes => vec!["note", "notes"],
            BuiltIn::Fetch => vec!["fetch"],
        });
        let built_in = built_in.map(str::to_owned);
        let http = self.http.keys().map(|name| name.0.clone());
        built_in.chain(http).chain(self.agents.iter().map(|class| kebab(class))).collect()
    }

    /// The names of its tools, for a list.
    #[must_use]
    pub fn tool_names(&self) -> Vec<String> {
        let built_in = self.tools.iter().map(|tool| format!("{tool:?}").to_ascii_lowercase());
        let http = self.http.keys().map(|name| name.0.clone());
        let agents = self.agents.iter().map(|class| kebab(class));
        built_in.chain(http).chain(agents).chain(self.mcp.iter().map(|server| format!("mcp:{server}"))).collect()
    }
}

fn no_tool(key: &str, name: &str, names: &[String]) -> String {
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None if names.is_empty() => "it has no tools".to_owned(),
        None => format!("its tools are {}", names.join(", ")),
    };
    format!("{key}: it has no tool {name:?}; {hint}")
}
