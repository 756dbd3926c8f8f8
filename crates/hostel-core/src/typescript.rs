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

use std::marker::PhantomData;

use schemars::JsonSchema;

pub use book::TypeBook;
pub use declare::{declaration, declarations};

use crate::state::StateField;

/// A method's signature in TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The parameters, in order.
    pub params: Vec<Param>,
    /// What a streaming method sends before it ends.
    pub chunks: Option<String>,
    /// Result type.
    pub returns: String,
}

/// A parameter of a [`Signature`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: String,
}

impl Signature {
    /// No parameters, no result.
    pub fn new() -> Self {
        Self { params: Vec::new(), chunks: None, returns: "void".to_owned() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, name: &'static str, ty: String) -> Self {
        self.params.push(Param { name, ty });
        self
    }

    /// Sets the type of the chunks.
    #[must_use]
    pub fn chunks(mut self, ty: String) -> Self {
        self.chunks = Some(ty);
        self
    }

    /// Sets the result type. A Rust `()` is what JavaScript calls `void`.
    #[must_use]
    pub fn returns(mut self, ty: String) -> Self {
        self.returns = if ty == "null" { "void".to_owned() } else { ty };
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
    pub fn ts(&self, book: &mut TypeBook) -> String {
        book.ts::<T>()
    }

    pub fn ts_input(&self, book: &mut TypeBook) -> String {
        book.ts_input::<T>()
    }

    pub fn ts_state(&self, book: &mut TypeBook, fields: &[StateField]) -> String {
        book.state::<T>(fields)
    }
}

/// What [`TypeProbe`] says of a type without a schema.
#[doc(hidden)]
pub trait WithoutSchema {
    fn ts(&self, _book: &mut TypeBook) -> String;
    fn ts_input(&self, _book: &mut TypeBook) -> String;
    fn ts_state(&self, _book: &mut TypeBook, _fields: &[StateField]) -> String;
}

impl<T> WithoutSchema for TypeProbe<T> {
    fn ts(&self, _book: &mut TypeBook) -> String {
        book::unknown::<T>()
    }

    fn ts_input(&self, _book: &mut TypeBook) -> String {
        book::unknown::<T>()
    }

    fn ts_state(&self, _book: &mut TypeBook, _fields: &[StateField]) -> String {
        book::unknown::<T>()
    }
}
