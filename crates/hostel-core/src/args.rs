//! The arguments of a call: a JSON array, read by position.

use bytes::Bytes;
use hostel_protocol::refusal::Code;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Positional arguments as they came over the wire. Cheap to clone; parsed only when a method asks.
#[derive(Debug, Clone)]
pub struct Args(Bytes);

impl Args {
    /// No arguments.
    pub fn none() -> Self {
        Self(Bytes::from_static(b"[]"))
    }

    /// From the text of a JSON array.
    pub fn from_json(array: impl Into<Bytes>) -> Self {
        Self(array.into())
    }

    /// The text of the JSON array.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A reader that hands the arguments out one by one.
    ///
    /// # Errors
    /// `invalid_arguments` when the text is not a JSON array.
    pub fn reader<'a>(&'a self, method: &'a str) -> Result<ArgsReader<'a>> {
        let values: Vec<&RawValue> = serde_json::from_slice(&self.0).map_err(|source| {
            Error::coded(Code::InvalidArguments, format!("The arguments of {method} are not a JSON array: {source}"))
                .with_fix("send args as an array, one entry a parameter")
        })?;
        Ok(ArgsReader { method, values: values.into_iter(), next: 0 })
    }
}

/// Hands out arguments by position; see [`Args::reader`].
#[derive(Debug)]
pub struct ArgsReader<'a> {
    method: &'a str,
    values: std::vec::IntoIter<&'a RawValue>,
    next: usize,
}

impl ArgsReader<'_> {
    /// The next argument, `name` being the parameter it fills. A missing argument reads as `null`, so that an
    /// `Option` parameter may be left out, as in JavaScript.
    ///
    /// # Errors
    /// `invalid_arguments`, naming method, position, parameter and what was wrong.
    pub fn next<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        self.next += 1;
        let given = self.values.next();
        let text = given.map_or("null", |raw| raw.get());
        serde_json::from_str(text).map_err(|source| self.refuse(name, given.is_some(), &source))
    }

    fn refuse(&self, name: &str, given: bool, source: &serde_json::Error) -> Error {
        let Self { method, next, .. } = self;
        let message = if given {
            format!("Argument {next} (`{name}`) of {method} does not fit: {source}")
        } else {
            format!("Argument {next} (`{name}`) of {method} is missing")
        };
        Error::coded(Code::InvalidArguments, message)
            .with_fix(format!("pass `{name}` as argument {next} of {method}; `hostel types` prints the signature"))
    }
}
