//! An agent whose state clients neither see nor write as a whole. Not in the recording: it shows what Hostel adds.

use hostel::prelude::*;

/// A game of guessing a word.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(rename_all = "camelCase")]
pub struct MannersAgent {
    title: String,
    notes: String,
    /// How often somebody guessed.
    #[state(server)]
    guess_count: u32,
    #[state(private)]
    secret_word: String,
}

#[agent]
impl MannersAgent {
    #[callable]
    fn hide(&mut self, word: String) {
        self.secret_word = word;
    }

    #[callable]
    fn guess(&mut self, word: &str) -> bool {
        self.guess_count += 1;
        self.secret_word == word
    }

    /// Fills the notes with `length` letters.
    #[callable]
    fn grow(&mut self, length: usize) -> usize {
        self.notes = "x".repeat(length);
        self.notes.len()
    }
}
