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
pub struct Reply(Option<String>);

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
        Ok(Self(Some(serde_json::to_string(value)?)))
    }

    /// Text that is JSON already; it is not checked.
    pub fn from_json(json: impl Into<String>) -> Self {
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
/// Bounds stand on methods, not on impls: a type that misses one is told so, and does not slip through to a fallback.
#[doc(hidden)]
#[derive(Debug)]
pub struct Returned<T>(pub T);

impl<T, E> Returned<Result<T, E>> {
    pub fn outcome(self) -> Result<Returned<T>>
    where
        E: IntoError,
    {
        self.0.map(Returned).map_err(IntoError::into_error)
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

/// What the error of a method or hook must be.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that an agent can return",
    label = "a method or hook returns this as its error",
    note = "return `hostel::Result<T>`; `hostel::Error::msg(\"..\")` makes an error from text, and `?` converts every type that implements `std::error::Error`"
)]
pub trait IntoError {
    fn into_error(self) -> Error;
}

impl<E: Into<Error>> IntoError for E {
    fn into_error(self) -> Error {
        self.into()
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
pub trait IntoReply<T> {
    fn into_reply(self) -> Result<Reply>
    where
        T: Serialize;
}

impl<T> IntoReply<T> for Returned<T> {
    fn into_reply(self) -> Result<Reply>
    where
        T: Serialize,
    {
        Reply::json(&self.0)
    }
}
