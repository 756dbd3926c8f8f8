//! Opening names beneath an open directory, and never outside of it, whatever links there are and whoever moves things meanwhile.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Opens `path` beneath `root`. Links inside that stay inside are followed where the kernel can promise it (Linux from 5.6 on), and
/// refused where it cannot.
pub(crate) fn open(root: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { "." } else { path };
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    #[cfg(target_os = "linux")]
    match with_openat2(root.as_fd(), path, flags) {
        Err(Errno::NOSYS | Errno::PERM) => {}
        answer => return answer,
    }
    step_by_step(root.as_fd(), path, flags)
}

/// Opens a directory beneath `root`.
pub(crate) fn open_dir(root: impl AsFd, path: &str) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// The kernel answers `EAGAIN` when something was renamed while it looked: it could not tell. Asked again, it mostly can.
#[cfg(target_os = "linux")]
fn with_openat2(root: std::os::fd::BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};

    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..64 {
        match openat2(root, path, flags, Mode::empty(), how) {
            Err(Errno::AGAIN) => {}
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

/// One name at a time, following no link at all.
fn step_by_step(root: std::os::fd::BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::openat;

    let passing = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(root, ".", passing, Mode::empty())?;
    let mut names = path.split('/').filter(|name| !name.is_empty() && *name != ".").peekable();
    while let Some(name) = names.next() {
        if name == ".." {
            return Err(Errno::XDEV);
        }
        let flags = if names.peek().is_some() { passing } else { flags | OFlags::NOFOLLOW };
        at = openat(&at, name, flags, Mode::empty())?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_by_step_finds_files_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/f"), "x").unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("l")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("a/p")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let open = |path| step_by_step(root.as_fd(), path, OFlags::RDONLY);
        assert!(open("a/f").is_ok() && open("./a//f").is_ok());
        for refused in ["l/f", "a/p", "../x", "a/../a/f", "a/f/g"] {
            assert!(open(refused).is_err(), "{refused}");
        }
    }
}
