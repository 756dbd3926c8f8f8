//! What a project's `.mcp.json` says, entry by entry.

use std::collections::BTreeMap;

use hostel::{Error, Result};
use hostel_workspace::{Error as Refused, Place, Workspace};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::workspaces::said;

/// Where it is.
pub(crate) const FILE: &str = ".mcp.json";

/// How large it may be, and how many servers of it are looked at.
const BYTES: u64 = 64 << 10;
const MOST: usize = 32;

/// A server in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// What it is called.
    pub(crate) name: String,
    /// Where it is, or why it is not used.
    pub(crate) entry: Result<Entry, String>,
}

/// Where a server is. Everything of its entry that means something is in here, so that its hash stands for all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Entry {
    /// A program.
    Stdio(Program),
    /// A server elsewhere, over streamable HTTP, or HTTP+SSE if that is all it speaks.
    Http(Remote),
    /// One elsewhere, over HTTP+SSE.
    Sse(Remote),
}

/// A program that speaks over its standard input and output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) command: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) args: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) cwd: String,
}

/// A server elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remote {
    pub(crate) url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) headers: BTreeMap<String, String>,
}

/// An entry as it is written: other tools have fields of their own in it.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cwd: String,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Entry {
    /// What stands for it, and for the name it has: nothing else may be used on the yes that was given to it.
    pub(crate) fn hash(&self, name: &str) -> String {
        let text = serde_json::json!([name, self]).to_string();
        data_encoding::HEXLOWER.encode(&Sha256::digest(text))
    }

    fn texts(&self) -> Vec<&String> {
        match self {
            Self::Stdio(Program { command, args, env, cwd }) => {
                [command, cwd].into_iter().chain(args).chain(env.keys()).chain(env.values()).collect()
            }
            Self::Http(Remote { url, headers }) | Self::Sse(Remote { url, headers }) => {
                std::iter::once(url).chain(headers.keys()).chain(headers.values()).collect()
            }
        }
    }
}

/// The servers that the project names; none without the file. Blocks.
///
/// # Errors
/// In words, if it cannot be read.
pub(crate) fn read(workspace: &Workspace) -> Result<Vec<Named>> {
    match workspace.read_bytes(FILE, BYTES) {
        Ok(bytes) => parse(&bytes),
        Err(Refused::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(said(error)),
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Named>> {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "mcpServers", default)]
        servers: BTreeMap<String, Value>,
    }
    // A list would do for a structure whose fields may all be left out.
    let object = serde_json::from_slice(bytes).map(Value::Object);
    let file = object.and_then(File::deserialize).map_err(|error| {
        let fix = "it is {\"mcpServers\": {\"name\": {\"command\": \"..\", \"args\": []}}}, or with a \"url\"";
        Error::msg(format!("{FILE} cannot be read: {error}.")).with_fix(fix)
    })?;
    if file.servers.len() > MOST {
        return Err(Error::msg(format!("{FILE} names more than {MOST} servers.")).with_fix("leave some out"));
    }
    let named = |(name, written): (String, Value)| {
        let entry = if is_name(&name) { entry(written) } else { Err(NAME.to_owned()) };
        Named { name, entry }
    };
    Ok(file.servers.into_iter().map(named).collect())
}

const NAME: &str = "its name has more than 32 characters, or others than letters, digits, - and single _";

/// Names are part of the names of tools, where two `_` end them.
fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=32).contains(&name.len())
        && name.chars().all(fine)
        && !name.contains("__")
        && !name.starts_with('_')
        && !name.ends_with('_')
}

fn entry(written: Value) -> Result<Entry, String> {
    let written: Written = serde_json::from_value(written).map_err(|error| format!("its entry is none: {error}"))?;
    let Written { kind, command, args, env, cwd, url, headers } = written;
    let entry = match (kind.as_deref(), command, url) {
        (None | Some("stdio"), Some(command), None) => Entry::Stdio(Program { command, args, env, cwd }),
        (None | Some("http" | "streamable-http" | "streamableHttp"), None, Some(url)) => {
            Entry::Http(Remote { url, headers })
        }
        (Some("sse"), None, Some(url)) => Entry::Sse(Remote { url, headers }),
        _ => return Err("it has to have either a command or a url, and a type that fits".to_owned()),
    };
    // What a repository names is not filled in with what this server knows.
    if entry.texts().iter().any(|text| text.contains("${")) {
        return Err("it has a placeholder, ${..}: nothing of the server's environment or vault is put into what a \
                    repository says"
            .to_owned());
    }
    if let Entry::Stdio(Program { command, cwd, .. }) = &entry {
        let is_empty = command.trim().is_empty();
        let why = Place::parse(cwd).err().map(|error| error.to_string());
        if let Some(why) = why.or_else(|| is_empty.then(|| "its command is empty".to_owned())) {
            return Err(why);
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(entry: &str) -> Result<Entry, String> {
        let file = format!(r#"{{"mcpServers": {{"one": {entry}}}}}"#);
        parse(file.as_bytes()).unwrap().remove(0).entry
    }

    #[test]
    fn programs_and_addresses_are_read_and_fields_of_others_do_not_matter() {
        let program = one(r#"{"command": "node", "args": ["s.js"], "env": {"A": "b"}, "alwaysAllow": ["x"]}"#).unwrap();
        assert!(matches!(&program, Entry::Stdio(found) if found.args == ["s.js"] && found.env["A"] == "b"));
        let remote = one(r#"{"type": "http", "url": "https://a.example/mcp", "headers": {"x-a": "b"}}"#).unwrap();
        assert!(matches!(&remote, Entry::Http(found) if found.url == "https://a.example/mcp"));
        let old = one(r#"{"type": "sse", "url": "https://a.example/sse"}"#).unwrap();
        assert!(matches!(&old, Entry::Sse(found) if found.url == "https://a.example/sse"));
        assert!(parse(b"{}").unwrap().is_empty() && parse(b"[]").is_err());
    }

    #[test]
    fn what_is_not_used_says_why() {
        let why = |entry: &str| one(entry).unwrap_err();
        assert!(why(r#"{"type": "sse", "command": "a"}"#).contains("a type that fits"));
        assert!(why(r#"{"url": "https://a?k=${KEY}"}"#).contains("placeholder"));
        assert!(why(r#"{"command": "a", "env": {"T": "${GITHUB_TOKEN}"}}"#).contains("placeholder"));
        assert!(why(r#"{"command": "a", "url": "https://a"}"#).contains("either"));
        assert!(why(r#"{"command": "a", "cwd": "../.."}"#).contains(".."));
        assert!(why(r#"{"command": 7}"#).contains("its entry is none"));
        for name in ["", "a__b", "_a", "a.b", "a b"] {
            let file = serde_json::json!({"mcpServers": {name: {"command": "a"}}}).to_string();
            assert!(parse(file.as_bytes()).unwrap()[0].entry.is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_hash_stands_for_the_name_and_everything_that_means_something() {
        let of = |entry: &str| one(entry).unwrap().hash("one");
        let first = of(r#"{"command": "a", "args": ["b"], "env": {"A": "1", "B": "2"}}"#);
        assert_eq!(first, of(r#"{"env": {"B": "2", "A": "1"}, "type": "stdio", "args": ["b"], "command": "a"}"#));
        assert_ne!(first, of(r#"{"command": "a", "args": ["b", ""], "env": {"A": "1", "B": "2"}}"#));
        assert_ne!(first, of(r#"{"command": "a", "args": ["b"], "env": {"A": "1", "B": "3"}}"#));
        let remote = |kind: &str| of(&format!(r#"{{"type": "{kind}", "url": "https://a.example/"}}"#));
        assert_ne!(remote("http"), remote("sse"));
        assert_ne!(first, one(r#"{"command": "a", "args": ["b"], "env": {"A": "1", "B": "2"}}"#).unwrap().hash("two"));
    }
}
