//! The check of everything in history: each file from front to back, every checksum and every byte that has a meaning.
//! Nothing is changed.

use std::io;

use super::format::{ENTRY, FACTS, Facts, IndexEntry, head_mark};
use super::gaps::{Gap, Gaps};
use super::names::{FileName, HISTORY, PENDING, Pending, dir, sort_out};
use super::past::open_pending;
use super::walk::{Step, Walk};
use super::{Archive, read::Hist, roll};
use crate::Lsn;
use crate::disk::{Disk, DiskFile};
use crate::record::{AgentId, BodyHead, HEADER, Header};
use crate::segment::FIRST;

/// Something in history that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The file.
    pub path: String,
    /// Whose, if anything tells.
    pub agent: Option<AgentId>,
    /// What, as part of a sentence.
    pub what: String,
}

/// Hears what a check finds.
pub trait Findings {
    /// A record that is whole, with class and name of its agent and its body as it was packed. A record may come twice, and
    /// only those of one file come in an order.
    fn record(&mut self, header: &Header, namespace: &str, name: &str, body: &[u8]);

    /// Turns that are known to be missing: of this agent, or of anybody, at or before `lsn`.
    fn gap(&mut self, agent: Option<AgentId>, lsn: Lsn);

    /// Something that is not.
    fn flaw(&mut self, flaw: Flaw);

    /// A file was read to its end; so many bytes.
    fn file(&mut self, bytes: u64);
}

impl<D: Disk> Archive<D> {
    /// Reads every file that counts and checks all of it. Works on a disk that refuses to write.
    ///
    /// # Errors
    /// If a file cannot be read. What is damaged is no error but told to `findings`.
    pub fn check(&self, findings: &mut dyn Findings) -> io::Result<()> {
        match Gaps::read(&self.disk) {
            Ok(gaps) => gaps.all().iter().for_each(|gap| findings.gap(gap.agent, gap.lsn)),
            Err(error) => tell(findings, "history/gaps.list", None, error.to_string()),
        }
        for pending in self.pending()? {
            self.check_pending(pending, findings)?;
        }
        for namespace in self.disk.list(HISTORY)? {
            if !namespace.contains('.') {
                self.check_class(&namespace, findings)?;
            }
        }
        match self.absent() {
            Ok(absent) => absent.into_iter().for_each(|(namespace, name)| {
                let agent = if let FileName::Import { agent } = name { Some(agent) } else { None };
                tell_gone(findings, &name.path(&namespace), agent, &name.gap());
            }),
            Err(error) => tell(findings, roll::PATH, None, error.to_string()),
        }
        for awaited in self.absent_segments()? {
            tell_gone(findings, &awaited.segment.path(), None, &[awaited.gap()]);
        }
        Ok(())
    }

    fn check_class(&self, namespace: &str, findings: &mut dyn Findings) -> io::Result<()> {
        let names = self.disk.list(&dir(namespace))?;
        let stranger = |name: &&String| FileName::parse(name).is_none() && !name.ends_with(".tmp");
        let is_pending = format!("{HISTORY}/{namespace}") == PENDING;
        for name in names.iter().filter(stranger).filter(|name| !is_pending || Pending::parse(name).is_none()) {
            tell(
                findings,
                &format!("{}/{name}", dir(namespace)),
                None,
                "it has a name that no file of history has".to_owned(),
            );
        }
        for name in sort_out(&names).0 {
            self.check_file(name, &name.path(namespace), findings)?;
        }
        Ok(())
    }

    fn check_pending(&self, pending: Pending, findings: &mut dyn Findings) -> io::Result<()> {
        let path = pending.path();
        let mut start = vec![0; FIRST as usize];
        let read = self.disk.open(&path)?.read_at(0, &mut start)?;
        let (one, two) = start[..read].split_at(read / 2);
        if one != two {
            tell(findings, &path, None, "a copy of its header is damaged".to_owned());
        }
        match open_pending(&self.disk, pending) {
            Ok((_, mut walk)) => check_records(&mut walk, &path, false, findings)?,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => tell(findings, &path, None, error.to_string()),
            Err(error) => return Err(error),
        }
        findings.file(pending.end);
        Ok(())
    }

    fn check_file(&self, name: FileName, path: &str, findings: &mut dyn Findings) -> io::Result<()> {
        let hist = match Hist::open(&self.disk, path) {
            Ok(hist) => hist,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tell(findings, path, None, error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let facts = hist.facts;
        check_ends(&self.disk, path, &facts, findings)?;
        let fits = match name {
            FileName::Turns { first, last } => (first, last) == (facts.first, facts.last),
            FileName::Base { last } => last == facts.last,
            FileName::Import { .. } => true,
        };
        if !fits {
            tell(findings, path, None, "it is not the file that its name says".to_owned());
        }
        let mut walk = hist.run(&IndexEntry {
            at: FACTS as u64,
            bytes: facts.index_at.saturating_sub(FACTS as u64),
            ..IndexEntry::default()
        });
        let mut counting = Counting { findings, entries: Vec::new(), at: FACTS as u64 };
        check_records(&mut walk, path, true, &mut counting)?;
        let entries = counting.entries;
        check_index(&self.disk, path, &facts, &entries, findings)
    }
}

/// Both copies of the facts must be there and say the same.
fn check_ends<D: Disk>(disk: &D, path: &str, facts: &Facts, findings: &mut dyn Findings) -> io::Result<()> {
    let file = disk.open(path)?;
    let length = file.len()?;
    findings.file(length);
    if length != facts.index_at + facts.agents * ENTRY as u64 + FACTS as u64 {
        tell(findings, path, None, format!("it has {length} bytes, which is not what it says of itself"));
    }
    for at in [0, length.saturating_sub(FACTS as u64)] {
        let mut bytes = [0; FACTS];
        let read = file.read_at(at, &mut bytes)?;
        if Facts::decode(&bytes[..read]).as_ref() != Some(facts) {
            tell(
                findings,
                path,
                None,
                format!("one of its two descriptions, at byte {at}, is damaged; the other is used"),
            );
        }
    }
    Ok(())
}

/// The index must be what the records make.
fn check_index<D: Disk>(
    disk: &D,
    path: &str,
    facts: &Facts,
    made: &[IndexEntry],
    findings: &mut dyn Findings,
) -> io::Result<()> {
    let file = disk.open(path)?;
    let length = file.len()?.saturating_sub(facts.index_at).saturating_sub(FACTS as u64);
    let mut index = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let read = file.read_at(facts.index_at, &mut index)?;
    let found = index[..read].chunks(ENTRY).map(|entry| IndexEntry::decode(entry, facts.salt));
    if !found.eq(made.iter().copied().map(Some)) {
        tell(findings, path, None, "its index is damaged or does not fit its records".to_owned());
    }
    Ok(())
}

fn check_records(walk: &mut Walk, path: &str, filed: bool, findings: &mut dyn Findings) -> io::Result<()> {
    while let Some(step) = walk.next()? {
        match step {
            Step::Damage(from, to) => {
                tell(findings, path, None, format!("records between byte {from} and {to} cannot be read"))
            }
            Step::Record(header, at) => check_record(walk, &header, at, path, filed, findings)?,
        }
    }
    Ok(())
}

fn check_record(
    walk: &mut Walk,
    header: &Header,
    at: u64,
    path: &str,
    filed: bool,
    findings: &mut dyn Findings,
) -> io::Result<()> {
    let turn = header.lsn.cast_signed();
    let behind = walk.bytes(at + HEADER as u64, header.footprint() - HEADER)?.to_vec();
    let (body, filling) = behind.split_at_checked(header.body_len as usize).unwrap_or((&behind, &[]));
    let Some(head) = Some(body).filter(|body| header.matches(body)).and_then(BodyHead::parse) else {
        tell(findings, path, Some(header.agent), format!("turn #{turn}, at byte {at}, cannot be read"));
        return Ok(());
    };
    if filling.iter().any(|byte| *byte != 0) {
        tell(findings, path, Some(header.agent), format!("bytes behind turn #{turn} that nobody writes have changed"));
    }
    if filed && head_mark(&body[..head.length]) != header.prev_mark {
        tell(findings, path, Some(header.agent), format!("the cause of turn #{turn} cannot be read"));
    }
    findings.record(header, head.namespace, head.name, body);
    Ok(())
}

/// Makes the index once more on the way.
struct Counting<'a> {
    findings: &'a mut dyn Findings,
    entries: Vec<IndexEntry>,
    at: u64,
}

impl Findings for Counting<'_> {
    fn record(&mut self, header: &Header, namespace: &str, name: &str, body: &[u8]) {
        if self.entries.last().is_none_or(|last| last.agent != header.agent) {
            let (first, ms) = (header.lsn, header.time_ms);
            self.entries.push(IndexEntry {
                agent: header.agent,
                at: self.at,
                first,
                first_ms: ms,
                last_ms: ms,
                ..IndexEntry::default()
            });
        }
        if let Some(entry) = self.entries.last_mut() {
            entry.bytes += header.footprint() as u64;
            entry.records += 1;
            entry.last = header.lsn;
            entry.first_ms = entry.first_ms.min(header.time_ms);
            entry.last_ms = entry.last_ms.max(header.time_ms);
        }
        self.at += header.footprint() as u64;
        self.findings.record(header, namespace, name, body);
    }

    fn gap(&mut self, agent: Option<AgentId>, lsn: Lsn) {
        self.findings.gap(agent, lsn);
    }

    fn flaw(&mut self, flaw: Flaw) {
        self.findings.flaw(flaw);
    }

    fn file(&mut self, bytes: u64) {
        self.findings.file(bytes);
    }
}

/// What was in a file that is gone cannot be asked what it has written.
fn tell_gone(findings: &mut dyn Findings, path: &str, agent: Option<AgentId>, gaps: &[Gap]) {
    gaps.iter().for_each(|gap| findings.gap(gap.agent, gap.lsn));
    tell(findings, path, agent, "it is gone".to_owned());
}

fn tell(findings: &mut dyn Findings, path: &str, agent: Option<AgentId>, what: String) {
    findings.flaw(Flaw { path: path.to_owned(), agent, what });
}
