//! Patches in the envelope form: several files in one text, with lines around each change instead of line numbers.
//!
//! ```text
//! *** Begin Patch
//! *** Add File: docs/new.md
//! +Each line of the file begins with a plus.
//! *** Delete File: old.txt
//! *** Update File: src/lib.rs
//! *** Move to: src/main.rs
//! @@ fn start()
//!  a line that stays
//! -a line that goes
//! +a line that comes
//! *** End of File
//! *** End Patch
//! ```
//!
//! `@@` names a line that comes before the change, anywhere above it; several narrow the place down. `*** End of File` says that the
//! lines are the last of the file. A change is found by its old lines: exactly, else without regard to space at the ends of lines,
//! else to space around lines, else to typographic quotes and dashes. A place that is not the only one is refused.

mod fit;
mod parse;

use std::collections::HashSet;

pub(crate) use self::parse::{Hunk, HunkLine, Section};
use crate::text::Text;
use crate::{Error, FileChange, Image, Place, Plan, Result, Workspace, unified};

/// The files that a patch of either form names, those that it moves to included, as [`Workspace::plan_any_patch`] reads it.
///
/// # Errors
/// [`Error::Patch`] if it cannot be read.
///
/// ```
/// let moved = "--- a/old.rs\n+++ b/new.rs\n@@ -1 +1 @@\n-1\n+2\n";
/// assert_eq!(hostel_workspace::files_of_patch(moved).unwrap(), ["old.rs", "new.rs"]);
/// ```
pub fn files_of_patch(patch: &str) -> Result<Vec<String>> {
    let mut files: Vec<String> = match is_envelope(patch) {
        true => parse::parse(patch)?.iter().flat_map(Section::names).map(|(_, path)| path.to_owned()).collect(),
        false => unified::files(patch)?,
    };
    files.dedup();
    Ok(files)
}

fn is_envelope(patch: &str) -> bool {
    patch.trim_start().starts_with(parse::BEGIN)
}

impl Workspace {
    /// Plans what a patch says: in the envelope form if it begins like one, else as a unified diff.
    ///
    /// # Errors
    /// Those of [`plan_patch`](Self::plan_patch) and [`plan_diff`](Self::plan_diff).
    pub fn plan_any_patch(&self, patch: &str) -> Result<Plan> {
        if is_envelope(patch) { self.plan_patch(patch) } else { self.plan_diff(patch) }
    }

    /// Plans what a patch in the envelope form says: all of it, or nothing.
    ///
    /// # Errors
    /// [`Error::Patch`] if it cannot be read, [`Error::DoesNotFit`] if its lines are not in the file or are there more than once, and
    /// what any change can end in.
    ///
    /// ```
    /// # use hostel_workspace::{Limits, Workspace};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let workspace = Workspace::open(dir.path(), Limits::default())?;
    /// let plan = workspace.plan_patch("*** Begin Patch\n*** Add File: hello.txt\n+hello\n*** End Patch\n")?;
    /// workspace.apply(&plan)?;
    /// # assert_eq!(std::fs::read_to_string(dir.path().join("hello.txt"))?, "hello\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn plan_patch(&self, patch: &str) -> Result<Plan> {
        let limit = self.limits().file_bytes;
        if patch.len() as u64 > limit {
            return Err(Error::TooLarge { what: "the patch".into(), bytes: patch.len() as u64, limit });
        }
        let mut changes = Vec::new();
        let mut named = HashSet::new();
        for section in parse::parse(patch)? {
            for (line, path) in section.names() {
                if !named.insert(Place::parse(path)?) {
                    return Err(Error::Patch {
                        line,
                        why: format!("{path:?} is named twice; give each file one section"),
                    });
                }
            }
            self.plan_section(section, &mut changes)?;
        }
        self.plan(changes)
    }

    fn plan_section(&self, section: Section, changes: &mut Vec<FileChange>) -> Result<()> {
        match section {
            Section::Add { path, text, .. } => {
                let place = Place::parse(&path)?;
                place.writable()?;
                if self.image(&place)?.is_some() {
                    return Err(Error::Exists { path: place.to_string() });
                }
                let after = Some(Image { bytes: text.into_bytes(), executable: false });
                changes.push(FileChange { path: place.to_string(), before: None, after, moved_from: None });
            }
            Section::Delete { path, .. } => changes.extend(self.plan_delete(&path)?.changes),
            Section::Update { path, to, hunks, .. } => {
                let edited = self.edited(&path, |place, text| fit::fit(place.as_str(), &text.text, &hunks))?;
                changes.extend(self.update(edited, to.as_deref())?);
            }
        }
        Ok(())
    }

    /// A file with its text edited.
    pub(crate) fn edited(
        &self,
        path: &str,
        edit: impl FnOnce(&Place, &Text) -> Result<String>,
    ) -> Result<(Place, Image, Image)> {
        let place = Place::parse(path)?;
        place.writable()?;
        let before = self.image(&place)?.ok_or_else(|| Error::NotFound { path: place.to_string() })?;
        let text = Text::decode(&before.bytes).ok_or_else(|| Error::Binary { path: place.to_string() })?;
        let changed = edit(&place, &text)?;
        let after = Image { bytes: text.encode(place.as_str(), &changed)?, executable: before.executable };
        Ok((place, before, after))
    }

    /// The changes of an edited file that is perhaps moved.
    pub(crate) fn update(&self, edited: (Place, Image, Image), to: Option<&str>) -> Result<Vec<FileChange>> {
        let (place, before, after) = edited;
        let path = place.to_string();
        let to = to.map(Place::parse).transpose()?.filter(|to| *to != place);
        let Some(to) = to else {
            return Ok(vec![FileChange { path, before: Some(before), after: Some(after), moved_from: None }]);
        };
        to.writable()?;
        if self.image(&to)?.is_some() {
            return Err(Error::Exists { path: to.to_string() });
        }
        let there =
            FileChange { path: to.to_string(), before: None, after: Some(after), moved_from: Some(path.clone()) };
        Ok(vec![there, FileChange { path, before: Some(before), after: None, moved_from: None }])
    }
}
