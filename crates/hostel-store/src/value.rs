//! Values that go into and come out of an agent's own SQL.

use std::sync::Arc;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// One SQLite value.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// SQL `NULL`.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl SqlValue {
    /// Roughly what the value takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let beyond = match self {
            Self::Text(text) => text.len(),
            Self::Blob(blob) => blob.len(),
            Self::Null | Self::Integer(_) | Self::Real(_) => 0,
        };
        size_of::<Self>() + beyond
    }

    /// Copies a value out of a row. Text that is not UTF-8 becomes text with replacement characters,
    /// as in SQLite's own JavaScript bindings.
    pub(crate) fn from_ref(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(i) => Self::Integer(i),
            ValueRef::Real(f) => Self::Real(f),
            ValueRef::Text(t) => Self::Text(String::from_utf8_lossy(t).into_owned()),
            ValueRef::Blob(b) => Self::Blob(b.to_vec()),
        }
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(i) => ValueRef::Integer(*i),
            Self::Real(f) => ValueRef::Real(*f),
            Self::Text(t) => ValueRef::Text(t.as_bytes()),
            Self::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for SqlValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

value_from!(i64 => Integer, i32 => Integer, u32 => Integer, bool => Integer, f64 => Real, String => Text, &str => Text, Vec<u8> => Blob);

/// What a query returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The names of the columns, in order; empty for a statement that returns nothing.
    pub columns: Arc<[String]>,
    /// The rows, each with one value per column.
    pub rows: Vec<Vec<SqlValue>>,
    /// How many rows the whole query inserted, changed or deleted.
    pub changes: u64,
}

impl Rows {
    pub(crate) fn empty() -> Self {
        Self { columns: Arc::from([]), rows: Vec::new(), changes: 0 }
    }
}
