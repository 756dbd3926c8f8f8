//! A conversation in the terminal: what is shown of it, what is typed, and the connection it is held over.

mod console;
mod editor;
mod input;
mod lines;
mod link;
mod paint;
mod parts;
mod screen;

pub(crate) use console::Console;
pub(crate) use editor::{Mode, Typing};
pub(crate) use input::{HELP, OWN, Typed, Verdict, pressed, read, verdict};
pub(crate) use lines::{Line, Shown as OnScreen};
pub(crate) use link::{Link, News};
pub(crate) use paint::Painter;
pub(crate) use parts::{Kind, Question, Shown, has_open_answers, questions, questions_about};
pub(crate) use screen::{Aim, CHANGED};
