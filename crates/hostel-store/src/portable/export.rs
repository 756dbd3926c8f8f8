//! One agent as one file, while it goes on working.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use super::manifest::{DATABASE, HISTORY, MANIFEST, Manifest, Member};
use super::{chronicle, manifest, snapshot};
use crate::error::Blame;
use crate::history::Scratch;
use crate::store::Inner;
use crate::{AgentKey, Error, Store, schema};

/// What goes into an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// Whether the agent's history goes with it.
    pub history: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { history: true }
    }
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The last turn that is in it; 0 if that is not known.
    pub turn: i64,
    /// When that turn was, in Unix milliseconds.
    pub time_ms: i64,
    /// Turns of its history.
    pub turns: u64,
    /// Bytes of its database.
    pub bytes: u64,
}

/// Files of an agent that are not in its database, for its export.
pub struct Attached<'a> {
    /// What they are called there: small letters, digits and hyphens.
    pub name: &'a str,
    /// Writes them as one stream; `false` if the agent has none.
    pub write: &'a dyn Fn(&mut dyn Write) -> io::Result<bool>,
}

impl std::fmt::Debug for Attached<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Store {
    /// Writes an agent as one tar file, as `docs/export-format.md` has it: everything that is durable when the call begins
    /// is in it, and whole turns only. The agent may be open and busy.
    ///
    /// # Errors
    ///
    /// `agent_not_found` if it has no database; if its part of the journal is damaged; if `out` refuses.
    pub fn export(&self, key: &AgentKey, options: ExportOptions, out: &mut dyn Write) -> Result<Exported, Error> {
        self.export_with(key, options, &[], out)
    }

    /// [`Store::export`], with what is kept of the agent elsewhere. It is taken after the database.
    ///
    /// # Errors
    ///
    /// Those of [`Store::export`], and what writing the attachments has to say.
    pub fn export_with(
        &self,
        key: &AgentKey,
        options: ExportOptions,
        attached: &[Attached<'_>],
        out: &mut dyn Write,
    ) -> Result<Exported, Error> {
        let failed = |e| Error::io(&format!("agent {key}"), "exporting it", e);
        let inner = &self.inner;
        let image = snapshot::of(inner, key)?;
        let schema = plain(key, image.path())?;
        let mut manifest = Manifest::new(key.namespace(), key.name(), schema);
        (manifest.turn, manifest.time_ms) = (image.turn(), image.time_ms());
        manifest.members.push(Member::of(DATABASE, image.path()).map_err(failed)?);
        let history = match options.history {
            true => chronicle::collect(inner, key, image.turn()).map_err(failed)?,
            false => None,
        };
        let mut turns = 0;
        if let Some(history) = &history {
            let mut member = Member::of(HISTORY, history.path()).map_err(failed)?;
            turns = history.turns();
            member.turns = Some(turns);
            manifest.members.push(member);
        }
        let mut gathered = Vec::new();
        for attached in attached {
            gathered.extend(gather(inner, key, attached)?);
        }
        manifest.attachments.extend(gathered.iter().map(|(member, _)| member.clone()));
        let mut tar = tar::Builder::new(out);
        let seconds = u64::try_from(image.time_ms() / 1000).unwrap_or(0);
        let encoded = manifest.encode()?;
        append(&mut tar, MANIFEST, encoded.len() as u64, seconds, &*encoded).map_err(failed)?;
        append_file(&mut tar, &manifest.members[0], seconds, image.path()).map_err(failed)?;
        if let Some(history) = &history {
            append_file(&mut tar, &manifest.members[1], seconds, history.path()).map_err(failed)?;
        }
        for (member, scratch) in &gathered {
            append_file(&mut tar, member, seconds, scratch.path()).map_err(failed)?;
        }
        tar.finish().map_err(failed)?;
        Ok(Exported { turn: image.turn(), time_ms: image.time_ms(), turns, bytes: manifest.members[0].bytes })
    }
}

/// Writes one attachment down, so that its size and sum are known before the first byte leaves.
fn gather(inner: &Inner, key: &AgentKey, attached: &Attached<'_>) -> Result<Option<(Member, Scratch)>, Error> {
    let failed = |e| Error::io(&format!("agent {key}"), "gathering what belongs to it", e);
    let (scratch, file) = Scratch::create(&inner.layout).map_err(failed)?;
    let mut file = BufWriter::new(file);
    if !(attached.write)(&mut file).map_err(failed)? {
        return Ok(None);
    }
    file.flush().map_err(failed)?;
    let member = Member::of(&manifest::attachment_path(attached.name), scratch.path()).map_err(failed)?;
    Ok(Some((member, scratch)))
}

/// Makes the database one file that any tool can open, and says the version of its schema.
pub(super) fn plain(key: &AgentKey, path: &Path) -> Result<u32, Error> {
    let write = || -> rusqlite::Result<u32> {
        let conn = Connection::open(path)?;
        crate::connect::distrust(&conn)?;
        conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA journal_mode=DELETE;")?;
        let version = schema::version_of(&conn)?;
        conn.close().map_err(|(_, e)| e)?;
        Ok(version)
    };
    write().map_err(|e| Error::sqlite(&format!("agent {key}"), "exporting its database", Blame::Store, e))
}

fn append_file(tar: &mut tar::Builder<&mut dyn Write>, member: &Member, seconds: u64, path: &Path) -> io::Result<()> {
    append(tar, &member.path, member.bytes, seconds, File::open(path)?)
}

fn append(
    tar: &mut tar::Builder<&mut dyn Write>,
    name: &str,
    bytes: u64,
    seconds: u64,
    from: impl io::Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(seconds);
    header.set_cksum();
    tar.append(&header, from)
}
