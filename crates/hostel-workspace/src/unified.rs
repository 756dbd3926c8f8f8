//! Unified diffs, as `git diff` and `diff -u` write them.

use std::collections::HashSet;

use crate::{Error, FileChange, Image, Place, Plan, Result, Workspace};

impl Workspace {
    /// Plans what a unified diff of one or several files says: all of it, or nothing.
    ///
    /// The lines have to be in the file as the diff has them; their numbers may be off. Git's lines about new, deleted and moved files
    /// are understood; binary patches are not.
    ///
    /// # Errors
    /// [`Error::Patch`], [`Error::DoesNotFit`], and what any change can end in.
    pub fn plan_diff(&self, diff: &str) -> Result<Plan> {
        let limit = self.limits().file_bytes;
        if diff.len() as u64 > limit {
            return Err(Error::TooLarge { what: "the diff".into(), bytes: diff.len() as u64, limit });
        }
        let mut changes = Vec::new();
        let mut named = HashSet::new();
        for file in split(diff)? {
            let (old, new) = file.names();
            for path in [&old, &new].into_iter().flatten().collect::<HashSet<_>>() {
                if !named.insert(Place::parse(path)?) {
                    return Err(Error::Patch { line: file.line, why: format!("{path:?} is there twice") });
                }
            }
            changes.extend(self.plan_file(file, old, new)?);
        }
        self.plan(changes)
    }

    fn plan_file(&self, file: FileDiff, old: Option<String>, new: Option<String>) -> Result<Vec<FileChange>> {
        let FileDiff { line, hunks, .. } = file;
        let unreadable = |why: String| Error::Patch { line, why };
        match (old, new) {
            (None, None) => Err(unreadable("neither an old nor a new file is named".into())),
            (Some(old), None) => Ok(self.plan_delete(&old)?.changes),
            (None, Some(new)) => {
                let place = Place::parse(&new)?;
                place.writable()?;
                if self.image(&place)?.is_some() {
                    return Err(Error::Exists { path: new });
                }
                let bytes = patched(&new, "", &hunks, line)?.into_bytes();
                let after = Some(Image { bytes, executable: false });
                Ok(vec![FileChange { path: place.to_string(), before: None, after, moved_from: None }])
            }
            (Some(old), Some(new)) => {
                let edited = self.edited(&old, |place, text| patched(place.as_str(), &text.text, &hunks, line))?;
                self.update(edited, Some(&new))
            }
        }
    }
}

/// The files that a diff names.
pub(crate) fn files(diff: &str) -> Result<Vec<String>> {
    let names = split(diff)?.into_iter().map(|file| file.names());
    Ok(names.flat_map(|(old, new)| [old, new]).flatten().collect())
}

/// What a diff says of one file. Names are as they are written; nothing stands for `/dev/null`.
#[derive(Debug, Default, PartialEq, Eq)]
struct FileDiff {
    /// Where it begins in the diff, from 1.
    line: usize,
    /// What git says first, of both sides: `a/x b/x`.
    git: Option<String>,
    old: Option<String>,
    new: Option<String>,
    /// From what and to what git moves it: names without a side.
    moved: (Option<String>, Option<String>),
    /// Whether its `---` was seen.
    begun: bool,
    /// From the first `@@` on.
    hunks: String,
}

impl FileDiff {
    /// The old and the new name.
    fn names(&self) -> (Option<String>, Option<String>) {
        let has_sides = self.has_sides();
        let bare = |name: &str, side: &str| name.strip_prefix(side).filter(|_| has_sides).unwrap_or(name).to_owned();
        let (from, to) = self.moved.clone();
        let old = from.or_else(|| self.old.as_deref().map(|name| bare(name, "a/")));
        (old, to.or_else(|| self.new.as_deref().map(|name| bare(name, "b/"))))
    }

    /// Whether the names begin with `a/` and `b/` to tell the sides apart. Where one side does not, it is a directory that is called so.
    fn has_sides(&self) -> bool {
        if let Some(both) = &self.git {
            return both.trim_start_matches('"').starts_with("a/") && (both.contains(" b/") || both.contains(" \"b/"));
        }
        let is_of = |name: &Option<String>, side: &str| name.as_ref().is_none_or(|name| name.starts_with(side));
        is_of(&self.old, "a/") && is_of(&self.new, "b/")
    }
}

fn patched(path: &str, text: &str, hunks: &str, line: usize) -> Result<String> {
    if hunks.is_empty() {
        return Ok(text.to_owned());
    }
    let whole = format!("--- a\n+++ b\n{hunks}");
    let patch = diffy::Patch::from_str(&whole).map_err(|error| Error::Patch { line, why: error.to_string() })?;
    diffy::apply(text, &patch).map_err(|error| Error::DoesNotFit { path: path.to_owned(), why: error.to_string() })
}

/// The files of a diff, with the lines of each from its first `@@` on.
fn split(diff: &str) -> Result<Vec<FileDiff>> {
    let mut files: Vec<FileDiff> = Vec::new();
    let mut left = (0, 0);
    for (line, text) in (1..).zip(diff.split_inclusive('\n')) {
        let bare = text.trim_end_matches(['\n', '\r']);
        if let Some(file) = files.last_mut().filter(|_| left != (0, 0) || bare.starts_with('\\')) {
            count_down(&mut left, bare, line)?;
            file.hunks.push_str(bare);
            file.hunks.push('\n');
            continue;
        }
        head(&mut files, &mut left, bare, line)?;
    }
    if files.is_empty() {
        return Err(Error::Patch { line: 1, why: "it has no \"--- a/file\" and \"+++ b/file\"".into() });
    }
    Ok(files)
}

fn head(files: &mut Vec<FileDiff>, left: &mut (usize, usize), bare: &str, line: usize) -> Result<()> {
    let wrong = |why: &str| Error::Patch { line, why: why.to_owned() };
    if let Some(both) = bare.strip_prefix("diff --git ") {
        files.push(FileDiff { line, git: Some(both.to_owned()), ..FileDiff::default() });
    } else if let Some(name) = bare.strip_prefix("--- ") {
        if files.last().is_none_or(|file| file.begun) {
            files.push(FileDiff { line, ..FileDiff::default() });
        }
        let file = last(files, line)?;
        (file.begun, file.old) = (true, name_of(name));
    } else if let Some(name) = bare.strip_prefix("+++ ") {
        last(files, line)?.new = name_of(name);
    } else if let Some(name) = bare.strip_prefix("rename from ") {
        last(files, line)?.moved.0 = Some(name.to_owned());
    } else if let Some(name) = bare.strip_prefix("rename to ") {
        last(files, line)?.moved.1 = Some(name.to_owned());
    } else if let Some(numbers) = bare.strip_prefix("@@ ") {
        *left = counts(numbers).ok_or_else(|| wrong("\"@@ -1,2 +1,3 @@\" cannot be read"))?;
        let file = last(files, line)?;
        file.hunks.push_str(bare);
        file.hunks.push('\n');
    } else if bare.starts_with("GIT binary patch") || bare.starts_with("Binary files ") {
        return Err(wrong("it changes a file that is not text: write that file as a whole"));
    }
    Ok(())
}

fn last(files: &mut [FileDiff], line: usize) -> Result<&mut FileDiff> {
    files.last_mut().ok_or_else(|| Error::Patch { line, why: "no file was named before this".into() })
}

/// A name of a head line, without what comes after a tab; nothing for `/dev/null`.
fn name_of(name: &str) -> Option<String> {
    let name = name.split('\t').next().unwrap_or(name).trim().trim_matches('"');
    (name != "/dev/null").then(|| name.to_owned())
}

/// How many old and new lines follow `-1,2 +3,4 @@`.
fn counts(numbers: &str) -> Option<(usize, usize)> {
    let mut sides = numbers.split(' ');
    let mut side = |sign| {
        let range = sides.next()?.strip_prefix(sign)?;
        range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok())
    };
    Some((side('-')?, side('+')?))
}

fn count_down(left: &mut (usize, usize), bare: &str, line: usize) -> Result<()> {
    let (old, new) = match bare.as_bytes().first() {
        Some(b'-') => (1, 0),
        Some(b'+') => (0, 1),
        Some(b' ') | None => (1, 1),
        Some(b'\\') => (0, 0),
        Some(_) => return Err(Error::Patch { line, why: "the part has fewer lines than its \"@@\" says".into() }),
    };
    match (left.0.checked_sub(old), left.1.checked_sub(new)) {
        (Some(old), Some(new)) => *left = (old, new),
        _ => return Err(Error::Patch { line, why: "the part has other lines than its \"@@\" says".into() }),
    }
    Ok(())
}
