//! An agent's name made from a webhook: `{/repository/full_name}`.

use std::str::FromStr;

use hostel_core::{Error, Result};
use hostel_protocol::refusal::Code;

use crate::Delivery;

/// Texts, and places that are filled from a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Pointer(String),
    Header(String),
    Event,
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').ok_or_else(|| wrong(text))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match (place, place.strip_prefix("header:")) {
                ("event", _) => Part::Event,
                (_, Some(header)) if !header.is_empty() => Part::Header(header.to_ascii_lowercase()),
                (pointer, None) if pointer.starts_with('/') => Part::Pointer(pointer.to_owned()),
                _ => return Err(wrong(text)),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.is_empty() { Err(wrong(text)) } else { Ok(Self(parts)) }
    }
}

impl Template {
    pub(crate) fn fill(&self, delivery: &Delivery) -> Result<String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Pointer(pointer) => {
                    name.push_str(&delivery.pointer(pointer).ok_or_else(|| missing(&format!("{{{pointer}}}")))?);
                }
                Part::Header(header) => {
                    name.push_str(
                        delivery.headers.get(header).ok_or_else(|| missing(&format!("the header {header}")))?,
                    );
                }
                Part::Event => name.push_str(delivery.event.as_ref().ok_or_else(|| missing("an event"))?),
            }
        }
        Ok(name)
    }
}

fn missing(what: &str) -> Error {
    Error::coded(Code::HookUnroutable, format!("The webhook has not got {what}, which names its agent."))
        .with_fix("have the sender send such events elsewhere, or change `name` of the webhook")
}

fn wrong(text: &str) -> Error {
    Error::msg(format!("{text:?} is no template for a name"))
        .with_fix("write texts, {/json/pointer}, {header:name} or {event}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn delivery() -> Delivery {
        Delivery {
            hook: "h".into(),
            id: "1".into(),
            event: Some("push".into()),
            headers: BTreeMap::from([("x-team".into(), "blue".into())]),
            body: json!({"repository": {"full_name": "a/b", "id": 7}, "list": []}),
            received_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_name_is_made_from_texts_pointers_headers_and_the_event() {
        let filled = |text: &str| text.parse::<Template>().unwrap().fill(&delivery());
        assert_eq!(filled("{/repository/full_name}").unwrap(), "a/b");
        assert_eq!(filled("{header:X-Team}-{/repository/id}-{event}!").unwrap(), "blue-7-push!");
        assert_eq!(filled("default").unwrap(), "default");
        assert_eq!(filled("{/nowhere}").unwrap_err().code(), Some(Code::HookUnroutable));
        assert_eq!(filled("{/list}").unwrap_err().code(), Some(Code::HookUnroutable));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["", "{", "{x}", "{header:}", "a{/b"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
