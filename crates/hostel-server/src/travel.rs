//! Agents that leave and arrive as files: what is the same whether a server runs or not.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{SystemTime, UNIX_EPOCH};

use hostel::{AgentId, Belongings, Unpacked};
use hostel_store::{
    AgentKey, Attached, Attachment, BackedUp, Beside, Chronicle, ExportOptions, Image, Progress, Store,
};

use crate::Refused;

/// In which form an agent leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A file of ours.
    Export {
        /// Whether its history goes with it.
        history: bool,
        /// Whether what is kept outside of its database, such as a workspace, goes with it.
        files: bool,
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
pub(crate) fn send(
    store: &Store,
    key: &AgentKey,
    form: Form,
    data: &Path,
    kept: &Kept,
    out: &mut dyn Write,
) -> Result<(), Refused> {
    let Form::Export { history, files } = form else {
        let scratch = Scratch::below(data);
        store.export_durable_object(key, scratch.path())?;
        let copied = File::open(scratch.path()).and_then(|mut file| io::copy(&mut file, out));
        return copied.map(drop).map_err(|error| Refused::io("The database could not be sent", &error));
    };
    let kept = if files { kept.as_slice() } else { &[] };
    send_with(store, key, history, kept, out)
}

/// What an application keeps of agents elsewhere.
pub(crate) type Kept = Vec<Arc<dyn Belongings>>;

fn send_with(
    store: &Store,
    key: &AgentKey,
    history: bool,
    kept: &[Arc<dyn Belongings>],
    out: &mut dyn Write,
) -> Result<(), Refused> {
    let agent = AgentId::from_stored(key.namespace(), key.name());
    // What one of them says is more than an error of a file can say.
    let refused = RefCell::new(None);
    let writes: Vec<_> = kept
        .iter()
        .map(|kept| {
            |out: &mut dyn Write| {
                kept.pack(&agent, out).map_err(|error| {
                    let shown = io::Error::other(error.to_string());
                    refused.replace(Some(Refused::from_error(&error)));
                    shown
                })
            }
        })
        .collect();
    let attached: Vec<_> =
        kept.iter().zip(&writes).map(|(kept, write)| Attached { name: kept.name(), write }).collect();
    let exported = store.export_with(key, ExportOptions { history }, &attached, out);
    exported.map(drop).map_err(|error| refused.take().unwrap_or_else(|| error.into()))
}

/// Copies the whole directory, with what is kept of agents elsewhere.
pub(crate) fn back_up(
    store: &Store,
    dir: &Path,
    kept: &Kept,
    progress: &mut dyn FnMut(Progress),
) -> Result<BackedUp, Refused> {
    let said = |error: hostel::Error| io::Error::other(error.to_string());
    let ways: Vec<_> = kept
        .iter()
        .map(|kept| {
            let held = move || kept.held().map_err(said);
            (held, move |name: &str, out: &mut dyn Write| kept.pack_held(name, out).map_err(said))
        })
        .collect();
    let beside: Vec<_> =
        kept.iter().zip(&ways).map(|(kept, (held, pack))| Beside { name: kept.name(), held, pack }).collect();
    let done = store.backup_with(dir, &beside, progress)?;
    for left in &done.left_out {
        tracing::warn!(what = left.what, has_older = left.has_older, "not in the backup: {}", left.why);
    }
    Ok(done)
}

/// An agent that was read from a file, and whose it is to be.
pub(crate) struct Arrived {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) image: Image,
    pub(crate) history: Option<Chronicle>,
    pub(crate) attachments: Vec<Attachment>,
}

impl Arrived {
    /// Reads what was kept of it elsewhere, for the agent that it is to be. It is beside what that agent has.
    pub(crate) fn unpack(&mut self, kept: &Kept) -> Result<Luggage, Refused> {
        let agent = AgentId::from_stored(&self.class, &self.name);
        let mut unpacked = Vec::new();
        for attachment in self.attachments.drain(..) {
            let Some(kept) = kept.iter().find(|kept| kept.name() == attachment.name) else {
                let message = format!("The agent has a {}, for which this server has no place.", attachment.name);
                return Err(Refused::new("export_invalid", message, "export it with --no-files"));
            };
            let file = attachment.open().map_err(|error| Refused::io("The file cannot be read", &error))?;
            let read = kept.unpack(&agent, &mut BufReader::new(file));
            unpacked.push(read.map_err(|error| Refused::from_error(&error))?);
        }
        Ok(Luggage { unpacked, arrival: None })
    }
}

/// What was kept of an agent elsewhere, on its way. Dropped before it is kept, everything is as before.
pub(crate) struct Luggage {
    unpacked: Vec<Box<dyn Unpacked>>,
    /// The number that the agent's database has once it has arrived.
    arrival: Option<u32>,
}

impl Luggage {
    /// Puts it where the agent looks for it. The agent is made of `image` after it: nothing of it then begins without its files. By a
    /// number in the image a start after a crash knows whether it was made.
    pub(crate) fn put(&mut self, image: &mut Image, replace: bool) -> Result<(), Refused> {
        if self.unpacked.is_empty() {
            return Ok(());
        }
        let arrival = fresh();
        image.note_arrival(arrival)?;
        self.arrival = Some(arrival);
        self.unpacked
            .iter_mut()
            .try_for_each(|unpacked| unpacked.put(replace, arrival).map_err(|error| Refused::from_error(&error)))
    }

    /// The agent is there. Says where that is which was in its place.
    pub(crate) fn keep(self) -> Vec<String> {
        self.unpacked.into_iter().filter_map(|unpacked| unpacked.keep()).collect()
    }

    /// The agent could not be made. Everything is as before, unless its database may be there all the same after the next start: which
    /// files are right is decided then.
    pub(crate) fn failed(self, store: &Store, key: &AgentKey) {
        if self.arrival.is_some_and(|arrival| store.may_have_arrived(key, arrival)) {
            self.unpacked.into_iter().for_each(|unpacked| unpacked.leave());
        }
    }
}

/// A number that the database of no arrival before this one is likely to have.
fn fresh() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(now.as_nanos() & 0x7fff_ffff).unwrap_or(0) | 1
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
        return Ok(Arrived { class, name, image, history: None, attachments: Vec::new() });
    }
    let opened = File::open(file).map_err(|error| Refused::io("The file cannot be read", &error))?;
    let parcel = store.unpack(&mut BufReader::new(opened)).map_err(|error| or_foreign(error.into(), file))?;
    let (class, name) = name.unwrap_or((parcel.namespace, parcel.name));
    Ok(Arrived { class, name, image: parcel.image, history: parcel.history, attachments: parcel.attachments })
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

/// Whether nobody has this name.
pub(crate) fn must_be_free(store: &Store, key: &AgentKey) -> Result<(), Refused> {
    let there = store.agent(key.namespace(), key.name())?;
    // A file that cannot be read is in the way, too.
    there.state()?;
    if there.is_created() {
        let message = format!("There is an agent {}/{} already.", key.namespace(), key.name());
        return Err(Refused::new("agent_exists", message, "choose another name"));
    }
    Ok(())
}
