//! Which agents there are: the directory says how many, the files say who.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::connect::{self, keep_files_on_close};
use crate::error::Blame;
use crate::key::namespaces_of;
use crate::store::Inner;
use crate::{AgentKey, Error};

/// One agent that has a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentEntry {
    /// The namespace: the class in kebab-case, with `sub_` before it if it is a sub-agent.
    pub namespace: String,
    /// The true name, `None` if the file could not be read.
    pub name: Option<String>,
    /// Why the file could not be read.
    pub problem: Option<String>,
    /// Pass this as `after` to go on behind this entry. It is the file's path below the data directory.
    pub cursor: String,
    /// The size of the database file, without its log.
    pub bytes: u64,
}

/// Lists agents in the order of their files.
pub(crate) fn list(
    inner: &Inner,
    namespace: Option<&str>,
    limit: usize,
    after: Option<&str>,
) -> Result<Vec<AgentEntry>, Error> {
    if inner.in_memory {
        return Ok(list_memory(inner, namespace, limit, after));
    }
    let mut found = Vec::new();
    walk(inner, namespace, after, &mut |file| {
        if found.len() < limit {
            found.extend(entry(inner, file));
        }
        found.len() < limit
    })
    .map_err(|e| Error::io("the data directory", "listing agents", e))?;
    found.truncate(limit);
    Ok(found)
}

/// Counts the files of a class.
pub(crate) fn count(inner: &Inner, namespace: &str) -> Result<u64, Error> {
    if inner.in_memory {
        return Ok(list_memory(inner, Some(namespace), usize::MAX, None).len() as u64);
    }
    let mut total = 0;
    walk(inner, Some(namespace), None, &mut |_| {
        total += 1;
        true
    })
    .map_err(|e| Error::io("the data directory", "counting agents", e))?;
    Ok(total)
}

fn list_memory(inner: &Inner, namespace: Option<&str>, limit: usize, after: Option<&str>) -> Vec<AgentEntry> {
    let wanted = |(file, key): &(String, AgentKey)| {
        namespace.is_none_or(|ns| ns == key.class()) && after.is_none_or(|after| file.as_str() > after)
    };
    let all = inner.registry.snapshot().into_iter().filter(wanted);
    all.map(|(file, key)| known(file, &key, 0)).take(limit).collect()
}

/// Visits the database files in order until `visit` has enough.
fn walk(
    inner: &Inner,
    namespace: Option<&str>,
    after: Option<&str>,
    visit: &mut dyn FnMut(&str) -> bool,
) -> io::Result<()> {
    let root = inner.layout.root();
    let namespaces = match namespace {
        Some(class) => namespaces_of(class),
        None => names(&root.join("agents"))?,
    };
    for namespace in namespaces {
        let of_class = format!("agents/{namespace}");
        for shard in names(&root.join(&of_class))? {
            let dir = format!("{of_class}/{shard}");
            if after.is_some_and(|after| steps(after).take(3).gt(steps(&dir))) {
                continue;
            }
            for name in names(&root.join(&dir))?.iter().filter(|name| name.ends_with(".db")) {
                let file = format!("{dir}/{name}");
                if after.is_none_or(|after| steps(&file).gt(steps(after))) && !visit(&file) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The steps of a path: compared one by one they give the order of the walk, which the order of the texts
/// is not (`a-b/x` sorts before `a/x`).
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
}

/// The names in a directory, sorted; none if there is no directory.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// The entry of one file, `None` for a file that vanished or never had a committed turn.
fn entry(inner: &Inner, file: &str) -> Option<AgentEntry> {
    let path = inner.layout.root().join(file);
    let bytes = fs::metadata(&path).ok()?.len();
    let identity = match inner.registry.with_closed(file, || identity(inner, file, &path)) {
        Err(key) => return Some(known(file.to_owned(), &key, bytes)),
        Ok(identity) => identity,
    };
    match identity {
        Ok(Some((namespace, name))) => Some(known(file.to_owned(), &AgentKey::new(namespace, name), bytes)),
        Ok(None) => None,
        Err(e) => Some(unreadable(file, bytes, e)),
    }
}

fn known(file: String, key: &AgentKey, bytes: u64) -> AgentEntry {
    AgentEntry {
        namespace: key.namespace().to_owned(),
        name: Some(key.name().to_owned()),
        problem: None,
        cursor: file,
        bytes,
    }
}

fn unreadable(file: &str, bytes: u64, cause: rusqlite::Error) -> AgentEntry {
    let problem = Error::sqlite(file, "reading the name inside", Blame::Store, cause).to_string();
    let namespace = file.split('/').nth(1).unwrap_or_default().to_owned();
    AgentEntry { namespace, name: None, problem: Some(problem), cursor: file.to_owned(), bytes }
}

/// Reads the name inside and leaves the file as it is. A log that this process has kept belongs to it.
fn identity(inner: &Inner, file: &str, path: &Path) -> rusqlite::Result<Option<(String, String)>> {
    let kept = inner.cuts.lock().get(file).cloned();
    // A log that cannot be shown is one that opening the agent will complain of.
    let kept = kept.and_then(|kept| kept.offer().ok());
    let conn = connect::open_file(path)?;
    let read = read_identity(&conn);
    if kept.is_some() || read.is_err() {
        keep_files_on_close(&conn);
    }
    read
}

fn read_identity(conn: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    conn.query_row("SELECT namespace, name FROM hostel_meta", [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}
