//! The error an agent's author returns and sees, for three readers: author, client, operator.

use std::fmt;

use hostel_protocol::{
    OneLine,
    refusal::{Code, Refusal},
};

/// `Result` with Hostel's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something in an agent failed.
///
/// Any [`std::error::Error`] converts with `?`; the client then sees its message, the operator's log the whole chain.
/// An error raised by Hostel itself also carries a stable [`Code`] and a fix.
///
/// Like `anyhow::Error` it does not implement [`std::error::Error`] itself, because that would forbid the conversion.
///
/// ```
/// use hostel_core::{Error, Result};
///
/// fn parse(text: &str) -> Result<i64> {
///     if text.is_empty() {
///         return Err(Error::msg("say a number"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().message(), "say a number");
/// assert_eq!(parse("x").unwrap_err().message(), "invalid digit found in string");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    code: Option<Code>,
    label: Option<String>,
    message: String,
    fix: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the agent's own, with the text its caller will see.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::build(None, message.to_string(), None)
    }

    /// An error of Hostel, with its stable code.
    pub fn coded(code: Code, message: impl Into<String>) -> Self {
        Self::build(Some(code), message.into(), None)
    }

    fn build(code: Option<Code>, message: String, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Box::new(Inner { code, label: None, message, fix: None, source }))
    }

    /// The state is not the one that was to be changed; `current` is its version.
    pub fn state_conflict(current: &str) -> Self {
        Self::coded(Code::StateConflict, format!("The state has changed meanwhile; its version is {current} now."))
            .with_fix("read the state with its version again, and repeat the change on it")
    }

    /// Says what to change. Sent to the client beside the message.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.0.fix = Some(fix.into());
        self
    }

    /// Gives an error of the agent's own a stable label, which clients find under `code`.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    /// Keeps the cause for the operator's log.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Hostel's code, or `None` for an error of the agent's own.
    pub fn code(&self) -> Option<Code> {
        self.0.code
    }

    /// What a client reads under `code`: Hostel's code, or the label the author gave.
    pub fn label(&self) -> Option<&str> {
        self.0.code.map(|code| code.as_str()).or(self.0.label.as_deref())
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to change, if known.
    pub fn fix(&self) -> Option<&str> {
        self.0.fix.as_deref()
    }

    /// The message with every cause after it, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.0.message.clone();
        let mut next = self.0.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(cause) = next {
            let line = cause.to_string();
            // Many texts have that of their source in them already.
            if !text.contains(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            next = cause.source();
        }
        text
    }

    /// The same as a [`Refusal`]; an error of the agent's own becomes `fallback`.
    pub fn to_refusal(&self, fallback: Code) -> Refusal {
        let refusal = Refusal::new(self.0.code.unwrap_or(fallback), self.0.message.clone());
        match &self.0.fix {
            Some(fix) => refusal.with_fix(fix.clone()),
            None => refusal,
        }
    }
}

impl From<Refusal> for Box<Error> {
    fn from(refusal: Refusal) -> Self {
        Box::new(Error::from_refusal(refusal))
    }
}

impl Error {
    /// Takes code, sentence and fix from a refusal.
    pub fn from_refusal(refusal: Refusal) -> Self {
        let error = Self::coded(refusal.code, refusal.message);
        match refusal.fix {
            Some(fix) => error.with_fix(fix),
            None => error,
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self::build(None, source.to_string(), Some(Box::new(source)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // This form is for logs, and a caller may have written some of the text.
        let chain = self.chain();
        match self.label() {
            Some(label) => write!(f, "{label}: {}", OneLine(&chain)),
            None => write!(f, "{}", OneLine(&chain)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_tells_every_cause_once() {
        let source = std::io::Error::other("address in use");
        let text = "cannot listen: address in use; choose another port";
        assert_eq!(Error::msg(text).with_source(source).chain(), text);
        let source = std::io::Error::other("address in use");
        assert_eq!(Error::msg("cannot listen").with_source(source).chain(), "cannot listen: address in use");
    }
}
