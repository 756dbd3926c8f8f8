//! Agents that are nothing but configuration: `[agents.Support] kind = "chat"`.
//!
//! One Rust type is registered under every such name; which one an agent is, it finds by the namespace of its id.

mod agent;
mod below;
mod http_tool;
mod pages;
mod servers;
mod tools;

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use hostel::{App, Home, erased::ClassOf, mcp::Server};
use hostel_fetch::{Fetch, Reach, Redirects, Settings};
use hostel_model::{MAIN, Models, SMALL};
use hostel_protocol::name::{kebab, nearest};
use hostel_vault::Vault;

pub(crate) use self::agent::ConfiguredAgent;
use self::{below::Below, http_tool::HttpTool, pages::Hosts};
use crate::{
    builtin,
    config::{ChatSection, Config},
};

/// What is known of the classes that are made in the file, by their namespaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configured(Arc<BTreeMap<String, Arc<Made>>>);

/// One class that is made in the file.
#[derive(Debug)]
pub(crate) struct Made {
    section: ChatSection,
    system: Option<String>,
    http: Vec<Arc<HttpTool>>,
    hosts: Hosts,
    fetch: Fetch,
    servers: Vec<(String, Server)>,
    below: Vec<Below>,
}

impl Configured {
    fn of(&self, namespace: &str) -> Option<Arc<Made>> {
        self.0.get(namespace).cloned()
    }
}

/// The application with the classes of the file.
pub(crate) fn serve(config: &Config, vault: Option<&Vault>, models: &Models, mut app: App) -> anyhow::Result<App> {
    let mut all = BTreeMap::new();
    for (class, section) in &config.sections.agents {
        let origin = config.sections.agent_origins.get(class).map(ToString::to_string).unwrap_or_default();
        let at = |key: &str| format!("{origin}: [agents.{class}]{key}");
        let Some(chat) = &section.chat else {
            is_there(config, class).with_context(|| at(""))?;
            continue;
        };
        if builtin::spellings().contains(&kebab(class)) {
            anyhow::bail!("{}: a class of this server has that name already; choose another", at(""));
        }
        has_models(models, chat).with_context(|| at(""))?;
        let servers = servers::of(config, chat).with_context(|| at(" mcp"))?;
        let below = below::of(config, class).with_context(|| at(" agents"))?;
        let made = make(chat, vault).with_context(|| at(""))?;
        all.insert(kebab(class), Arc::new(Made { servers, below, ..made }));
        let doc = chat.description.as_deref().unwrap_or("An agent of hostel.toml.");
        app = app.class(ClassOf::<ConfiguredAgent>::new().named(class).described(doc));
    }
    Ok(if all.is_empty() { app } else { app.env(Configured(Arc::new(all))) })
}

/// What is decided about a class that is not there holds for nobody: the one that was meant would be open.
fn is_there(config: &Config, class: &str) -> anyhow::Result<()> {
    let served = config.spellings();
    if served.contains(&kebab(class)) {
        return Ok(());
    }
    let near = nearest(&kebab(class), served.iter().map(String::as_str)).map(str::to_owned);
    let hint = near.map_or_else(|| format!("there are {}", served.join(", ")), |near| format!("did you mean {near}?"));
    anyhow::bail!("there is no such class; {hint}")
}

/// Whether the models it names are there. Those that everybody has by default may come later.
fn has_models(models: &Models, chat: &ChatSection) -> anyhow::Result<()> {
    let named = [("model", &chat.model), ("small", &chat.small)];
    let mut named = named.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?)));
    let is_missing = |(_, name): &(&str, &str)| ![MAIN, SMALL].contains(name) && models.find(name).is_none();
    let Some((key, name)) = named.find(is_missing) else { return Ok(()) };
    let known = models.names();
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are {}", known.join(", ")),
    };
    anyhow::bail!("{key}: there is no [models.{name}]; {hint}")
}

fn make(section: &ChatSection, vault: Option<&Vault>) -> anyhow::Result<Made> {
    let system = match &section.system_file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.with_context(|| format!("system_file {} cannot be read", path.display()))?)
        }
        None => section.system.clone(),
    };
    let fetch = fetch(section)?;
    let tool = |(name, http): (&crate::config::ToolName, &crate::config::HttpSection)| {
        Arc::new(HttpTool::new(&name.0, http.clone(), fetch.clone(), vault.cloned()))
    };
    Ok(Made {
        system,
        http: section.http.iter().map(tool).collect(),
        hosts: Hosts::new(&section.fetch_hosts),
        fetch: fetch.clone(),
        section: section.clone(),
        servers: Vec::new(),
        below: Vec::new(),
    })
}

/// What is reached is the public internet, and the hosts that are written down, wherever they are.
fn fetch(section: &ChatSection) -> anyhow::Result<Fetch> {
    let mut reach = Reach::public();
    let of_pages = section.fetch_hosts.iter().map(|host| host.0.as_str()).filter(|host| *host != "*");
    let hosts: Vec<String> =
        of_pages.map(str::to_owned).chain(section.http.values().map(|http| http.url.host())).collect();
    for host in hosts {
        reach = reach.allow(&host)?;
    }
    let settings = Settings { redirects: Redirects::SameOrigin, ..Settings::default() };
    Ok(Fetch::new(reach, &settings)?)
}

/// Wakes the agents that have schedules, so that these are on order: an agent nobody has talked to has none yet.
pub(crate) async fn order_schedules(config: &Config, home: &Home) {
    for (class, section) in &config.sections.agents {
        let schedules = section.chat.iter().flat_map(|chat| &chat.schedule);
        for schedule in schedules {
            let id = hostel::AgentId::new(class, &schedule.agent);
            if let Err(error) = home.edge().node().wake(&id, None).await {
                tracing::error!(agent = %id, error = ?error, "the schedules of an agent could not be put on order");
            }
        }
    }
}
