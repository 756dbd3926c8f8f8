//! Replacing a text in a file by another.

use crate::nearest::nearest;
use crate::text::Text;
use crate::{Error, FileChange, Image, Place, Plan, Result, Workspace};

/// Which occurrences are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// The only one: it is refused if there are more.
    Unique,
    /// Every one.
    All,
}

impl Workspace {
    /// Plans to replace `old` by `new` in a file. In a file whose lines end in `\r\n`, `\n` in both stands for that.
    ///
    /// # Errors
    /// [`Error::NoMatch`], which shows the nearest place; [`Error::Ambiguous`]; [`Error::Binary`]; [`Error::Unmappable`]; and what any
    /// change can end in.
    pub fn plan_replace(&self, path: &str, old: &str, new: &str, which: Occurrence) -> Result<Plan> {
        let place = Place::parse(path)?;
        place.writable()?;
        let before = self.image(&place)?.ok_or_else(|| Error::NotFound { path: place.to_string() })?;
        let text = Text::decode(&before.bytes).ok_or_else(|| Error::Binary { path: place.to_string() })?;
        let (old, new) =
            if text.crlf { (old.replace("\r\n", "\n"), new.replace("\r\n", "\n")) } else { (old.into(), new.into()) };
        let changed = replace(place.as_str(), &text.text, &old, &new, which)?;
        let after = Some(Image { bytes: text.encode(place.as_str(), &changed)?, executable: before.executable });
        self.plan(vec![FileChange { path: place.to_string(), before: Some(before), after, moved_from: None }])
    }
}

fn replace(path: &str, text: &str, old: &str, new: &str, which: Occurrence) -> Result<String> {
    let nothing = |hint: &str| Error::NoMatch { path: path.to_owned(), hint: hint.to_owned() };
    if old.is_empty() {
        return Err(nothing(": no text was given; to add to a file, replace a line by itself and the new ones"));
    }
    if old == new {
        return Err(nothing(": the new text is the same as the old"));
    }
    let count = text.matches(old).count();
    match (count, which) {
        (0, _) => Err(nothing(&nearest(text, old))),
        (1, _) | (_, Occurrence::All) => Ok(text.replace(old, new)),
        (count, Occurrence::Unique) => {
            Err(Error::Ambiguous { path: path.to_owned(), count, lines: lines_of(text, old) })
        }
    }
}

/// The numbers of the lines where the first occurrences begin.
fn lines_of(text: &str, old: &str) -> String {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let mut numbers: Vec<String> = text.match_indices(old).take(6).map(|(at, _)| line(at).to_string()).collect();
    if numbers.len() == 6 {
        numbers[5] = "..".into();
    }
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_text_is_replaced_and_one_that_is_there_twice_is_refused_with_its_lines() {
        assert_eq!(replace("f", "a b c", "b", "x", Occurrence::Unique).unwrap(), "a x c");
        let error = replace("f", "b\na\nb\n", "b", "x", Occurrence::Unique).unwrap_err().to_string();
        assert!(error.contains("2 times") && error.contains("1, 3"), "{error}");
        assert_eq!(replace("f", "b\na\nb\n", "b", "x", Occurrence::All).unwrap(), "x\na\nx\n");
    }

    #[test]
    fn nothing_and_the_same_are_no_replacements() {
        assert!(replace("f", "a", "", "x", Occurrence::Unique).is_err());
        assert!(replace("f", "a", "a", "a", Occurrence::Unique).is_err());
    }
}
