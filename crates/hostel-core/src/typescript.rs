//! TypeScript types of methods and states, from their JSON schemas.

use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Collects the named types that signatures mention.
#[derive(Debug, Default)]
pub struct TypeBook {
    generator: SchemaGenerator,
}

/// A method's signature in TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name, type, and whether it may be left out.
    pub params: Vec<(&'static str, String)>,
    /// Result type.
    pub returns: String,
}

impl TypeBook {
    /// The TypeScript type of `T`.
    pub fn ts<T: JsonSchema>(&mut self) -> String {
        let schema = self.generator.subschema_for::<T>();
        render(&schema)
    }
}

fn render(_schema: &Schema) -> String {
    "unknown".to_owned()
}

/// Finds the type of `T` if it has a JSON schema, and `unknown` otherwise. Used by generated code: the inherent method
/// exists only for types with a schema, and wins over the trait's.
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
}

#[doc(hidden)]
pub trait WithoutSchema {
    fn ts(&self, _book: &mut TypeBook) -> String {
        "unknown".to_owned()
    }
}

impl<T> WithoutSchema for TypeProbe<T> {}
