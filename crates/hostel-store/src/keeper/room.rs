//! Why a start fails, where the disk's own word for it is not the cause: one without room may answer with an error of input and output,
//! from the kernel or by way of SQLite.

use std::path::Path;

use hostel_journal::{Disk, LocalDisk};

use crate::{Error, ErrorKind};

/// Less room than this is none: a segment of the journal alone takes a quarter of it at least.
const FULL_BELOW: u64 = 1 << 20;

/// The failure of a start, called a full disk if there is less room than a start can be sure to go on with.
pub(super) fn looked_at(error: Error, root: &Path) -> Error {
    match LocalDisk::new(root) {
        Ok(disk) => told(error, disk.free()),
        Err(_) => error,
    }
}

fn told(error: Error, free: u64) -> Error {
    if error.kind() != ErrorKind::Failed || free >= FULL_BELOW {
        return error;
    }
    let left = free >> 10;
    let remedy = format!("the disk is full, it has {left} KiB left; free some space and start again");
    error.with_kind(ErrorKind::Full).with_remedy(&remedy)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_start_that_fails_where_there_is_no_room_says_so_whatever_the_disk_calls_it() {
        let eio = || Error::io("the journal", "handing over what was replayed", io::Error::from_raw_os_error(5));
        let full = told(eio(), 8 << 10);
        assert_eq!(full.code(), "storage_full");
        let said = full.to_string();
        assert!(said.contains("(os error 5); the disk is full, it has 8 KiB left;"), "{said}");
        assert_eq!(told(eio(), FULL_BELOW).code(), "storage_failed");
        let other = Error::new(ErrorKind::Corrupt, "the journal is damaged");
        assert_eq!(told(other, 0).code(), "storage_corrupt");
    }
}
