//! What the editor's thread has to know of the conversation.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use hostel_client::{Call, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::chat::screen::{Aim, Screen};

/// How long a completion may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What somebody is typing for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Something to say.
    Free,
    /// The answer to a question that keys answer.
    Keys,
    /// The answer to a question that came while somebody was typing: the first letter of a word must not answer it.
    Words,
    /// Something to say, once the server is there again.
    Away,
    /// Why not.
    Why,
}

/// What the editor's thread has to know of the conversation.
#[derive(Debug)]
pub(crate) struct State {
    mode: AtomicU8,
    key: Mutex<Option<(char, Aim)>>,
    screen: Mutex<Screen>,
    /// What the line that is being typed is meant for: it is known from its first character on.
    begun: Mutex<Option<Aim>>,
    /// Commands, with the slash.
    commands: Mutex<Vec<String>>,
    /// Whether those of the agent are among them.
    is_learned: AtomicBool,
    client: Mutex<Option<Client>>,
    runtime: Handle,
}

impl State {
    /// In a runtime.
    pub(crate) fn new(own: &[&str]) -> Self {
        let commands = Mutex::new(own.iter().map(|name| format!("/{name}")).collect());
        Self {
            mode: AtomicU8::new(Mode::Free as u8),
            key: Mutex::default(),
            screen: Mutex::default(),
            begun: Mutex::default(),
            commands,
            is_learned: AtomicBool::new(false),
            client: Mutex::default(),
            runtime: Handle::current(),
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    pub(crate) fn is(&self, mode: Mode) -> bool {
        self.mode.load(Ordering::SeqCst) == mode as u8
    }

    /// Whether what is typed is worth remembering.
    pub(super) fn is_kept(&self) -> bool {
        self.is(Mode::Free) || self.is(Mode::Away)
    }

    /// The sign of the prompt, one character wide.
    pub(super) fn sign(&self) -> char {
        match () {
            () if self.is(Mode::Keys) || self.is(Mode::Words) => '?',
            () if self.is(Mode::Away) => '…',
            () => '>',
        }
    }

    /// This question stands on the screen.
    pub(super) fn drawn(&self, question: &str) {
        self.screen.lock().drawn(question, Instant::now());
    }

    /// No question stands there any more.
    pub(crate) fn gone(&self) {
        self.screen.lock().gone(Instant::now());
    }

    fn aim(&self) -> Aim {
        self.screen.lock().aim(Instant::now())
    }

    pub(super) fn press(&self, key: char) {
        let aim = self.aim();
        *self.key.lock() = Some((key, aim));
    }

    pub(super) fn key(&self) -> Option<(char, Aim)> {
        self.key.lock().take()
    }

    /// What the line holds that is being typed.
    pub(super) fn typed(&self, line: &str) {
        let mut begun = self.begun.lock();
        if line.trim().is_empty() {
            *begun = None;
        } else if begun.is_none() {
            *begun = Some(self.aim());
        }
    }

    /// What the line was meant for that was typed.
    pub(super) fn begun(&self) -> Aim {
        self.begun.lock().take().unwrap_or_default()
    }

    /// The connection completions are asked for over.
    pub(crate) fn connected(&self, client: Option<Client>) {
        *self.client.lock() = client;
    }

    /// The commands that begin like this; the agent is asked for its own once. Blocks; not for a thread of the runtime.
    pub(super) fn commands(&self, beginning: &str) -> Vec<String> {
        if !self.is_learned.load(Ordering::SeqCst)
            && let Some(found) = self.ask(Call::new("slashCommands", Vec::new()))
        {
            let names = found.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str());
            self.commands.lock().extend(names.map(|name| format!("/{name}")));
            self.is_learned.store(true, Ordering::SeqCst);
        }
        let mut found: Vec<String> =
            self.commands.lock().iter().filter(|name| name.starts_with(beginning)).cloned().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What is in a directory of the agent's workspace. Blocks; not for a thread of the runtime.
    pub(super) fn entries(&self, directory: &str) -> Vec<String> {
        let Some(found) = self.ask(Call::new("listFiles", vec![json!(directory)])) else { return Vec::new() };
        let entry = |entry: &Value| {
            let slash = if entry["kind"] == "directory" { "/" } else { "" };
            Some(format!("{}{slash}", entry["name"].as_str()?))
        };
        found["entries"].as_array().into_iter().flatten().filter_map(entry).collect()
    }

    fn ask(&self, call: Call) -> Option<Value> {
        let client = self.client.lock().clone()?;
        let asked = async { tokio::time::timeout(PATIENCE, client.call(call)).await };
        self.runtime.block_on(asked).ok()?.ok()
    }
}
