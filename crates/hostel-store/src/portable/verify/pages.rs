//! Pages as the journal has them, laid over a copy of a file.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use hostel_journal::record::Body;
use hostel_journal::scan::{Found, body};
use hostel_journal::{Disk, Kind, segment};

use crate::AgentKey;

/// Lays what the journal holds over a copy of a database, as a start does. Returns the pages that were written.
pub(super) fn lay<D: Disk>(disk: &D, file: &File, records: &[Found]) -> io::Result<HashSet<u32>> {
    let begin = records.iter().rposition(|found| found.kind != Kind::Commit).unwrap_or(0);
    let mut seen = HashSet::new();
    let Some(last) = records.last() else { return Ok(seen) };
    for found in records[begin..].iter().rev() {
        for (number, image) in read(disk, found)?.pages().rev() {
            if (1..=last.db_pages).contains(&number) && seen.insert(number) {
                file.write_all_at(image, u64::from(number - 1) * u64::from(last.page_size))?;
            }
        }
    }
    file.set_len(u64::from(last.db_pages) * u64::from(last.page_size))?;
    Ok(seen)
}

fn read<D: Disk>(disk: &D, found: &Found) -> io::Result<Body> {
    body(&disk.open(&segment::path(found.segment))?, found)
}

/// Whose record it is.
pub(super) fn key_of<D: Disk>(disk: &D, found: &Found) -> io::Result<AgentKey> {
    read(disk, found).map(|body| AgentKey::new(body.namespace, body.name))
}
