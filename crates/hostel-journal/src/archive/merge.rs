//! Several files of a class become one: as they are, or folded into one whole image of each agent. Files are read from
//! front to back, agent by agent, so the memory needed is that of one agent's image.

use std::io;

use super::Archive;
use super::fold::Fold;
use super::format::{FileKind, IndexEntry};
use super::gaps::Gaps;
use super::names::FileName;
use super::read::{Entries, Hist, damaged};
use super::walk::{Step, Walk};
use super::write::Writer;
use crate::disk::Disk;
use crate::record::{AgentId, Header};

/// A file on its way into another.
#[derive(Debug)]
struct Source {
    hist: Hist,
    entries: Entries,
    next: Option<IndexEntry>,
}

/// The next agent of several files.
#[derive(Debug)]
struct Sources(Vec<Source>);

impl Sources {
    fn new(hists: Vec<Hist>) -> io::Result<Self> {
        let source = |hist: Hist| {
            let mut entries = hist.entries();
            Ok(Source { next: entries.next()?, hist, entries })
        };
        hists.into_iter().map(source).collect::<io::Result<Vec<_>>>().map(Self)
    }

    /// The runs of the next agent, in the order of turns. Runs do not overlap: each file has a stretch of its own.
    fn next(&mut self, runs: &mut Vec<(IndexEntry, Hist)>) -> io::Result<Option<AgentId>> {
        runs.clear();
        let Some(agent) = self.0.iter().filter_map(|source| source.next.map(|entry| entry.agent)).min() else {
            return Ok(None);
        };
        for source in &mut self.0 {
            if let Some(entry) = source.next.filter(|entry| entry.agent == agent) {
                runs.push((entry, source.hist.clone()));
                source.next = source.entries.next()?;
            }
        }
        runs.sort_by_key(|(entry, _)| (entry.first.cast_signed(), entry.last.cast_signed()));
        Ok(Some(agent))
    }
}

impl<D: Disk> Archive<D> {
    /// Joins neighbouring files of turns into one, which replaces them by its name. Fails with `InvalidData` if one of them
    /// is damaged: then they stay as they are, so that nothing more is lost.
    pub(super) fn join(&self, namespace: &str, files: &[FileName]) -> io::Result<()> {
        let mut sources = Sources::new(self.open(namespace, files)?)?;
        let mut writer = Writer::new(&self.disk, namespace, "turns", FileKind::Turns, self.salt(namespace))?;
        let mut runs = Vec::new();
        while sources.next(&mut runs)?.is_some() {
            let mut last = i64::MIN;
            for (entry, hist) in &runs {
                let mut walk = hist.run(entry);
                while let Some(found) = next(&mut walk)? {
                    self.go_on()?;
                    let (header, body) = found.ok_or_else(|| damaged(&format!("{} is damaged", hist.path)))?;
                    // A record that two files hold is written once.
                    if header.lsn.cast_signed() > last {
                        last = header.lsn.cast_signed();
                        writer.push(&header, body)?;
                    }
                }
            }
        }
        let joined = writer.finish(|first, last| FileName::Turns { first, last })?;
        self.remove_but(namespace, files, joined)
    }

    /// Folds files, and the base before them, into a new base. What is damaged in them is lost now: they are too old.
    pub(super) fn fold(&self, namespace: &str, files: &[FileName]) -> io::Result<()> {
        let hists = self.open_readable(namespace, files)?;
        let Some(last) = hists.iter().map(|hist| hist.facts.last.cast_signed()).max() else { return Ok(()) };
        let gaps = Gaps::read(&self.disk)?;
        let mut sources = Sources::new(hists)?;
        let mut writer = Writer::new(&self.disk, namespace, "base", FileKind::Base, self.salt(namespace))?;
        let mut runs = Vec::new();
        while let Some(agent) = sources.next(&mut runs)? {
            let mut fold = Fold::new(agent, &gaps);
            for (entry, hist) in &runs {
                let mut walk = hist.run(entry);
                while let Some(found) = next(&mut walk)? {
                    self.go_on()?;
                    match found {
                        Some((header, body)) => fold.take(&header, body)?,
                        None => fold.lose(),
                    }
                }
            }
            fold.finish(&mut writer)?;
        }
        let base = writer.finish(|_, _| FileName::Base { last: last.cast_unsigned() })?;
        self.remove_but(namespace, files, base)
    }

    /// The new file may have the name of one that is part of it.
    fn remove_but(&self, namespace: &str, files: &[FileName], new: FileName) -> io::Result<()> {
        let old: Vec<FileName> = files.iter().copied().filter(|name| *name != new).collect();
        self.remove(namespace, &old)
    }

    /// Opens files for folding. One that cannot be read at all is lost, and leaves a gap.
    fn open_readable(&self, namespace: &str, files: &[FileName]) -> io::Result<Vec<Hist>> {
        let mut hists = Vec::with_capacity(files.len());
        for name in files {
            match Hist::open(&self.disk, &name.path(namespace)) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::error!(%error, "a file of history is lost");
                    self.add_gaps(&name.gap())?;
                }
                hist => hists.push(hist?),
            }
        }
        Ok(hists)
    }

    fn open(&self, namespace: &str, files: &[FileName]) -> io::Result<Vec<Hist>> {
        files.iter().map(|name| Hist::open(&self.disk, &name.path(namespace))).collect()
    }
}

/// The next record of a run with its body; the inner `None` for what cannot be read.
#[allow(clippy::type_complexity, reason = "used twice")]
fn next(walk: &mut Walk) -> io::Result<Option<Option<(Header, &[u8])>>> {
    Ok(match walk.next()? {
        None => None,
        Some(Step::Damage(..)) => Some(None),
        Some(Step::Record(header, at)) => Some(walk.body(&header, at)?.map(|body| (header, body))),
    })
}
