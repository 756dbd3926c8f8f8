//! Git's configuration and hooks, in a directory that may be changed, may not: what they name is run by whoever uses git next.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_bind, mount_remount};

use super::failed;

/// What may not be changed. The first two are made if they are not there; nothing can be put over a name that is not.
const PROTECTED: &[&str] = &["hooks", "objects/info", "config", "config.worktree", "info/attributes", "commondir"];

/// Protects the repository at `dir`, or in its `.git`.
pub(super) fn protect(dir: &Path) -> Result<(), String> {
    let dot = dir.join(".git");
    let is_git = |dir: &Path| dir.join("HEAD").is_file() && dir.join("objects").is_dir();
    match fs::symlink_metadata(&dot) {
        Ok(meta) if meta.is_dir() => repository(&dot),
        Ok(meta) if meta.is_symlink() => Err("`.git` is a link: what it leads to cannot be protected".to_owned()),
        // A work tree's `.git` is a file that names the repository; that the file cannot be swapped is enough here.
        Ok(_) => over_itself(&dot, MountFlags::RDONLY),
        Err(_) if is_git(dir) => repository(dir),
        Err(_) => Ok(()),
    }
}

fn repository(dir: &Path) -> Result<(), String> {
    // What is mounted can be neither renamed nor deleted: so nobody can put another directory in its place.
    over_itself(dir, MountFlags::empty())?;
    for name in &PROTECTED[..2] {
        let place = dir.join(name);
        if fs::symlink_metadata(&place).is_err() {
            fs::create_dir_all(&place).map_err(failed(name))?;
        }
    }
    PROTECTED.iter().map(|name| dir.join(name)).try_for_each(|place| over_itself(&place, MountFlags::RDONLY))
}

/// Mounts a file or directory over itself. It is opened without following any link, and named by that descriptor from then on.
fn over_itself(place: &Path, flags: MountFlags) -> Result<(), String> {
    let Some(fd) = open(place)? else { return Ok(()) };
    let name = format!("/oldroot/proc/self/fd/{}", fd.as_raw_fd());
    let what = format!("git's {} cannot be protected", place.file_name().unwrap_or_default().to_string_lossy());
    mount_bind(&name, &name).map_err(failed(&what))?;
    // The descriptor is what lies below: opened anew, it is the mount.
    let Some(mounted) = open(place)? else { return Err(what) };
    let name = format!("/oldroot/proc/self/fd/{}", mounted.as_raw_fd());
    mount_remount(name, flags | MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV, "").map_err(failed(what))
}

fn open(place: &Path) -> Result<Option<OwnedFd>, String> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(CWD, place, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => {
            Err("there is a link among git's own files: what it leads to cannot be protected".to_owned())
        }
        Err(error) => Err(failed(place.display())(error)),
    }
}
