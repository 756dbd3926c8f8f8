//! The seam for a mask over secrets: what an agent stores and sends passes it, if the application has one.

use std::fmt;

/// Finds secrets in text and masks them. The runtime asks it before anything is stored or sent, if it was given one.
pub trait Scrub: fmt::Debug + Send + Sync + 'static {
    /// `text` with every secret masked, or `None` if there is none in it. JSON stays JSON: only what stands in its texts
    /// is masked.
    fn mask(&self, text: &str) -> Option<Masked>;

    /// What was found in bytes that are no text, if anything was.
    fn find(&self, bytes: &[u8]) -> Option<String>;
}

/// A text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// The text, with a mask in place of each secret.
    pub text: String,
    /// What was masked, each kind once: the name of a secret, or what the value looked like.
    pub found: Vec<String>,
}
