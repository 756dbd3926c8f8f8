//! The history: every file of it; and what it says about the databases, page by page.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hostel_journal::record::{Body, Header};
use hostel_journal::{AgentId, Findings, Flaw, Kind, Lsn};

use super::{Problem, Work};
use crate::AgentKey;
use crate::layout::relative;

const REMEDY: &str =
    "turns of history are lost, the agents as they are now are not; if there is a backup, put this file back from it";

/// What history has written into the databases.
#[derive(Debug, Default)]
pub(super) struct History {
    agents: HashMap<AgentId, Written>,
    /// Before these turns something is missing, of the agent or of anybody.
    gaps: Vec<(Option<AgentId>, i64)>,
    records: u64,
    bytes: u64,
    flaws: Vec<Flaw>,
}

/// What it has written into one.
#[derive(Debug)]
struct Written {
    key: AgentKey,
    /// The newest turn.
    last: i64,
    kind: Kind,
    db_pages: u32,
    page_size: u32,
    /// The newest turn that wrote all pages, or ended the agent. Older ones do not matter.
    begin: i64,
    /// Which turn has written a page last, and the checksum of what it wrote.
    pages: HashMap<u32, (i64, u32)>,
}

impl Written {
    fn new(key: AgentKey) -> Self {
        Self { key, last: 0, kind: Kind::Commit, db_pages: 0, page_size: 0, begin: 0, pages: HashMap::new() }
    }

    fn take(&mut self, header: &Header, body: &Body) {
        let turn = header.lsn.cast_signed();
        if turn > self.last {
            (self.last, self.kind, self.db_pages, self.page_size) =
                (turn, header.kind, header.db_pages, header.page_size);
        }
        if header.kind != Kind::Commit {
            self.begin = self.begin.max(turn);
            let begin = self.begin;
            self.pages.retain(|_, (written, _)| *written >= begin);
        }
        if turn < self.begin {
            return;
        }
        // Of two images of one page in a record the later counts.
        for (number, image) in body.pages() {
            let newest = self.pages.entry(number).or_insert((turn, 0));
            if newest.0 <= turn {
                *newest = (turn, crc32fast::hash(image));
            }
        }
    }
}

impl Findings for History {
    fn record(&mut self, header: &Header, namespace: &str, name: &str, body: &[u8]) {
        self.records += 1;
        // What was brought from elsewhere says nothing about a database here.
        if header.lsn.cast_signed() <= 0 {
            return;
        }
        let written = self.agents.entry(header.agent).or_insert_with(|| Written::new(AgentKey::new(namespace, name)));
        if let Ok(body) = Body::decode(body) {
            written.take(header, &body);
        }
    }

    fn gap(&mut self, agent: Option<AgentId>, lsn: Lsn) {
        self.gaps.push((agent, lsn.cast_signed()));
    }

    fn flaw(&mut self, flaw: Flaw) {
        self.flaws.push(flaw);
    }

    fn file(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

/// Checks all of history.
pub(super) fn check(work: &mut Work<'_>) -> History {
    let mut history = History::default();
    work.progress("checking history", 0, 0);
    if let Err(error) = work.archive.check(&mut history) {
        work.problem("history", None, format!("it cannot be read: {error}"), "make it readable");
    }
    work.done.history_records = history.records;
    work.done.bytes += history.bytes;
    for flaw in std::mem::take(&mut history.flaws) {
        let agent = flaw.agent.map(|agent| match history.agents.get(&agent) {
            Some(written) => written.key.to_string(),
            None => format!("{:032x}", agent.0),
        });
        work.done.problems.push(Problem { path: flaw.path, agent, what: flaw.what, remedy: REMEDY.to_owned() });
    }
    history
}

impl History {
    /// Compares a file with what was written last to each page, but those in `seen`, which the journal has written since. The error is
    /// a sentence.
    pub(super) fn compare(&self, path: &Path, agent: AgentId, seen: &HashSet<u32>) -> Result<(), String> {
        let Some(written) = self.agents.get(&agent) else { return Ok(()) };
        let missing = self.missing_before(agent);
        if written.last <= missing {
            // What came last is what is missing: nothing here tells how the file should be.
            return Ok(());
        }
        if written.kind == Kind::Destroy {
            let is_new = !seen.is_empty();
            let message = || format!("it was destroyed in turn #{}, and its file is still there", written.last);
            return if is_new { Ok(()) } else { Err(message()) };
        }
        let said = |e: io::Error| format!("it cannot be compared with its history: {e}");
        let file = File::open(path).map_err(said)?;
        let (bytes, page_size) = (file.metadata().map_err(said)?.len(), u64::from(written.page_size));
        if seen.is_empty() && bytes != page_size * u64::from(written.db_pages) {
            let (last, pages) = (written.last, written.db_pages);
            return Err(format!("it has {bytes} bytes, and turn #{last} has left {pages} pages of {page_size}"));
        }
        let mut found = vec![0; written.page_size as usize];
        let mut pages: Vec<_> = written.pages.iter().collect();
        pages.sort_unstable();
        for (number, (turn, sum)) in pages {
            let at = u64::from(*number).saturating_sub(1) * page_size;
            if seen.contains(number) || *turn <= missing || at + page_size > bytes {
                continue;
            }
            file.read_exact_at(&mut found, at).map_err(said)?;
            if crc32fast::hash(&found) != *sum {
                return Err(format!("page {number} of it is not as turn #{turn} has written it"));
            }
        }
        Ok(())
    }

    /// Up to this turn something may be missing that has changed a page.
    fn missing_before(&self, agent: AgentId) -> i64 {
        let concerning = self.gaps.iter().filter(|(of, _)| of.is_none_or(|of| of == agent));
        concerning.map(|(_, turn)| *turn).max().unwrap_or(i64::MIN)
    }

    /// Says which databases are gone that should be there. `there` are the agents that have one, or will have after the next start.
    pub(super) fn check_absent(&self, work: &mut Work<'_>, there: &HashSet<AgentId>) {
        let absent = self.agents.iter().filter(|(agent, _)| !there.contains(agent));
        for (agent, written) in absent.filter(|(_, written)| written.kind != Kind::Destroy) {
            let (key, turn) = (&written.key, written.last);
            let what = if turn > self.missing_before(*agent) {
                format!("its database file is gone; its last turn was #{turn}")
            } else {
                format!(
                    "its database file is not there; its last known turn was #{turn}, and one that is missing may have ended it"
                )
            };
            let remedy = "restore it from its history (hostel restore) or from a backup";
            work.problem(&relative(key), Some(key.to_string()), what, remedy);
        }
    }
}
