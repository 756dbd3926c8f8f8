//! The journal: its lease, its segments, its records.

use std::collections::HashMap;

use hostel_journal::scan::{Found, Scan, scan};
use hostel_journal::seams::LocalLease;
use hostel_journal::{AgentId, Disk, DiskFile, segment};

use super::{ReadOnly, Work};

const FROM_BACKUP: &str = "restore the data directory from a backup";

/// What the journal holds of each agent, for the check of its database.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) records: HashMap<AgentId, Vec<Found>>,
    /// Agents whose databases cannot be brought up to date, or were not, and why.
    pub(super) damaged: HashMap<AgentId, String>,
    /// The names of the agents in `records`.
    pub(super) names: HashMap<AgentId, String>,
    /// It could not be read at all: nothing can be said about databases that it may change.
    pub(super) unknown: bool,
}

/// Checks the journal.
pub(super) fn check(work: &mut Work<'_>) -> Journal {
    let mut journal = Journal { damaged: listed(work), ..Journal::default() };
    let scanned = {
        let progress = &mut *work.progress;
        scan(&work.disk, |bytes| progress(super::Progress { doing: "reading the journal", done: 0, of: 0, bytes }))
    };
    match scanned {
        Ok(scan) => take(work, &mut journal, scan),
        Err(error) => {
            journal.unknown = true;
            work.problem("journal", None, error.to_string(), FROM_BACKUP);
        }
    }
    check_lease(work, &journal);
    journal
}

fn take(work: &mut Work<'_>, journal: &mut Journal, scan: Scan) {
    work.done.bytes += scan.bytes;
    work.done.clean = scan.segments.is_empty();
    work.done.journal_records = scan.records.values().map(|records| records.len() as u64).sum();
    if scan.torn {
        work.note(format!(
            "the journal ends in a write that was not finished, behind record {}; nothing of it was acknowledged, and the next start cuts it off",
            scan.tail.lsn
        ));
    }
    if !scan.records.is_empty() {
        let (records, agents) = (work.done.journal_records, scan.records.len());
        work.note(format!(
            "the last stop was not clean: the next start replays {records} records of {agents} agents; their databases were checked as they will be then"
        ));
    }
    for extent in &scan.segments {
        check_headers(work, extent.id);
    }
    for damage in &scan.damage {
        let path = segment::path(damage.segment);
        let what = format!("record {} at byte {} cannot be read", damage.lsn, damage.at);
        match damage.agent {
            Some(agent) => {
                work.problem(&path, Some(name_of(work, &scan, agent)), what.clone(), "the next start sets this agent aside and serves all others; restore it from its history or a backup");
                journal.damaged.entry(agent).or_insert(what);
            }
            None => work.problem(&path, None, format!("{what}, and nothing tells whose it was"), FROM_BACKUP),
        }
    }
    journal.names = scan.records.keys().map(|agent| (*agent, name_of(work, &scan, *agent))).collect();
    journal.records = scan.records;
}

/// The name of an agent from any of its records; its number if there is none.
fn name_of(work: &Work<'_>, scan: &Scan, agent: AgentId) -> String {
    let body = scan.records.get(&agent).and_then(|records| {
        let found = records.first()?;
        let file = work.disk.open(&segment::path(found.segment)).ok()?;
        hostel_journal::scan::body(&file, found).ok()
    });
    body.map_or_else(|| format!("{:032x}", agent.0), |body| crate::AgentKey::new(body.namespace, body.name).to_string())
}

/// The header stands twice, and what is around it is never written.
fn check_headers(work: &mut Work<'_>, id: u64) {
    let path = segment::path(id);
    let mut start = vec![0; segment::FIRST as usize];
    match work.disk.open(&path).and_then(|file| file.read_at(0, &mut start)) {
        Ok(read) if read == start.len() => {}
        _ => return,
    }
    let (one, two) = start.split_at(start.len() / 2);
    if one != two {
        work.problem(
            &path,
            None,
            "one of the two copies of its header is damaged; the other is used",
            "nothing is lost; look after the disk",
        );
    }
}

/// Agents that an earlier start could not bring up to date.
fn listed(work: &mut Work<'_>) -> HashMap<AgentId, String> {
    const PATH: &str = "journal/damaged";
    let bytes = match work.disk.open(PATH).and_then(|file| hostel_journal::disk::read_all(&file)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return HashMap::new(),
        Err(e) => {
            work.problem(PATH, None, e.to_string(), "make it readable");
            return HashMap::new();
        }
    };
    let mut listed = HashMap::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        let agent = line.split_once(' ').and_then(|(id, why)| Some((AgentId(u128::from_str_radix(id, 16).ok()?), why)));
        match agent {
            Some((agent, why)) => drop(listed.insert(agent, why.to_owned())),
            None => work.problem(PATH, None, "a line in it cannot be read", FROM_BACKUP),
        }
    }
    listed
}

/// Without the lease the numbers of turns would begin again.
fn check_lease(work: &mut Work<'_>, journal: &Journal) {
    const PATH: &str = "journal/lease";
    let lost = "put it back, or restore the data directory from a backup";
    match LocalLease::<ReadOnly>(work.disk.clone()).look() {
        Ok(Some(_)) => {}
        Ok(None) if work.layout.root().join(hostel_journal::DIR).is_dir() => {
            work.problem(PATH, None, "it is not there, although there is a journal", lost);
        }
        Ok(None) if journal.records.is_empty() => {
            work.note("the directory is from a version without a journal; the next start adopts it");
        }
        Ok(None) => {}
        Err(error) => work.problem(PATH, None, error.to_string(), lost),
    }
}
