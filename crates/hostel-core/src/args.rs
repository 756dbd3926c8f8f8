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

/// What an argument must be: readable from JSON, and owned by the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument: nothing says how to read it from JSON",
    label = "this type does not implement `serde::Deserialize`",
    note = "put `#[derive(Deserialize)]` on it"
)]
pub trait Argument: DeserializeOwned {}

impl<T: DeserializeOwned> Argument for T {}

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
    pub fn next<T: Argument>(&mut self, name: &str) -> Result<T> {
        self.next += 1;
        let given = self.values.next();
        let text = given.map_or("null", |raw| raw.get());
        serde_json::from_str(text).map_err(|_| self.refuse(name, given.map(|_| reason::<T>(text))))
    }

    fn refuse(&self, name: &str, reason: Option<String>) -> Error {
        let Self { method, next, .. } = self;
        let message = match reason {
            Some(reason) => format!("Argument {next} (`{name}`) of {method} does not fit: {reason}"),
            None => format!("Argument {next} (`{name}`) of {method} is missing"),
        };
        Error::coded(Code::InvalidArguments, message)
            .with_fix(format!("pass `{name}` as argument {next} of {method}; `hostel types` prints the signature"))
    }
}

/// Why a text is no `T`, and where in it. Reads it once more, because keeping track of where costs time.
fn reason<T: DeserializeOwned>(text: &str) -> String {
    let reason = match serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(text)) {
        Err(error) if error.path().iter().next().is_some() => error.to_string(),
        Err(error) => error.into_inner().to_string(),
        Ok(_) => "it goes on after its end".to_owned(),
    };
    // The path says where; whoever wrote an object and not its text has no use for a column.
    reason.rfind(" at line ").map_or(reason.as_str(), |end| &reason[..end]).to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Point {
        #[serde(rename = "x")]
        _x: Vec<i32>,
    }

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(args: &'static str) -> String {
        Args::from_json(args).reader("move").and_then(|mut args| args.next::<T>("to")).unwrap_err().message().to_owned()
    }

    #[test]
    fn a_refusal_names_method_position_parameter_and_field() {
        let message = refusal::<Point>(r#"[{"x":[1,"2"]}]"#);
        assert!(
            message.starts_with("Argument 1 (`to`) of move does not fit: x[1]: invalid type: string \"2\""),
            "{message}"
        );
        assert_eq!(
            refusal::<i32>(r#"["2"]"#),
            "Argument 1 (`to`) of move does not fit: invalid type: string \"2\", expected i32"
        );
    }

    #[test]
    fn a_missing_argument_is_null() {
        assert_eq!(refusal::<i32>("[]"), "Argument 1 (`to`) of move is missing");
        let args = Args::none();
        assert_eq!(args.reader("move").unwrap().next::<Option<i32>>("to").unwrap(), None);
    }

    #[test]
    fn arguments_that_are_no_array_are_refused() {
        assert!(refusal::<i32>("{}").starts_with("The arguments of move are not a JSON array"));
    }
}
