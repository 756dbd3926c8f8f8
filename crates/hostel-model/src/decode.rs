//! What every provider's stream has to be turned into events by.

use crate::{FinishReason, assemble::Assembler, failure::Failure};

/// Reads one provider's events. It does no I/O and knows no time.
pub(crate) trait Decoder: Send {
    /// Takes one server-sent event.
    ///
    /// # Errors
    /// What the provider says went wrong, or that the event makes no sense.
    fn event(&mut self, name: Option<&str>, data: &str, out: &mut Assembler) -> Result<(), Failure>;

    /// Whether the provider said that nothing more comes.
    fn is_done(&self) -> bool;

    /// Takes the end of the stream. Some end with a reason but without a mark, some with the mark but without a reason.
    ///
    /// # Errors
    /// That the answer is not whole, or was refused.
    fn end(&mut self, out: &mut Assembler) -> Result<(), Failure> {
        match out.reason.take() {
            Some(reason) => out.finish(reason),
            None if self.is_done() => out.finish(FinishReason::Stop),
            None => Err(Failure::cut()),
        }
    }
}
