//! Which files of history there should be: a list beside them, so that one that goes missing as a whole is found out. It is
//! written after files came, before what they were made of goes, and before files go: it never names one that was removed on
//! purpose.

use std::collections::{BTreeSet, HashSet};
use std::io;

use super::Archive;
use super::names::{self, FileName, HISTORY, sort_out};
use super::read::damaged;
use crate::disk::{Disk, DiskFile, read_all};

pub(super) const PATH: &str = "history/files.list";
const NEW: &str = "history/files.tmp";

/// A class, and the name of a file of it.
type Entry = (String, FileName);

impl<D: Disk> Archive<D> {
    /// Notes which files there are. One that should be there and is not is said in the log, and what it held is a gap from now
    /// on: no image is carried across.
    pub(super) fn call_roll(&self) -> io::Result<()> {
        for (namespace, name) in self.absent()? {
            tracing::error!(file = name.path(&namespace), "a file of history is gone; its turns are lost");
            self.add_gaps(&name.gap())?;
        }
        let mut present = Vec::new();
        for namespace in self.namespaces()? {
            let (count, _) = sort_out(&self.disk.list(&names::dir(&namespace))?);
            present.extend(count.into_iter().map(|name| (namespace.clone(), name)));
        }
        self.settle_names(&present)?;
        self.write_roll(&present)
    }

    /// Makes the names of files durable that are to come on the list. The sync that should have done it may have failed, and a file
    /// that is gone after the loss of power must not be on a list that is still there.
    fn settle_names(&self, present: &[Entry]) -> io::Result<()> {
        // There may be many thousands.
        let listed: HashSet<Entry> = self.roll()?.into_iter().collect();
        let news = present.iter().filter(|entry| !listed.contains(entry)).map(|(namespace, _)| namespace);
        news.collect::<BTreeSet<_>>().into_iter().try_for_each(|namespace| self.disk.sync_dir(&names::dir(namespace)))
    }

    /// Takes files that are about to go off the list, unless others replace them.
    pub(super) fn strike(&self, namespace: &str, files: &[FileName]) -> io::Result<()> {
        let mut listed = self.roll()?;
        if !listed.iter().any(|(of, name)| of == namespace && files.contains(name)) {
            return Ok(());
        }
        let (count, _) = sort_out(&self.disk.list(&names::dir(namespace))?);
        listed.retain(|(of, name)| of != namespace || !files.contains(name) || !count.contains(name));
        self.write_roll(&listed)
    }

    /// Files that should be there, and neither are nor are part of others.
    pub(super) fn absent(&self) -> io::Result<Vec<Entry>> {
        let listed = self.roll()?;
        let classes: BTreeSet<&String> = listed.iter().map(|(namespace, _)| namespace).collect();
        let mut absent = Vec::new();
        for class in classes {
            let mut all = self.disk.list(&names::dir(class))?;
            let (count, replaced) = sort_out(&all);
            let there: HashSet<FileName> = count.into_iter().chain(replaced).collect();
            let lost = listed.iter().filter(|(of, name)| of == class && !there.contains(name));
            for (of, name) in lost {
                // As if it were there: does another one stand for it?
                let own = name.path(of);
                all.push(own.rsplit('/').next().unwrap_or_default().to_owned());
                if sort_out(&all).0.contains(name) {
                    absent.push((of.clone(), *name));
                }
                all.pop();
            }
        }
        Ok(absent)
    }

    /// Whether there is a list at all.
    pub(super) fn has_roll(&self) -> io::Result<bool> {
        Ok(!self.roll()?.is_empty())
    }

    fn roll(&self) -> io::Result<Vec<Entry>> {
        let file = match self.disk.open(PATH) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let text = String::from_utf8_lossy(&read_all(&file)?).into_owned();
        let entries: Option<Vec<Entry>> = text.lines().map(parse).collect();
        entries.filter(|_| text.ends_with('\n') || text.is_empty()).ok_or_else(|| {
            damaged(&format!(
                "{PATH} is damaged; remove it while the server is stopped, and the next start makes it anew"
            ))
        })
    }

    fn write_roll(&self, entries: &[Entry]) -> io::Result<()> {
        if self.roll().is_ok_and(|listed| listed == entries) {
            return Ok(());
        }
        let lines: String = entries.iter().map(|(namespace, name)| format(namespace, *name)).collect();
        self.disk.remove(NEW)?;
        let file = self.disk.create(NEW, 0)?;
        file.write_at(0, lines.as_bytes())?;
        file.sync()?;
        self.disk.rename(NEW, PATH)?;
        self.disk.sync_dir(HISTORY)
    }
}

fn format(namespace: &str, name: FileName) -> String {
    let path = name.path(namespace);
    format!("{path} {:08x}\n", crc32fast::hash(path.as_bytes()))
}

fn parse(line: &str) -> Option<Entry> {
    let (path, _) = line.rsplit_once(' ')?;
    let (namespace, name) = path.strip_prefix(HISTORY)?.strip_prefix('/')?.split_once('/')?;
    let entry = (namespace.to_owned(), FileName::parse(name)?);
    (format(&entry.0, entry.1).trim_end() == line).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_and_a_damaged_one_does_not() {
        let name = FileName::Turns { first: 1, last: 9 };
        let line = format("counter", name);
        assert_eq!(parse(line.trim_end()), Some(("counter".to_owned(), name)));
        for bad in [line.replace("counter", "counted"), line.replace(".hist", ""), line.trim_end()[1..].to_owned()] {
            assert_eq!(parse(bad.trim_end()), None, "{bad}");
        }
    }
}
