//! SHA-256 on the way: what passes through is summed and counted.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Sums what is written to, or read from, what is inside.
#[derive(Debug)]
pub(super) struct Summing<T> {
    inner: T,
    hash: Sha256,
    bytes: u64,
}

impl<T> Summing<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// How many bytes passed through, and their sum as 64 hex digits.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, data_encoding::HEXLOWER.encode(&self.hash.finalize()))
    }

    /// As [`Summing::finish`], and gives back what is inside.
    pub(super) fn into_parts(self) -> (T, u64, String) {
        (self.inner, self.bytes, data_encoding::HEXLOWER.encode(&self.hash.finalize()))
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.count(&into[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Length and sum of a file.
pub(super) fn of_file(path: &Path) -> io::Result<(u64, String)> {
    let mut summing = Summing::new(File::open(path)?);
    io::copy(&mut summing, &mut io::sink())?;
    Ok(summing.finish())
}

/// Copies and sums. What is read in a piece is written in a piece of 256 KiB.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
    let mut summing = Summing::new(to);
    let mut piece = vec![0; 256 << 10];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(summing.finish()),
            Ok(read) => summing.write_all(&piece[..read])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
