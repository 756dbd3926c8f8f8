//! Agents that leave and arrive as files: what is the same whether a server runs or not.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hostel_store::{AgentKey, Chronicle, ExportOptions, Image, Store};

use crate::Refused;

/// In which form an agent leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A file of ours.
    Export {
        /// Whether its history goes with it.
        history: bool,
    },
    /// The SQLite database of a Durable Object of the Agents SDK.
    DurableObject,
}

/// How an agent is to arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Class and name; without them those it left under.
    pub name: Option<(String, String)>,
    /// Whether it may take the place of one that is there.
    pub replace: bool,
    /// Whether the file is from a Durable Object of the Agents SDK.
    pub durable_object: bool,
}

/// A file for as long as it is needed, in the directory of unfinished files, which every start empties.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// The name of a file that does not exist yet.
    pub(crate) fn below(data: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(data.join("tmp").join(format!("travel-{}", NEXT.fetch_add(1, Ordering::Relaxed))))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // One that was never made, or is gone, is as good.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes an agent to `out`.
pub(crate) fn send(store: &Store, key: &AgentKey, form: Form, data: &Path, out: &mut dyn Write) -> Result<(), Refused> {
    let Form::Export { history } = form else {
        let scratch = Scratch::below(data);
        store.export_durable_object(key, scratch.path())?;
        let copied = File::open(scratch.path()).and_then(|mut file| io::copy(&mut file, out));
        return copied.map(drop).map_err(|error| Refused::io("The database could not be sent", &error));
    };
    store.export(key, ExportOptions { history }, out)?;
    Ok(())
}

/// An agent that was read from a file, and whose it is to be.
pub(crate) struct Arrived {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) image: Image,
    pub(crate) history: Option<Chronicle>,
}

/// Reads a file and checks everything in it. `known` says which class a spelling means.
pub(crate) fn receive(
    store: &Store,
    file: &Path,
    name: Option<(String, String)>,
    durable_object: bool,
) -> Result<Arrived, Refused> {
    if durable_object {
        let missing =
            || Refused::new("malformed_request", "A Durable Object does not say whose it was.", "name the agent");
        let (class, name) = name.ok_or_else(missing)?;
        let image = store.import_durable_object(file, &AgentKey::new(&*class, &*name))?;
        return Ok(Arrived { class, name, image, history: None });
    }
    let opened = File::open(file).map_err(|error| Refused::io("The file cannot be read", &error))?;
    let parcel = store.unpack(&mut BufReader::new(opened)).map_err(|error| or_foreign(error.into(), file))?;
    let (class, name) = name.unwrap_or((parcel.namespace, parcel.name));
    Ok(Arrived { class, name, image: parcel.image, history: parcel.history })
}

/// A file that is a database is no damaged export.
fn or_foreign(mut refused: Refused, file: &Path) -> Refused {
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(32).read_to_end(&mut head));
    if read.is_ok() && [DATABASE, DUMP].iter().any(|begin| head.starts_with(begin)) {
        refused.message = "The file is a SQLite database or a dump of one, not an export.".to_owned();
        refused.fix = Some("if it is that of a Durable Object, say --durable-object".to_owned());
    }
    refused
}

/// How every SQLite database begins.
const DATABASE: &[u8] = b"SQLite format 3\0";

/// How SQLite's own dumps begin.
const DUMP: &[u8] = b"PRAGMA foreign_keys=";

/// Keeps the history that came with an agent; says how many turns it has. A class that keeps none has the agent without.
pub(crate) fn keep(store: &Store, key: &AgentKey, history: Option<&Chronicle>) -> Result<u64, Refused> {
    let Some(history) = history else { return Ok(0) };
    match store.keep_imported_history(key, history).map_err(Refused::from) {
        Ok(()) => Ok(history.turns()),
        Err(refused) if refused.code == "history_off" => Ok(0),
        Err(refused) => Err(refused),
    }
}
