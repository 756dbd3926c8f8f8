//! A change that is not made yet: which files, from what to what.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};
use similar::TextDiff;

use crate::text::Text;
use crate::{Error, Kind, Place, Result, Workspace};

/// A change of files that is not made yet. [`Workspace::apply`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One entry per file, in the order they were named.
    pub changes: Vec<FileChange>,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub path: String,
    /// What it is now; nothing if it is not there.
    pub before: Option<Image>,
    /// What it will be; nothing if it is deleted.
    pub after: Option<Image>,
    /// The file that it was before, if it is moved here.
    pub moved_from: Option<String>,
}

/// A file's bytes and mode.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes, {})", self.bytes.len(), self.digest())
    }
}

/// The SHA-256 of an [`Image`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Image {
    /// What tells this image from others: of its bytes and whether it may be executed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update([u8::from(self.executable)]);
        hash.update(&self.bytes);
        Digest(hash.finalize().into())
    }
}

/// What a change does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Add,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is moved here, and perhaps changed.
    Move,
}

impl FileChange {
    /// What is done.
    #[must_use]
    pub fn action(&self) -> Action {
        match (&self.before, &self.after, &self.moved_from) {
            (_, _, Some(_)) => Action::Move,
            (None, _, None) => Action::Add,
            (Some(_), Some(_), None) => Action::Update,
            (Some(_), None, None) => Action::Delete,
        }
    }
}

impl Plan {
    /// The change as a unified diff, as git writes it. What is not text is named only.
    #[must_use]
    pub fn diff(&self) -> String {
        let mut out = String::new();
        for change in self.changes.iter().filter(|change| !self.is_source_of_move(change)) {
            self.diff_of(change, &mut out);
        }
        out
    }

    /// What tells this change from others for somebody who has read its diff: the same lines come and go, among the same lines. Where
    /// in the file they stand does not matter, so that it stays the same when something else in the file is changed.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let mut hash = Sha256::new();
        for line in self.diff().split_inclusive('\n').filter(|line| !line.starts_with("@@")) {
            hash.update(line);
        }
        for change in self.changes.iter().filter(|change| self.texts(change).is_none()) {
            for image in [&change.before, &change.after].into_iter().flatten() {
                hash.update(image.digest().0);
            }
        }
        Digest(hash.finalize().into())
    }

    /// One line per file: what is done and how many lines come and go.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut out = String::new();
        for change in self.changes.iter().filter(|change| !self.is_source_of_move(change)) {
            let (added, removed) = self.counts(change);
            let line = match change.action() {
                Action::Add => format!("added {} (+{added})", change.path),
                Action::Update => format!("changed {} (+{added} -{removed})", change.path),
                Action::Delete => format!("deleted {} (-{removed})", change.path),
                Action::Move => {
                    let from = change.moved_from.as_deref().unwrap_or_default();
                    format!("moved {from} to {} (+{added} -{removed})", change.path)
                }
            };
            let _ = writeln!(out, "{line}");
        }
        out
    }

    /// The deletion that belongs to a move is told with the move.
    fn is_source_of_move(&self, change: &FileChange) -> bool {
        change.after.is_none() && self.changes.iter().any(|other| other.moved_from.as_ref() == Some(&change.path))
    }

    fn old_of<'a>(&'a self, change: &'a FileChange) -> Option<&'a Image> {
        let from = change.moved_from.as_ref();
        let source =
            from.and_then(|from| self.changes.iter().find(|other| other.path == *from && other.after.is_none()));
        source.map_or(change.before.as_ref(), |source| source.before.as_ref())
    }

    fn texts(&self, change: &FileChange) -> Option<(String, String)> {
        let text = |image: Option<&Image>| match image {
            Some(image) => Text::decode(&image.bytes).map(|text| text.text),
            None => Some(String::new()),
        };
        Some((text(self.old_of(change))?, text(change.after.as_ref())?))
    }

    fn counts(&self, change: &FileChange) -> (usize, usize) {
        let Some((old, new)) = self.texts(change) else { return (0, 0) };
        let diff = TextDiff::from_lines(&old, &new);
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        (count(similar::ChangeTag::Insert), count(similar::ChangeTag::Delete))
    }

    fn diff_of(&self, change: &FileChange, out: &mut String) {
        let from = change.moved_from.as_deref().unwrap_or(&change.path);
        let _ = writeln!(out, "diff --git a/{from} b/{}", change.path);
        match change.action() {
            Action::Add => out.push_str("new file\n"),
            Action::Delete => out.push_str("deleted file\n"),
            Action::Move => {
                let _ = writeln!(out, "rename from {from}\nrename to {}", change.path);
            }
            Action::Update => {}
        }
        let old = self.old_of(change);
        if let (Some(old), Some(new)) = (old, &change.after)
            && old.executable != new.executable
        {
            let _ = writeln!(out, "{}", if new.executable { "made executable" } else { "no longer executable" });
        }
        let Some((before, after)) = self.texts(change) else {
            let _ = writeln!(out, "Binary files a/{from} and b/{} differ", change.path);
            return;
        };
        if before == after {
            return;
        }
        let name =
            |side: &str, path: &str, there: bool| if there { format!("{side}/{path}") } else { "/dev/null".into() };
        let names = (name("a", from, old.is_some()), name("b", &change.path, change.after.is_some()));
        let diff = TextDiff::from_lines(&before, &after);
        let _ = write!(out, "{}", diff.unified_diff().context_radius(3).header(&names.0, &names.1));
    }
}

impl Workspace {
    /// Plans to write `text` as the whole of a file, new or not.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::GitsOwn`], [`Error::Outside`], [`Error::WrongKind`].
    pub fn plan_write(&self, path: &str, text: &str) -> Result<Plan> {
        self.plan_write_bytes(path, text.as_bytes())
    }

    /// Plans to write `bytes` as the whole of a file, new or not.
    ///
    /// # Errors
    /// As for [`plan_write`](Self::plan_write).
    pub fn plan_write_bytes(&self, path: &str, bytes: &[u8]) -> Result<Plan> {
        let place = Place::parse(path)?;
        place.writable()?;
        let before = self.image(&place)?;
        let executable = before.as_ref().is_some_and(|image| image.executable);
        let after = Some(Image { bytes: bytes.to_vec(), executable });
        self.plan(vec![FileChange { path: place.to_string(), before, after, moved_from: None }])
    }

    /// Plans to delete a file. For directories and links there is [`delete_all`](Self::delete_all).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::GitsOwn`], [`Error::Outside`], [`Error::WrongKind`].
    pub fn plan_delete(&self, path: &str) -> Result<Plan> {
        let place = Place::parse(path)?;
        place.writable()?;
        let before = self.image(&place)?.ok_or_else(|| Error::NotFound { path: place.to_string() })?;
        self.plan(vec![FileChange { path: place.to_string(), before: Some(before), after: None, moved_from: None }])
    }

    /// What is at `place` now, if it is a file; nothing if nothing is there.
    pub(crate) fn image(&self, place: &Place) -> Result<Option<Image>> {
        match self.kind_of(place) {
            Err(Error::NotFound { .. }) => return Ok(None),
            Ok(Kind::File) => {}
            Ok(kind) => return Err(not_a_file(place, kind)),
            Err(error) => return Err(error),
        }
        let (bytes, mode) = self.bytes(place)?;
        Ok(Some(Image { bytes, executable: mode & 0o111 != 0 }))
    }

    /// Checks the bounds of a plan.
    pub(crate) fn plan(&self, changes: Vec<FileChange>) -> Result<Plan> {
        let limits = self.limits();
        if changes.len() > limits.plan_files {
            let (bytes, limit) = (changes.len() as u64, limits.plan_files as u64);
            return Err(Error::TooLarge { what: "the change, counted in files,".into(), bytes, limit });
        }
        for change in &changes {
            let bytes = change.after.as_ref().map_or(0, |image| image.bytes.len() as u64);
            if bytes > limits.file_bytes {
                return Err(Error::TooLarge { what: change.path.clone(), bytes, limit: limits.file_bytes });
            }
        }
        Ok(Plan { changes })
    }
}

fn not_a_file(place: &Place, kind: Kind) -> Error {
    let is = match kind {
        Kind::Directory => "a directory",
        Kind::Link => "a symbolic link: name the file itself",
        Kind::File | Kind::Other => "a device, a pipe or a socket",
    };
    Error::WrongKind { path: place.to_string(), is, wanted: "a file" }
}
