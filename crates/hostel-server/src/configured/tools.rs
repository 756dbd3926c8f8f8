//! The tools of an agent that is nothing but configuration.

use std::sync::Arc;

use hostel::{Error, Result};
use hostel_chat::{Tool, ToolCx};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ConfiguredAgent, Made, below::Below, pages};
use crate::config::BuiltIn;

type Own = Tool<ConfiguredAgent>;
type OwnCx = ToolCx<ConfiguredAgent>;

/// The most notes of one agent, and the longest.
const NOTES: usize = 200;
const NOTE_BYTES: usize = 8 << 10;

/// All of them.
pub(super) fn of(made: &Arc<Made>) -> Vec<Own> {
    let built_in = made.section.tools.iter().flat_map(|tool| match tool {
        BuiltIn::Time => vec![time()],
        BuiltIn::Notes => vec![note(), notes()],
        BuiltIn::Fetch => vec![pages::tool(made)],
    });
    let http = made.http.iter().map(|tool| Arc::clone(tool).tool());
    built_in.chain(http).chain(made.below.iter().map(Below::tool)).collect()
}

#[derive(Deserialize, JsonSchema)]
struct Zone {
    /// A time zone such as Europe/Berlin. UTC without.
    zone: Option<String>,
}

fn time() -> Own {
    Tool::new("time", "Tells the date and the time.", |cx: OwnCx, zone: Zone| async move {
        let name = zone.zone.as_deref().unwrap_or("UTC");
        let zone = TimeZone::get(name).map_err(|_| Error::msg(format!("There is no time zone {name:?}.")))?;
        Ok(cx.now().to_zoned(zone).to_string())
    })
    .repeatable()
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    /// What it is about, in a word or two.
    name: String,
    /// What to remember; empty to forget it.
    text: String,
}

fn note() -> Own {
    Tool::new("note", "Notes something for later conversations, or forgets it.", |cx: OwnCx, note: Note| async move {
        cx.try_update(|me| keep(me, note))?;
        Ok("noted")
    })
    .repeatable()
}

fn keep(me: &mut ConfiguredAgent, Note { name, text }: Note) -> Result<()> {
    if text.is_empty() {
        me.notes.remove(&name);
        return Ok(());
    }
    if name.len() + text.len() > NOTE_BYTES {
        return Err(Error::msg("The note is too long: 8 KiB at most."));
    }
    if me.notes.len() >= NOTES && !me.notes.contains_key(&name) {
        return Err(Error::msg("There are 200 notes already: forget one first."));
    }
    me.notes.insert(name, text);
    Ok(())
}

fn notes() -> Own {
    Tool::untyped("notes", "Lists all notes.", empty(), |cx: OwnCx, _: Value| async move {
        Ok(json!(cx.read(|me| me.notes.clone())?))
    })
    .repeatable()
}

fn empty() -> Value {
    json!({"type": "object", "properties": {}})
}
