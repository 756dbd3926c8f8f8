//! Pages on their way into a file: of many images of one page, only the last is written.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use hostel_journal::record::Body;
use hostel_journal::{Kind, Past};

/// Bytes held in memory before they are written.
const HELD: usize = 32 << 20;

/// A database that is made from records, one after the other.
#[derive(Debug)]
pub(super) struct Sheets<'a> {
    file: &'a File,
    page_size: u64,
    db_pages: u32,
    held: HashMap<u32, Vec<u8>>,
    bytes: usize,
}

impl<'a> Sheets<'a> {
    /// Goes on with what is in the file.
    pub(super) fn over(file: &'a File) -> Self {
        Self { file, page_size: 0, db_pages: 0, held: HashMap::new(), bytes: 0 }
    }

    /// Lays a record over what is there.
    pub(super) fn lay(&mut self, past: &Past, body: &Body) -> io::Result<()> {
        let db_pages = past.header.db_pages;
        if past.header.kind == Kind::Create {
            self.held.clear();
            self.bytes = 0;
            self.file.set_len(0)?;
        } else if db_pages < self.db_pages {
            // What was cut off must not come back when the database grows again.
            self.write()?;
            self.file.set_len(u64::from(db_pages) * u64::from(past.header.page_size))?;
        }
        self.page_size = u64::from(past.header.page_size);
        self.db_pages = db_pages;
        for (number, image) in body.pages().filter(|(number, _)| (1..=db_pages).contains(number)) {
            let page = self.held.entry(number).or_default();
            self.bytes = self.bytes + image.len() - page.len();
            page.clear();
            page.extend_from_slice(image);
        }
        if self.bytes > HELD { self.write() } else { Ok(()) }
    }

    /// Writes what is held, and gives the file its length.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.write()?;
        self.file.set_len(u64::from(self.db_pages) * self.page_size)
    }

    fn write(&mut self) -> io::Result<()> {
        let mut pages: Vec<_> = self.held.drain().collect();
        pages.sort_unstable_by_key(|(number, _)| *number);
        self.bytes = 0;
        pages
            .iter()
            .try_for_each(|(number, image)| self.file.write_all_at(image, u64::from(number - 1) * self.page_size))
    }
}
