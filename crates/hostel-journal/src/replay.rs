//! Bringing the agents' files up to date from the log. Pages are physical, so doing it twice, or half and then again, is
//! the same as once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use crate::disk::{Disk, DiskFile, sync_dirs_of};
use crate::record::{AgentId, Kind};
use crate::scan::{Damage, Found, Scan, body};
use crate::seams::SnapshotStore;
use crate::segment;

/// With more files than this, the whole file system is synced at once.
const SYNC_ALL_FROM: usize = 16;
/// Pages held in memory before they are written.
const PAGES_AT_A_TIME: usize = 2048;

/// An agent whose file could not be brought up to date. Nothing of it was touched.
#[derive(Clone, Debug)]
pub struct Stuck {
    /// Who, and the path of its base if a record tells.
    pub agent: AgentId,
    /// The base's path, if known.
    pub base: Option<String>,
    /// Why, as part of a sentence.
    pub why: String,
}

/// What a replay did.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Agents whose files are up to date now.
    pub agents: u64,
    /// Records that were applied.
    pub records: u64,
    /// Agents left alone, and why.
    pub stuck: Vec<Stuck>,
}

/// Applies what the scan found to the bases and makes them durable. `base_of` tells where an agent's base is, by
/// namespace and name; `progress` hears how many agents of how many are done.
///
/// # Errors
/// If the log cannot be read or a base cannot be written or synced: nothing may be retired then, and it may be done again.
pub fn replay<D: Disk>(
    disk: &D,
    bases: &impl SnapshotStore,
    scan: &Scan,
    base_of: &dyn Fn(&str, &str) -> String,
    progress: &mut dyn FnMut(usize, usize),
) -> io::Result<Replayed> {
    let mut done = Replayed::default();
    let damaged = damaged(scan);
    let mut written = Vec::new();
    let order: BTreeMap<AgentId, &Vec<Found>> = scan.records.iter().map(|(agent, found)| (*agent, found)).collect();
    let mut files = Files { disk, open: None };
    for (at, (agent, records)) in order.iter().enumerate() {
        let Some(first) = records.first() else { continue };
        let owner = files.body(first)?;
        let base = base_of(&owner.namespace, &owner.name);
        let outcome = match damaged.get(agent) {
            Some(damage) => Err(format!("the journal is damaged: {damage} cannot be read")),
            None => lay(&mut files, bases, &base, records)?,
        };
        match outcome {
            Ok(()) => {
                done.agents += 1;
                done.records += records.len() as u64;
                written.push(base);
            }
            Err(why) => done.stuck.push(Stuck { agent: *agent, base: Some(base), why }),
        }
        progress(at + 1, order.len());
    }
    for (agent, damage) in damaged.iter().filter(|(agent, _)| !order.contains_key(agent)) {
        let why = format!("the journal is damaged: {damage} cannot be read");
        done.stuck.push(Stuck { agent: *agent, base: None, why });
    }
    bases.make_durable(&written)?;
    Ok(done)
}

fn damaged(scan: &Scan) -> BTreeMap<AgentId, &Damage> {
    scan.damage.iter().rev().filter_map(|damage| Some((damage.agent?, damage))).collect()
}

/// Reads bodies, keeping one file open.
struct Files<'a, D: Disk> {
    disk: &'a D,
    open: Option<(u64, D::File)>,
}

impl<D: Disk> Files<'_, D> {
    fn body(&mut self, found: &Found) -> io::Result<crate::record::Body> {
        if self.open.as_ref().is_none_or(|(id, _)| *id != found.segment) {
            self.open = Some((found.segment, self.disk.open(&segment::path(found.segment))?));
        }
        match &self.open {
            Some((_, file)) => body(file, found),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Brings one base up to date: from the newest record back, each page once. The inner error is about this agent alone.
fn lay<D: Disk>(
    files: &mut Files<'_, D>,
    bases: &impl SnapshotStore,
    base: &str,
    records: &[Found],
) -> io::Result<Result<(), String>> {
    // Nothing before the last whole image, or the last end, matters.
    let begin = records.iter().rposition(|found| found.kind != Kind::Commit).unwrap_or(0);
    let (Some(first), Some(last)) = (records.get(begin), records.last()) else { return Ok(Ok(())) };
    if last.kind == Kind::Destroy {
        bases.discard(base)?;
        return Ok(Ok(()));
    }
    if first.kind == Kind::Destroy {
        return Ok(Err("the journal has a turn of it after its end".to_owned()));
    }
    let whole = first.kind == Kind::Create;
    let (mut seen, mut pages) = (HashSet::new(), Vec::new());
    let put = |pages: &mut Vec<(u32, Vec<u8>)>, first_time: bool| -> io::Result<Result<(), String>> {
        match bases.lay(base, last.page_size, last.db_pages, whole && first_time, pages) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Ok(Err("its database file is gone, and the journal does not hold the whole of it".to_owned()))
            }
            other => other.map(|()| pages.clear()).map(Ok),
        }
    };
    let mut first_time = true;
    for found in records[begin..].iter().rev() {
        let body = files.body(found)?;
        for (number, image) in body.pages().rev() {
            if number > 0 && number <= last.db_pages && seen.insert(number) {
                pages.push((number, image.to_vec()));
            }
        }
        if pages.len() >= PAGES_AT_A_TIME {
            if let Err(why) = put(&mut pages, first_time)? {
                return Ok(Err(why));
            }
            first_time = false;
        }
    }
    put(&mut pages, first_time)
}

/// Bases as files of a [`Disk`]: ordinary SQLite databases.
#[derive(Clone, Debug)]
pub struct FileBases<D>(pub D);

impl<D: Disk> FileBases<D> {
    /// What SQLite may have left beside a base. None of it is ever used again: rule 1.
    fn forget_companions(&self, base: &str) -> io::Result<()> {
        ["-wal", "-shm", "-journal"].iter().try_for_each(|end| self.0.remove(&format!("{base}{end}")))
    }
}

impl<D: Disk> SnapshotStore for FileBases<D> {
    fn lay(&self, base: &str, page_size: u32, db_pages: u32, whole: bool, pages: &[(u32, Vec<u8>)]) -> io::Result<()> {
        let file = match self.0.open(base) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && whole => {
                self.0.create_dir(crate::disk::parent(base))?;
                self.0.create(base, 0)?
            }
            file => file?,
        };
        self.forget_companions(base)?;
        for (number, image) in pages {
            file.write_at(u64::from(number - 1) * u64::from(page_size), image)?;
        }
        file.set_len(u64::from(db_pages) * u64::from(page_size))
    }

    fn discard(&self, base: &str) -> io::Result<()> {
        self.0.remove(base)?;
        self.forget_companions(base)
    }

    fn make_durable(&self, bases: &[String]) -> io::Result<()> {
        if bases.len() >= SYNC_ALL_FROM {
            return self.0.sync_all();
        }
        let mut dirs = BTreeSet::new();
        for base in bases {
            match self.0.open(base) {
                Ok(file) => file.sync()?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
            dirs.insert(crate::disk::parent(base));
        }
        for dir in dirs {
            match sync_dirs_of(&self.0, &format!("{dir}/x")) {
                // The directory of a base that never came to be.
                Err(e) if e.kind() == io::ErrorKind::NotFound => self.0.sync_dir("")?,
                other => other?,
            }
        }
        Ok(())
    }
}
