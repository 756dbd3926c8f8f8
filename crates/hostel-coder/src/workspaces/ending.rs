//! The end of workspaces, over crashes: a mark says that it has begun, and what a crash has left goes with the next start.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use hostel::{AgentId, Agents};

use super::{
    Workspaces,
    carried::{ARRIVING, Kept, REPLACED, hash_of, is_full},
    number,
};

/// Where the marks are of agents whose end has begun: files with their class and name.
const ENDING: &str = ".ending";
/// Where workspaces are on their way out.
const GONE: &str = ".gone";

impl Workspaces {
    /// Writes down, durably, that the end of `agent` has begun. Blocks.
    pub(super) fn mark_ending(&self, agent: &AgentId) -> io::Result<()> {
        let dir = self.root.join(ENDING);
        fs::create_dir_all(&dir)?;
        let mark = self.mark_of(agent);
        let mut file = File::create(&mark)?;
        file.write_all(serde_json::to_string(&agent.stored())?.as_bytes())?;
        file.sync_all()?;
        File::open(&dir)?.sync_all()?;
        File::open(&self.root)?.sync_all()
    }

    fn mark_of(&self, agent: &AgentId) -> PathBuf {
        self.mark_at(&self.directory_of(agent))
    }

    fn mark_at(&self, place: &Path) -> PathBuf {
        self.root.join(ENDING).join(place.file_name().unwrap_or_default())
    }

    /// Gives the workspace of an agent, and what is kept beside it, other names at once, so that a new agent of the same name begins with
    /// nothing. Answers the directory that is to be deleted. Blocks.
    pub(super) fn put_away(&self, agent: &AgentId) -> io::Result<Option<PathBuf>> {
        self.put_away_at(&self.directory_of(agent))
    }

    fn put_away_at(&self, place: &Path) -> io::Result<Option<PathBuf>> {
        let (kept, mark) = (Kept::at(place), self.mark_at(place));
        if !kept.exists() {
            fs::remove_file(mark).or_else(absent)?;
            return Ok(None);
        }
        let gone = match self.rename_away(&kept) {
            // There is no room for another name. Deleting makes room, however long it takes.
            Err(error) if is_full(&error) => kept.remove().map(|()| None),
            gone => gone.map(Some),
        }?;
        fs::remove_file(mark).or_else(absent)?;
        Ok(gone)
    }

    fn rename_away(&self, kept: &Kept) -> io::Result<PathBuf> {
        let to = self.root.join(GONE).join(format!("{:x}", number()));
        fs::create_dir_all(&to)?;
        kept.rename(&Kept::within(&to))?;
        Ok(to)
    }

    /// Finishes what a crash has cut off: imports, the ends of agents that had begun and are not there, and everything that is half-way in or
    /// out.
    pub(super) fn settle(&self, agents: &dyn Agents) {
        let under_way = self.settle_landings(agents);
        for mark in entries(&self.root.join(ENDING)) {
            if let Err(error) = self.settle_one(&mark, agents) {
                tracing::warn!(mark = %mark.display(), %error, "the workspace of an agent that may be destroyed stays");
            }
        }
        let mut left: Vec<_> = [GONE, ARRIVING].iter().flat_map(|dir| entries(&self.root.join(dir))).collect();
        left.retain(|path| !under_way.iter().any(|made| path.file_name().is_some_and(|name| name == &**made)));
        if !left.is_empty() {
            drop(std::thread::spawn(move || left.iter().for_each(|left| fs::remove_dir_all(left).unwrap_or_default())));
        }
    }

    /// A mark is named like the workspace. What is in it may be cut off, by a crash or a full disk: then its name has to do.
    fn settle_one(&self, mark: &Path, agents: &dyn Agents) -> io::Result<()> {
        let name = mark.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Nothing of ours.
        let Some(hash) = hash_of(name) else { return Ok(()) };
        let lives = match serde_json::from_slice::<(String, String)>(&fs::read(mark)?) {
            Ok((namespace, name)) => agents.is_there(&AgentId::from_stored(&namespace, &name)),
            Err(_) => agents.has_file(&hash),
        };
        if lives {
            return fs::remove_file(mark).or_else(absent);
        }
        tracing::info!(workspace = name, "the workspace of an agent that was destroyed goes");
        self.put_away_at(&self.root.join(name)).map(drop)
    }

    /// The directories here that are of no agent, with what is kept beside them. Nothing deletes them. `lives` is asked by the first 16 bytes
    /// of the SHA-256 of an agent's two stored texts, with a zero byte between. Blocks.
    ///
    /// # Errors
    /// If the directory of workspaces cannot be read.
    pub fn strays(&self, lives: impl Fn(&[u8; 16]) -> bool) -> io::Result<Vec<PathBuf>> {
        let is_stray = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let hash = name.split('.').next().and_then(|own| own.rsplit_once('-')).map_or("", |(_, hash)| hash);
            let hash = data_encoding::HEXLOWER.decode(hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
            hash.is_some_and(|hash| !lives(&hash))
        };
        let mut strays: Vec<_> = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            entries => entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?,
        };
        strays.retain(is_stray);
        strays.sort();
        Ok(strays)
    }

    /// The directories with files that an import took the place of. Nothing deletes them. Blocks.
    pub fn replaced(&self) -> Vec<PathBuf> {
        entries(&self.root.join(REPLACED))
    }
}

pub(super) fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What is not there any more is as gone as it should be.
pub(super) fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// These agents are there, and have come by that arrival.
    pub(in super::super) struct Known {
        pub(in super::super) there: Vec<AgentId>,
        pub(in super::super) arrival: u32,
    }

    impl Agents for Known {
        fn is_there(&self, agent: &AgentId) -> bool {
            self.there.contains(agent)
        }

        fn has_file(&self, hash: &[u8; 16]) -> bool {
            let workspaces = Workspaces::new("/");
            let of = |agent: &AgentId| hash_of(workspaces.directory_of(agent).file_name().unwrap().to_str().unwrap());
            self.there.iter().any(|agent| of(agent) == Some(*hash))
        }

        fn arrival(&self, agent: &AgentId) -> Option<u32> {
            self.is_there(agent).then_some(self.arrival)
        }
    }

    fn known(there: &[&AgentId]) -> Known {
        Known { there: there.iter().map(|agent| (*agent).clone()).collect(), arrival: 0 }
    }

    pub(in super::super) fn with_file(workspaces: &Workspaces, name: &str) -> (AgentId, PathBuf) {
        let agent = AgentId::new("coder-agent", name);
        let place = workspaces.directory_of(&agent);
        for dir in [place.clone(), Workspaces::side(&place)] {
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("file"), name).unwrap();
        }
        (agent, place)
    }

    #[test]
    fn after_a_crash_a_workspace_goes_only_if_the_end_of_its_agent_had_begun_and_it_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let workspaces = Workspaces::new(dir.path().join("w"));
        workspaces.settle(&known(&[]));
        let (destroyed, its) = with_file(&workspaces, "destroyed");
        let (spared, spared_its) = with_file(&workspaces, "spared");
        let (lost, lost_its) = with_file(&workspaces, "lost");
        workspaces.mark_ending(&destroyed).unwrap();
        workspaces.mark_ending(&spared).unwrap();
        // Gone already, and only its mark was left.
        workspaces.mark_ending(&AgentId::new("coder-agent", "long gone")).unwrap();
        workspaces.settle(&known(&[&spared]));
        assert!(!its.exists() && !Workspaces::side(&its).exists());
        assert!(spared_its.join("file").exists() && lost_its.join("file").exists());
        assert!(entries(&dir.path().join("w").join(ENDING)).is_empty());

        let hash = |agent: &AgentId| {
            let place = workspaces.directory_of(agent);
            place.to_str().unwrap().rsplit_once('-').unwrap().1.to_owned()
        };
        let living = hash(&spared);
        let strays = workspaces.strays(|hash| data_encoding::HEXLOWER.encode(hash) == living).unwrap();
        assert_eq!(strays, [lost_its.clone(), Workspaces::side(&lost_its)], "{lost}");
        workspaces.settle(&known(&[]));
        assert!(lost_its.exists() && spared_its.exists());
    }

    #[test]
    fn of_a_mark_that_is_cut_off_the_name_decides_and_the_next_start_says_nothing_of_it() {
        for content in ["", "[\"coder-"] {
            let dir = tempfile::tempdir().unwrap();
            let workspaces = Workspaces::new(dir.path());
            let ((living, its), (dead, was_its)) = (with_file(&workspaces, "a"), with_file(&workspaces, "b"));
            for agent in [&living, &dead] {
                workspaces.mark_ending(agent).unwrap();
                fs::write(workspaces.mark_of(agent), content).unwrap();
            }
            workspaces.settle(&known(&[&living]));
            assert!(its.join("file").exists() && !was_its.exists() && !Workspaces::side(&was_its).exists());
            assert!(entries(&dir.path().join(ENDING)).is_empty());
        }
    }

    /// A disk of a few pages and names, and nothing else on it.
    struct SmallDisk(tempfile::TempDir);

    impl SmallDisk {
        fn mount() -> Option<Self> {
            let dir = tempfile::tempdir().unwrap();
            let mut mount = std::process::Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=256k,nr_inodes=40", "tmpfs"]).arg(dir.path());
            let mounted = mount.output().is_ok_and(|output| output.status.success());
            let may_not = std::env::var_os("HOSTEL_NO_MOUNT").is_some();
            assert!(
                mounted || may_not,
                "no small disk can be mounted; run as root, or set HOSTEL_NO_MOUNT=1 to go without"
            );
            mounted.then(|| Self(dir))
        }

        fn fill(&self) {
            let full = fs::write(self.0.path().join("filler"), vec![0; 1 << 20]).unwrap_err();
            assert!(is_full(&full));
        }

        fn use_up_names(&self) {
            let full = (0..100).find_map(|n| File::create(self.0.path().join(format!("n{n}"))).err());
            assert!(is_full(&full.unwrap()));
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            drop(std::process::Command::new("umount").arg("-l").arg(self.0.path()).output());
        }
    }

    #[test]
    fn on_a_full_disk_an_agent_is_destroyed_with_its_workspace() {
        use std::sync::Arc;

        let Some(disk) = SmallDisk::mount() else { return };
        let workspaces = Arc::new(Workspaces::new(disk.0.path().join("w")));
        let kept = workspaces.belongings();
        let ((a, its), (b, also_its)) = (with_file(&workspaces, "a"), with_file(&workspaces, "b"));
        fs::create_dir(disk.0.path().join("w").join(ENDING)).unwrap();
        disk.fill();
        // There is a name left, and nothing to write in the file. Then the process dies.
        kept.ending(&a).unwrap();
        assert_eq!(fs::read(workspaces.mark_of(&a)).unwrap(), b"");
        kept.settle(&known(&[&b]));
        assert!(!its.exists() && also_its.exists());

        disk.use_up_names();
        kept.ending(&b).unwrap();
        kept.ended(&b);
        assert!(!also_its.exists() && !Workspaces::side(&also_its).exists());
    }
}
