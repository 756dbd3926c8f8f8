//! An agent's turns become one image.

use std::collections::BTreeMap;
use std::io;

use super::gaps::Gaps;
use super::write::Writer;
use crate::disk::Disk;
use crate::record::{AgentId, Body, BodyHead, Entry, EntryHead, Header, Kind};

/// An image with more bytes than this does not fit into a record.
const LARGEST: u64 = 1 << 30;

/// The image of one agent, as far as it is known.
#[derive(Debug)]
pub(super) struct Fold<'a> {
    agent: AgentId,
    gaps: &'a Gaps,
    /// Namespace and name, for the body of a new record.
    owner: Option<(String, String)>,
    last: Option<Header>,
    image: Image,
}

#[derive(Debug)]
enum Image {
    /// There is no agent, or its whole image was never seen.
    None,
    /// One record holds all of it: it stays packed as long as nothing is laid over it.
    Packed(Header, Vec<u8>),
    Pages(BTreeMap<u32, Vec<u8>>),
}

impl<'a> Fold<'a> {
    pub(super) fn new(agent: AgentId, gaps: &'a Gaps) -> Self {
        Self { agent, gaps, owner: None, last: None, image: Image::None }
    }

    /// Something cannot be read: what comes next does not build on what was before.
    pub(super) fn lose(&mut self) {
        self.image = Image::None;
    }

    /// The next record, in order, with its body checked.
    pub(super) fn take(&mut self, header: &Header, body: &[u8]) -> io::Result<()> {
        // A record that two files hold counts once.
        if self.last.as_ref().is_some_and(|last| header.lsn.cast_signed() <= last.lsn.cast_signed()) {
            return Ok(());
        }
        let broken = self.last.as_ref().is_some_and(|last| self.gaps.between(last, header));
        match header.kind {
            Kind::Create => self.image = Image::Packed(header.clone(), body.to_vec()),
            Kind::Destroy => self.image = Image::None,
            Kind::Commit if broken => self.image = Image::None,
            Kind::Commit => self.lay(header, body)?,
        }
        if self.owner.is_none() {
            self.owner = BodyHead::parse(body).map(|head| (head.namespace.to_owned(), head.name.to_owned()));
        }
        self.last = Some(header.clone());
        Ok(())
    }

    fn lay(&mut self, header: &Header, body: &[u8]) -> io::Result<()> {
        let resized = self.last.as_ref().is_some_and(|last| last.page_size != header.page_size);
        if let Image::Packed(of, packed) = &self.image {
            let mut pages = BTreeMap::new();
            lay(&mut pages, of, packed)?;
            self.image = Image::Pages(pages);
        }
        if let Image::Pages(pages) = &mut self.image {
            if resized {
                pages.clear();
            }
            lay(pages, header, body)?;
        }
        Ok(())
    }

    /// Writes the image, if there is one.
    pub(super) fn finish<D: Disk>(self, writer: &mut Writer<'_, D>) -> io::Result<()> {
        let (pages, last, (namespace, name)) = match (self.image, self.last, self.owner) {
            (Image::Packed(header, body), ..) => return writer.push(&header, &body),
            (Image::Pages(pages), Some(last), Some(owner)) => (pages, last, owner),
            _ => return Ok(()),
        };
        if pages.values().map(|page| page.len() as u64).sum::<u64>() > LARGEST {
            tracing::warn!(%namespace, %name, "the image of an agent is too large for history: its older turns cannot be rebuilt");
            return Ok(());
        }
        let head = EntryHead {
            agent: self.agent,
            namespace: &namespace,
            name: &name,
            epoch: last.epoch,
            kind: Kind::Create,
            time_ms: last.time_ms,
            cause: b"",
            page_size: last.page_size,
            db_pages: last.db_pages,
        };
        let entry = Entry::new(&head, pages.iter().map(|(number, page)| (*number, &page[..])));
        drop(pages);
        let body = entry.body();
        let (body_len, body_crc) = (body.len() as u32, crc32fast::hash(body));
        writer.push(&Header { kind: Kind::Create, body_len, body_crc, ..last }, body)
    }
}

/// Lays a record's pages over others.
fn lay(pages: &mut BTreeMap<u32, Vec<u8>>, header: &Header, body: &[u8]) -> io::Result<()> {
    for (number, page) in Body::decode(body)?.pages() {
        pages.insert(number, page.to_vec());
    }
    pages.split_off(&header.db_pages.saturating_add(1));
    Ok(())
}
