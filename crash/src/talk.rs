//! What clients were told in conversations: what was said is there, once, and what was answered to the end is there whole.

mod speak;

use std::collections::{BTreeMap, HashSet};

use hostel_client::{Options, Target, http};
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;

pub(crate) use self::speak::{hear, speak};
use crate::{
    account::{Told, disorder},
    faults::Faults,
};

/// Messages after which a conversation is left alone, and another begun: everybody gets all of it again and again.
const LONG: usize = 60;

/// The conversations of one number, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Talk(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    /// Which conversation it is.
    part: u64,
    sent: HashSet<String>,
    told: BTreeMap<String, Claim>,
    is_touched: bool,
}

/// What somebody was told of something that was said.
#[derive(Debug, Clone, Copy)]
struct Claim {
    kind: Told,
    /// Its answer had come to its end.
    ended: bool,
}

/// A message that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    is_question: bool,
    id: String,
    text: String,
}

/// The transcript of an agent.
pub(crate) async fn transcript(agent: &Target) -> anyhow::Result<Vec<Line>> {
    let messages = http::get(&agent.below("get-messages"), &Options::default()).await?;
    let messages: Vec<Value> = serde_json::from_slice(&messages.body)?;
    Ok(messages.iter().map(Line::of).collect())
}

impl Line {
    fn of(message: &Value) -> Self {
        let texts = message["parts"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
        Self {
            is_question: message["role"] == "user",
            id: message["id"].as_str().unwrap_or_default().to_owned(),
            text: texts.collect(),
        }
    }

    /// Whether this is the answer to what was said, as far as it goes.
    fn answers(&self, said: &Self) -> bool {
        !self.is_question && answer_to(&said.text).starts_with(&self.text)
    }
}

fn answer_to(text: &str) -> String {
    format!("You said: {text}")
}

impl Talk {
    /// Which conversation is to be spoken in.
    pub(crate) fn part(&self) -> u64 {
        self.0.lock().part
    }

    /// Whether anything was said since the last comparison.
    pub(crate) fn is_touched(&self) -> bool {
        self.0.lock().is_touched
    }

    pub(crate) fn send(&self, part: u64, op: &str) {
        let Some(mut book) = self.of(part) else { return };
        book.sent.insert(op.to_owned());
        book.is_touched = true;
    }

    /// Somebody was told that this was said, or that its answer had ended.
    pub(crate) fn tell(&self, part: u64, op: &str, kind: Told, ended: bool) {
        let Some(mut book) = self.of(part) else { return };
        let claim = book.told.entry(op.to_owned()).or_insert(Claim { kind, ended });
        claim.ended |= ended;
        if kind == Told::Answered {
            claim.kind = kind;
        }
    }

    /// The book of a conversation, unless it has been left alone since.
    fn of(&self, part: u64) -> Option<MutexGuard<'_, Book>> {
        Some(self.0.lock()).filter(|book| book.part == part)
    }

    pub(crate) fn compare(&self, found: &[Line], mut say: impl FnMut(String)) -> Faults {
        let mut book = self.0.lock();
        let mut faults = book.broken_claims(found, &mut say);
        let questions: Vec<String> = found.iter().filter(|line| line.is_question).map(|line| line.id.clone()).collect();
        let distinct: HashSet<&String> = questions.iter().collect();
        if distinct.len() < questions.len() || questions.iter().any(|id| !book.sent.contains(id)) {
            faults.invented += 1;
            say(format!("of {} questions {} are distinct, and not all were sent", questions.len(), distinct.len()));
        }
        if let Some(at) = (0..found.len()).find(|at| !is_in_place(found, *at)) {
            faults.torn += 1;
            say(format!("what is this an answer to: {:?}", &found[at.saturating_sub(1)..=at]));
        }
        if let Some(why) = disorder(&questions, &HashSet::new()) {
            faults.disordered += 1;
            say(why);
        }
        book.go_on_from(found);
        faults
    }
}

/// An answer stands behind what it answers.
fn is_in_place(found: &[Line], at: usize) -> bool {
    found[at].is_question || at > 0 && found[at - 1].is_question && found[at].answers(&found[at - 1])
}

impl Book {
    fn broken_claims(&self, found: &[Line], say: &mut impl FnMut(String)) -> Faults {
        let mut faults = Faults::default();
        for (op, claim) in &self.told {
            let at = found.iter().position(|line| line.is_question && line.id == *op);
            let answer = at.and_then(|at| found.get(at + 1)).filter(|line| !line.is_question);
            let is_whole = answer.is_some_and(|line| line.text == answer_to(op));
            if at.is_some() && (is_whole || !claim.ended) {
                continue;
            }
            match claim.kind {
                Told::Answered => faults.lost += 1,
                Told::Shown => faults.early += 1,
            }
            say(format!("{op}: {claim:?}, but it is at {at:?} with {answer:?}"));
        }
        faults
    }

    /// What was found was shown to us: it must stay.
    fn go_on_from(&mut self, found: &[Line]) {
        self.is_touched = false;
        if found.len() > LONG {
            *self = Self { part: self.part + 1, ..Self::default() };
            return;
        }
        let questions = found.iter().filter(|line| line.is_question);
        let seen = questions.map(|line| (line.id.clone(), Claim { kind: Told::Answered, ended: false }));
        let known = std::mem::take(&mut self.told);
        self.told = seen.collect();
        for (op, claim) in known {
            self.told.entry(op).and_modify(|seen| seen.ended |= claim.ended);
        }
    }
}

#[cfg(test)]
mod tests;
