//! `GET …/chat/settings` and `PATCH …/chat/settings`: what is set for one conversation alone.

use hostel::{Code, Cx, Error, Request, Response, Result};
use serde_json::{Map, Value};

use super::json as json_response;
use crate::{agent::ChatAgent, room::Room, settings::Settings};

/// Greatest body.
const BYTES: usize = 64 << 10;
/// What may be set in any conversation, and what only where the class says so.
const KEYS: [(&str, bool); 4] = [("title", true), ("model", false), ("system", false), ("temperature", false)];

/// What may be seen of the settings: those that may be set.
pub(super) fn show<A: ChatAgent>(cx: &Cx<A>) -> Result<Response> {
    let (room, open) = (Room::of(cx), is_open(cx)?);
    shown(room.settings()?, open)
}

/// Sets what is in the body, and leaves the rest; `null` takes a setting away.
pub(super) async fn set<A: ChatAgent>(cx: Cx<A>, request: Request) -> Result<Response> {
    let bytes = request.into_body().bytes(BYTES).await?;
    let changes: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|error| malformed(&format!("This is no JSON object: {error}.")))?;
    let open = is_open(&cx)?;
    changes.keys().try_for_each(|key| may_set(key, open))?;
    let settings = Room::of(&cx).aside(|host| {
        let settings = changed(Settings::of(host)?, changes.clone())?;
        settings.keep(host)?;
        Ok(settings)
    })?;
    shown(settings, open)
}

fn is_open<A: ChatAgent>(cx: &Cx<A>) -> Result<bool> {
    cx.read(|me| me.chat(cx).has_open_settings())
}

fn may_set(key: &str, open: bool) -> Result<()> {
    match KEYS.iter().find(|(known, _)| *known == key) {
        Some((_, for_all)) if *for_all || open => Ok(()),
        Some(_) => Err(Error::coded(Code::Forbidden, format!("This agent's {key} is not for its users to set."))
            .with_fix("set the title alone, or have the agent say ChatSetup::open_settings")),
        None => Err(malformed(&format!("There is no setting {:?}.", key.chars().take(64).collect::<String>()))),
    }
}

fn changed(settings: Settings, changes: Map<String, Value>) -> Result<Settings> {
    let mut now = serde_json::to_value(settings)?;
    for (key, value) in changes {
        now[key] = value;
    }
    serde_json::from_value(now).map_err(|error| malformed(&format!("This cannot be set: {error}.")))
}

fn shown(settings: Settings, open: bool) -> Result<Response> {
    let seen = if open { settings } else { Settings { title: settings.title, ..Settings::default() } };
    Ok(json_response(serde_json::to_string(&seen)?))
}

fn malformed(message: &str) -> Error {
    Error::coded(Code::MalformedRequest, message)
        .with_fix("send {\"title\": \"..\"}, with model, system or temperature where the agent has them open")
}
