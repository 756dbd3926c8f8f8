//! Workspaces go where their agents go: into exports and out of them, and away with those that are destroyed.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use hostel::{AgentId, Agents, Belongings, Code, Error, Held, Result, Unpacked};
use hostel_workspace::bundle::{self, Part};

use super::{Workspaces, ending::absent, landing::Landing, number, said};

/// Where workspaces are while they are read from an export.
pub(super) const ARRIVING: &str = ".arriving";
/// Where those are that an import took the place of: nobody but the operator deletes them.
pub(super) const REPLACED: &str = ".replaced";

/// The workspaces of an application, as what belongs to its agents.
#[derive(Debug)]
pub(super) struct Carried(pub(super) Arc<Workspaces>);

/// What there is of one workspace: its files, its snapshots from before it had a repository, and the repository while the files are those
/// of that time.
#[derive(Debug)]
pub(super) struct Kept([PathBuf; 3]);

impl Kept {
    /// In its place.
    pub(super) fn at(place: &Path) -> Self {
        Self([place.to_owned(), Workspaces::side(place), Workspaces::git_aside(place)])
    }

    /// In a directory of its own.
    pub(super) fn within(dir: &Path) -> Self {
        Self(["files", "side", "git"].map(|name| dir.join(name)))
    }

    /// Its files, the snapshots beside it, the repository beside it.
    pub(super) fn each(&self) -> [&Path; 3] {
        self.0.each_ref().map(PathBuf::as_path)
    }

    /// Deletes what is there.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|part| fs::remove_dir_all(part).or_else(absent))
    }

    fn parts(&self) -> [Part<'_>; 3] {
        let [files, side, git] = &self.0;
        [Part::files("files", files), Part::repository("side", side), Part::repository("git", git)]
    }

    pub(super) fn exists(&self) -> bool {
        self.0.iter().any(|part| part.symlink_metadata().is_ok())
    }

    /// Renames what is there; after an error everything has the name it had. Answers whether anything was there.
    pub(super) fn rename(&self, to: &Self) -> io::Result<bool> {
        let mut moved: Vec<(&PathBuf, &PathBuf)> = Vec::new();
        for (from, to) in self.0.iter().zip(&to.0) {
            match fs::rename(from, to) {
                Ok(()) => moved.push((from, to)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    for (from, to) in moved {
                        fs::rename(to, from)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(!moved.is_empty())
    }
}

impl Belongings for Carried {
    fn name(&self) -> &'static str {
        "workspace"
    }

    fn pack(&self, agent: &AgentId, out: &mut dyn Write) -> Result<bool> {
        bundle::pack(&Kept::at(&self.0.directory_of(agent)).parts(), &self.0.limits, out).map_err(said)
    }

    fn unpack(&self, agent: &AgentId, from: &mut dyn Read) -> Result<Box<dyn Unpacked>> {
        let (staging, _made) = self.0.take_in(from)?;
        let (workspaces, agent) = (Arc::clone(&self.0), agent.clone());
        Ok(Box::new(Arrived { workspaces, agent, staging, landing: None, is_left: false }))
    }

    fn ending(&self, agent: &AgentId) -> Result<()> {
        if !Kept::at(&self.0.directory_of(agent)).exists() {
            return Ok(());
        }
        match self.0.mark_ending(agent) {
            // Its end makes room. What there is of the mark says enough; without any, a crash right now leaves files of no agent.
            Err(error) if is_full(&error) => {
                tracing::warn!(%agent, "the disk is full; the agent is destroyed without a mark for a crash meanwhile");
                Ok(())
            }
            marked => marked.map_err(|error| disk("The end of a workspace could not be noted", error)),
        }
    }

    fn ended(&self, agent: &AgentId) {
        self.0.destroyed(agent);
    }

    fn settle(&self, agents: &dyn Agents) {
        self.0.settle(agents);
    }

    fn held(&self) -> Result<Vec<Held>> {
        let held = |name: String| {
            let stamp = bundle::stamp(&Kept::at(&self.0.root.join(&name)).parts());
            // What cannot be looked at cannot be packed either, and that is said there.
            Held { stamp: stamp.unwrap_or_default(), name }
        };
        Ok(self
            .0
            .all()
            .map_err(|error| disk("The workspaces cannot be listed", error))?
            .into_iter()
            .map(held)
            .collect())
    }

    fn pack_held(&self, name: &str, out: &mut dyn Write) -> Result<bool> {
        bundle::pack(&Kept::at(&self.0.root.join(name)).parts(), &self.0.limits, out).map_err(said)
    }

    fn put_back(&self, name: &str, from: &mut dyn Read, agents: &dyn Agents) -> Result<()> {
        let Some(hash) = hash_of(name) else {
            return Err(Error::coded(Code::StorageCorrupt, format!("{name:?} is not the name of a workspace.")));
        };
        if !agents.has_file(&hash) {
            tracing::info!(workspace = name, "the backup has files of an agent that it has not; they are not put back");
            return Ok(());
        }
        let (staging, made) = self.0.take_in(from)?;
        let put = self.0.put_in_place(&self.0.root.join(name), &made);
        put.map_err(|error| disk("A workspace could not be put back", error))?;
        fs::remove_dir_all(staging).or_else(absent)?;
        Ok(())
    }
}

/// What the disk says, with the code that it has everywhere.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn disk(doing: &str, error: io::Error) -> Error {
    let (code, fix) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (Code::StorageFull, "free space on the disk"),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            (Code::StorageReadOnly, "make the directory of workspaces writable for this user")
        }
        _ => (Code::StorageFailed, "look whether the disk is sound, and try again"),
    };
    Error::coded(code, format!("{doing}: {error}.")).with_fix(fix)
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The hash in the name of a workspace; nothing if it is none.
pub(super) fn hash_of(name: &str) -> Option<[u8; 16]> {
    let (readable, hash) = name.rsplit_once('-')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if readable.is_empty() || !readable.chars().all(plain) {
        return None;
    }
    data_encoding::HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()
}

/// A workspace that was read from an export, beside the one that is there.
struct Arrived {
    workspaces: Arc<Workspaces>,
    agent: AgentId,
    staging: PathBuf,
    /// It is on its way into its place, or there.
    landing: Option<Landing>,
    /// The next start decides.
    is_left: bool,
}

impl Unpacked for Arrived {
    fn put(&mut self, replace: bool, arrival: u32) -> Result<()> {
        if !replace && Kept::at(&self.workspaces.directory_of(&self.agent)).exists() {
            let message = format!("There are files of an agent {} already.", self.agent);
            return Err(Error::coded(Code::AgentExists, message));
        }
        let failed = |error| disk("The workspace could not be put in its place", error);
        let landing = Landing::begin(&self.workspaces, &self.agent, &self.staging, arrival).map_err(failed)?;
        self.landing.insert(landing).go(&self.workspaces).map_err(failed)
    }

    fn keep(mut self: Box<Self>) -> Option<String> {
        let landing = self.landing.take()?;
        let replaced = landing.done(&self.workspaces).unwrap_or_else(|error| {
            // The agent's database says that it has arrived.
            tracing::warn!(agent = %self.agent, %error, "the record of an import stays until the next start");
            None
        })?;
        self.workspaces.shells.end(&self.agent);
        Some(replaced.display().to_string())
    }

    fn leave(mut self: Box<Self>) {
        self.is_left = true;
        self.workspaces.shells.end(&self.agent);
        tracing::warn!(agent = %self.agent, "an import failed when the agent had perhaps arrived; the next start decides which files are its");
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        let Some(landing) = self.landing.take() else {
            // What stays goes with the next start.
            return fs::remove_dir_all(&self.staging).unwrap_or_default();
        };
        // Whoever worked in them meanwhile was told that it is written: they are kept.
        match landing.take_back(&self.workspaces, true) {
            Ok(None) => {}
            Ok(Some(aside)) => {
                tracing::warn!(agent = %self.agent, files = %aside.display(), "an import failed after its files were in place; they are kept beside");
            }
            Err(error) => {
                tracing::error!(agent = %self.agent, %error, "the files of an agent could not be put back where they were; the next start tries again");
            }
        }
    }
}

impl Workspaces {
    /// Reads a stream from anybody into a new directory: says which, and what is in it.
    fn take_in(&self, from: &mut dyn Read) -> Result<(PathBuf, Kept)> {
        let staging = self.new_below(ARRIVING).map_err(|error| disk("There is no place for the workspace", error))?;
        let made = Kept::within(&staging);
        let refused = |error: hostel_workspace::Error| {
            fs::remove_dir_all(&staging).unwrap_or_default();
            match error {
                hostel_workspace::Error::Io { source, .. } if is_full(&source) => {
                    Error::coded(Code::StorageFull, "There is no room for the workspace.")
                        .with_fix("free space on the disk")
                }
                hostel_workspace::Error::Io { source, .. } => Error::from(source),
                error => Error::coded(Code::ExportInvalid, format!("The workspace in it cannot be taken in: {error}.")),
            }
        };
        bundle::unpack(from, &made.parts(), &self.limits).map_err(refused)?;
        Ok((staging, made))
    }

    /// Puts a workspace where one was when it was backed up. What is there is kept aside.
    fn put_in_place(&self, place: &Path, made: &Kept) -> io::Result<()> {
        let there = Kept::at(place);
        if there.exists() {
            let aside = self.new_below(REPLACED)?;
            there.rename(&Kept::within(&aside))?;
            tracing::warn!(files = %aside.display(), "a workspace is put back from a backup; what was there is kept beside");
        }
        made.rename(&there)?;
        fs::File::open(&self.root)?.sync_all()
    }

    /// The names of all workspaces, whatever there is of each.
    fn all(&self) -> io::Result<BTreeSet<String>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        let mut all = BTreeSet::new();
        for entry in entries {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let own = [".side", ".git"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
            if hash_of(own).is_some() {
                all.insert(own.to_owned());
            }
        }
        Ok(all)
    }

    /// A new directory of ours in the one with this name.
    pub(super) fn new_below(&self, name: &str) -> io::Result<PathBuf> {
        let around = self.root.join(name);
        new_dir(&around)?;
        let new = around.join(format!("{:x}", number()));
        for_us().create(&new)?;
        Ok(new)
    }
}

/// Makes a directory of ours, with those around it, unless it is there.
pub(super) fn new_dir(dir: &Path) -> io::Result<()> {
    for_us().recursive(true).create(dir)
}

/// Makes directories that nobody else reads.
fn for_us() -> fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;

    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}
