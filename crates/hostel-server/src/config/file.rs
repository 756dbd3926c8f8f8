//! Reading `hostel.toml`: flat keys, the tables `[history.CLASS]` and the sections, each error with its line.

use std::path::Path;

use hostel_protocol::name::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError, DEFAULT_FILE, Origin, SETTINGS, history, sections};

/// Applies the file named, or [`DEFAULT_FILE`] where it exists.
pub(super) fn apply(config: &mut Config, named: Option<&Path>) -> Result<(), ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(());
        }
        Err(source) => {
            let path = path.to_owned();
            return Err(ConfigError::Unreadable { path, source });
        }
    };
    apply_text(config, path, &text)
}

/// Applies the text of a file; `path` is only for the messages.
pub(super) fn apply_text(config: &mut Config, path: &Path, text: &str) -> Result<(), ConfigError> {
    let place = |offset: usize, message: String| ConfigError::File {
        path: path.to_owned(),
        line: line_of(text, offset),
        message,
    };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        place(offset, error.message().to_owned())
    })?;
    let mut rows: Vec<_> = table.get_ref().iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    let origin = |offset| Origin::File { path: path.to_owned(), line: line_of(text, offset) };
    for (key, value) in rows {
        let offset = key.span().start;
        let name = key.get_ref().as_ref();
        if name == history::TABLE {
            let read = history::read(&mut config.histories, value, &origin);
            read.map_err(|history::Wrong { offset: at, message }| place(at.unwrap_or(offset), message))?;
            continue;
        }
        if sections::is_one(name) {
            let read = config.sections.read(name, value, origin(offset), &origin);
            read.map_err(|sections::Wrong { offset: at, message }| place(at.unwrap_or(offset), message))?;
            continue;
        }
        let values = known(name).and_then(|()| texts(value));
        let set = values.and_then(|values| config.set(name, &values, origin(offset)));
        set.map_err(|message| place(offset, format!("{name}: {message}")))?;
    }
    Ok(())
}

fn known(name: &str) -> Result<(), String> {
    if SETTINGS.iter().any(|setting| setting.name == name) {
        return Ok(());
    }
    let near = nearest(name, SETTINGS.iter().map(|setting| setting.name));
    Err(match near {
        Some(near) => format!("there is no such setting; did you mean {near}?"),
        None => "there is no such setting; `hostel config` lists all of them".to_owned(),
    })
}

pub(super) fn texts(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(scalar).collect(),
        _ => scalar(value).map(|text| vec![text]),
    }
}

fn scalar(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        other => Err(format!("expected a text, a number, true or false, found a TOML {}", other.type_str())),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
