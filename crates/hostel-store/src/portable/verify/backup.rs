//! A backup: every file in it is the one that was copied.

use super::super::backup::{BESIDE, Catalog, LIST, PARTS, STAGING, SWITCH, brought};
use super::super::{sums, tree};
use super::Work;

const REMEDY: &str = "run the backup again; a file that is damaged in it is copied anew if you remove it first";

/// Checks the sums of a backup. `false` if there is nothing else to be checked in the directory.
pub(super) fn check(work: &mut Work<'_>) -> bool {
    let root = work.layout.root().to_owned();
    let switching = root.join(SWITCH).exists();
    if switching {
        work.note("a backup was interrupted when it was whole; the next backup, or a server on this directory, puts its files in place. Until then only their sums can be checked");
    }
    let list = if switching { SWITCH } else { LIST };
    match Catalog::read(&root.join(list)) {
        Err(error) => work.problem(list, None, error.to_string(), "run the backup again, into an empty directory"),
        Ok(Some(catalog)) => {
            check_files(work, &catalog, switching);
            note_beside(work, "it has the {place} of {agents}");
        }
        Ok(None) if root.join(STAGING).exists() => {
            work.problem(STAGING, None, "this is a backup that was never finished", "run the backup again");
            return false;
        }
        Ok(None) => {
            note_beside(work, "the {place} of {agents} came with a backup; the next start puts it in its place")
        }
    }
    !switching
}

/// Says of how many agents something is there that is no database.
fn note_beside(work: &mut Work<'_>, text: &str) {
    let root = work.layout.root().to_owned();
    for place in tree::names(&root.join(BESIDE)).unwrap_or_default() {
        let agents = match brought(&root, &place).map_or(0, |brought| brought.len()) {
            0 => continue,
            1 => "1 agent".to_owned(),
            several => format!("{several} agents"),
        };
        work.note(text.replace("{place}", &place).replace("{agents}", &agents));
    }
}

fn check_files(work: &mut Work<'_>, catalog: &Catalog, switching: bool) {
    let root = work.layout.root().to_owned();
    work.note(format!("this is a backup of turn #{} and before", catalog.turn));
    let total = catalog.files.len() as u64;
    for (done, (path, copied)) in (0..).zip(&catalog.files) {
        work.progress("checking the backup's sums", done, total);
        let staged = root.join(STAGING).join(path);
        let place = if switching && staged.exists() { staged } else { root.join(path) };
        match sums::of_file(&place) {
            Ok((bytes, sum)) if (bytes, &sum) == (copied.bytes, &copied.sum) => work.done.bytes += bytes,
            Ok(_) => work.problem(path, None, "it is not the file that was copied", REMEDY),
            Err(error) => work.problem(path, None, format!("it cannot be read: {error}"), REMEDY),
        }
    }
    if switching {
        return;
    }
    for path in PARTS.iter().flat_map(|part| tree::files(&root, part).unwrap_or_default()) {
        if !catalog.files.contains_key(&path) {
            work.problem(&path, None, "it is not part of the backup", "remove it");
        }
    }
}
