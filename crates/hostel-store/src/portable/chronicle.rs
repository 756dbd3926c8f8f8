//! An agent's history as one file: the records of its turns one after the other, as the journal has them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use hostel_journal::record::{ALIGN, Body, HEADER, Header};
use hostel_journal::{AgentId, Kind, Past, Trail};

use crate::history::Scratch;
use crate::layout::identify;
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind, Store};

const MAGIC: &[u8; 8] = b"HOSTELX\0";
const VERSION: u32 = 1;
const HEAD: usize = 32;
/// Headers are mixed with nothing here.
const SALT: u64 = 0;
/// No turn of ours has more bytes of pages.
const LARGEST: u32 = 1 << 30;
/// No database that a turn leaves behind is believed to be larger: 64 GiB.
const LARGEST_DATABASE: u64 = 64 << 30;

/// A history that is on its way, as a temporary file.
#[derive(Debug)]
pub struct Chronicle {
    scratch: Scratch,
    turns: u64,
}

impl Chronicle {
    /// How many turns are in it.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Takes a file from elsewhere. Everything in it is checked: every sum, every size before it is used.
    pub(super) fn check(scratch: Scratch, claimed: Option<u64>) -> io::Result<Self> {
        let turns = {
            let mut reader = Reader::open(scratch.path())?;
            let mut last = i64::MIN;
            while let Some((header, body)) = reader.next()? {
                if header.lsn.cast_signed() <= last {
                    return Err(malformed("its turns are not in order"));
                }
                last = header.lsn.cast_signed();
                check_record(&header, &body)?;
            }
            reader.count
        };
        if claimed.is_some_and(|claimed| claimed != turns) {
            return Err(malformed("it does not have as many turns as the manifest says"));
        }
        Ok(Self { scratch, turns })
    }
}

/// Sizes first, because unpacking believes them.
fn check_record(header: &Header, body: &[u8]) -> io::Result<()> {
    let raw = body.get(14..18).and_then(|four| four.try_into().ok()).map_or(u32::MAX, u32::from_le_bytes);
    if raw > LARGEST {
        return Err(malformed("a turn claims an impossible size"));
    }
    let body = Body::decode(body)?;
    let page_size = header.page_size;
    let fits = u64::from(page_size) * u64::from(header.db_pages) <= LARGEST_DATABASE;
    let known = page_size.is_power_of_two() && (512..=65536).contains(&page_size);
    let pages_fit = || body.pages().all(|(number, image)| number > 0 && image.len() == page_size as usize);
    let ended = header.kind == Kind::Destroy && body.pages().next().is_none();
    if ended || (fits && known && pages_fit()) { Ok(()) } else { Err(malformed("a turn has impossible pages")) }
}

/// Gathers what journal and history hold of an agent up to a turn; `None` if that is nothing. Bodies are taken over as they are.
pub(super) fn collect(inner: &Inner, key: &AgentKey, up_to: i64) -> io::Result<Option<Chronicle>> {
    let Some(keeper) = &inner.keeper else { return Ok(None) };
    let live = keeper.journal.log().live();
    let trail = keeper.archive().trail(&live, key.namespace(), identify(key))?;
    let (scratch, file) = Scratch::create(&inner.layout)?;
    let turns = write(file, &trail, up_to)?;
    Ok((turns > 0).then_some(Chronicle { scratch, turns }))
}

/// Writes one turn after the other; an agent may have millions. Returns how many.
fn write(file: File, trail: &Trail, up_to: i64) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(256 << 10, file);
    out.write_all(&head(0))?;
    let (mut last, mut seqs, mut turns) = (None, Seqs::default(), 0);
    let damage = trail.walk(i64::MIN, &mut |past| {
        if up_to != 0 && past.turn() > up_to {
            return Ok(ControlFlow::Break(()));
        }
        // A turn and the image that replaces it have one number: the turn says more.
        if last.replace(past.turn()) != Some(past.turn()) {
            write_turn(&mut out, &past, seqs.next(&past))?;
            turns += 1;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(what) = damage.first() {
        return Err(malformed(what));
    }
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&head(turns))?;
    out.flush().map(|()| turns)
}

fn write_turn(out: &mut impl Write, past: &Past, seq: u64) -> io::Result<()> {
    let body = past.packed()?;
    let header = Header {
        prev_agent: AgentId(0),
        prev_mark: 0,
        agent_mark: 0,
        batch: past.header.lsn,
        seq,
        ..past.header.clone()
    };
    out.write_all(&header.encode(SALT))?;
    out.write_all(&body)?;
    out.write_all(&[0; ALIGN][..filling(body.len())])
}

/// Counts the turns of each epoch anew. Where one is known to be missing a number is left out: the list of what is missing
/// stays here, and nobody elsewhere may carry an image across.
#[derive(Debug, Default)]
struct Seqs {
    epoch: Option<u64>,
    last: u64,
}

impl Seqs {
    fn next(&mut self, past: &Past) -> u64 {
        if self.epoch.replace(past.header.epoch) != Some(past.header.epoch) {
            self.last = 0;
        }
        self.last += 1 + u64::from(past.broken);
        self.last
    }
}

fn head(count: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&count.to_le_bytes());
    head
}

fn filling(body: usize) -> usize {
    (HEADER + body).next_multiple_of(ALIGN) - HEADER - body
}

/// Reads a history from front to back.
struct Reader {
    file: BufReader<File>,
    left: u64,
    records: u64,
    count: u64,
}

impl Reader {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(256 << 10, File::open(path)?);
        let left = file.seek(SeekFrom::End(0))?.saturating_sub(HEAD as u64);
        file.rewind()?;
        let mut found = [0; HEAD];
        file.read_exact(&mut found)?;
        let count = u64::from_le_bytes(found[16..24].try_into().unwrap_or_default());
        if found != head(count) {
            return Err(malformed("it does not begin like a history of version 1"));
        }
        Ok(Self { file, left, records: 0, count })
    }

    /// The next record with its body as it was packed; checked against its sums.
    fn next(&mut self) -> io::Result<Option<(Header, Vec<u8>)>> {
        if self.left == 0 {
            return if self.records == self.count { Ok(None) } else { Err(malformed("turns are missing at its end")) };
        }
        let mut bytes = [0; HEADER];
        self.take(&mut bytes)?;
        let header = Header::decode(&bytes, SALT).ok_or_else(|| malformed("the header of a turn is damaged"))?;
        if u64::from(header.body_len) > self.left {
            return Err(malformed("it ends in the middle of a turn"));
        }
        let mut body = vec![0; header.body_len as usize];
        self.take(&mut body)?;
        if !header.matches(&body) {
            return Err(malformed("a turn is damaged"));
        }
        let mut behind = [0; ALIGN];
        self.take(&mut behind[..filling(body.len())])?;
        if behind != [0; ALIGN] {
            return Err(malformed("bytes behind a turn that nobody writes have changed"));
        }
        self.records += 1;
        Ok(Some((header, body)))
    }

    fn take(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.left =
            self.left.checked_sub(into.len() as u64).ok_or_else(|| malformed("it ends in the middle of a turn"))?;
        self.file.read_exact(into)
    }
}

impl Store {
    /// Keeps a history that came with an agent: its turns appear before the first one here, under the numbers -n to -1. It
    /// replaces one that was imported earlier for the same agent. To be called when the agent itself is installed.
    ///
    /// # Errors
    ///
    /// `history_off` if its class keeps none; if the file system refuses.
    pub fn keep_imported_history(&self, key: &AgentKey, history: &Chronicle) -> Result<(), Error> {
        key.check(&self.inner.options)?;
        let off = || Error::new(ErrorKind::HistoryOff, format!("agent {key}: no history is kept of its class"));
        let keeper = self.inner.keeper.as_ref().ok_or_else(off)?;
        if keeper.archive().retention(key.namespace()).keeps_nothing() {
            return Err(off());
        }
        let failed = |e| Error::io(&format!("agent {key}"), "keeping its imported history", e);
        let mut reader = Reader::open(history.path()).map_err(failed)?;
        let (agent, mut turn) = (identify(key), -i64::try_from(history.turns).unwrap_or(0));
        let mut records = std::iter::from_fn(|| {
            let next = reader.next().transpose()?;
            Some(next.map(|(header, body)| {
                let lsn = turn.cast_unsigned();
                turn += 1;
                (Header { lsn, batch: lsn, agent, ..header }, body)
            }))
        });
        keeper.archive().import(key.namespace(), agent, &mut records).map_err(failed)
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
