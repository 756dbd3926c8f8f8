//! What somebody can have meant who types: the question that stood on the screen, and never one that has only just taken the
//! place of another. Pure.

use std::time::{Duration, Instant};

/// How long nothing answers a question that has taken the place of another: nobody can have read it.
const MOMENT: Duration = Duration::from_millis(400);

/// What is said of an answer that was not taken.
pub(crate) const CHANGED: &str = "the question changed: look again";

/// What something that was typed is meant for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Aim {
    /// No question stood there.
    #[default]
    Nothing,
    /// The question with this id.
    At(String),
    /// A question that nobody can have read yet.
    TooSoon,
}

impl Aim {
    /// Whether it is meant for this question.
    pub(crate) fn is_at(&self, id: &str) -> bool {
        matches!(self, Self::At(at) if at == id)
    }
}

/// The question that stands on the screen, if one does.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    stands: Option<Drawn>,
    /// When the last one went, if nothing was typed since.
    went: Option<Instant>,
}

#[derive(Debug)]
struct Drawn {
    id: String,
    /// From when on it can be answered.
    from: Instant,
}

impl Screen {
    /// This question stands on the screen. Drawn again, it is the same.
    pub(crate) fn drawn(&mut self, id: &str, now: Instant) {
        if self.stands.as_ref().is_some_and(|drawn| drawn.id == id) {
            return;
        }
        self.gone(now);
        let is_another = self.went.take().is_some_and(|went| now.duration_since(went) < MOMENT);
        let from = if is_another { now + MOMENT } else { now };
        self.stands = Some(Drawn { id: id.to_owned(), from });
    }

    /// No question stands there any more.
    pub(crate) fn gone(&mut self, now: Instant) {
        if self.stands.take().is_some() {
            self.went = Some(now);
        }
    }

    /// What is meant by something that is typed now.
    pub(crate) fn aim(&mut self, now: Instant) -> Aim {
        match &self.stands {
            Some(drawn) if now < drawn.from => Aim::TooSoon,
            Some(drawn) => Aim::At(drawn.id.clone()),
            None => {
                self.went = None;
                Aim::Nothing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen, and moments on it.
    fn begun() -> (Screen, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Screen::default(), move |milliseconds| start + Duration::from_millis(milliseconds))
    }

    #[test]
    fn what_is_typed_is_for_the_question_on_the_screen_and_for_none_before_it_is_drawn() {
        let (mut screen, at) = begun();
        assert_eq!(screen.aim(at(0)), Aim::Nothing);
        screen.drawn("one", at(1));
        assert!(screen.aim(at(1)).is_at("one"), "the first one may be answered at once");
        screen.gone(at(2));
        assert_eq!(screen.aim(at(2)), Aim::Nothing);
    }

    #[test]
    fn a_key_pressed_as_one_question_takes_the_place_of_another_answers_neither() {
        let (mut screen, at) = begun();
        screen.drawn("one", at(0));
        let pressed_before = screen.aim(at(999));
        screen.drawn("two", at(1000));
        assert!(!pressed_before.is_at("two"), "what was meant for the first is not for the second");
        assert_eq!(screen.aim(at(1000)), Aim::TooSoon);
        assert_eq!(screen.aim(at(1399)), Aim::TooSoon);
        assert!(screen.aim(at(1400)).is_at("two"));
    }

    #[test]
    fn it_is_the_same_whoever_answered_the_first_and_however_soon_the_second_comes() {
        let (mut screen, at) = begun();
        screen.drawn("one", at(0));
        screen.gone(at(1000));
        screen.drawn("two", at(1399));
        assert_eq!(screen.aim(at(1798)), Aim::TooSoon);
        screen.gone(at(2000));
        screen.drawn("three", at(2400));
        assert!(screen.aim(at(2400)).is_at("three"), "for a moment none stood there");
    }

    #[test]
    fn a_question_that_is_drawn_again_is_the_same_and_words_between_two_part_them() {
        let (mut screen, at) = begun();
        screen.drawn("one", at(0));
        screen.drawn("one", at(1));
        assert!(screen.aim(at(1)).is_at("one"));
        screen.gone(at(2));
        assert_eq!(screen.aim(at(3)), Aim::Nothing);
        screen.drawn("two", at(4));
        assert!(screen.aim(at(4)).is_at("two"), "something else was typed in between");
    }
}
