//! What an agent types into a command in the background here: by the rules of whoever lends the machine, and never twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hostel_sandbox::{JobId, Terminal};

use super::allowed::Rule;
use super::inputs::{Batch, Input};
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

/// Whether what was asked about is to be typed.
enum Answer {
    Yes,
    /// It is not, and why.
    No(String),
    /// Nobody wants this one of it any more, and why.
    Unwanted(usize, &'static str),
}

impl Work {
    /// Types it, unless this id was heard before: into one command in the order in which this is called. What needs no question, and
    /// waits for none, is typed before this returns.
    pub(super) fn type_in(self: &Arc<Self>, id: &str, typed: Typed) {
        let (order, is_new) = self.orders.hear(id);
        if !is_new {
            return;
        }
        let Typed { of, text, end } = typed;
        let input = Input { order, text, end };
        match self.orders.find(&of) {
            Some(command) => self.line_up(command, input),
            None => self.end(&input.into(), Err("the command is not known here".to_owned())),
        }
    }

    fn line_up(self: &Arc<Self>, command: Arc<Ordered>, input: Input) {
        match self.ruled(&command, &input.text) {
            Err(why) => self.end(&input.into(), Err(why)),
            Ok((job, true)) if !command.inputs.is_served() => self.end(&input.into(), Ok(job)),
            Ok(_) if !command.inputs.has_room(&input.text) => {
                self.end(&input.into(), Err("too much waits to be typed there already".to_owned()));
            }
            Ok(_) => {
                input.order.stage.send_replace(Stage::Asked);
                if command.inputs.push(input) {
                    let work = Arc::clone(self);
                    tokio::spawn(async move { work.serve(&command).await });
                }
            }
        }
    }

    /// Types what waits for a command, with a question where one is needed, until nothing waits.
    async fn serve(&self, command: &Ordered) {
        while let Some(batch) = command.inputs.next() {
            let (wanted, unwanted) = batch.sorted(self.grace);
            for (unwanted, why) in unwanted {
                self.end(&unwanted, Err(why.to_owned()));
            }
            if let Some(batch) = wanted {
                self.serve_one(command, batch).await;
            }
        }
    }

    /// An answer before may have settled it, and the command may be over meanwhile.
    async fn serve_one(&self, command: &Ordered, mut batch: Batch) {
        let job = match self.ruled(command, &batch.text()) {
            Ok((job, true)) => return self.end(&batch, Ok(job)),
            Ok((job, false)) => job,
            Err(why) => return self.end(&batch, Err(why)),
        };
        match self.asked(command, job, &batch).await {
            Answer::Yes => self.end(&batch, Ok(job)),
            Answer::No(why) => self.end(&batch, Err(why)),
            Answer::Unwanted(which, why) => {
                self.end(&batch.take(which), Err(format!("nobody had answered when {why}")));
                command.inputs.put_back(batch);
            }
        }
    }

    /// Changes the size of a command's terminal.
    pub(super) fn resize(&self, id: &str, size: Terminal) {
        if let Some(job) = self.orders.find(id).and_then(|command| running(self, &command)) {
            let _ = self.jobs.resize(job, size);
        }
    }

    /// What runs, and whether that may be typed into it without a question; or why it may not.
    fn ruled(&self, command: &Ordered, text: &str) -> Result<(JobId, bool), String> {
        let job = running(self, command).ok_or("the command does not run here any more")?;
        if let Rule::Deny(pattern) = self.allowed.lock().rule(text, None) {
            return Err(format!("whoever lends the machine denies {pattern:?}"));
        }
        // That nothing more comes needs nobody's yes.
        let is_free = self.input || text.is_empty() || command.takes_input.load(Ordering::Relaxed);
        if !is_free && !self.asking.asks() {
            return Err("whoever lends the machine has not allowed input, and nobody can be asked there".to_owned());
        }
        Ok((job, is_free))
    }

    /// Asks whoever lends the machine. Always is for this command until it is over.
    async fn asked(&self, command: &Ordered, job: JobId, batch: &Batch) -> Answer {
        let ends = if batch.ends() { ", and to end its input" } else { "" };
        let who = "The agent, or somebody at its terminals,";
        let question = format!("{who} wants to type into {}{ends}:\n{}", self.title(job), batch.text());
        let verdict = tokio::select! {
            verdict = self.asking.ask(&question, "type it? [y/n/always] ") => verdict,
            (which, why) = batch.unwanted(self.grace) => return Answer::Unwanted(which, why),
        };
        match verdict {
            Some(Verdict::Yes) => Answer::Yes,
            Some(Verdict::Always) => {
                command.takes_input.store(true, Ordering::Relaxed);
                Answer::Yes
            }
            Some(Verdict::NoBecause(why)) => Answer::No(format!("whoever lends the machine said no: {why}")),
            Some(Verdict::No) => Answer::No("whoever lends the machine said no".to_owned()),
            None => Answer::No("nobody can be asked there any more".to_owned()),
        }
    }

    fn end(&self, batch: &Batch, allowed: Result<JobId, String>) {
        let given = allowed.and_then(|job| {
            self.give(job, batch)?;
            let _ = output::note(&harmless(&format!("» {}: {}", self.title(job), batch.text().trim_end())));
            Ok(())
        });
        batch.settle(&match given {
            Ok(()) => Stage::Done("was typed".to_owned()),
            Err(why) => {
                let _ = output::note(&harmless(&format!("✗ what was to be typed: {why}")));
                Stage::Refused(why)
            }
        });
    }

    fn give(&self, job: JobId, batch: &Batch) -> Result<(), String> {
        let bytes = Some(batch.text().into_bytes()).filter(|bytes| !bytes.is_empty());
        if let Some(bytes) = bytes {
            self.jobs.write(job, Some(bytes)).map_err(|error| error.to_string())?;
        }
        if batch.ends() {
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
