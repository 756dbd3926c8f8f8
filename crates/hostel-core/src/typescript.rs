//! TypeScript types of agent classes, from the JSON schemas of their Rust types.
//!
//! [`declarations`] prints what a page needs for `useAgent<Counter, CounterState>({agent: "counter"})`. Underneath, a
//! [`TypeBook`] is shown every type twice: first to learn which named types there are, then to write them with their
//! final names.

mod book;
mod declare;
mod render;
#[cfg(test)]
mod tests;

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde_json::Value;

pub use book::TypeBook;
pub use declare::{declaration, declarations};

use crate::state::StateField;

/// A method's signature, in TypeScript and as JSON schemas.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// The parameters, in order.
    pub params: Vec<Param>,
    /// What a streaming method sends before it ends.
    pub chunks: Option<Shown>,
    /// Result type.
    pub returns: Shown,
    /// Whether it takes `&self` and no context: it can change nothing at all.
    pub only_looks: bool,
}

/// A parameter of a [`Signature`].
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Shown,
}

/// A type as a [`TypeBook`] shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// In TypeScript.
    pub text: String,
    /// As a JSON schema, whose references go to [`TypeBook::sent`] or [`TypeBook::received`]; `None` for a type without
    /// one.
    pub schema: Option<Value>,
}

impl Shown {
    /// What a Rust `()` is to JavaScript.
    fn nothing() -> Self {
        Self { text: "void".to_owned(), schema: None }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Signature {
    /// No parameters, no result.
    pub fn new() -> Self {
        Self { params: Vec::new(), chunks: None, returns: Shown::nothing(), only_looks: false }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, name: &'static str, ty: Shown) -> Self {
        self.params.push(Param { name, ty });
        self
    }

    /// Sets the type of the chunks.
    #[must_use]
    pub fn chunks(mut self, ty: Shown) -> Self {
        self.chunks = Some(ty);
        self
    }

    /// Sets the result type. A Rust `()` is what JavaScript calls `void`.
    #[must_use]
    pub fn returns(mut self, ty: Shown) -> Self {
        self.returns = if ty.text == "null" { Shown::nothing() } else { ty };
        self
    }

    /// Says that it can change nothing.
    #[must_use]
    pub fn only_looks(mut self) -> Self {
        self.only_looks = true;
        self
    }
}

impl Default for Signature {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds the type of `T` if it has a JSON schema, and `unknown` otherwise. Used by generated code: the inherent methods
/// exist only for types with a schema, and win over the trait's.
#[doc(hidden)]
#[derive(Debug)]
pub struct TypeProbe<T>(PhantomData<fn() -> T>);

impl<T> TypeProbe<T> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for TypeProbe<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: JsonSchema> TypeProbe<T> {
    pub fn ts(&self, book: &mut TypeBook) -> Shown {
        book.ts::<T>()
    }

    pub fn ts_input(&self, book: &mut TypeBook) -> Shown {
        book.ts_input::<T>()
    }

    pub fn ts_state(&self, book: &mut TypeBook, fields: &[StateField]) -> String {
        book.state::<T>(fields)
    }
}

/// What [`TypeProbe`] says of a type without a schema.
#[doc(hidden)]
pub trait WithoutSchema {
    fn ts(&self, _book: &mut TypeBook) -> Shown;
    fn ts_input(&self, _book: &mut TypeBook) -> Shown;
    fn ts_state(&self, _book: &mut TypeBook, _fields: &[StateField]) -> String;
}

impl<T> WithoutSchema for TypeProbe<T> {
    fn ts(&self, _book: &mut TypeBook) -> Shown {
        Shown { text: book::unknown::<T>(), schema: None }
    }

    fn ts_input(&self, _book: &mut TypeBook) -> Shown {
        Shown { text: book::unknown::<T>(), schema: None }
    }

    fn ts_state(&self, _book: &mut TypeBook, _fields: &[StateField]) -> String {
        book::unknown::<T>()
    }
}
