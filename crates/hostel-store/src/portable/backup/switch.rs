//! From one state of a backup to the next. Before the new list has its name nothing of the old state is touched; from then on the switch is only
//! ever completed: by the backup itself, by the next one, or by whoever opens the directory.

use std::fs;
use std::io;
use std::path::Path;

use hostel_journal::{Disk, LocalDisk};

use super::super::tree;
use super::catalog::Catalog;
use super::{LIST, NEXT, PARTS, SERVED, STAGING, SWITCH};
use crate::durability::sync_dir;
use crate::{Error, ErrorKind};

/// Everything staged is durable when this begins to count.
pub(super) fn commit(target: &Path, new: &Catalog) -> io::Result<()> {
    LocalDisk::new(target)?.sync_all()?;
    new.write(&target.join(NEXT))?;
    fs::rename(target.join(NEXT), target.join(SWITCH))?;
    sync_dir(target)
}

/// Completes a switch. May stop anywhere and be done again. `each` hears of every file that is put in place or removed;
/// returns how many were removed.
pub(super) fn complete(target: &Path, each: &mut dyn FnMut()) -> io::Result<u64> {
    let Some(catalog) = Catalog::read(&target.join(SWITCH))? else { return Ok(0) };
    for path in catalog.files.keys() {
        put_in_place(target, path)?;
        each();
    }
    let mut removed = 0;
    for part in PARTS {
        for path in tree::files(target, part)? {
            if !catalog.files.contains_key(&path) {
                fs::remove_file(target.join(&path))?;
                removed += 1;
                each();
            }
        }
    }
    LocalDisk::new(target)?.sync_all()?;
    fs::rename(target.join(SWITCH), target.join(LIST))?;
    sync_dir(target)?;
    remove_dir(&target.join(STAGING))?;
    Ok(removed)
}

fn put_in_place(target: &Path, path: &str) -> io::Result<()> {
    let (staged, place) = (target.join(STAGING).join(path), target.join(path));
    if !staged.exists() {
        return Ok(());
    }
    fs::create_dir_all(place.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    fs::rename(staged, place)
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a data directory of a backup, before anything else looks at it: a switch under way is completed, a backup
/// that was never finished is refused. From then on it is no backup any more.
pub(crate) fn enter(root: &Path) -> Result<(), Error> {
    let failed = |e| Error::directory(root, "making a data directory of the backup", &e);
    complete(root, &mut || {}).map_err(failed)?;
    let is_backup = root.join(LIST).exists();
    if !is_backup && root.join(STAGING).exists() && !root.join("journal/lease").exists() {
        let message = format!(
            "{} is a backup that was not finished, there is nothing to serve in it; run the backup again or choose another directory",
            root.display()
        );
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    if is_backup {
        tracing::info!(dir = %root.display(), "serving a backup: from now on it is a data directory of its own");
        remove_dir(&root.join(STAGING)).map_err(failed)?;
        fs::rename(root.join(LIST), root.join(SERVED)).and_then(|()| sync_dir(root)).map_err(failed)?;
    }
    Ok(())
}
