//! What an agent types into a command in the background here: by the rules of whoever lends the machine, and never twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hostel_sandbox::{JobId, Terminal};

use super::allowed::Rule;
use super::order::{Ordered, Stage};
use super::work::Work;
use crate::chat::Verdict;
use crate::output::{self, harmless};

/// What is typed, and into what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    /// The order that runs the command.
    pub(super) of: String,
    pub(super) text: String,
    /// Whether the input ends after it.
    pub(super) end: bool,
}

impl Work {
    /// Types it, unless this id was heard before. What needs no question is typed before this returns, so that it comes in its order.
    pub(super) fn type_in(self: &Arc<Self>, id: &str, typed: Typed) {
        let (order, is_new) = self.hear(id);
        if !is_new {
            return;
        }
        match self.ruled(&typed) {
            Ok((command, job, true)) => self.end(&order, &typed, Ok((command, job))),
            Ok((command, job, false)) => {
                let work = Arc::clone(self);
                tokio::spawn(async move {
                    let asked = work.asked(&order, &command, job, &typed).await;
                    work.end(&order, &typed, asked.map(|()| (command, job)));
                });
            }
            Err(why) => self.end(&order, &typed, Err(why)),
        }
    }

    /// Changes the size of a command's terminal.
    pub(super) fn resize(&self, id: &str, size: Terminal) {
        if let Some(job) = self.find(id).and_then(|command| running(self, &command)) {
            let _ = self.jobs.resize(job, size);
        }
    }

    /// The command, and whether it may be typed into without a question; or why it may not.
    fn ruled(&self, typed: &Typed) -> Result<(Arc<Ordered>, JobId, bool), String> {
        let command = self.find(&typed.of).ok_or("the command is not known here")?;
        let job = running(self, &command).ok_or("the command does not run here any more")?;
        if let Rule::Deny(pattern) = self.allowed.lock().rule(&typed.text, None) {
            return Err(format!("whoever lends the machine denies {pattern:?}"));
        }
        // That nothing more comes needs nobody's yes.
        let is_free = self.input || typed.text.is_empty() || command.takes_input.load(Ordering::Relaxed);
        if !is_free && !self.asking.asks() {
            return Err("whoever lends the machine has not allowed input, and nobody can be asked there".to_owned());
        }
        Ok((command, job, is_free))
    }

    /// Asks whoever lends the machine. Always is for this command until it is over.
    async fn asked(&self, order: &Ordered, command: &Ordered, job: JobId, typed: &Typed) -> Result<(), String> {
        order.stage.send_replace(Stage::Asked);
        let ends = if typed.end { ", and to end its input" } else { "" };
        let question = format!("The agent wants to type into {}{ends}:\n{}", self.title(job), typed.text);
        let verdict = tokio::select! {
            verdict = self.asking.ask(&question, "type it? [y/n/always] ") => verdict,
            why = order.unwanted(self.grace) => return Err(format!("nobody had answered when {why}")),
        };
        match verdict {
            Some(Verdict::Yes) => Ok(()),
            Some(Verdict::Always) => {
                command.takes_input.store(true, Ordering::Relaxed);
                Ok(())
            }
            Some(Verdict::NoBecause(why)) => Err(format!("whoever lends the machine said no: {why}")),
            Some(Verdict::No) => Err("whoever lends the machine said no".to_owned()),
            None => Err("nobody can be asked there any more".to_owned()),
        }
    }

    fn end(&self, order: &Ordered, typed: &Typed, allowed: Result<(Arc<Ordered>, JobId), String>) {
        let given = allowed.and_then(|(_, job)| {
            self.give(job, typed)?;
            let _ = output::note(&harmless(&format!("» {}: {}", self.title(job), typed.text.trim_end())));
            Ok(())
        });
        order.stage.send_replace(match given {
            Ok(()) => Stage::Done("was typed".to_owned()),
            Err(why) => {
                let _ = output::note(&harmless(&format!("✗ what was to be typed: {why}")));
                Stage::Refused(why)
            }
        });
    }

    fn give(&self, job: JobId, typed: &Typed) -> Result<(), String> {
        let bytes = Some(typed.text.clone().into_bytes()).filter(|bytes| !bytes.is_empty());
        if let Some(bytes) = bytes {
            self.jobs.write(job, Some(bytes)).map_err(|error| error.to_string())?;
        }
        if typed.end {
            self.jobs.write(job, None).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn title(&self, job: JobId) -> String {
        let mut titles = self.jobs.list().into_iter();
        titles.find_map(|(id, title, _)| (id == job).then_some(title)).unwrap_or_default()
    }
}

/// The job of an order that runs.
fn running(work: &Work, order: &Ordered) -> Option<JobId> {
    match *order.stage.borrow() {
        Stage::Job(job) if !work.is_over(job) => Some(job),
        _ => None,
    }
}
