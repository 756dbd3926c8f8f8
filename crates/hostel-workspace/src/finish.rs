//! After a crash: how far a change was made that was written down before, and bringing it to its end.

use rustix::fs::{AtFlags, fsync, renameat, unlinkat};

use crate::apply::{beside, discard};
use crate::{Digest, Error, FileChange, Place, Plan, Progress, Result, Workspace};

/// What is written down of one file before a change is made: enough to tell afterwards whether it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The file.
    pub path: String,
    /// What it is before; nothing if it is not there.
    pub before: Option<Digest>,
    /// What it is afterwards; nothing if it is deleted.
    pub after: Option<Digest>,
}

impl Plan {
    /// What is to be written down before the change is made by [`Workspace::apply_as`].
    #[must_use]
    pub fn traces(&self) -> Vec<Trace> {
        let trace = |change: &FileChange| Trace {
            path: change.path.clone(),
            before: change.before.as_ref().map(crate::Image::digest),
            after: change.after.as_ref().map(crate::Image::digest),
        };
        self.changes.iter().map(trace).collect()
    }
}

impl Digest {
    /// Reads what `to_string` writes.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        for (at, out) in bytes.iter_mut().enumerate() {
            *out = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl Workspace {
    /// Brings a change to its end that a crash may have stopped: one with these traces, made by [`apply_as`](Self::apply_as) under
    /// this `mark`. If it was begun to be put in place, the rest of it is put; what was only prepared is thrown away.
    ///
    /// [`Progress::Partly`] is answered only if the rest cannot be put, because what was prepared is gone.
    ///
    /// # Errors
    /// If a file cannot be read, or not be put in place.
    pub fn finish(&self, traces: &[Trace], mark: &str) -> Result<Progress> {
        let mut left = Vec::new();
        let (mut before, mut after) = (true, true);
        for (at, trace) in traces.iter().enumerate() {
            let now = self.image(&Place::parse(&trace.path)?)?.map(|image| image.digest());
            let (is_before, is_after) = (now == trace.before, now == trace.after);
            if !is_before && !is_after {
                self.discard_prepared(traces, mark);
                return Ok(Progress::Otherwise);
            }
            before &= is_before;
            after &= is_after;
            if !is_after {
                left.push((at, trace));
            }
        }
        if !before && !after {
            if !self.are_prepared(&left, mark)? {
                return Ok(Progress::Partly);
            }
            left.iter().try_for_each(|(at, trace)| self.put_prepared(*at, trace, mark))?;
        }
        self.discard_prepared(traces, mark);
        Ok(if before && !after { Progress::NotMade } else { Progress::Made })
    }

    /// Whether all these files are written beside their places.
    fn are_prepared(&self, left: &[(usize, &Trace)], mark: &str) -> Result<bool> {
        for (at, trace) in left.iter().filter(|(_, trace)| trace.after.is_some()) {
            let Some((parent, name)) = Place::parse(&trace.path)?.split().map(|(dir, name)| (dir, name.to_owned()))
            else {
                return Ok(false);
            };
            let prepared = self.image(&parent.join(&beside(&name, mark, *at)))?;
            if prepared.map(|image| image.digest()) != trace.after {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn put_prepared(&self, at: usize, trace: &Trace, mark: &str) -> Result<()> {
        let (dir, name) = self.around(&Place::parse(&trace.path)?, false)?;
        let put = match trace.after {
            None => unlinkat(&dir, name.as_str(), AtFlags::empty()),
            Some(_) => renameat(&dir, beside(&name, mark, at).as_str(), &dir, name.as_str()),
        };
        put.and_then(|()| fsync(&dir)).map_err(|error| Error::of(&trace.path, error))
    }

    fn discard_prepared(&self, traces: &[Trace], mark: &str) {
        for (at, trace) in traces.iter().enumerate() {
            if let Ok((dir, name)) = Place::parse(&trace.path).and_then(|place| self.around(&place, false)) {
                discard(&dir, &beside(&name, mark, at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Image, Limits};

    /// A change of four files, and the directory it is for.
    fn scene() -> (tempfile::TempDir, Workspace, Plan) {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::create(dir.path().join("w"), Limits::default()).unwrap();
        for name in ["changed", "gone"] {
            workspace.apply(&workspace.plan_write(name, "old\n").unwrap()).unwrap();
        }
        let patch = "*** Begin Patch\n*** Update File: changed\n@@\n-old\n+new\n*** Add File: sub/made\n+new\n\
            *** Delete File: gone\n*** Add File: last\n+new\n*** End Patch\n";
        let plan = workspace.plan_patch(patch).unwrap();
        (dir, workspace, plan)
    }

    /// As a crash leaves it that comes when so many files are put in place: all are written beside theirs.
    fn stopped(workspace: &Workspace, plan: &Plan, put: usize) {
        let path = |name: &str| workspace.path().join(name);
        fs::create_dir_all(path("sub")).unwrap();
        for (at, change) in plan.changes.iter().enumerate() {
            let place = Place::parse(&change.path).unwrap();
            let (parent, name) = place.split().unwrap();
            let beside = path(parent.join(&beside(name, "m", at)).as_str());
            match &change.after {
                Some(Image { bytes, .. }) if at < put => fs::write(path(&change.path), bytes).unwrap(),
                Some(Image { bytes, .. }) => fs::write(beside, bytes).unwrap(),
                None if at < put => fs::remove_file(path(&change.path)).unwrap(),
                None => {}
            }
        }
    }

    fn files(workspace: &Workspace) -> Vec<String> {
        let mut all = workspace.glob("**").unwrap().paths;
        all.extend(workspace.glob("**/.*").unwrap().paths);
        all
    }

    #[test]
    fn a_change_that_was_stopped_anywhere_is_made_whole_or_was_not_begun() {
        for put in 0..=4 {
            let (_dir, workspace, plan) = scene();
            stopped(&workspace, &plan, put);
            let ended = workspace.finish(&plan.traces(), "m").unwrap();
            let (wanted, left) = match put {
                0 => (Progress::NotMade, vec!["changed", "gone"]),
                _ => (Progress::Made, vec!["changed", "last", "sub/made"]),
            };
            assert_eq!(
                (ended, files(&workspace)),
                (wanted, left.iter().map(|&name| name.to_owned()).collect()),
                "{put}"
            );
            if put > 0 {
                assert_eq!(fs::read_to_string(workspace.path().join("changed")).unwrap(), "new\n");
                assert_eq!(workspace.finish(&plan.traces(), "m").unwrap(), Progress::Made);
            }
        }
    }

    #[test]
    fn what_somebody_else_changed_meanwhile_is_left_alone() {
        let (_dir, workspace, plan) = scene();
        stopped(&workspace, &plan, 1);
        fs::write(workspace.path().join("gone"), "somebody else's").unwrap();
        assert_eq!(workspace.finish(&plan.traces(), "m").unwrap(), Progress::Otherwise);
        assert_eq!(fs::read_to_string(workspace.path().join("gone")).unwrap(), "somebody else's");
    }

    #[test]
    fn without_what_was_prepared_nothing_more_is_put() {
        let (_dir, workspace, plan) = scene();
        stopped(&workspace, &plan, 1);
        fs::remove_file(workspace.path().join(beside("last", "m", 3))).unwrap();
        assert_eq!(workspace.finish(&plan.traces(), "m").unwrap(), Progress::Partly);
        assert!(workspace.path().join("gone").exists());
    }

    #[test]
    fn digests_are_read_as_they_are_written() {
        let digest = Digest([0xa7; 32]);
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("a7"), None);
    }
}
