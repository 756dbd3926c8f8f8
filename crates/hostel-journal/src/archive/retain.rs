//! What is kept how long.

use std::io;

use super::Archive;
use super::names::{dir, sort_out};
use crate::disk::Disk;

impl<D: Disk> Archive<D> {
    /// Removes files of a class that others replace. Returns how many files were merged.
    pub(super) fn retain(&self, namespace: &str, _now_ms: i64) -> io::Result<u64> {
        self.go_on()?;
        let (_, replaced) = sort_out(&self.disk.list(&dir(namespace))?);
        self.remove(namespace, &replaced)?;
        self.sweep(namespace)?;
        Ok(0)
    }
}
