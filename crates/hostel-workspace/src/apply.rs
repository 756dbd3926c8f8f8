//! Making a planned change: all of it, or nothing.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fsync, openat, renameat, unlinkat};

use crate::workspace::rename_new;
use crate::{Error, FileChange, Image, Place, Plan, Result, Workspace};

/// How far a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Every file is as it was before.
    NotMade,
    /// Every file is as it should be.
    Made,
    /// Some files are as before, the others as they should be: the machine stopped in the middle.
    Partly,
    /// A file is neither: somebody else changed it.
    Otherwise,
}

impl Workspace {
    /// Makes the change `plan`. Every file is compared with what the plan was made for, then written beside its place and synced,
    /// and only then are all put in place, each by one rename. If one cannot be put, those before it are put back.
    ///
    /// A crash of the machine can stop it between two renames: [`progress`](Self::progress) finds that out, and
    /// [`apply_as`](Self::apply_as) is for whoever wants to go on then.
    ///
    /// # Errors
    /// [`Error::Changed`] if a file is not what the plan was made for; or what the operating system says. Nothing is changed then.
    pub fn apply(&self, plan: &Plan) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        self.apply_as(plan, &format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Makes the change `plan` under a name of the caller's choice, made of letters and digits, by which [`finish`](Self::finish)
    /// can bring it to an end after a crash. No two changes that are made at a time have the same.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_as(&self, plan: &Plan, mark: &str) -> Result<()> {
        let mut staged = Staged { mark, files: Vec::new(), done: 0 };
        for change in &plan.changes {
            let place = Place::parse(&change.path)?;
            place.writable()?;
            if self.image(&place)? != change.before {
                return Err(Error::Changed { path: change.path.clone() });
            }
        }
        let made =
            plan.changes.iter().try_for_each(|change| staged.stage(self, change)).and_then(|()| staged.put(plan));
        if made.is_err() {
            staged.take_back(plan);
        }
        staged.clean_up();
        made
    }

    /// How far the change `plan` is made, for whoever finds it written down after a crash.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn progress(&self, plan: &Plan) -> Result<Progress> {
        let (mut before, mut after) = (true, true);
        for change in &plan.changes {
            let now = self.image(&Place::parse(&change.path)?)?;
            let (is_before, is_after) = (now == change.before, now == change.after);
            if !is_before && !is_after {
                return Ok(Progress::Otherwise);
            }
            before &= is_before;
            after &= is_after;
        }
        Ok(match (before, after) {
            (_, true) => Progress::Made,
            (true, false) => Progress::NotMade,
            (false, false) => Progress::Partly,
        })
    }
}

/// Files that are written beside their places.
struct Staged<'a> {
    mark: &'a str,
    files: Vec<StagedFile>,
    done: usize,
}

struct StagedFile {
    dir: OwnedFd,
    name: String,
    /// The file beside it; nothing for a deletion.
    beside: Option<String>,
    is_new: bool,
}

impl Staged<'_> {
    fn stage(&mut self, workspace: &Workspace, change: &FileChange) -> Result<()> {
        let place = Place::parse(&change.path)?;
        let (dir, name) = workspace.around(&place, change.before.is_none())?;
        let staged = match &change.after {
            Some(image) => {
                let beside = beside(&name, self.mark, self.files.len());
                write_beside(&dir, &beside, image).map_err(|error| Error::of(&change.path, error))?;
                Some(beside)
            }
            None => None,
        };
        self.files.push(StagedFile { dir, name, beside: staged, is_new: change.before.is_none() });
        Ok(())
    }

    fn put(&mut self, plan: &Plan) -> Result<()> {
        for (file, change) in self.files.iter_mut().zip(&plan.changes) {
            let StagedFile { dir, name, beside, is_new } = file;
            let put = match beside.take() {
                None => unlinkat(&*dir, name.as_str(), AtFlags::empty()).map_err(Into::into),
                Some(beside) if *is_new => {
                    rename_new(dir.as_fd(), &beside, dir.as_fd(), name).inspect_err(|_| discard(dir, &beside))
                }
                Some(beside) => renameat(&*dir, beside.as_str(), &*dir, name.as_str())
                    .inspect_err(|_| discard(dir, &beside))
                    .map_err(Into::into),
            };
            put.map_err(|error: std::io::Error| Error::of(&change.path, error))?;
            self.done += 1;
        }
        self.files.iter().try_for_each(|file| fsync(&file.dir)).map_err(|error| Error::of(".", error))
    }

    /// Puts back what was put in place so far: as good as it can be done, for it happens only when the disk fails or is full.
    fn take_back(&self, plan: &Plan) {
        for (file, change) in self.files.iter().zip(&plan.changes).take(self.done) {
            let _ = match &change.before {
                None => unlinkat(&file.dir, file.name.as_str(), AtFlags::empty()).map_err(std::io::Error::from),
                Some(image) => {
                    let beside = beside(&file.name, self.mark, plan.changes.len());
                    write_beside(&file.dir, &beside, image).and_then(|()| {
                        renameat(&file.dir, beside.as_str(), &file.dir, file.name.as_str()).map_err(Into::into)
                    })
                }
            };
        }
    }

    fn clean_up(&self) {
        for file in &self.files {
            if let Some(beside) = &file.beside {
                discard(&file.dir, beside);
            }
        }
    }
}

pub(crate) fn discard(dir: &OwnedFd, name: &str) {
    let _ = unlinkat(dir, name, AtFlags::empty());
}

/// Under which name the file `name`, the one at this place of a plan, is written beside its place.
pub(crate) fn beside(name: &str, mark: &str, at: usize) -> String {
    let short: String = name.chars().take(40).collect();
    format!(".{short}.{mark}-{at}.hostel-new")
}

/// Writes and syncs `image` as the new file `beside` in `dir`. One that a crash has left there is replaced.
fn write_beside(dir: &OwnedFd, beside: &str, image: &Image) -> Result<(), std::io::Error> {
    discard(dir, beside);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(if image.executable { 0o755 } else { 0o644 });
    let file = openat(dir, beside, flags, mode)?;
    let written = fchmod(&file, mode).map_err(Into::into).and_then(|()| {
        let mut file = File::from(file);
        file.write_all(&image.bytes)?;
        file.sync_all()
    });
    written.inspect_err(|_| discard(dir, beside))
}
