//! Every agent's database: as it will be after the next start, and page by page as journal and history say.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use hostel_journal::scan::Found;
use hostel_journal::{AgentId, Kind, segment};

use super::super::tree;
use super::history::History;
use super::journal::Journal;
use super::{Work, database, pages};
use crate::AgentKey;
use crate::layout::relative;

const REMEDY: &str = "restore it from its history (hostel restore) or from a backup";

/// What is known besides the databases.
pub(super) struct Known<'a> {
    pub(super) journal: &'a Journal,
    pub(super) history: &'a History,
    /// The register of wake-ups; `None` if it cannot be read.
    pub(super) alarms: Option<&'a HashMap<AgentKey, i64>>,
}

/// Checks all of them. Returns the agents whose databases are there.
pub(super) fn check(work: &mut Work<'_>, known: &Known<'_>) -> HashSet<AgentId> {
    let mut seen = HashSet::new();
    let places = tree::databases(work.layout.root()).unwrap_or_else(|error| {
        work.problem("agents", None, format!("it cannot be read: {error}"), "make it readable");
        Vec::new()
    });
    let total = places.len() as u64;
    for (done, place) in (0..).zip(places) {
        work.progress("checking databases", done, total);
        let Some(agent) = id_in(&place) else {
            work.note(format!("{place} is no database of Hostel's and is passed by"));
            continue;
        };
        seen.insert(agent);
        let records = known.journal.records.get(&agent).map_or(&[][..], Vec::as_slice);
        check_one(work, known, &place, agent, records);
    }
    let absent = known.journal.records.iter().filter(|(agent, _)| !seen.contains(agent));
    for (agent, records) in absent {
        check_absent(work, known, *agent, records);
    }
    // What the journal has to say about these was said.
    seen.extend(known.journal.records.keys());
    work.progress("checking databases", total, total);
    seen
}

/// The agent's number, which ends the name of its file.
fn id_in(place: &str) -> Option<AgentId> {
    let hex = place.strip_suffix(".db")?.rsplit_once('-')?.1;
    if hex.len() == 32 { u128::from_str_radix(hex, 16).ok().map(AgentId) } else { None }
}

fn check_one(work: &mut Work<'_>, known: &Known<'_>, place: &str, agent: AgentId, records: &[Found]) {
    let path = work.layout.root().join(place);
    work.done.agents += 1;
    work.done.bytes += fs::metadata(&path).map_or(0, |meta| meta.len());
    if let Some(why) = known.journal.damaged.get(&agent) {
        let who = database::check(&path, place, work.options.longest).key.map(|key| key.to_string());
        let remedy = "restore it from its history or a backup; or accept the file as it is by removing its line from journal/damaged while the server is stopped";
        return work.problem(place, who, format!("it could not be brought up to date: {why}"), remedy);
    }
    if records.is_empty() {
        return look(work, known, &path, place, agent, &HashSet::new());
    }
    replayed(work, known, Some(&path), place, agent, records);
}

/// Checks the database as the next start will leave it.
fn replayed(
    work: &mut Work<'_>,
    known: &Known<'_>,
    base: Option<&Path>,
    place: &str,
    agent: AgentId,
    records: &[Found],
) {
    if records.last().is_some_and(|last| last.kind == Kind::Destroy) {
        return;
    }
    let laid = tempfile::NamedTempFile::new().and_then(|scratch| {
        if let Some(base) = base {
            io::copy(&mut File::open(base)?, &mut scratch.as_file())?;
        }
        let seen = pages::lay(&work.disk, scratch.as_file(), records)?;
        Ok((scratch, seen))
    });
    match laid {
        Ok((scratch, seen)) => look(work, known, scratch.path(), place, agent, &seen),
        Err(error) => {
            let who = known.journal.names.get(&agent).cloned();
            work.problem(place, who, format!("replaying the journal onto a copy of it failed: {error}"), REMEDY);
        }
    }
}

/// Checks the file at `path`, of which the journal has written the pages in `fresh`.
fn look(work: &mut Work<'_>, known: &Known<'_>, path: &Path, place: &str, agent: AgentId, fresh: &HashSet<u32>) {
    let looked = database::check(path, place, work.options.longest);
    if looked.unfinished {
        work.done.agents -= 1;
        work.done.unfinished.push(place.to_owned());
    }
    if let Some(key) = &looked.key {
        work.family.note(place, key, &looked.children);
    }
    let who = looked.key.as_ref().map(ToString::to_string);
    for wrong in looked.wrong {
        work.problem(place, who.clone(), wrong, REMEDY);
    }
    if let Err(wrong) = known.history.compare(path, agent, fresh) {
        work.problem(place, who.clone(), wrong, REMEDY);
    }
    let (Some(key), Some(at), Some(alarms)) = (looked.key, looked.alarm, known.alarms) else { return };
    if alarms.get(&key).is_none_or(|registered| *registered > at) {
        let what =
            format!("it wants to be woken at {at} (Unix milliseconds), and the register of wake-ups does not say so");
        work.problem(place, who, what, "call the agent once, it registers what it wants");
    }
}

/// An agent that the journal knows and that has no file.
fn check_absent(work: &mut Work<'_>, known: &Known<'_>, agent: AgentId, records: &[Found]) {
    let Some(last) = records.last() else { return };
    let whole =
        records.iter().rfind(|found| found.kind != Kind::Commit).is_some_and(|found| found.kind == Kind::Create);
    let who = known.journal.names.get(&agent).cloned();
    if last.kind == Kind::Destroy || known.journal.damaged.contains_key(&agent) {
        return;
    }
    let Ok(key) = pages::key_of(&work.disk, last) else {
        return work.problem(&segment::path(last.segment), who, "a record of it cannot be read", REMEDY);
    };
    let place = relative(&key);
    if whole {
        work.done.agents += 1;
        return replayed(work, known, None, &place, agent, records);
    }
    work.problem(&place, who, "its database file is gone, and the journal does not hold the whole of it", REMEDY);
}
