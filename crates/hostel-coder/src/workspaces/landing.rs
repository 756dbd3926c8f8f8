//! The arrival of a workspace, in steps of which each can be the last: a record says what is under way, and is there before the first of
//! them. The next start knows by the agent's database whether it has arrived, and finishes the arrival or takes it back.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use hostel::{AgentId, Agents};
use serde::{Deserialize, Serialize};

use super::{
    Workspaces,
    carried::{ARRIVING, Kept, REPLACED, new_dir},
};

/// Where the records are, each named like the workspace.
const LANDING: &str = ".landing";

/// What is on its way, and where everything is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Landing {
    agent: (String, String),
    /// The number that the agent's database has once it has arrived.
    arrival: u32,
    /// Which of the parts of a workspace arrive.
    parts: [bool; 3],
    /// Which of them were there before. A record of an earlier version does not say.
    #[serde(default)]
    before: Option<[bool; 3]>,
    /// Where they are made, below [`ARRIVING`].
    made: String,
    /// Where the files that are there go, below [`REPLACED`]; nothing if there are none.
    aside: Option<String>,
}

impl Landing {
    /// Writes down, durably, what is to be done. Nothing of the agent's is touched.
    pub(super) fn begin(workspaces: &Workspaces, agent: &AgentId, made: &Path, arrival: u32) -> io::Result<Self> {
        let place = workspaces.directory_of(agent);
        let before = there(&Kept::at(&place));
        let aside = match before.contains(&true) {
            true => Some(name_of(&workspaces.new_below(REPLACED)?)),
            false => None,
        };
        let (namespace, name) = agent.stored();
        let landing = Self {
            agent: (namespace.to_owned(), name.to_owned()),
            arrival,
            parts: there(&Kept::within(made)),
            before: Some(before),
            made: name_of(made),
            aside,
        };
        if is_there(landing.record(workspaces)) {
            landing.forget_aside(workspaces);
            return Err(io::Error::other("an import before it is not put right yet; restart the server first"));
        }
        let written = landing.write(workspaces);
        if written.is_err() {
            landing.forget(workspaces)?;
        }
        written.map(|()| landing)
    }

    fn write(&self, workspaces: &Workspaces) -> io::Result<()> {
        let record = self.record(workspaces);
        let around = workspaces.root.join(LANDING);
        fs::create_dir_all(&around)?;
        let mut file = File::create(record)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        let known = [REPLACED, LANDING].map(|name| workspaces.root.join(name)).into_iter().filter(|dir| dir.is_dir());
        known.chain([workspaces.root.clone()]).try_for_each(|dir| File::open(dir)?.sync_all())
    }

    /// Everything that is to be renamed, in this order: what is there aside, then what arrives in its place.
    pub(super) fn moves(&self, workspaces: &Workspaces) -> Vec<(PathBuf, PathBuf)> {
        let (place, made) = (self.place(workspaces), self.made(workspaces));
        let aside = self.aside(workspaces);
        let out = aside.iter().flat_map(|aside| pairs(&place, aside)).filter(|(from, _)| is_there(from));
        let arrives = pairs(&made, &place).zip(self.parts).filter(|(_, arrives)| *arrives).map(|(pair, _)| pair);
        out.chain(arrives).collect()
    }

    /// Does it. After an error it is to be taken back.
    pub(super) fn go(&self, workspaces: &Workspaces) -> io::Result<()> {
        self.moves(workspaces).iter().try_for_each(|(from, to)| fs::rename(from, to))?;
        self.sync(workspaces)
    }

    /// The agent is there: nothing is under way any more. Says where the files are that were there before.
    pub(super) fn done(&self, workspaces: &Workspaces) -> io::Result<Option<PathBuf>> {
        self.forget(workspaces)?;
        Ok(self.aside_dir(workspaces).filter(|aside| is_there(aside)))
    }

    /// Puts everything back as it was, from wherever it was broken off; it may be broken off itself, and done again. What had arrived is
    /// kept aside if somebody may have worked in it: says where. What was made in its place since is kept aside in any case. After an error
    /// the record stays, so that the next start does the rest.
    pub(super) fn take_back(&self, workspaces: &Workspaces, keep: bool) -> io::Result<Option<PathBuf>> {
        self.bring_out(workspaces, keep)?;
        self.make_way(workspaces)?;
        let (place, aside) = (self.place(workspaces), self.aside(workspaces));
        rename_all(aside.iter().flat_map(|aside| pairs(aside, &place)))?;
        let kept = Kept::within(&self.kept_dir(workspaces));
        if kept.exists() {
            // The parts that had not arrived yet go with the others.
            rename_all(pairs(&self.made(workspaces), &kept))?;
        }
        self.sync(workspaces)?;
        self.forget(workspaces)?;
        // What cannot be removed now is with the next start.
        fs::remove_dir_all(self.made_dir(workspaces)).unwrap_or_default();
        Ok(kept.exists().then(|| self.kept_dir(workspaces)))
    }

    /// Takes out of its place what has arrived there: to be kept, or back to where it was made. There is room for what is kept before
    /// anything is moved.
    fn bring_out(&self, workspaces: &Workspaces, keep: bool) -> io::Result<()> {
        let (made, kept) = (self.made(workspaces), Kept::within(&self.kept_dir(workspaces)));
        let out = if keep { &kept } else { &made };
        let mut moves: Vec<_> = pairs(&self.place(workspaces), out).collect();
        let mut has_arrived = self.have_arrived(workspaces).into_iter();
        moves.retain(|_| has_arrived.next().unwrap_or_default());
        if keep && !moves.is_empty() {
            new_dir(&self.kept_dir(workspaces))?;
        }
        rename_all(moves)
    }

    /// Takes out of its place what neither was there before nor arrived: what the agent has made there since taking it back had failed. It is
    /// in the way of the files that come back.
    fn make_way(&self, workspaces: &Workspaces) -> io::Result<()> {
        let (place, aside) = (self.place(workspaces), self.aside(workspaces));
        let in_the_way = aside.iter().flat_map(|aside| pairs(&place, aside)).filter(|(_, aside)| is_there(aside));
        // Of an empty one there is nothing to keep, and one with files in it stays.
        in_the_way.for_each(|(place, _)| fs::remove_dir(place).unwrap_or_default());
        let since = self.made_since(workspaces);
        if since.is_empty() {
            return Ok(());
        }
        let (agent, out) = (self.agent(), workspaces.new_below(REPLACED)?);
        let mut moves: Vec<_> = pairs(&place, &Kept::within(&out)).map(Some).collect();
        rename_all(since.into_iter().filter_map(|part| moves.get_mut(part)?.take()))?;
        tracing::warn!(%agent, files = %out.display(), "the files from before an import come back; those that were made meanwhile are kept beside");
        [&out, &workspaces.root.join(REPLACED)].into_iter().try_for_each(|dir| File::open(dir)?.sync_all())
    }

    /// Which parts in their place were made there since. What lies aside is the agent's from before, so what is in the place of one is not;
    /// then what was never there before goes with it, since parts of two workspaces are none. What tells that comes last, so that it still
    /// does if this is broken off.
    fn made_since(&self, workspaces: &Workspaces) -> Vec<usize> {
        let (place, aside) = (there(&self.place(workspaces)), self.there_aside(workspaces));
        let mut since: Vec<usize> = (0..place.len())
            .filter(|part| place[*part] && (aside[*part] || self.before.is_some_and(|before| !before[*part])))
            .collect();
        since.sort_by_key(|part| aside[*part]);
        since.retain(|_| (0..place.len()).any(|part| place[part] && aside[part]));
        since
    }

    /// Which parts are in their place: those that are neither where they were made, nor taken out of it again. Nothing has arrived in the
    /// place of a part from before that is not aside: that is the part from before.
    fn have_arrived(&self, workspaces: &Workspaces) -> [bool; 3] {
        let (made, kept) = (self.made(workspaces), Kept::within(&self.kept_dir(workspaces)));
        let (made, kept, aside) = (there(&made), there(&kept), self.there_aside(workspaces));
        let is_old = |part: usize| self.before.is_some_and(|before| before[part]) && !aside[part];
        [0, 1, 2].map(|part| self.parts[part] && !made[part] && !kept[part] && !is_old(part))
    }

    fn there_aside(&self, workspaces: &Workspaces) -> [bool; 3] {
        self.aside(workspaces).map_or([false; 3], |aside| there(&aside))
    }

    /// Removes the record, and the directory for what is put aside if nothing is in it.
    fn forget(&self, workspaces: &Workspaces) -> io::Result<()> {
        self.forget_aside(workspaces);
        fs::remove_file(self.record(workspaces)).or_else(super::ending::absent)?;
        // One that came back after the next import would take that one's files for its own.
        File::open(workspaces.root.join(LANDING)).and_then(|dir| dir.sync_all()).or_else(super::ending::absent)
    }

    fn forget_aside(&self, workspaces: &Workspaces) {
        // One with files in it stays.
        self.aside_dir(workspaces).map_or(Ok(()), fs::remove_dir).unwrap_or_default();
    }

    fn sync(&self, workspaces: &Workspaces) -> io::Result<()> {
        let ours = [self.made_dir(workspaces), self.kept_dir(workspaces), workspaces.root.join(REPLACED)];
        let touched = ours.into_iter().chain(self.aside_dir(workspaces)).filter(|dir| dir.is_dir());
        touched.chain([workspaces.root.clone()]).try_for_each(|dir| File::open(dir)?.sync_all())
    }

    fn agent(&self) -> AgentId {
        AgentId::from_stored(&self.agent.0, &self.agent.1)
    }

    fn record(&self, workspaces: &Workspaces) -> PathBuf {
        workspaces.root.join(LANDING).join(name_of(&workspaces.directory_of(&self.agent())))
    }

    fn place(&self, workspaces: &Workspaces) -> Kept {
        Kept::at(&workspaces.directory_of(&self.agent()))
    }

    fn made(&self, workspaces: &Workspaces) -> Kept {
        Kept::within(&self.made_dir(workspaces))
    }

    fn made_dir(&self, workspaces: &Workspaces) -> PathBuf {
        workspaces.root.join(ARRIVING).join(&self.made)
    }

    /// Where goes what is kept of it if it is taken back: the same place every time, and no other's.
    fn kept_dir(&self, workspaces: &Workspaces) -> PathBuf {
        workspaces.root.join(REPLACED).join(format!("{}-taken-back", self.made))
    }

    fn aside_dir(&self, workspaces: &Workspaces) -> Option<PathBuf> {
        self.aside.as_ref().map(|aside| workspaces.root.join(REPLACED).join(aside))
    }

    fn aside(&self, workspaces: &Workspaces) -> Option<Kept> {
        self.aside_dir(workspaces).map(|aside| Kept::within(&aside))
    }
}

impl Workspaces {
    /// Finishes the arrivals that a crash has cut off, or takes them back, and says so. Answers the directories in which something still
    /// is that is on its way.
    pub(super) fn settle_landings(&self, agents: &dyn Agents) -> Vec<String> {
        let records = super::ending::entries(&self.root.join(LANDING)).into_iter();
        let under_way = records.filter_map(|record| {
            // One that was not written to its end is one of which nothing was begun.
            let read = fs::read(&record).map(|bytes| serde_json::from_slice::<Landing>(&bytes));
            let settled = match &read {
                Ok(Ok(landing)) => self.settle_landing(landing, agents),
                Ok(Err(_)) => fs::remove_file(&record),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            let error = settled.err()?;
            tracing::error!(record = %record.display(), %error, "an import that was cut off could not be put right; the next start tries again");
            read.ok()?.ok().map(|landing| landing.made)
        });
        let under_way = under_way.collect();
        // What was made for files that never came.
        super::ending::entries(&self.root.join(REPLACED))
            .iter()
            .for_each(|dir| fs::remove_dir(dir).unwrap_or_default());
        under_way
    }

    fn settle_landing(&self, landing: &Landing, agents: &dyn Agents) -> io::Result<()> {
        let agent = landing.agent();
        if agents.arrival(&agent) == Some(landing.arrival) {
            match landing.done(self)? {
                Some(aside) => {
                    tracing::warn!(%agent, files = %aside.display(), "an import was cut off when the agent had arrived; the files that were there before are kept beside");
                }
                None => tracing::info!(%agent, "an import was cut off when the agent had arrived with its files"),
            }
            return Ok(());
        }
        match landing.take_back(self, agents.is_there(&agent))? {
            Some(kept) => {
                tracing::warn!(%agent, files = %kept.display(), "an import was cut off before the agent had arrived; its files are as before, and those that came are kept beside: import it again");
            }
            None => {
                tracing::warn!(%agent, "an import was cut off before the agent had arrived; its files are as before: import it again");
            }
        }
        Ok(())
    }
}

/// The parts of one workspace with those of another.
fn pairs(from: &Kept, to: &Kept) -> impl Iterator<Item = (PathBuf, PathBuf)> + use<> {
    from.each().map(Path::to_owned).into_iter().zip(to.each().map(Path::to_owned))
}

/// Which parts of one are there.
fn there(kept: &Kept) -> [bool; 3] {
    kept.each().map(is_there)
}

/// Renames those that are there.
fn rename_all(pairs: impl IntoIterator<Item = (PathBuf, PathBuf)>) -> io::Result<()> {
    let mut there = pairs.into_iter().filter(|(from, _)| is_there(from));
    there.try_for_each(|(from, to)| fs::rename(from, to))
}

fn is_there(path: impl AsRef<Path>) -> bool {
    path.as_ref().symlink_metadata().is_ok()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
