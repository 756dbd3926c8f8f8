//! The list of a backup: every file with its sum, and the state in which the original was when it was copied.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::sums::Summing;

const FIRST: &str = "hostel-backup 1";

/// What is known of one file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Copied {
    pub(in super::super) sum: String,
    pub(in super::super) bytes: u64,
    /// The original's, if it was at rest when it was copied.
    pub(super) stamp: Option<Stamp>,
}

/// What changes whenever a file does: when its content or its name was changed last (which nobody can set back), its
/// number, its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
    bytes: u64,
}

impl Stamp {
    pub(super) fn new(seconds: i64, nanoseconds: i64, inode: u64, bytes: u64) -> Self {
        Self { seconds, nanoseconds, inode, bytes }
    }

    pub(super) fn of(meta: &Metadata) -> Self {
        Self { seconds: meta.ctime(), nanoseconds: meta.ctime_nsec(), inode: meta.ino(), bytes: meta.len() }
    }

    /// When the file was changed last, in whole seconds.
    pub(super) fn seconds(&self) -> i64 {
        self.seconds
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(':');
        let mut next = || numbers.next();
        let stamp = Self {
            seconds: next()?.parse().ok()?,
            nanoseconds: next()?.parse().ok()?,
            inode: next()?.parse().ok()?,
            bytes: next()?.parse().ok()?,
        };
        numbers.next().is_none().then_some(stamp)
    }
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Catalog {
    /// The data directory that was backed up.
    pub(super) source: String,
    /// The last turn that is in it.
    pub(in super::super) turn: u64,
    pub(in super::super) time_ms: i64,
    /// By path.
    pub(in super::super) files: BTreeMap<String, Copied>,
}

impl Catalog {
    /// Reads a list; `None` if there is none.
    pub(in super::super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let damaged = || {
            let message = format!("the list of the backup, {}, is damaged", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        parse(BufReader::new(file))?.map(Some).ok_or_else(damaged)
    }

    /// Writes the list durably.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut summing = Summing::new(BufWriter::new(File::create(path)?));
        let source = serde_json::to_string(&self.source).map_err(io::Error::other)?;
        writeln!(summing, "{FIRST}\nsource {source}\nturn {} {}", self.turn, self.time_ms)?;
        for (path, copied) in &self.files {
            let stamp = match &copied.stamp {
                Some(stamp) => format!("{}:{}:{}:{}", stamp.seconds, stamp.nanoseconds, stamp.inode, stamp.bytes),
                None => "-".to_owned(),
            };
            writeln!(summing, "file {} {} {stamp} {path}", copied.sum, copied.bytes)?;
        }
        let (mut out, _, sum) = summing.into_parts();
        writeln!(out, "end {sum}")?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn parse(mut reader: impl BufRead) -> io::Result<Option<Catalog>> {
    let (mut catalog, mut hash, mut line) = (Catalog::default(), Sha256::new(), String::new());
    for number in 0.. {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some(text) = line.strip_suffix('\n') else { return Ok(None) };
        if let Some(sum) = text.strip_prefix("end ") {
            let whole = sum == data_encoding::HEXLOWER.encode(&hash.finalize()) && reader.read_line(&mut line)? == 0;
            return Ok(whole.then_some(catalog));
        }
        hash.update(&line);
        if take(&mut catalog, number, text).is_none() {
            return Ok(None);
        }
    }
    Ok(None)
}

fn take(catalog: &mut Catalog, number: usize, line: &str) -> Option<()> {
    match number {
        0 => return (line == FIRST).then_some(()),
        1 => catalog.source = serde_json::from_str(line.strip_prefix("source ")?).ok()?,
        2 => {
            let (turn, time) = line.strip_prefix("turn ")?.split_once(' ')?;
            (catalog.turn, catalog.time_ms) = (turn.parse().ok()?, time.parse().ok()?);
        }
        _ => {
            let mut words = line.strip_prefix("file ")?.splitn(4, ' ');
            let (sum, bytes) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
            let stamp = match words.next()? {
                "-" => None,
                stamp => Some(Stamp::parse(stamp)?),
            };
            let path = words.next().filter(|path| is_plain(path))?;
            catalog.files.insert(path.to_owned(), Copied { sum, bytes, stamp });
        }
    }
    Some(())
}

/// Whether a path stays below the directory, and is one line. No other file is ever copied, or touched because a list says
/// so.
pub(super) fn is_plain(path: &str) -> bool {
    let step = |step: &str| !step.is_empty() && step != "." && step != "..";
    path.split('/').all(step) && !path.chars().any(char::is_control)
}

/// The length of a file, `None` if it is not there.
pub(super) fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(Metadata::is_file).map(|meta| meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_and_a_changed_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        let stamp = Stamp::of(&fs::metadata(dir.path()).unwrap());
        let copied = Copied { sum: "ab".repeat(32), bytes: 7, stamp: Some(stamp) };
        let mut catalog = Catalog { source: "/a \"b\"\n".to_owned(), turn: 3, time_ms: -4, ..Catalog::default() };
        catalog.files.insert("agents/a b.db".to_owned(), copied.clone());
        catalog.files.insert("node.db".to_owned(), Copied { stamp: None, ..copied });
        catalog.write(&path).unwrap();
        assert_eq!(Catalog::read(&path).unwrap(), Some(catalog));
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            Catalog::read(&path).unwrap_err();
            fs::write(&path, &bytes[..at]).unwrap();
            Catalog::read(&path).unwrap_err();
        }
        assert_eq!(Catalog::read(&dir.path().join("none")).unwrap(), None);
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_not_taken() {
        for path in ["../x", "a/../b", "/x", "a//b", "a\nb", "", "."] {
            assert!(!is_plain(path), "{path:?}");
        }
        assert!(is_plain("agents/counter/00/x-1.db"));
    }
}
