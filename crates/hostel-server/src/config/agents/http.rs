//! `[agents.CLASS.http.NAME]`: a request as a tool.

use std::collections::BTreeMap;

use hostel_vault::SecretValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::config::sections::Time;

/// `[agents.CLASS.http.NAME]`: a request as a tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSection {
    /// What it does, for the model.
    pub description: String,
    /// Where it goes. `{name}` in path and query stands for an input.
    pub url: UrlTemplate,
    /// Default `GET`.
    #[serde(default)]
    pub method: HttpMethod,
    /// Its inputs: a description each, or a JSON schema.
    #[serde(default)]
    pub input: BTreeMap<String, InputSection>,
    /// Headers to send; a value may be `secret:NAME`.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretValue>,
    /// A token to send as `Authorization: Bearer`.
    pub bearer: Option<SecretValue>,
    /// Whether somebody has to say yes first. Default for all but `GET`.
    pub ask: Option<bool>,
    /// How long it may take. Default 30s.
    pub timeout: Option<Time>,
}

/// The methods a tool may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "they are named after what they are")]
pub enum HttpMethod {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// One input of a tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum InputSection {
    /// A text, and what it is.
    Text(String),
    /// Any JSON schema, with `optional = true` for one that may be left out.
    Schema(Map<String, Value>),
}

impl HttpSection {
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        for wanted in self.url.inputs() {
            if !self.input.contains_key(wanted) {
                return Err(format!(
                    "http.{name}: {{{wanted}}} in its url is no input: add input.{wanted} = \"what it is\""
                ));
            }
        }
        Ok(())
    }

    /// The JSON schema of its inputs.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, input) in &self.input {
            let (schema, optional) = input.schema();
            properties.insert(name.clone(), schema);
            if !optional {
                required.push(name.clone());
            }
        }
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }
}

impl InputSection {
    fn schema(&self) -> (Value, bool) {
        match self {
            Self::Text(text) => (json!({"type": "string", "description": text}), false),
            Self::Schema(schema) => {
                let mut schema = schema.clone();
                let optional = schema.remove("optional") == Some(Value::Bool(true));
                (Value::Object(schema), optional)
            }
        }
    }
}

/// The name of a tool: letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToolName(pub String);

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        match (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            true => Ok(Self(name)),
            false => Err(D::Error::custom(format!("{name:?} is no name of a tool: use letters, digits, _ and -"))),
        }
    }
}

/// A URL with `{name}` in its path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(pub String);

impl<'de> Deserialize<'de> for UrlTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let template = Self(String::deserialize(deserializer)?);
        template.check().map_err(D::Error::custom)?;
        Ok(template)
    }
}

impl UrlTemplate {
    fn check(&self) -> Result<(), String> {
        let text = &self.0;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or_else(|| format!("{text:?} is no URL: it begins with https:// or http://"))?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || host.contains(['{', '}', '@']) {
            return Err(format!("{text:?} has no fixed host: inputs may stand in the path and the query alone"));
        }
        match text.matches('{').count() == text.matches('}').count() && self.inputs().all(|name| !name.is_empty()) {
            true => Ok(()),
            false => Err(format!("{text:?} has a brace without its other: inputs are written {{name}}")),
        }
    }

    /// Its host, with the port if it has one.
    #[must_use]
    pub fn host(&self) -> String {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
    }

    /// The inputs that stand in it.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.0.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
    }
}
