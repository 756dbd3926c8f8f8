//! An export as it arrives, from anybody: nothing in it is believed before it is checked, and none of its names is ever
//! used as a path.

use std::fs::File;
use std::io::{self, Read, Write};

use hostel_journal::Disk;
use tar::EntryType;

use super::admit::{self, Claim};
use super::chronicle::Chronicle;
use super::manifest::{self, DATABASE, HISTORY, MANIFEST, Manifest, Member, invalid};
use super::sums;
use crate::agent::LARGEST_IMAGE;
use crate::history::{Image, Scratch};
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind, Store};

/// Room on the disk that an import leaves to others.
const LEAVE_FREE: u64 = 64 << 20;

/// What was in an export, checked. The files are temporary until they are installed.
#[derive(Debug)]
pub struct Parcel {
    /// The agent's class where it comes from.
    pub namespace: String,
    /// The agent's name there.
    pub name: String,
    /// Its database.
    pub image: Image,
    /// Its history, if that was exported, for [`Store::keep_imported_history`].
    pub history: Option<Chronicle>,
    /// What was kept of it elsewhere.
    pub attachments: Vec<Attachment>,
}

/// Something that was kept of an agent outside of its database, as it was written. Its sum was checked, nothing in it was.
#[derive(Debug)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    scratch: Scratch,
}

impl Attachment {
    /// Begins to read it.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(&self) -> io::Result<File> {
        File::open(self.scratch.path())
    }
}

impl Store {
    /// Reads an export. Every sum is checked, the database too (it is whole, it is of a version that this build knows, it is the agent's that the
    /// manifest names); sizes are checked before anything is written.
    ///
    /// # Errors
    ///
    /// `export_invalid` with the reason; `storage_full` if there is no room for it.
    pub fn unpack(&self, from: &mut dyn Read) -> Result<Parcel, Error> {
        let inner = &self.inner;
        let mut tar = tar::Archive::new(from);
        // Raw: no entry may say what the next one's name is, and none is read into memory.
        let mut entries = tar.entries().map_err(unreadable)?.raw(true);
        let manifest = {
            let mut entry = next(&mut entries, MANIFEST)?;
            let bytes = entry.header().entry_size().map_err(unreadable)?;
            if bytes > manifest::LONGEST {
                return Err(invalid(format!("its manifest claims {bytes} bytes")));
            }
            let mut text = Vec::new();
            entry.read_to_end(&mut text).map_err(unreadable)?;
            Manifest::decode(&text)?
        };
        let key = AgentKey::new(&*manifest.namespace, &*manifest.name);
        key.check(&inner.options).map_err(|e| invalid(e.to_string()))?;
        let mut all = manifest.members.iter().chain(&manifest.attachments);
        let wanted = all.try_fold(0_u64, |sum, member| sum.checked_add(member.bytes));
        let wanted = wanted.ok_or_else(|| invalid("its members claim an impossible size"))?;
        room(inner, wanted, manifest.members[0].bytes)?;
        let database = member(inner, &mut entries, &manifest.members[0])?;
        let history = match manifest.members.get(1) {
            Some(named) => {
                let scratch = member(inner, &mut entries, named)?;
                Some(Chronicle::check(scratch, named.turns).map_err(|e| invalid(format!("{HISTORY}: {e}")))?)
            }
            None => None,
        };
        let mut attachments = Vec::new();
        for named in &manifest.attachments {
            let name = manifest::attachment(&named.path).unwrap_or_default().to_owned();
            attachments.push(Attachment { name, scratch: member(inner, &mut entries, named)? });
        }
        if entries.next().is_some() {
            return Err(invalid("there is more in it than its manifest lists"));
        }
        admit::check(&database, &Claim { key: &key, schema: manifest.schema })
            .map_err(|why| invalid(format!("{DATABASE}: {why}")))?;
        let image = Image::new(database, 0, manifest.time_ms);
        Ok(Parcel { namespace: manifest.namespace, name: manifest.name, image, history, attachments })
    }
}

/// The next entry, which must be an ordinary file of this name.
fn next<'a, R: Read>(entries: &mut tar::Entries<'a, R>, name: &str) -> Result<tar::Entry<'a, R>, Error> {
    let entry = match entries.next() {
        Some(entry) => entry.map_err(unreadable)?,
        None => return Err(invalid(format!("it ends where {name} should be"))),
    };
    let header = entry.header();
    if header.entry_type() != EntryType::Regular || *header.path_bytes() != *name.as_bytes() {
        let found: String =
            String::from_utf8_lossy(&header.path_bytes()).chars().take(60).flat_map(char::escape_debug).collect();
        return Err(invalid(format!("there is \"{found}\" where {name} should be")));
    }
    Ok(entry)
}

/// Refuses what the disk, the journal or an agent's allowance has no room for, before the first byte: `wanted` bytes, of which
/// the database has `database`.
pub(super) fn room(inner: &Inner, wanted: u64, database: u64) -> Result<(), Error> {
    let free = inner.keeper.as_ref().map_or(0, |keeper| keeper.journal.log().disk().free());
    if wanted > free.saturating_sub(LEAVE_FREE) {
        let message = format!(
            "there is no room for an import of {wanted} bytes: {free} are free, and {LEAVE_FREE} are left to others; free some space and retry"
        );
        return Err(Error::new(ErrorKind::Full, message));
    }
    if database > LARGEST_IMAGE {
        let message = format!(
            "the database has {database} bytes, and the journal takes at most {LARGEST_IMAGE} at once; delete what is not needed and try again"
        );
        return Err(Error::new(ErrorKind::Full, message));
    }
    let most = inner.options.max_pages.map_or(u64::MAX, |pages| u64::from(pages) * 4096);
    if database > most {
        let message = format!("the database has {database} bytes, an agent here may have {most}; raise the allowance");
        return Err(Error::new(ErrorKind::Full, message));
    }
    Ok(())
}

/// Copies one member into a file of ours and checks its length and sum.
fn member<R: Read>(inner: &Inner, entries: &mut tar::Entries<'_, R>, named: &Member) -> Result<Scratch, Error> {
    let mut entry = next(entries, &named.path)?;
    let claimed = entry.header().entry_size().map_err(unreadable)?;
    if claimed != named.bytes {
        return Err(invalid(format!("{} has {claimed} bytes, its manifest says {}", named.path, named.bytes)));
    }
    let failed = |e| Error::io("an import", "writing it down", e);
    let (scratch, mut file) = Scratch::create(&inner.layout).map_err(failed)?;
    let (bytes, sum) = sums::copy(&mut entry, &mut file).map_err(|e| match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => failed(e),
        _ => unreadable(e),
    })?;
    file.flush().map_err(failed)?;
    if bytes != named.bytes {
        return Err(invalid(format!("it ends in the middle of {}", named.path)));
    }
    if sum != named.sha256 {
        return Err(invalid(format!("the checksum of {} is wrong", named.path)));
    }
    Ok(scratch)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => invalid("it ends too early"),
        _ => invalid(format!("it cannot be read as a tar file ({error})")),
    }
}
