//! What history must hold, and whether it does.

use std::collections::HashMap;

use hostel_journal::scan::Scan;
use hostel_journal::{Kind, Listing, Lsn, Past};

use super::node::{Image, PAGE};

/// Every turn that became durable, and the image after it.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The image after each commit.
    images: HashMap<u64, Image>,
    /// Number in the log and commit of every durable turn of an agent. No commit: it was never acknowledged, but the last
    /// start found it.
    turns: HashMap<u64, Vec<(Lsn, Option<u64>)>>,
}

impl Expected {
    pub(super) fn made(&mut self, commit: u64, image: &Image) {
        self.images.insert(commit, image.clone());
    }

    pub(super) fn kept(&mut self, agent: u64, lsn: Lsn, commit: u64) {
        self.turns.entry(agent).or_default().push((lsn, Some(commit)));
    }

    /// What a start found counts, acknowledged or not: the files are built upon it.
    pub(super) fn found_at_start(&mut self, scan: &Scan) {
        for (agent, records) in &scan.records {
            let turns = self.turns.entry(agent.0 as u64).or_default();
            let newest = turns.last().map_or(0, |(lsn, _)| *lsn);
            turns.extend(records.iter().filter(|found| found.lsn > newest).map(|found| (found.lsn, None)));
        }
    }

    /// Compares what was found of an agent. Turns made at `youngest_lost` or after it must all
    /// be there.
    pub(super) fn check(&self, agent: u64, listing: &Listing, youngest_lost: i64) -> Result<(), String> {
        let nothing = Vec::new();
        let turns = self.turns.get(&agent).unwrap_or(&nothing);
        if let Some(damage) = listing.damage.first() {
            return Err(format!("damage in history where there is none: {damage}"));
        }
        let found: Vec<&Past> = listing.records.iter().filter(|past| !past.base).collect();
        let lost = turns.len().checked_sub(found.len()).ok_or("history holds what never became durable")?;
        for (past, (lsn, commit)) in found.iter().zip(&turns[lost..]) {
            if past.header.lsn != *lsn || commit.is_some_and(|commit| commit != made_by(past)) {
                return Err(format!("turn {} of history is not {lsn}", past.header.lsn));
            }
        }
        // Of a turn that only a start has found nobody knows the age here.
        let too_young =
            |commit: &Option<u64>| commit.map_or(youngest_lost < 0, |commit| commit as i64 >= youngest_lost);
        if let Some((lsn, _)) = turns[..lost].iter().find(|(_, commit)| too_young(commit)) {
            return Err(format!("turn {lsn} is young and lost"));
        }
        self.rebuild(listing, turns.get(lost.wrapping_sub(1)).map(|(lsn, _)| *lsn))
    }

    /// From history alone, the image after every turn of it.
    fn rebuild(&self, listing: &Listing, before: Option<Lsn>) -> Result<(), String> {
        let mut image: Image = None;
        for past in &listing.records {
            if past.base && Some(past.header.lsn) != before {
                return Err(format!("the base is of turn {}, before the first is {before:?}", past.header.lsn));
            }
            if past.broken {
                return Err(format!("turn {} pretends to follow nothing", past.header.lsn));
            }
            lay(&mut image, past)?;
            if !past.base && self.images.get(&made_by(past)) != Some(&image) {
                return Err(format!("turn {} cannot be rebuilt", past.header.lsn));
            }
        }
        Ok(())
    }
}

fn made_by(past: &Past) -> u64 {
    past.cause.as_slice().try_into().map_or(0, u64::from_le_bytes)
}

/// Lays a record's pages over an image.
pub(super) fn lay(image: &mut Image, past: &Past) -> Result<(), String> {
    if past.header.kind == Kind::Destroy {
        *image = None;
        return Ok(());
    }
    if past.header.kind == Kind::Create {
        *image = Some(Vec::new());
    }
    let Some(pages) = image else { return Err(format!("turn {} has nothing to build on", past.header.lsn)) };
    pages.resize(past.header.db_pages as usize, [0; PAGE]);
    for (number, page) in past.body().map_err(|e| e.to_string())?.pages() {
        pages[number as usize - 1] = page.try_into().map_err(|_| "a page of another size")?;
    }
    Ok(())
}
