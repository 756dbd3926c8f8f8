//! The agent's own tables in a database, and how to walk through their rows in an order that two databases share.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row as SqlRow};
use serde_json::{Value, json};

use super::Row;

const LIST: &str =
    "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')";
const COLUMNS: &str = "SELECT name, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
const DECLARED: &str = "SELECT group_concat(sql, char(10)) FROM
    (SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND sql IS NOT NULL ORDER BY type, name)";
/// What is shown of a long value.
const SHOWN_BLOB: usize = 32;
const SHOWN_TEXT: usize = 4096;

/// A table of the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// A table of a module, which has its rows in other tables, whose names begin with its own.
    pub(super) is_virtual: bool,
    pub(super) declared: Option<String>,
    pub(super) columns: Vec<String>,
    /// What tells one row from the others: the primary key, or the number of the row.
    pub(super) key: Vec<String>,
}

/// The tables of a database by name. Ours, and SQLite's own, are left out, and so is the table of the state.
pub(super) fn list(conn: &Connection) -> rusqlite::Result<BTreeMap<String, Table>> {
    let mut statement = conn.prepare(LIST)?;
    let found = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)? == "virtual", row.get::<_, bool>(2)?))
    })?;
    let mut tables = BTreeMap::new();
    for entry in found {
        let (name, is_virtual, without_rowid) = entry?;
        if !is_internal(&name) {
            tables.insert(name.clone(), describe(conn, name, is_virtual, without_rowid)?);
        }
    }
    Ok(tables)
}

fn is_internal(name: &str) -> bool {
    let starts = |prefix: &str| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    starts("hostel_") || starts("sqlite_") || name.eq_ignore_ascii_case("cf_agents_state")
}

fn describe(conn: &Connection, name: String, is_virtual: bool, without_rowid: bool) -> rusqlite::Result<Table> {
    let declared = conn.query_row(DECLARED, [&name], |row| row.get(0))?;
    let mut statement = conn.prepare_cached(COLUMNS)?;
    let columns = statement.query_map([&name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut primary: Vec<_> = columns.iter().filter(|(_, place)| *place > 0).collect();
    primary.sort_by_key(|(_, place)| *place);
    let primary = primary.into_iter().map(|(name, _)| name.clone());
    let columns: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let is_free = |alias: &&str| !columns.iter().any(|column| column.eq_ignore_ascii_case(alias));
    let number = ["rowid", "_rowid_", "oid"].into_iter().find(is_free).filter(|_| !without_rowid);
    let key = match (primary.len(), number) {
        (0, Some(number)) => vec![number.to_owned()],
        // No name is left for the number of the row: equal rows cannot be told apart anyway.
        (0, None) => columns.clone(),
        _ => primary.collect(),
    };
    Ok(Table { name, is_virtual, declared, columns, key })
}

impl Table {
    /// A query for all rows, in the order of their keys: first the key, then the columns.
    pub(super) fn query(&self) -> String {
        let key: Vec<String> = self.key.iter().map(|name| quoted(name)).collect();
        let columns: Vec<String> = self.columns.iter().map(|name| quoted(name)).collect();
        let order: Vec<String> = key.iter().map(|name| format!("{name} COLLATE BINARY")).collect();
        format!(
            "SELECT {} FROM {} ORDER BY {}",
            [key, columns].concat().join(", "),
            quoted(&self.name),
            order.join(", ")
        )
    }

    /// A row of [`Table::query`] as people see it.
    pub(super) fn show(&self, row: &SqlRow<'_>) -> rusqlite::Result<Row> {
        let value = |(at, name): (usize, &String)| Ok((name.clone(), shown(row.get_ref(self.key.len() + at)?)));
        self.columns.iter().enumerate().map(value).collect()
    }

    /// The order of two rows by their keys, as the queries sort.
    pub(super) fn order(&self, a: &SqlRow<'_>, b: &SqlRow<'_>) -> rusqlite::Result<Ordering> {
        for at in 0..self.key.len() {
            let order = order(a.get_ref(at)?, b.get_ref(at)?);
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(Ordering::Equal)
    }

    /// Whether two rows have the same values in the columns that both tables have.
    pub(super) fn agree(&self, other: &Self, a: &SqlRow<'_>, b: &SqlRow<'_>) -> rusqlite::Result<bool> {
        for (at, name) in self.columns.iter().enumerate() {
            let there = match other.columns.get(at) {
                Some(same) if same == name => Some(at),
                _ => other.columns.iter().position(|column| column == name),
            };
            if let Some(there) = there
                && a.get_ref(self.key.len() + at)? != b.get_ref(other.key.len() + there)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a b-tree of this name may hold rows of the table.
    pub(super) fn has_rows_in(&self, tree: &str) -> bool {
        let shadow = || self.is_virtual && tree.strip_prefix(&self.name).is_some_and(|rest| rest.starts_with('_'));
        tree == self.name || shadow()
    }
}

/// The names of the b-trees that have one of these pages.
pub(super) fn trees_with(conn: &Connection, pages: &HashSet<u32>) -> rusqlite::Result<HashSet<String>> {
    let mut statement = conn.prepare("SELECT name, pageno FROM dbstat")?;
    let mut found = statement.query([])?;
    let mut trees = HashSet::new();
    while let Some(row) = found.next()? {
        if pages.contains(&row.get::<_, u32>(1)?)
            && let ValueRef::Text(name) = row.get_ref(0)?
            && let Ok(name) = std::str::from_utf8(name)
            && !trees.contains(name)
        {
            trees.insert(name.to_owned());
        }
    }
    Ok(trees)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQLite's order of values, with texts by their bytes.
fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    let class = |value: ValueRef<'_>| match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    };
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Real(a), ValueRef::Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (ValueRef::Integer(a), ValueRef::Real(b)) => mixed(a, b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => mixed(b, a).reverse(),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        _ => class(a).cmp(&class(b)),
    }
}

/// Exact where a conversion would round.
fn mixed(integer: i64, real: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if real >= LIMIT {
        Ordering::Less
    } else if real < -LIMIT {
        Ordering::Greater
    } else {
        let whole = real.trunc();
        integer.cmp(&(whole as i64)).then_with(|| 0.0.partial_cmp(&(real - whole)).unwrap_or(Ordering::Equal))
    }
}

/// A value as JSON.
fn shown(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        // JSON has no infinity.
        ValueRef::Real(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| json!({ "real": number.to_string() }), Value::Number)
        }
        ValueRef::Text(text) => shown_text(&String::from_utf8_lossy(text)),
        ValueRef::Blob(blob) => {
            let beginning = &blob[..blob.len().min(SHOWN_BLOB)];
            json!({ "blob": data_encoding::HEXLOWER.encode(beginning), "bytes": blob.len() })
        }
    }
}

fn shown_text(text: &str) -> Value {
    if text.len() <= SHOWN_TEXT {
        return text.into();
    }
    json!({ "text": &text[..text.floor_char_boundary(SHOWN_TEXT)], "bytes": text.len() })
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value as SqlValue;

    use super::*;

    #[test]
    fn values_are_ordered_as_sqlite_orders_them() {
        let big = 1_i64 << 53;
        let values: Vec<SqlValue> = vec![
            SqlValue::Null,
            SqlValue::Real(f64::NEG_INFINITY),
            i64::MIN.into(),
            (-1).into(),
            SqlValue::Real(-0.5),
            0.into(),
            SqlValue::Real(0.5),
            1.into(),
            SqlValue::Real(1.5),
            big.into(),
            (big + 1).into(),
            SqlValue::Real((big + 2) as f64),
            i64::MAX.into(),
            SqlValue::Real(9.3e18),
            "A".to_owned().into(),
            "a".to_owned().into(),
            "é".to_owned().into(),
            vec![0].into(),
            vec![0, 1].into(),
        ];
        let conn = Connection::open_in_memory().unwrap();
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                assert_eq!(order(a.into(), b.into()), i.cmp(&j), "{a:?} {b:?}");
            }
        }
        conn.execute_batch("CREATE TABLE t (v)").unwrap();
        for value in values.iter().rev() {
            conn.execute("INSERT INTO t VALUES (?1)", [value]).unwrap();
        }
        let mut statement = conn.prepare("SELECT v FROM t ORDER BY v").unwrap();
        let sorted: Vec<SqlValue> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(sorted, values);
        assert_eq!(order(ValueRef::Integer(1), ValueRef::Real(1.0)), Ordering::Equal);
    }
}
