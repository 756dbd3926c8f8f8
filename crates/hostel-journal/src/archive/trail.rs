//! One agent's turns from the oldest to the newest, a file at a time: an agent may have millions of them.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Archive;
use super::format::FileKind;
use super::gaps::Gaps;
use super::look::Class;
use super::past::{Listing, Past};
use super::read::Hist;
use super::walk::Walk;
use crate::Lsn;
use crate::disk::Disk;
use crate::log::LiveSegment;
use crate::record::{AgentId, Header, Kind};
use crate::segment::FIRST;

/// Everything that may hold turns of an agent, opened at one moment: it can be walked again and again, and is the same each
/// time, whatever is moved, joined or removed meanwhile.
#[derive(Debug)]
pub struct Trail {
    agent: AgentId,
    gaps: Gaps,
    sources: Vec<Source>,
    /// What is in the base is not taken from a segment, which may have come back after a power cut.
    merged: Option<Lsn>,
    /// Files of which nothing can be read.
    damage: Vec<String>,
}

#[derive(Debug)]
enum Source {
    File(Hist),
    Segment { path: String, walk: Walk, pending: bool },
}

impl<D: Disk> Archive<D> {
    /// Opens what the live log and history hold of an agent. `live` is [`Log::live`](crate::Log::live), asked for just
    /// before.
    ///
    /// # Errors
    /// If a file cannot be opened; `InvalidData` if one is damaged so that nothing in it can be told apart.
    pub fn trail(&self, live: &[LiveSegment], namespace: &str, agent: AgentId) -> io::Result<Trail> {
        // First what may still be handed over: whatever is not there any more is in the archive by now.
        let live = self.open_live(live)?;
        let Class { pending, hists, damage, gaps: suspected } = self.open_class(namespace)?;
        let mut gaps = Gaps::read(&self.disk)?;
        gaps.suspect(suspected);
        let base = hists.iter().find(|hist| hist.facts.kind == FileKind::Base);
        let merged = base.map(|base| base.facts.last);
        // What came from elsewhere was before everything else.
        let (mut files, others): (Vec<_>, Vec<_>) =
            hists.into_iter().partition(|hist| hist.facts.last.cast_signed() < 0);
        files.extend(others);
        let mut sources: Vec<Source> = files.into_iter().map(Source::File).collect();
        sources.extend(pending.into_iter().map(|(path, walk)| Source::Segment { path, walk, pending: true }));
        sources.extend(live);
        Ok(Trail { agent, gaps, sources, damage, merged })
    }

    fn open_live(&self, live: &[LiveSegment]) -> io::Result<Vec<Source>> {
        let mut found = Vec::new();
        for segment in live {
            match self.disk.open(&segment.path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
                Ok(file) => {
                    let walk = Walk::new(Arc::new(file), segment.salt, FIRST, segment.end);
                    found.push(Source::Segment { path: segment.path.clone(), walk, pending: false });
                }
            }
        }
        Ok(found)
    }
}

impl Trail {
    /// Shows every turn to `each`, in order and each once, until it has enough. Files that hold nothing from turn `from` on
    /// are passed by. Returns sentences about what cannot be read.
    ///
    /// # Errors
    /// If a file cannot be read, and what `each` fails with.
    pub fn walk(
        &self,
        from: i64,
        each: &mut dyn FnMut(Past) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<Vec<String>> {
        let mut damage = self.damage.clone();
        let mut last: Option<((i64, bool), Header)> = None;
        for source in &self.sources {
            let Listing { records, damage: found } = self.read(source, from)?;
            damage.extend(found);
            for mut past in records {
                if last.as_ref().is_some_and(|(order, _)| past.order() <= *order) {
                    continue;
                }
                if let Some((_, before)) = &last {
                    past.broken |= past.header.kind == Kind::Commit && self.gaps.between(before, &past.header);
                }
                last = Some((past.order(), past.header.clone()));
                if each(past)?.is_break() {
                    return Ok(damage);
                }
            }
        }
        Ok(damage)
    }

    fn read(&self, source: &Source, from: i64) -> io::Result<Listing> {
        let mut part = Listing::default();
        match source {
            Source::File(hist) => {
                let entry = hist.find(self.agent)?;
                if entry.is_some_and(|entry| entry.last.cast_signed() >= from) {
                    part.add_file(hist, self.agent)?;
                }
            }
            Source::Segment { path, walk, pending } => {
                part.add_segment(path, walk.clone(), self.agent)?;
                if let (true, Some(merged)) = (pending, self.merged) {
                    part.records.retain(|past| past.turn() > merged.cast_signed());
                }
            }
        }
        part.settle(&self.gaps);
        Ok(part)
    }
}
