//! A disk in memory. A power cut keeps what was synced, and of the rest whatever the random numbers say, sector by sector.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use hostel_journal::{Disk, DiskFile};
use parking_lot::Mutex;

const SECTOR: usize = 512;

/// Random numbers from a seed.
#[derive(Clone, Debug)]
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Clone, Debug)]
enum Name {
    Is(String, usize),
    Gone(String),
    Moved(String, String, usize),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// The power goes before this change of the disk, counted from now: it and all after it fail.
    pub cut_at: Option<u64>,
    /// This sync, counted from now, fails once.
    pub sync_fails_at: Option<u64>,
    /// Bytes that may still be reserved.
    pub room: Option<u64>,
    /// Sabotage: syncs do nothing and say that they did.
    pub syncs_lie: bool,
}

#[derive(Debug, Default)]
struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<Name>,
    faults: Faults,
    changes: u64,
    syncs: u64,
    dead: bool,
    /// Paths of the files that were opened since the faults were set.
    opened: Vec<String>,
    bytes_read: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SimDisk(Arc<Mutex<World>>);

#[derive(Debug)]
pub(super) struct SimFile(Arc<Mutex<World>>, usize);

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length as usize, 0),
        Change::Write(at, new) => {
            let end = *at as usize + new.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at as usize..end].copy_from_slice(new);
        }
    }
}

fn apply_name(names: &mut BTreeMap<String, usize>, change: &Name) {
    match change {
        Name::Is(path, inode) => drop(names.insert(path.clone(), *inode)),
        Name::Gone(path) => drop(names.remove(path)),
        Name::Moved(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}

fn cut() -> io::Error {
    io::Error::other("the power is gone")
}

impl World {
    fn change(&mut self) -> io::Result<()> {
        self.changes += 1;
        self.dead |= self.faults.cut_at.is_some_and(|at| self.changes > at);
        if self.dead { Err(cut()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<bool> {
        self.change()?;
        self.syncs += 1;
        if self.faults.sync_fails_at == Some(self.syncs) {
            return Err(io::Error::other("the sync failed"));
        }
        Ok(!self.faults.syncs_lie)
    }

    fn sync_inode(&mut self, at: usize) {
        let inode = &mut self.inodes[at];
        for change in std::mem::take(&mut inode.pending) {
            apply(&mut inode.durable, &change);
        }
    }

    /// A failed sync: part of it reached the disk, the rest is called clean and never will.
    fn lose_part(&mut self, at: usize) {
        let inode = &mut self.inodes[at];
        for (n, change) in std::mem::take(&mut inode.pending).into_iter().enumerate() {
            if n % 2 == 0 {
                apply(&mut inode.durable, &change);
            }
        }
    }
}

impl SimDisk {
    pub(super) fn set_faults(&self, faults: Faults) {
        let mut world = self.0.lock();
        world.faults = faults;
        (world.changes, world.syncs) = (0, 0);
        world.opened.clear();
        world.bytes_read = 0;
    }

    /// Changes since the faults were set.
    pub(super) fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    /// Files that were opened since the faults were set.
    pub(super) fn opened(&self) -> Vec<String> {
        self.0.lock().opened.clone()
    }

    /// Bytes read since the faults were set.
    pub(super) fn bytes_read(&self) -> u64 {
        self.0.lock().bytes_read
    }

    pub(super) fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// The power goes and comes back.
    pub(super) fn power_cut(&self, random: &mut Random) {
        let mut world = self.0.lock();
        world.dead = false;
        world.faults = Faults { room: world.faults.room, ..Faults::default() };
        // Sometimes everything pending is lost, sometimes nothing, mostly some.
        let keep = random.below(5);
        let kept = |random: &mut Random| match keep {
            0 => false,
            1 => true,
            _ => random.one_in(2),
        };
        for inode in &mut world.inodes {
            for change in std::mem::take(&mut inode.pending) {
                match change {
                    Change::Write(at, bytes) => {
                        for (n, sector) in sectors(at, &bytes) {
                            if kept(random) {
                                apply(&mut inode.durable, &Change::Write(n, sector.to_vec()));
                            }
                        }
                    }
                    length => {
                        if kept(random) {
                            apply(&mut inode.durable, &length);
                        }
                    }
                }
            }
            inode.now = inode.durable.clone();
        }
        for name in std::mem::take(&mut world.pending_names) {
            if kept(random) {
                apply_name(&mut world.durable_names, &name);
            }
        }
        world.names = world.durable_names.clone();
    }

    /// The process is killed: the kernel still has everything.
    pub(super) fn kill(&self) {
        let mut world = self.0.lock();
        world.dead = false;
        world.faults = Faults { room: world.faults.room, ..Faults::default() };
    }

    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let world = self.0.lock();
        world.names.get(path).map(|at| world.inodes[*at].now.clone())
    }

    /// Damages a file, as a disk does with time.
    pub(super) fn overwrite(&self, path: &str, at: usize, byte: u8) {
        let mut world = self.0.lock();
        let inode = world.names[path];
        world.inodes[inode].now[at] = byte;
        world.inodes[inode].durable[at] = byte;
    }

    /// A disk of its own with the same content.
    pub(super) fn fork(&self) -> Self {
        let world = self.0.lock();
        Self(Arc::new(Mutex::new(World {
            inodes: world.inodes.clone(),
            names: world.names.clone(),
            durable_names: world.durable_names.clone(),
            pending_names: world.pending_names.clone(),
            ..World::default()
        })))
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.0.lock().names.keys().cloned().collect()
    }
}

/// The parts of a write that a disk takes one by one.
fn sectors(at: u64, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut parts = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let place = at as usize + from;
        let to = (from + SECTOR - place % SECTOR).min(bytes.len());
        parts.push((place as u64, &bytes[from..to]));
        from = to;
    }
    parts
}

impl Disk for SimDisk {
    type File = SimFile;

    fn create(&self, path: &str, bytes: u64) -> io::Result<SimFile> {
        let mut world = self.0.lock();
        world.change()?;
        if let Some(room) = &mut world.faults.room {
            *room = room.checked_sub(bytes).ok_or(io::ErrorKind::StorageFull)?;
        }
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let at = world.inodes.len();
        let change = Change::Length(bytes);
        world.inodes.push(Inode { now: vec![0; bytes as usize], durable: Vec::new(), pending: vec![change] });
        world.names.insert(path.to_owned(), at);
        world.pending_names.push(Name::Is(path.to_owned(), at));
        Ok(SimFile(Arc::clone(&self.0), at))
    }

    fn open(&self, path: &str) -> io::Result<SimFile> {
        let mut world = self.0.lock();
        let at = *world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        world.opened.push(path.to_owned());
        Ok(SimFile(Arc::clone(&self.0), at))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let inside = |path: &String| Some(path.strip_prefix(dir)?.strip_prefix('/')?.split('/').next()?.to_owned());
        let names: BTreeSet<String> = self.0.lock().names.keys().filter_map(inside).collect();
        Ok(names.into_iter().collect())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut world = self.0.lock();
        world.change()?;
        if let Some(at) = world.names.remove(path) {
            world.pending_names.push(Name::Gone(path.to_owned()));
            let bytes = world.inodes[at].now.len() as u64;
            if let Some(room) = &mut world.faults.room {
                *room += bytes;
            }
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.0.lock();
        world.change()?;
        let at = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), at);
        world.pending_names.push(Name::Moved(from.to_owned(), to.to_owned(), at));
        Ok(())
    }

    fn create_dir(&self, _dir: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut world = self.0.lock();
        if !world.sync()? {
            return Ok(());
        }
        let inside = |name: &Name| match name {
            Name::Is(path, _) | Name::Gone(path) | Name::Moved(_, path, _) => hostel_journal::disk::parent(path) == dir,
        };
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut world.pending_names).into_iter().partition(inside);
        world.pending_names = later;
        now.iter().for_each(|name| apply_name(&mut world.durable_names, name));
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        let mut world = self.0.lock();
        if !world.sync()? {
            return Ok(());
        }
        for at in 0..world.inodes.len() {
            world.sync_inode(at);
        }
        for name in std::mem::take(&mut world.pending_names) {
            apply_name(&mut world.durable_names, &name);
        }
        Ok(())
    }

    fn free(&self) -> u64 {
        self.0.lock().faults.room.unwrap_or(1 << 40)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.lock();
        world.bytes_read += into.len() as u64;
        let bytes = &world.inodes[self.1].now;
        let from = (at as usize).min(bytes.len());
        let length = into.len().min(bytes.len() - from);
        into[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.lock();
        let dying = world.change();
        let change = Change::Write(at, bytes.to_vec());
        let inode = &mut world.inodes[self.1];
        // A write that the power cut interrupts may still reach the disk in part.
        if dying.is_ok() {
            apply(&mut inode.now, &change);
        }
        inode.pending.push(change);
        dying
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut world = self.0.lock();
        world.change()?;
        let inode = &mut world.inodes[self.1];
        apply(&mut inode.now, &Change::Length(bytes));
        inode.pending.push(Change::Length(bytes));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().inodes[self.1].now.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.0.lock();
        match world.sync() {
            Ok(true) => world.sync_inode(self.1),
            Ok(false) => {}
            Err(error) => {
                if !world.dead {
                    world.lose_part(self.1);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
