//! Jobs of systems without a sandbox: there are none, and the types say so.

use std::convert::Infallible;

use super::{Ended, Exit, Output};
use crate::{Result, Terminal};

/// A command that runs. On this system, none does.
#[derive(Debug)]
pub struct Job(Infallible);

/// Ends a job. On this system, there is none.
#[derive(Debug, Clone)]
pub struct Canceller(Infallible);

impl Job {
    /// Has this called at its end.
    #[must_use]
    pub fn at_end(self, _call: impl FnOnce(Option<Ended>) + Send + 'static) -> Self {
        match self.0 {}
    }

    /// The next piece of output.
    pub async fn next(&mut self) -> Option<Output> {
        match self.0 {}
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Never.
    pub async fn wait(self) -> Result<Exit> {
        match self.0 {}
    }

    /// Writes to its input.
    ///
    /// # Errors
    /// Never.
    pub async fn write(&mut self, _bytes: &[u8]) -> Result<()> {
        match self.0 {}
    }

    /// Its input, to be written while somebody else takes its output.
    pub fn take_input(&mut self) -> Option<Box<dyn tokio::io::AsyncWrite + Send + Unpin>> {
        match self.0 {}
    }

    /// Ends its input.
    ///
    /// # Errors
    /// Never.
    pub async fn close_input(&mut self) -> Result<()> {
        match self.0 {}
    }

    /// Changes the size of its terminal.
    ///
    /// # Errors
    /// Never.
    pub fn resize(&self, _size: Terminal) -> Result<()> {
        match self.0 {}
    }

    /// What ends it from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        match self.0 {}
    }
}

impl Canceller {
    /// Asks the command to end.
    pub fn cancel(&self) {
        match self.0 {}
    }
}
