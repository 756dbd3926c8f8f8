//! Each way to break the promise is found.

use super::*;

fn said(id: &str) -> Line {
    Line { is_question: true, id: id.to_owned(), text: id.to_owned() }
}

fn answered(text: &str) -> Line {
    Line { is_question: false, id: "a".to_owned(), text: text.to_owned() }
}

/// Two things were said; the first was answered to the end, of the second somebody else saw the beginning.
fn talk() -> Talk {
    let talk = Talk::default();
    talk.send(0, "s.1");
    talk.send(0, "s.2");
    talk.tell(0, "s.1", Told::Answered, true);
    talk.tell(0, "s.2", Told::Shown, false);
    talk
}

fn faults(talk: &Talk, found: &[Line]) -> Faults {
    talk.compare(found, |_| {})
}

#[test]
fn what_was_promised_is_no_fault() {
    let whole = [said("s.1"), answered("You said: s.1"), said("s.2"), answered("You said: ")];
    assert!(!faults(&talk(), &whole).any());
    assert!(!faults(&talk(), &whole[..3]).any());
}

#[test]
fn what_is_gone_or_not_whole_is_lost_or_was_shown_too_early() {
    assert_eq!(faults(&talk(), &[said("s.1"), answered("You said: s.1")]).early, 1);
    assert_eq!(faults(&talk(), &[said("s.1"), answered("You said: "), said("s.2")]).lost, 1);
    assert_eq!(faults(&talk(), &[said("s.1"), said("s.2")]).lost, 1);
    assert_eq!(faults(&talk(), &[]).lost, 1);
}

#[test]
fn what_was_not_said_is_there_twice_or_answers_nothing_is_found() {
    let whole = [said("s.1"), answered("You said: s.1"), said("s.2")];
    let with = |more: &[Line]| faults(&talk(), &[&whole, more].concat());
    assert_eq!(with(&[said("s.2")]).invented, 1);
    assert_eq!(with(&[said("s.3")]).invented, 1);
    assert_eq!(with(&[answered("You said: s.2"), answered("You said: s.2")]).torn, 1);
    assert_eq!(with(&[answered("You said: s.1")]).torn, 1);
}

#[test]
fn what_was_found_once_must_stay() {
    let talk = talk();
    assert!(!faults(&talk, &[said("s.1"), answered("You said: s.1"), said("s.2")]).any());
    assert!(!talk.is_touched());
    assert_eq!(faults(&talk, &[said("s.1"), answered("You said: s.1")]).lost, 1);
}
