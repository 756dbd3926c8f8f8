//! Which chunks of an agent below are certain: a step of the model that was begun may be asked for again after a crash, and
//! whoever has seen its words would see them twice.

use std::{collections::VecDeque, mem};

use hostel::protocol::chat::Chunk;

/// A chunk, and its number in the log.
pub(super) type Numbered = (u64, String);

/// How much of what is being said is shown while it is not certain, in characters.
const TAIL: usize = 200;

/// Holds back what is not certain.
#[derive(Debug, Default)]
pub(super) struct Held {
    step: Vec<Numbered>,
    /// What the model says in the step that is held back.
    text: String,
    has_news: bool,
    /// The step may be over, but nothing says so but a note.
    may_be_over: bool,
}

impl Held {
    /// Takes a chunk of a turn of the loop; what is certain now comes out.
    pub(super) fn take(&mut self, seq: u64, body: String, out: &mut VecDeque<Numbered>) {
        let chunk = Chunk::parse(&body).ok();
        let kind = chunk.as_ref().map_or("", Chunk::kind);
        if kind == "start-step" {
            // A step that was not over is begun again: what was said of it is no more.
            self.drop_all();
        }
        self.may_be_over = matches!(kind, "tool-input-available" | "tool-input-error");
        if kind == "text-delta" {
            self.text += chunk.as_ref().and_then(|chunk| chunk.text("delta")).unwrap_or_default();
            self.has_news = true;
        }
        let shows_the_end = matches!(kind, "finish-step" | "finish" | "abort") || is_after_the_model(kind);
        if kind != "start-step" && self.step.is_empty() {
            out.push_back((seq, body));
            return;
        }
        self.step.push((seq, body));
        if shows_the_end {
            self.release(out);
        }
    }

    /// Everything is certain.
    pub(super) fn release(&mut self, out: &mut VecDeque<Numbered>) {
        out.extend(mem::take(&mut self.step));
        self.drop_all();
    }

    fn drop_all(&mut self) {
        *self = Self::default();
    }

    /// Whether it is worth looking whether the step is over.
    pub(super) fn may_be_over(&self) -> bool {
        self.may_be_over && !self.step.is_empty()
    }

    /// The end of what is being said, if it has grown.
    pub(super) fn news(&mut self) -> Option<String> {
        if !mem::take(&mut self.has_news) {
            return None;
        }
        let length = self.text.chars().count();
        Some(self.text.chars().skip(length.saturating_sub(TAIL)).collect())
    }
}

/// What is only said once the model has come to its end.
fn is_after_the_model(kind: &str) -> bool {
    kind.starts_with("tool-output-") || kind.starts_with("tool-approval-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(held: &mut Held, chunks: Vec<Chunk>) -> Vec<u64> {
        let mut out = VecDeque::new();
        for (seq, chunk) in (0..).zip(chunks) {
            held.take(seq, chunk.to_json(), &mut out);
        }
        out.into_iter().map(|(seq, _)| seq).collect()
    }

    #[test]
    fn a_step_is_shown_once_it_is_over() {
        let said = vec![
            Chunk::new("start"),
            Chunk::start_step(),
            Chunk::text_start("t"),
            Chunk::text_delta("t", "Hello"),
            Chunk::text_end("t"),
        ];
        let mut held = Held::default();
        assert_eq!(shown(&mut held, said.clone()), [0]);
        assert_eq!(held.news().as_deref(), Some("Hello"));
        assert_eq!(held.news(), None);
        let over = said.into_iter().chain([Chunk::finish_step(), Chunk::finish("stop")]).collect();
        assert_eq!(shown(&mut Held::default(), over), (0..7).collect::<Vec<_>>());
    }

    #[test]
    fn a_step_that_begins_again_is_shown_once() {
        let again = vec![
            Chunk::start_step(),
            Chunk::text_start("t"),
            Chunk::data("status", json!({"kind": "restarted"})),
            Chunk::start_step(),
            Chunk::text_start("t"),
            Chunk::finish_step(),
        ];
        assert_eq!(shown(&mut Held::default(), again), [3, 4, 5]);
    }

    #[test]
    fn what_a_tool_says_shows_that_the_model_has_ended() {
        let call = || vec![Chunk::start_step(), Chunk::tool_input_available("c", "clock", json!({}))];
        let mut held = Held::default();
        assert!(shown(&mut held, call()).is_empty());
        assert!(held.may_be_over());
        let answered = call().into_iter().chain([Chunk::tool_output_available("c", json!("noon"))]).collect();
        assert_eq!(shown(&mut Held::default(), answered), [0, 1, 2]);
    }
}
