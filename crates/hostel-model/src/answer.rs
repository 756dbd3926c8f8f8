//! An answer in one piece, for whoever does not stream.

use futures_util::{Stream, StreamExt, pin_mut};

use crate::{Event, Fault, FinishReason, Piece, Usage};

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// What the model said, thought and called, in order. A call whose input was no JSON has that as a text.
    pub pieces: Vec<Piece>,
    /// Why it ended.
    pub reason: FinishReason,
    /// What it took.
    pub usage: Usage,
}

impl Answer {
    /// What was said, without thoughts and calls.
    pub fn text(&self) -> String {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

/// Waits for the whole answer.
///
/// # Errors
/// The fault it ended with.
///
/// # Cancel safety
/// Dropping the future ends the request.
pub async fn collect(events: impl Stream<Item = Result<Event, Fault>>) -> Result<Answer, Fault> {
    pin_mut!(events);
    let mut answer = Answer { pieces: Vec::new(), reason: FinishReason::Stop, usage: Usage::default() };
    while let Some(event) = events.next().await {
        answer.take(event?);
    }
    Ok(answer)
}

impl Answer {
    fn take(&mut self, event: Event) {
        match event {
            Event::TextStart { .. } => self.pieces.push(Piece::Text(String::new())),
            Event::TextDelta { delta, .. } => {
                if let Some(Piece::Text(text)) = self.pieces.last_mut() {
                    text.push_str(&delta);
                }
            }
            Event::ReasoningStart { .. } => {
                self.pieces.push(Piece::Reasoning { text: String::new(), signature: None });
            }
            Event::ReasoningDelta { delta, .. } => {
                if let Some(Piece::Reasoning { text, .. }) = self.pieces.last_mut() {
                    text.push_str(&delta);
                }
            }
            Event::ReasoningEnd { signature: found, .. } => {
                if let Some(Piece::Reasoning { signature, .. }) = self.pieces.last_mut() {
                    *signature = found;
                }
            }
            Event::ToolCall { id, name, input, signature } => {
                let input = input.unwrap_or_else(serde_json::Value::String);
                self.pieces.push(Piece::ToolCall { id, name, input, signature });
            }
            Event::Finish { reason, usage } => (self.reason, self.usage) = (reason, usage),
            _ => {}
        }
    }
}
