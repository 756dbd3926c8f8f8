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
    /// Where they are made, below [`ARRIVING`].
    made: String,
    /// Where the files that are there go, below [`REPLACED`]; nothing if there are none.
    aside: Option<String>,
}

impl Landing {
    /// Writes down, durably, what is to be done. Nothing of the agent's is touched.
    pub(super) fn begin(workspaces: &Workspaces, agent: &AgentId, made: &Path, arrival: u32) -> io::Result<Self> {
        let place = workspaces.directory_of(agent);
        let aside = match Kept::at(&place).exists() {
            true => Some(name_of(&workspaces.new_below(REPLACED)?)),
            false => None,
        };
        let (namespace, name) = agent.stored();
        let landing = Self {
            agent: (namespace.to_owned(), name.to_owned()),
            arrival,
            parts: Kept::within(made).each().map(is_there),
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
    /// kept aside if somebody may have worked in it: says where. After an error the record stays, so that the next start does the rest.
    pub(super) fn take_back(&self, workspaces: &Workspaces, keep: bool) -> io::Result<Option<PathBuf>> {
        self.bring_out(workspaces, keep)?;
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

    /// Which parts are in their place: those that are neither where they were made, nor taken out of it again.
    fn have_arrived(&self, workspaces: &Workspaces) -> Vec<bool> {
        let (made, kept) = (self.made(workspaces), Kept::within(&self.kept_dir(workspaces)));
        let elsewhere = pairs(&made, &kept).map(|(made, kept)| is_there(made) || is_there(kept));
        elsewhere.zip(self.parts).map(|(elsewhere, arrives)| arrives && !elsewhere).collect()
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
mod tests {
    use super::*;
    use crate::workspaces::ending::tests::{Known, with_file};

    const ARRIVAL: u32 = 7;

    /// A workspace that is there, if so, and one that arrives: with other parts each.
    fn arriving(workspaces: &Workspaces, is_there: bool) -> (AgentId, PathBuf, Landing) {
        let agent = AgentId::new("coder-agent", "a");
        let place = workspaces.directory_of(&agent);
        if is_there {
            with_file(workspaces, "a");
        }
        let made = workspaces.new_below(ARRIVING).unwrap();
        for part in ["files", "git"] {
            fs::create_dir(made.join(part)).unwrap();
            fs::write(made.join(part).join("file"), "new").unwrap();
        }
        let landing = Landing::begin(workspaces, &agent, &made, ARRIVAL).unwrap();
        (agent, place, landing)
    }

    fn content(place: &Path) -> [Option<String>; 3] {
        Kept::at(place).each().map(|part| fs::read_to_string(part.join("file")).ok())
    }

    fn words<const N: usize>(all: [Option<&str>; N]) -> [Option<String>; N] {
        all.map(|one| one.map(str::to_owned))
    }

    /// What taking that back renames, in its order.
    fn back(
        workspaces: &Workspaces,
        landing: &Landing,
        done: &[(PathBuf, PathBuf)],
        keep: bool,
    ) -> Vec<(PathBuf, PathBuf)> {
        let (made, kept) = (landing.made_dir(workspaces), landing.kept_dir(workspaces));
        let (out, aside): (Vec<_>, Vec<_>) = done.iter().partition(|(from, _)| from.starts_with(&made));
        let to = |from: &Path| if keep { kept.join(from.file_name().unwrap()) } else { from.to_owned() };
        let out = out.iter().map(|(from, there)| (there.clone(), to(from)));
        out.chain(aside.iter().map(|(there, aside)| (aside.clone(), there.clone()))).collect()
    }

    #[test]
    fn where_there_is_no_room_for_what_is_kept_the_record_stays_and_the_next_try_keeps_it() {
        for was_there in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let workspaces = Workspaces::new(dir.path());
            let (agent, place, landing) = arriving(&workspaces, was_there);
            landing.go(&workspaces).unwrap();
            // A directory cannot be made there.
            let no_room = landing.kept_dir(&workspaces);
            fs::create_dir_all(no_room.parent().unwrap()).unwrap();
            fs::write(&no_room, "").unwrap();
            landing.take_back(&workspaces, true).unwrap_err();
            assert_eq!(content(&place), words([Some("new"), None, Some("new")]), "nothing was moved");
            let known = Known { there: vec![agent], arrival: 3 };
            workspaces.settle(&known);
            assert!(is_there(landing.record(&workspaces)), "the next start could not either");

            fs::remove_file(&no_room).unwrap();
            workspaces.settle(&known);
            assert!(!is_there(landing.record(&workspaces)));
            let before = if was_there { [Some("a"), Some("a"), None] } else { [None; 3] };
            assert_eq!(content(&place), words(before));
            let [kept] = &workspaces.replaced()[..] else { panic!("what came is kept, and nothing else") };
            assert_eq!(fs::read_to_string(kept.join("files/file")).unwrap(), "new");
            assert_eq!(fs::read_to_string(kept.join("git/file")).unwrap(), "new");
        }
    }

    #[test]
    fn an_import_that_is_cut_off_anywhere_before_the_agent_arrived_leaves_its_files_as_they_were() {
        for (was_there, before) in [(true, words([Some("a"), Some("a"), None])), (false, words([None, None, None]))] {
            let moves = 2 + 2 * usize::from(was_there);
            for cut in 0..=moves {
                for again in 0..=moves {
                    let dir = tempfile::tempdir().unwrap();
                    let workspaces = Workspaces::new(dir.path());
                    let (agent, place, landing) = arriving(&workspaces, was_there);
                    let all = landing.moves(&workspaces);
                    assert_eq!(all.len(), moves);
                    all[..cut].iter().for_each(|(from, to)| fs::rename(from, to).unwrap());
                    // And taking it back is cut off as well.
                    back(&workspaces, &landing, &all[..cut], was_there).iter().take(again).for_each(|(from, to)| {
                        fs::create_dir_all(to.parent().unwrap()).unwrap();
                        fs::rename(from, to).unwrap();
                    });

                    let known = Known { there: was_there.then(|| agent.clone()).into_iter().collect(), arrival: 3 };
                    workspaces.settle(&known);
                    assert_eq!(content(&place), before, "{was_there} {cut} {again}");
                    assert!(super::super::ending::entries(&dir.path().join(LANDING)).is_empty());
                    let aside = workspaces.replaced();
                    let has_arrived = cut > moves - 2;
                    assert_eq!(aside.len(), usize::from(was_there && has_arrived), "{was_there} {cut} {again}");
                    for dir in aside {
                        let kept = Kept::within(&dir).each().map(|part| fs::read_to_string(part.join("file")).ok());
                        assert_eq!(
                            kept,
                            words([Some("new"), None, Some("new")]),
                            "all of what came is kept, however far it came"
                        );
                    }
                    workspaces.settle(&known);
                    assert_eq!(content(&place), before);
                }
            }
        }
    }

    #[test]
    fn an_import_that_is_cut_off_after_the_agent_arrived_is_finished_and_the_old_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let workspaces = Workspaces::new(dir.path());
        let (agent, place, landing) = arriving(&workspaces, true);
        landing.go(&workspaces).unwrap();
        let known = Known { there: vec![agent], arrival: ARRIVAL };
        for _twice in 0..2 {
            workspaces.settle(&known);
            assert_eq!(content(&place), words([Some("new"), None, Some("new")]));
            let [aside] = &workspaces.replaced()[..] else { panic!("one is put aside") };
            assert_eq!(fs::read_to_string(aside.join("files/file")).unwrap(), "a");
            assert!(super::super::ending::entries(&dir.path().join(LANDING)).is_empty());
        }
    }

    #[test]
    fn another_import_waits_until_the_one_before_it_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let workspaces = Workspaces::new(dir.path());
        let (agent, place, landing) = arriving(&workspaces, true);
        landing.go(&workspaces).unwrap();
        let made = workspaces.new_below(ARRIVING).unwrap();
        let refused = Landing::begin(&workspaces, &agent, &made, 8).unwrap_err();
        assert!(refused.to_string().contains("restart the server"), "{refused}");
        workspaces.settle(&Known { there: vec![agent], arrival: 0 });
        assert_eq!(content(&place), words([Some("a"), Some("a"), None]));
    }

    #[test]
    fn a_record_that_was_not_written_to_its_end_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let workspaces = Workspaces::new(dir.path());
        let (agent, place, landing) = arriving(&workspaces, true);
        fs::write(landing.record(&workspaces), "{\"agent\":[\"cod").unwrap();
        workspaces.settle(&Known { there: vec![agent], arrival: 0 });
        assert_eq!(content(&place), words([Some("a"), Some("a"), None]));
        assert!(workspaces.replaced().is_empty());
        assert!(super::super::ending::entries(&dir.path().join(LANDING)).is_empty());
    }
}
