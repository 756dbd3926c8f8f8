//! What is different between two databases: the state, and the agent's tables row by row.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};

use super::image::{Image, STATE, SUBJECT, open_to_look};
use super::tables::{self, Table};
use super::{Changes, StateChange, TableChange, TableDifference, state};
use crate::Error;
use crate::error::Blame;

/// Two databases, the earlier and the later.
#[derive(Debug)]
pub(super) struct Comparison {
    old: Connection,
    new: Connection,
    old_tables: BTreeMap<String, Table>,
    new_tables: BTreeMap<String, Table>,
    /// The b-trees that have a page that is different; `None` if that could not be found out.
    trees: Option<HashSet<String>>,
}

/// A row that is different.
enum Change<'a> {
    Added(&'a SqlRow<'a>),
    Removed(&'a SqlRow<'a>),
    Changed(&'a SqlRow<'a>, &'a SqlRow<'a>),
}

impl Comparison {
    /// Opens both. Only the `pages` are different, if that is known.
    pub(super) fn open(old: &Path, new: &Path, pages: Option<&HashSet<u32>>) -> rusqlite::Result<Self> {
        let (old, new) = (open_to_look(old)?, open_to_look(new)?);
        let (old_tables, new_tables) = (tables::list(&old)?, tables::list(&new)?);
        let trees = |pages| -> rusqlite::Result<_> {
            let mut trees = tables::trees_with(&old, pages)?;
            trees.extend(tables::trees_with(&new, pages)?);
            Ok(trees)
        };
        // Without it everything is compared, which says the same later.
        let trees = pages.and_then(|pages| trees(pages).ok());
        Ok(Self { old, new, old_tables, new_tables, trees })
    }

    /// In few words.
    pub(super) fn changes(&self) -> rusqlite::Result<Changes> {
        let (before, after) = self.states()?;
        let state_keys = state::changed_keys(before.as_deref(), after.as_deref());
        let mut changes = Changes { state_keys, ..Changes::default() };
        for name in self.names() {
            match self.count(name) {
                Ok(table) if self.is_declared_otherwise(name) || table.added + table.removed + table.changed > 0 => {
                    changes.tables.push(table);
                }
                Ok(_) => {}
                // One table that cannot be read (a module's, say) is no reason to say nothing of the others.
                Err(error) => changes.note = Some(format!("{name} could not be compared: {error}")),
            }
        }
        Ok(changes)
    }

    fn count(&self, name: &str) -> rusqlite::Result<TableChange> {
        let mut table = TableChange { name: name.to_owned(), ..TableChange::default() };
        self.walk(name, &mut |change| {
            match change {
                Change::Added(_) => table.added += 1,
                Change::Removed(_) => table.removed += 1,
                Change::Changed(..) => table.changed += 1,
            }
            Ok(())
        })?;
        Ok(table)
    }

    /// Every place of the state.
    pub(super) fn state(&self) -> rusqlite::Result<Vec<StateChange>> {
        let (before, after) = self.states()?;
        Ok(state::difference(before.as_deref(), after.as_deref()))
    }

    /// The rows, at most `limit` of each table.
    pub(super) fn tables(&self, limit: usize) -> rusqlite::Result<Vec<TableDifference>> {
        let mut found = Vec::new();
        for name in self.names() {
            let mut table = TableDifference { name: name.clone(), ..TableDifference::default() };
            table.schema_changed = self.is_declared_otherwise(name);
            let (old, new) = (self.old_tables.get(name), self.new_tables.get(name));
            self.walk(name, &mut |change| {
                if table.added.len() + table.removed.len() + table.changed.len() >= limit {
                    table.more += 1;
                    return Ok(());
                }
                match (change, old, new) {
                    (Change::Added(row), _, Some(new)) => table.added.push(new.show(row)?),
                    (Change::Removed(row), Some(old), _) => table.removed.push(old.show(row)?),
                    (Change::Changed(a, b), Some(old), Some(new)) => table.changed.push((old.show(a)?, new.show(b)?)),
                    _ => {}
                }
                Ok(())
            })?;
            let rows = table.added.len() + table.removed.len() + table.changed.len();
            if table.schema_changed || rows > 0 || table.more > 0 {
                found.push(table);
            }
        }
        Ok(found)
    }

    fn states(&self) -> rusqlite::Result<(Option<String>, Option<String>)> {
        Ok((state_in(&self.old)?, state_in(&self.new)?))
    }

    fn names(&self) -> BTreeSet<&String> {
        self.old_tables.keys().chain(self.new_tables.keys()).collect()
    }

    fn is_declared_otherwise(&self, name: &str) -> bool {
        let declared = |tables: &BTreeMap<String, Table>| tables.get(name).map(|table| table.declared.clone());
        declared(&self.old_tables) != declared(&self.new_tables)
    }

    fn is_touched(&self, name: &str) -> bool {
        let Some(trees) = &self.trees else { return true };
        let of = |tables: &BTreeMap<String, Table>| {
            tables.get(name).is_some_and(|table| trees.iter().any(|tree| table.has_rows_in(tree)))
        };
        of(&self.old_tables) || of(&self.new_tables)
    }

    /// Walks through a table of both databases side by side.
    fn walk(&self, name: &str, found: &mut dyn FnMut(Change<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        if !self.is_touched(name) {
            return Ok(());
        }
        match (self.old_tables.get(name), self.new_tables.get(name)) {
            (Some(old), Some(new)) if old.key == new.key => self.walk_both(old, new, found),
            (old, new) => {
                each(&self.old, old, &mut |row| found(Change::Removed(row)))?;
                each(&self.new, new, &mut |row| found(Change::Added(row)))
            }
        }
    }

    fn walk_both(
        &self,
        old: &Table,
        new: &Table,
        found: &mut dyn FnMut(Change<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (mut olds, mut news) = (self.old.prepare(&old.query())?, self.new.prepare(&new.query())?);
        let (mut olds, mut news) = (olds.query([])?, news.query([])?);
        let (mut a, mut b) = (olds.next()?, news.next()?);
        loop {
            let order = match (a, b) {
                (Some(a), Some(b)) => old.order(a, b)?,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(()),
            };
            match (order, a, b) {
                (Ordering::Equal, Some(a), Some(b)) if !old.agree(new, a, b)? => found(Change::Changed(a, b))?,
                (Ordering::Less, Some(a), _) => found(Change::Removed(a))?,
                (Ordering::Greater, _, Some(b)) => found(Change::Added(b))?,
                _ => {}
            }
            if order != Ordering::Greater {
                a = olds.next()?;
            }
            if order != Ordering::Less {
                b = news.next()?;
            }
        }
    }
}

/// The state; none in an empty database.
fn state_in(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'cf_agents_state')";
    if !conn.query_row(there, [], |row| row.get(0))? {
        return Ok(None);
    }
    conn.query_row(STATE, [], |row| row.get(0)).optional().map(Option::flatten)
}

fn each(
    conn: &Connection,
    table: Option<&Table>,
    found: &mut dyn FnMut(&SqlRow<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let Some(table) = table else { return Ok(()) };
    let mut statement = conn.prepare(&table.query())?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found(row)?;
    }
    Ok(())
}

/// The numbers of the pages that are different, or are in one of the files only.
pub(super) fn different_pages(old: &Path, new: &Path, page_size: usize) -> io::Result<HashSet<u32>> {
    let (mut old, mut new) = (File::open(old)?, File::open(new)?);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut different = HashSet::new();
    for number in 1.. {
        a.clear();
        b.clear();
        Read::by_ref(&mut old).take(page_size as u64).read_to_end(&mut a)?;
        Read::by_ref(&mut new).take(page_size as u64).read_to_end(&mut b)?;
        if a.is_empty() && b.is_empty() {
            break;
        }
        if a != b {
            different.insert(number);
        }
    }
    Ok(different)
}

/// Two images of one agent.
pub(super) fn of_images(from: &Image, to: &Image) -> Result<Comparison, Error> {
    let page_size = from.page_size()?;
    let pages = match to.page_size()? == page_size {
        true => Some(different_pages(from.path(), to.path(), page_size as usize)),
        false => None,
    };
    let pages = pages.transpose().map_err(|e| Error::io(SUBJECT, "comparing it", e))?;
    Comparison::open(from.path(), to.path(), pages.as_ref()).map_err(failed)
}

/// Translates a failure of SQLite on the way.
pub(super) fn failed(cause: rusqlite::Error) -> Error {
    Error::sqlite(SUBJECT, "comparing it", Blame::Store, cause)
}
