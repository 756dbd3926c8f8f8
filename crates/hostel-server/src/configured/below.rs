//! Other classes of the file as tools: `agents = ["Researcher"]`.

use anyhow::bail;
use hostel_chat::Tool;
use hostel_protocol::name::{kebab, nearest};

use super::ConfiguredAgent;
use crate::config::Config;

/// A class whose agents another one can have do something.
#[derive(Debug, Clone)]
pub(super) struct Below {
    class: String,
    description: String,
}

/// What the agents of a class have below them.
///
/// # Errors
/// A class that the file does not make, or one that is below itself: its agents could send each other for ever.
pub(super) fn of(config: &Config, class: &str) -> anyhow::Result<Vec<Below>> {
    if let Some(circle) = circle(config, &mut vec![class.to_owned()]) {
        bail!("{circle} would send each other for ever: take one of them out");
    }
    below(config, class).iter().map(|name| one(config, name)).collect()
}

fn below<'a>(config: &'a Config, class: &str) -> &'a [String] {
    let chat = config.sections.agents.get(class).and_then(|section| section.chat.as_ref());
    chat.map_or(&[], |chat| &chat.agents)
}

/// The way from the first class back to itself, if there is one.
fn circle(config: &Config, way: &mut Vec<String>) -> Option<String> {
    let (first, last) = (way.first()?.clone(), way.last()?.clone());
    for next in below(config, &last) {
        if *next == first {
            return Some(format!("{} > {first}", way.join(" > ")));
        }
        if !way.contains(next) {
            way.push(next.clone());
            let found = circle(config, way);
            way.pop();
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

fn one(config: &Config, name: &str) -> anyhow::Result<Below> {
    let made = config.sections.agents.iter().filter_map(|(class, section)| Some((class, section.chat.as_ref()?)));
    let known: Vec<_> = made.collect();
    let Some((class, chat)) = known.iter().find(|(class, _)| *class == name) else {
        let near = nearest(name, known.iter().map(|(class, _)| class.as_str()));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        bail!("there is no [agents.{name}] with kind = \"chat\"{hint}");
    };
    let about = chat.description.clone().unwrap_or_else(|| format!("The agent {class}."));
    let description = format!("{about} Give it a task; it answers when it is done.");
    Ok(Below { class: (*class).clone(), description })
}

impl Below {
    pub(super) fn tool(&self) -> Tool<ConfiguredAgent> {
        Tool::agent_of(&self.class, kebab(&self.class), &self.description)
    }
}
