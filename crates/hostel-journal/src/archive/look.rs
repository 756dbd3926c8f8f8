//! What there is of one agent.

use std::io;

use super::Archive;
use super::format::FileKind;
use super::gaps::{Gap, Gaps};
use super::names::{self, sort_out};
use super::past::{Listing, Past, live_listing, open_pending};
use super::read::Hist;
use super::walk::Walk;
use crate::disk::Disk;
use crate::log::LiveSegment;
use crate::record::AgentId;

/// Everything that may hold something of a class, open.
#[derive(Debug, Default)]
pub(super) struct Class {
    pub(super) pending: Vec<(String, Walk)>,
    pub(super) hists: Vec<Hist>,
    /// Files in which nothing can be read.
    pub(super) damage: Vec<String>,
    pub(super) gaps: Vec<Gap>,
}

impl<D: Disk> Archive<D> {
    /// What history holds of an agent, in order and each once: base, files, and what was handed over. To be read *after*
    /// the live log, see [`read_live`](crate::read_live); [`Archive::listing`] does both.
    ///
    /// # Errors
    /// If a file cannot be read; `InvalidData`, with a sentence, if something of this agent is damaged.
    pub fn records(&self, namespace: &str, agent: AgentId) -> io::Result<Vec<Past>> {
        self.listing(&[], namespace, agent)?.whole()
    }

    /// What the live log and history hold of an agent, and what of it is damaged. `live` is
    /// [`Log::live`](crate::Log::live), asked for just before.
    ///
    /// # Errors
    /// If a file cannot be read; `InvalidData` if a handed-over segment is damaged so that nothing in it can be told apart.
    pub fn listing(&self, live: &[LiveSegment], namespace: &str, agent: AgentId) -> io::Result<Listing> {
        let mut listing = live_listing(&self.disk, live, agent)?;
        let Class { pending, hists, damage, gaps: suspected } = self.open_class(namespace)?;
        let mut archived = Listing { damage, ..Listing::default() };
        for (path, walk) in pending {
            archived.add_segment(&path, walk, agent)?;
        }
        // A segment that came back after a power cut may hold what was folded into the base long since.
        if let Some(base) = hists.iter().find(|hist| hist.facts.kind == FileKind::Base) {
            archived.records.retain(|past| past.turn() > base.facts.last.cast_signed());
        }
        for hist in hists {
            archived.add_file(&hist, agent)?;
        }
        listing.append(archived);
        let mut gaps = Gaps::read(&self.disk)?;
        gaps.suspect(suspected);
        listing.settle(&gaps);
        Ok(listing)
    }

    /// Opens everything that may hold something of a class, at one moment.
    pub(super) fn open_class(&self, namespace: &str) -> io::Result<Class> {
        let _nothing_goes = self.files.read();
        let mut class = Class::default();
        for pending in self.pending()? {
            class.pending.push((pending.path(), open_pending(&self.disk, pending)?.1));
        }
        let (count, _) = sort_out(&self.disk.list(&names::dir(namespace))?);
        for name in count {
            match Hist::open(&self.disk, &name.path(namespace)) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    class.damage.push(error.to_string());
                    class.gaps.extend(name.gap());
                }
                hist => class.hists.push(hist?),
            }
        }
        Ok(class)
    }
}
