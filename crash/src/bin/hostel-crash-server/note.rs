//! An agent whose state is set by its clients.

use hostel::prelude::*;

/// A number that only rises, and a text that says the same.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct NoteAgent {
    value: u64,
    text: String,
}

#[agent]
impl NoteAgent {
    /// The number.
    #[callable]
    fn value(&self) -> u64 {
        self.value
    }
}
