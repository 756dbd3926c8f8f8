//! The history: every file of it, and that no agent's database is gone which by its history should be there.

use std::collections::{HashMap, HashSet};

use hostel_journal::record::Header;
use hostel_journal::{AgentId, Findings, Flaw, Kind};

use super::{Problem, Work};
use crate::AgentKey;
use crate::layout::relative;

const REMEDY: &str =
    "turns of history are lost, the agents as they are now are not; if there is a backup, put this file back from it";

/// The last turn of each agent, as far as history has it.
#[derive(Debug, Default)]
struct Gathered {
    records: u64,
    bytes: u64,
    last: HashMap<AgentId, (i64, Kind, AgentKey)>,
    flaws: Vec<Flaw>,
}

impl Findings for Gathered {
    fn record(&mut self, header: &Header, namespace: &str, name: &str) {
        self.records += 1;
        let turn = header.lsn.cast_signed();
        match self.last.get_mut(&header.agent) {
            Some(last) if last.0 > turn => {}
            Some(last) => (last.0, last.1) = (turn, header.kind),
            None => drop(self.last.insert(header.agent, (turn, header.kind, AgentKey::new(namespace, name)))),
        }
    }

    fn flaw(&mut self, flaw: Flaw) {
        self.flaws.push(flaw);
    }

    fn file(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

/// Checks all of history. `there` are the agents that have a database, or will have one after the next start.
pub(super) fn check(work: &mut Work<'_>, there: &HashSet<AgentId>) {
    let mut gathered = Gathered::default();
    work.progress("checking history", 0, 0);
    if let Err(error) = work.archive.check(&mut gathered) {
        work.problem("history", None, format!("it cannot be read: {error}"), "make it readable");
    }
    work.done.history_records = gathered.records;
    work.done.bytes += gathered.bytes;
    for flaw in gathered.flaws {
        let agent = flaw.agent.map(|agent| match gathered.last.get(&agent) {
            Some((_, _, key)) => key.to_string(),
            None => format!("{:032x}", agent.0),
        });
        work.done.problems.push(Problem { path: flaw.path, agent, what: flaw.what, remedy: REMEDY.to_owned() });
    }
    for (agent, (turn, kind, key)) in gathered.last {
        // What was brought from elsewhere says nothing about a database here.
        if kind != Kind::Destroy && turn > 0 && !there.contains(&agent) {
            let what = format!("its database file is gone; its last turn was #{turn}");
            work.problem(
                &relative(&key),
                Some(key.to_string()),
                what,
                "restore it from its history (hostel restore) or from a backup",
            );
        }
    }
}
