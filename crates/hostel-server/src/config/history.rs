//! The tables `[history.CLASS]`: a class that keeps more or less history than the others.

use std::collections::BTreeMap;
use std::time::Duration;

use hostel_protocol::name::{kebab, nearest};
use toml::Spanned;
use toml::de::DeValue;

use super::file::texts;
use super::origin::{Layered, Origin};
use super::value::{ByteSize, OrOff, Value};

/// The key under which the tables stand.
pub(super) const TABLE: &str = "history";

/// What single classes keep, by their names in kebab-case.
pub type Histories = BTreeMap<String, ClassHistory>;

/// What one class keeps; what it does not say is as for all classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassHistory {
    /// The name as it was written.
    pub class: String,
    /// Where the table stands.
    pub origin: Origin,
    /// In place of `history_age`.
    pub age: Option<Layered<OrOff<Duration>>>,
    /// In place of `history_bytes`.
    pub bytes: Option<Layered<OrOff<ByteSize>>>,
}

/// What is wrong with a table, and at which byte of the file if not at its head.
pub(super) struct Wrong {
    pub(super) offset: Option<usize>,
    pub(super) message: String,
}

type Place<'a> = &'a dyn Fn(usize) -> Origin;

/// Reads everything under `history`.
pub(super) fn read(into: &mut Histories, value: &Spanned<DeValue<'_>>, place: Place<'_>) -> Result<(), Wrong> {
    let DeValue::Table(classes) = value.get_ref() else {
        let message = "history: expected a table for a class, such as [history.coder-agent]; \
                       for all classes say history_age and history_bytes";
        return Err(Wrong { offset: None, message: message.to_owned() });
    };
    for (key, value) in classes {
        let (offset, class) = (key.span().start, key.get_ref());
        let found = read_class(class, value, place(offset), place);
        let found = found.map_err(|wrong| Wrong { offset: wrong.offset.or(Some(offset)), ..wrong })?;
        if let Some(twice) = into.insert(kebab(class), found) {
            let message = format!("history.{class}: the class stands at {} already", twice.origin);
            return Err(Wrong { offset: Some(offset), message });
        }
    }
    Ok(())
}

fn read_class(
    class: &str,
    value: &Spanned<DeValue<'_>>,
    origin: Origin,
    place: Place<'_>,
) -> Result<ClassHistory, Wrong> {
    let DeValue::Table(keys) = value.get_ref() else {
        let message = match class {
            "age" | "bytes" => format!(
                "history.{class}: this is for one class, as in [history.coder-agent]; for all classes say history_{class}"
            ),
            _ => format!("history.{class}: expected a table with age and bytes, as in [history.{class}]"),
        };
        return Err(Wrong { offset: None, message });
    };
    let mut found = ClassHistory { class: class.to_owned(), origin, age: None, bytes: None };
    for (key, value) in keys {
        let offset = key.span().start;
        let name = key.get_ref().as_ref();
        let set = found.set(name, value, place(offset));
        let wrong = |message| Wrong { offset: Some(offset), message: format!("history.{class}.{name}: {message}") };
        set.map_err(wrong)?;
    }
    Ok(found)
}

impl ClassHistory {
    fn set(&mut self, name: &str, value: &Spanned<DeValue<'_>>, origin: Origin) -> Result<(), String> {
        match name {
            "age" => self.age = Some(Layered { value: OrOff::read(&texts(value)?)?, origin }),
            "bytes" => self.bytes = Some(Layered { value: OrOff::read(&texts(value)?)?, origin }),
            _ => {
                let near = nearest(name, ["age", "bytes"]).unwrap_or("age or bytes");
                return Err(format!("there is no such key; did you mean {near}?"));
            }
        }
        Ok(())
    }
}

impl super::Config {
    /// What single classes keep, as `hostel config` prints it: name, value, and where it came from.
    #[must_use]
    pub fn history_entries(&self) -> Vec<(String, String, Origin)> {
        let mut entries = Vec::new();
        for (class, kept) in &self.histories {
            let age = kept.age.iter().map(|age| ("age", age.value.show(), &age.origin));
            let bytes = kept.bytes.iter().map(|bytes| ("bytes", bytes.value.show(), &bytes.origin));
            entries.extend(
                age.chain(bytes).map(|(key, value, origin)| (format!("{TABLE}.{class}.{key}"), value, origin.clone())),
            );
        }
        entries
    }

    /// One sentence for each table of a class that is none of `served`.
    pub(super) fn history_warnings(&self, served: &[String]) -> Vec<String> {
        let unknown = self.histories.iter().filter(|(class, _)| !served.contains(class));
        let warn = |(name, kept): (&String, &ClassHistory)| {
            let near = nearest(name, served.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!(" Did you mean [history.{near}]?"));
            format!("{}: no agent class is called {}, so its history table is ignored.{hint}", kept.origin, kept.class)
        };
        unknown.map(warn).collect()
    }
}
