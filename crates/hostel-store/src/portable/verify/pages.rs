//! Pages as journal and history have them, beside those in a file.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hostel_journal::record::Body;
use hostel_journal::scan::{Found, body};
use hostel_journal::{AgentId, Disk, Kind, segment};

use super::Work;
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

/// Compares a file with what history has written last to each page, but those in `seen`. The error is a sentence.
pub(super) fn compare(
    work: &mut Work<'_>,
    path: &Path,
    namespace: &str,
    agent: AgentId,
    mut seen: HashSet<u32>,
) -> Result<(), String> {
    let said = |e: io::Error| format!("it cannot be compared with its history: {e}");
    let file = File::open(path).map_err(said)?;
    let listing = work.archive.listing(&[], namespace, agent).map_err(said)?;
    let Some(last) = listing.records.last() else { return Ok(()) };
    if last.header.kind == Kind::Destroy {
        // With turns in the journal it was made anew.
        return if seen.is_empty() {
            Err(format!("it was destroyed in turn #{}, and its file is still there", last.turn()))
        } else {
            Ok(())
        };
    }
    let (page_size, mut db_pages) = (u64::from(last.header.page_size), last.header.db_pages);
    let bytes = file.metadata().map_err(said)?.len();
    if !seen.is_empty() {
        // The journal has the last word on how many there are.
        db_pages = u32::try_from(bytes / page_size).unwrap_or(u32::MAX);
    } else if bytes != page_size * u64::from(db_pages) {
        return Err(format!("it has {bytes} bytes, turn #{} has left {} pages of {page_size}", last.turn(), db_pages));
    }
    let mut found = vec![0; usize::try_from(page_size).unwrap_or(0)];
    for past in listing.records.iter().rev() {
        let body = past.body().map_err(said)?;
        for (number, image) in body.pages().rev() {
            if !(1..=db_pages).contains(&number) || !seen.insert(number) {
                continue;
            }
            file.read_exact_at(&mut found, u64::from(number - 1) * page_size).map_err(said)?;
            if found != image {
                return Err(format!("page {number} of it is not as turn #{} has written it", past.turn()));
            }
        }
        if past.header.kind != Kind::Commit || past.broken || seen.len() >= db_pages as usize {
            break;
        }
    }
    Ok(())
}
