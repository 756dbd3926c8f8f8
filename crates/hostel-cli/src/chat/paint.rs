//! Pieces of messages as text for a terminal. Pure.

use super::parts::{Kind, Piece};
use crate::output::{Paint, harmless};

/// Turns pieces into text, and knows where the cursor is.
#[derive(Debug)]
pub(crate) struct Painter {
    paint: Paint,
    /// The part whose line is open.
    open: Option<(Kind, (String, usize))>,
    /// Whether the open line has nothing on it yet.
    at_start: bool,
}

impl Painter {
    pub(crate) fn new(paint: Paint) -> Self {
        Self { paint, open: None, at_start: false }
    }

    /// The text of a piece, without the end of its line: more of it may follow.
    pub(crate) fn piece(&mut self, piece: &Piece) -> String {
        let place = (piece.kind, piece.part.clone());
        let goes_on = self.open.as_ref() == Some(&place);
        let mut text = if goes_on { String::new() } else { self.end_line() };
        let words = harmless(&piece.text);
        let words = if goes_on { words } else { format!("{}{words}", lead(piece.kind)) };
        self.at_start = words.ends_with('\n');
        text += &self.coloured(piece.kind, &words);
        self.open = Some(place);
        text
    }

    /// Ends the open line, if one is.
    pub(crate) fn end_line(&mut self) -> String {
        let is_open = self.open.take().is_some() && !std::mem::take(&mut self.at_start);
        if is_open { "\n".to_owned() } else { String::new() }
    }

    fn coloured(&self, kind: Kind, text: &str) -> String {
        match kind {
            Kind::Said => text.to_owned(),
            Kind::Output => self.each_line(text, |_| None),
            Kind::Diff => self.each_line(text, sign_of),
            Kind::Asked => self.paint.bold(text),
            Kind::Thought | Kind::Aside => self.paint.dim(text),
            Kind::Called => self.paint.cyan(text),
            Kind::Returned => self.paint.green(text),
            Kind::Failed => self.paint.red(text),
        }
    }

    /// Colours lines one by one, so that none runs over into the next.
    fn each_line(&self, text: &str, colour: fn(&str) -> Option<Sign>) -> String {
        let painted = |line: &str| match colour(line) {
            Some(Sign::Added) => self.paint.green(line),
            Some(Sign::Removed) => self.paint.red(line),
            Some(Sign::Place) => self.paint.cyan(line),
            Some(Sign::File) => self.paint.bold(line),
            None => line.to_owned(),
        };
        text.split('\n').map(painted).collect::<Vec<_>>().join("\n")
    }
}

/// What a line of a diff is.
enum Sign {
    Added,
    Removed,
    Place,
    File,
}

fn sign_of(line: &str) -> Option<Sign> {
    match line.as_bytes().first()? {
        b'+' if line.starts_with("+++ ") => Some(Sign::File),
        b'-' if line.starts_with("--- ") => Some(Sign::File),
        b'+' => Some(Sign::Added),
        b'-' => Some(Sign::Removed),
        b'@' => Some(Sign::Place),
        b'd' if line.starts_with("diff ") => Some(Sign::File),
        _ => None,
    }
}

/// What stands before a line of this kind.
fn lead(kind: Kind) -> &'static str {
    match kind {
        Kind::Asked => "> ",
        Kind::Said | Kind::Output | Kind::Diff => "",
        Kind::Thought | Kind::Aside => "· ",
        Kind::Called => "⚙ ",
        Kind::Returned => "  → ",
        Kind::Failed => "  ✗ ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(kind: Kind, text: &str, part: usize) -> Piece {
        Piece { kind, text: text.to_owned(), part: ("m".to_owned(), part) }
    }

    #[test]
    fn pieces_of_a_part_are_one_line_and_parts_are_lines_of_their_own() {
        let mut painter = Painter::new(Paint::none());
        let pieces = [
            piece(Kind::Asked, "hi", 9),
            piece(Kind::Said, "Hel", 0),
            piece(Kind::Said, "lo", 0),
            piece(Kind::Called, "add {}", 1),
            piece(Kind::Returned, "2", 1),
        ];
        let text: String = pieces.iter().map(|piece| painter.piece(piece)).collect();
        assert_eq!(text, "> hi\nHello\n⚙ add {}\n  → 2");
        assert_eq!((painter.end_line().as_str(), painter.end_line().as_str()), ("\n", ""));
    }

    #[test]
    fn a_model_cannot_steer_the_terminal() {
        let mut painter = Painter::new(Paint::none());
        assert_eq!(
            painter.piece(&piece(Kind::Said, "a\u{1b}]0;x\u{7}\u{9b}2J\u{202e}b", 0)),
            "a\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}b"
        );
    }
}
