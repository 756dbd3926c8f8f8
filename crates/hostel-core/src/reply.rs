//! What a method answers, as JSON or as JavaScript's `undefined`.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// The answer of a method: one JSON value, or nothing (`undefined`), which the wire shows as an absent `result`.
///
/// Methods usually return their own types and never name this one. Return it to choose at run time.
///
/// ```
/// use hostel_core::Reply;
///
/// assert_eq!(Reply::json(&[1, 2])?.as_json(), Some("[1,2]"));
/// assert_eq!(Reply::undefined().as_json(), None);
/// # Ok::<(), hostel_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply(Option<Box<str>>);

impl Reply {
    /// No value at all.
    pub fn undefined() -> Self {
        Self(None)
    }

    /// `value` as JSON.
    ///
    /// # Errors
    /// When serde refuses the value, e.g. a map with keys that are not strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self(Some(serde_json::to_string(value)?.into())))
    }

    /// Text that is JSON already; it is not checked.
    pub fn from_json(json: impl Into<Box<str>>) -> Self {
        Self(Some(json.into()))
    }

    /// The JSON text, or `None` for `undefined`.
    pub fn as_json(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Reads the answer as `T`; `undefined` reads as `null`.
    ///
    /// # Errors
    /// When the JSON does not have the shape of `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.as_json().unwrap_or("null")).map_err(Error::from)
    }
}

/// Turns whatever a method returned into a [`Reply`]. Used by generated code: inherent methods win over the traits
/// below, which is how `()`, `Reply` and `Result` get their own treatment without a trait the author must implement.
#[doc(hidden)]
#[derive(Debug)]
pub struct Returned<T>(pub T);

impl<T, E: Into<Error>> Returned<Result<T, E>> {
    pub fn outcome(self) -> Result<Returned<T>> {
        self.0.map(Returned).map_err(Into::into)
    }
}

impl Returned<()> {
    pub fn into_reply(self) -> Result<Reply> {
        Ok(Reply::undefined())
    }
}

impl Returned<Reply> {
    pub fn into_reply(self) -> Result<Reply> {
        Ok(self.0)
    }
}

#[doc(hidden)]
pub trait Infallible<T> {
    fn outcome(self) -> Result<Returned<T>>;
}

impl<T> Infallible<T> for Returned<T> {
    fn outcome(self) -> Result<Returned<T>> {
        Ok(self)
    }
}

#[doc(hidden)]
pub trait IntoReply {
    fn into_reply(self) -> Result<Reply>;
}

impl<T: Serialize> IntoReply for Returned<T> {
    fn into_reply(self) -> Result<Reply> {
        Reply::json(&self.0)
    }
}
