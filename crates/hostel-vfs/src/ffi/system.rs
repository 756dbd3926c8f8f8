//! What is asked of the kernel and is not in the standard library.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The bytes that SQLite locks of a database: its pending byte, its reserved byte, and those of readers.
const LOCKED_FROM: i64 = 0x4000_0000;
const LOCKED: i64 = 512;

/// Keeps other programs that use SQLite off a database.
///
/// # Errors
/// `WouldBlock` if another program has it.
pub(crate) fn lock(file: &File, write: bool) -> io::Result<()> {
    let Err(error) = set_lock(file, if write { libc::F_WRLCK } else { libc::F_RDLCK }) else { return Ok(()) };
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Err(io::ErrorKind::WouldBlock.into()),
        // A file system without locks.
        Some(libc::EINVAL | libc::ENOLCK | libc::ENOSYS | libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    }
}

/// Lets them at it again, whoever else has the descriptor.
pub(crate) fn unlock(file: &File) {
    // If there was no lock, there is nothing to undo.
    let _unlocked = set_lock(file, libc::F_UNLCK);
}

fn set_lock(file: &File, kind: c_int) -> io::Result<()> {
    // SAFETY: a structure of plain numbers, for which zeros are valid.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = kind as libc::c_short;
    range.l_whence = libc::SEEK_SET as libc::c_short;
    (range.l_start, range.l_len) = (LOCKED_FROM, LOCKED);
    // SAFETY: an open descriptor, and a description of the lock that outlives the call.
    let code = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
    if code == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// How many descriptors the process may have.
pub(crate) fn descriptors() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place for the limit.
    let code = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if code == 0 { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { 0 }
}

/// Lets the process have as many descriptors as it may: each connection needs one, and what a shell gives is often 1,024.
/// Returns how many that are. Programs that it starts have as many.
pub fn raise_descriptors() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place for the limit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 && limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: a limit that was just read. If it is refused, the old one stays.
        let _raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
    descriptors()
}

/// Gives memory that SQLite has freed back to the kernel: the C library keeps it otherwise, as much as was ever in use.
pub fn give_back_memory() {
    // SAFETY: takes a number of bytes to keep, and may be called at any time by any thread.
    #[cfg(target_env = "gnu")]
    let _gave_some = unsafe { libc::malloc_trim(0) };
}
