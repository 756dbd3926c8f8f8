//! Agents of a directory that no server runs on: their past, leaving and arriving, without running any of their code.

mod orders;
mod travel;

use std::path::{Path, PathBuf};

use hostel_protocol::name::nearest;
use hostel_store::{AgentKey, Author, Cause, Error, HistoryQuery, Moment, Store};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Refused, builtin, retention, travel::Kept};

pub use hostel_store::{Problem, Progress, Verified, VerifyOptions};

/// Checks everything in a data directory, or a backup, that no server runs on. Nothing is changed.
///
/// # Errors
///
/// If it is no data directory, or a server runs on it. What is wrong with its files is no error but the result.
pub fn verify(dir: &Path, options: VerifyOptions, progress: &mut dyn FnMut(Progress)) -> Result<Verified, Refused> {
    let mut found = hostel_store::verify_with(dir, options, progress).map_err(|error| in_use(error, dir))?;
    let workspaces = builtin::workspaces_in(dir);
    let shown = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
    match workspaces.strays(|hash| found.there.contains(hash)) {
        Ok(strays) => found.notes.extend(strays.iter().map(|stray| {
            format!("{} is the workspace of no agent; delete it if nobody needs its files", shown(stray))
        })),
        Err(error) => found.notes.push(format!("the directory of workspaces cannot be read: {error}")),
    }
    found.notes.extend(workspaces.replaced().iter().map(|replaced| {
        format!("{} has the files that an import took the place of; delete it if nobody needs them", shown(replaced))
    }));
    Ok(found)
}

/// Without a server nobody tells a parent of an agent under it that was not there before.
fn at_the_top(key: &AgentKey) -> Result<(), Refused> {
    if !key.is_child() {
        return Ok(());
    }
    let message = "An agent under another is made by a server that runs: its parent has to know of it.";
    Err(Refused::new("agent_unavailable", message, "start the server, and do it with --url"))
}

/// An open data directory. Everything blocks; answers are those of the operator's endpoints.
#[derive(Debug)]
pub struct Offline {
    dir: PathBuf,
    store: Store,
    classes: Vec<String>,
    kept: Kept,
}

impl Offline {
    /// Opens a directory that exists, with what a crash may have left in its journal brought into its files.
    ///
    /// # Errors
    ///
    /// If it is no data directory, if a server runs on it, or if it cannot be used.
    pub fn open(dir: &Path) -> Result<Self, Refused> {
        let agents = dir.join("agents");
        if !agents.is_dir() {
            let message = format!("{} is no data directory: it has no agents in it.", dir.display());
            return Err(Refused::new(
                "storage_failed",
                message,
                "give the directory that `hostel serve --data` was given",
            ));
        }
        if BACKUP.iter().any(|list| dir.join(list).exists()) {
            let message = format!("{} is a backup, and would be none any more once it is opened.", dir.display());
            return Err(Refused::new("storage_failed", message, "open a copy of it: cp -a keeps everything"));
        }
        let options = hostel_store::Options { history: retention::all(), ..hostel_store::Options::default() };
        let store = Store::open(dir, options).map_err(|error| in_use(error, dir))?;
        let entries = std::fs::read_dir(&agents).into_iter().flatten().filter_map(Result::ok);
        let classes = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let kept = vec![builtin::workspaces_in(dir).belongings()];
        hostel::settle(&store, &kept).map_err(|error| Refused::from_error(&error))?;
        Ok(Self { dir: dir.to_owned(), store, classes, kept })
    }

    /// A page of an agent's turns, newest first.
    ///
    /// # Errors
    ///
    /// If there is no such agent, or its history cannot be read.
    pub fn history(
        &self,
        class: &str,
        name: &str,
        before: Option<i64>,
        limit: usize,
        changes: bool,
    ) -> Result<Value, Refused> {
        let key = self.agent(class, name)?;
        let page = self.store.history(&key, &HistoryQuery { before, limit, changes });
        page.map_err(|error| self.unknown(error, &key)).map(shown)
    }

    /// What is different between two moments.
    ///
    /// # Errors
    ///
    /// If one of them is no moment of the agent, or is not kept any more.
    pub fn difference(&self, class: &str, name: &str, from: &str, to: &str, rows: usize) -> Result<Value, Refused> {
        let key = self.agent(class, name)?;
        let (from, to) = (Moment::parse(from)?, Moment::parse(to)?);
        let difference = self.store.difference(&key, from, to, rows);
        difference.map_err(|error| self.unknown(error, &key)).map(shown)
    }

    /// Brings an agent back to a moment.
    ///
    /// # Errors
    ///
    /// If that is no moment of the agent, is not kept any more, or cannot be written.
    pub fn restore(&self, class: &str, name: &str, at: &str) -> Result<Value, Refused> {
        let key = self.agent(class, name)?;
        let mut image = self.store.image(&key, Moment::parse(at)?).map_err(|error| self.unknown(error, &key))?;
        image.pause_runs()?;
        let what = format!("#{}", image.turn());
        self.install(&key, image, Cause { event: "restore", what: &what, author: Author::Operator })
    }

    /// Makes a new agent of the same class out of a moment of another.
    ///
    /// # Errors
    ///
    /// As [`restore`](Self::restore), and if the name is taken.
    pub fn fork(&self, class: &str, name: &str, new_name: &str, at: &str) -> Result<Value, Refused> {
        let key = self.agent(class, name)?;
        at_the_top(&key)?;
        let new = AgentKey::new(key.namespace(), new_name);
        self.must_be_free(&new)?;
        let mut image = self.store.image(&key, Moment::parse(at)?).map_err(|error| self.unknown(error, &key))?;
        image.rename_to(&new)?;
        let what = format!("{}/{} #{}", key.namespace(), key.name(), image.turn());
        self.install(&new, image, Cause { event: "fork", what: &what, author: Author::Operator })
    }

    /// The wake-up is registered earlier than it is committed and cleared after: the register may be early, never late.
    fn install(&self, key: &AgentKey, image: hostel_store::Image, cause: Cause<'_>) -> Result<Value, Refused> {
        let (alarm, turn, time_ms) = (image.alarm()?, image.turn(), image.time_ms());
        if let Some(at_ms) = alarm {
            let registered = self.store.registered_alarm(key)?;
            self.store.register_alarm(key, registered.map_or(at_ms, |registered| registered.min(at_ms)))?;
        }
        self.store.agent(key.namespace(), key.name())?.replace(image, cause)?;
        match alarm {
            Some(at_ms) => self.store.register_alarm(key, at_ms)?,
            None => self.store.clear_alarm(key, None)?,
        }
        Ok(json!({"turn": turn, "time_ms": time_ms}))
    }

    fn must_be_free(&self, key: &AgentKey) -> Result<(), Refused> {
        crate::travel::must_be_free(&self.store, key)
    }

    fn agent(&self, class: &str, name: &str) -> Result<AgentKey, Refused> {
        if self.classes.iter().any(|known| known == class) {
            let id: hostel::AgentId = format!("{class}/{name}").parse().map_err(|error| Refused::from_error(&error))?;
            let (namespace, name) = id.stored();
            return Ok(AgentKey::new(namespace, name));
        }
        let near = nearest(class, self.classes.iter().map(String::as_str));
        let fix = near.map_or_else(|| self.list(), |near| format!("did you mean {near}/{name}?"));
        Err(Refused::new("unknown_agent", format!("The directory has no agents of a class {class}."), fix))
    }

    fn list(&self) -> String {
        format!("it has agents of: {}", self.classes.join(", "))
    }

    /// Names the nearest name where the one asked for is unknown.
    fn unknown(&self, error: Error, key: &AgentKey) -> Refused {
        self.or_near(error.into(), key)
    }

    fn or_near(&self, mut refused: Refused, key: &AgentKey) -> Refused {
        if refused.code == "agent_not_found" {
            refused.fix = self.near(key).map(|near| format!("did you mean {}/{near}?", key.namespace()));
        }
        refused
    }

    fn near(&self, key: &AgentKey) -> Option<String> {
        let known = self.store.agents(Some(key.namespace()), NAMES, None).ok()?;
        let names: Vec<String> = known.into_iter().filter_map(|entry| entry.name).collect();
        nearest(key.name(), names.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// The files by which a backup is known.
const BACKUP: [&str; 2] = ["backup.list", "backup.switch"];

/// How many names are looked at to find the one that was meant.
const NAMES: usize = 1_000;

fn in_use(error: Error, dir: &Path) -> Refused {
    let mut refused = Refused::from(error);
    if refused.code == "storage_locked" {
        refused.message = format!("A server runs on {}.", dir.display());
        refused.fix = Some(
            "stop it first; most commands can ask it instead: leave out --data, and give its address with --url"
                .to_owned(),
        );
    }
    refused
}

fn shown(answer: impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}
