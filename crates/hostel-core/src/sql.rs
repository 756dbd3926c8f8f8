//! Private rows of an agent: values, rows and parameters, free of any database crate.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// One value of SQLite's five storage classes.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// `NULL`
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Everything a query returned.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Column names, in order.
    pub columns: Arc<[String]>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<SqlValue>>,
    /// Rows changed by an `INSERT`, `UPDATE` or `DELETE`.
    pub changes: u64,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row came back.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, one by one.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }

    /// Every row read as `T`, whose fields are the columns. A blob reads as an array of numbers.
    ///
    /// # Errors
    /// When a row does not have the shape of `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        self.iter().map(|row| row.read()).collect()
    }

    /// The first column of the first row, or `None` without rows.
    ///
    /// # Errors
    /// When the value does not fit `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        match self.rows.first().and_then(|row| row.first()) {
            Some(value) => Ok(Some(serde_json::from_value(value.to_json())?)),
            None => Ok(None),
        }
    }
}

/// One row of [`Rows`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [SqlValue],
}

impl Row<'_> {
    /// The value of a column.
    ///
    /// # Errors
    /// When there is no such column, or its value does not fit `T`.
    pub fn get<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let index =
            self.columns.iter().position(|name| name == column).ok_or_else(|| {
                Error::msg(format!("no column `{column}`; this query has {}", self.columns.join(", ")))
            })?;
        Ok(serde_json::from_value(self.values[index].to_json())?)
    }

    /// The row as JSON, columns in order.
    pub fn to_json(&self) -> Value {
        let fields = self.columns.iter().cloned().zip(self.values.iter().map(SqlValue::to_json));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// The row as `T`.
    ///
    /// # Errors
    /// When it does not have the shape of `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_value(self.to_json())?)
    }
}

impl SqlValue {
    /// The value as JSON; a blob becomes an array of numbers, a number that JSON lacks becomes `null`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
            Self::Blob(bytes) => bytes.clone().into(),
        }
    }
}

macro_rules! into_sql_value {
    ($($from:ty => |$value:ident| $into:expr),+ $(,)?) => {$(
        impl From<$from> for SqlValue {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )+};
}

into_sql_value! {
    i64 => |value| Self::Integer(value),
    i32 => |value| Self::Integer(value.into()),
    u32 => |value| Self::Integer(value.into()),
    bool => |value| Self::Integer(value.into()),
    f64 => |value| Self::Real(value),
    String => |value| Self::Text(value),
    &str => |value| Self::Text(value.to_owned()),
    &String => |value| Self::Text(value.clone()),
    Vec<u8> => |value| Self::Blob(value),
    &[u8] => |value| Self::Blob(value.to_vec()),
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Parameters of a query: `()`, a tuple of up to eight values, an array, a slice or a vector of [`SqlValue`].
pub trait IntoParams {
    /// The values, in the order of the placeholders.
    fn into_params(self) -> Vec<SqlValue>;
}

impl IntoParams for () {
    fn into_params(self) -> Vec<SqlValue> {
        Vec::new()
    }
}

impl IntoParams for Vec<SqlValue> {
    fn into_params(self) -> Vec<SqlValue> {
        self
    }
}

impl IntoParams for &[SqlValue] {
    fn into_params(self) -> Vec<SqlValue> {
        self.to_vec()
    }
}

impl<T: Into<SqlValue>, const N: usize> IntoParams for [T; N] {
    fn into_params(self) -> Vec<SqlValue> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! tuple_params {
    ($($($name:ident)+),+ $(,)?) => {$(
        impl<$($name: Into<SqlValue>),+> IntoParams for ($($name,)+) {
            #[allow(non_snake_case, reason = "the type parameters name the tuple's fields")]
            fn into_params(self) -> Vec<SqlValue> {
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        }
    )+};
}

tuple_params!(A, A B, A B C, A B C D, A B C D E, A B C D E F, A B C D E F G, A B C D E F G H);
