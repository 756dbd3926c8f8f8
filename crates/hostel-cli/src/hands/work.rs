//! What is done here for an agent: orders, each of which is carried out at most once.

use std::sync::Arc;
use std::time::Duration;

use hostel_sandbox::{JobId, Jobs, State as JobState};
use parking_lot::Mutex;

use super::allowed::{Allowed, Rule};
use super::asking::Asking;
use super::order::{Ordered, Stage};
use super::orders::Orders;
use super::place::{Place, Wanted};
use crate::chat::Verdict;
use crate::output::{self, harmless};

/// How many commands may run at once, how much of each one's output is kept, and how many that are over are.
const MOST: usize = 8;
const KEPT: usize = 1 << 20;
const REMEMBERED: usize = 32;

/// What is done here for an agent.
#[derive(Debug)]
pub(crate) struct Work {
    pub(super) place: Place,
    pub(super) allowed: Mutex<Allowed>,
    pub(super) asking: Asking,
    pub(super) jobs: Jobs,
    /// Whether what is typed into a command needs no question.
    pub(super) input: bool,
    pub(super) grace: Duration,
    pub(super) orders: Orders,
}

impl Work {
    pub(crate) fn new(place: Place, allowed: Allowed, asking: Asking, input: bool, grace: Duration) -> Arc<Self> {
        let (allowed, jobs) = (Mutex::new(allowed), Jobs::new(MOST, KEPT));
        Arc::new(Self { place, allowed, asking, jobs, input, grace, orders: Orders::default() })
    }

    /// Begins an order, unless it was heard before.
    pub(super) fn begin(self: &Arc<Self>, id: &str, wanted: Wanted) -> Arc<Ordered> {
        let (order, is_new) = self.orders.hear(id);
        if is_new {
            let (work, ours) = (Arc::clone(self), Arc::clone(&order));
            tokio::spawn(async move { work.carry_out(&ours, wanted).await });
        }
        order
    }

    /// Nothing more is asked about an order.
    pub(super) fn forget(&self, id: &str) {
        let Some(order) = self.orders.find(id) else { return };
        let stage = order.stage.borrow().clone();
        match stage {
            Stage::Job(job) if self.is_over(job) => drop(self.jobs.forget(job)),
            Stage::Refused(_) | Stage::Done(_) => {}
            // It is not over.
            Stage::Job(_) | Stage::New | Stage::Asked | Stage::Forgotten => return,
        }
        self.orders.forget(id);
    }

    pub(super) fn is_over(&self, job: JobId) -> bool {
        self.jobs.tail(job, u64::MAX).is_ok_and(|tail| tail.state != JobState::Running)
    }

    async fn carry_out(&self, order: &Ordered, wanted: Wanted) {
        let line = wanted.line.clone();
        let job = match self.started(order, wanted).await {
            Ok(job) => job,
            Err(why) => {
                let _ = output::note(&harmless(&format!("✗ {line}: {why}")));
                order.stage.send_replace(Stage::Refused(why));
                return;
            }
        };
        order.stage.send_replace(Stage::Job(job));
        let ended = tokio::select! {
            ended = self.jobs.wait(job) => ended,
            _ = order.unwanted(self.grace) => {
                let _ = self.jobs.cancel(job);
                self.jobs.wait(job).await
            }
        };
        let how = match ended {
            Ok(JobState::Over(exit)) => exit.to_string(),
            Ok(JobState::Lost(why)) => why,
            Ok(JobState::Running) | Err(_) => return,
        };
        let _ = output::note(&harmless(&format!("· {line}: {how}")));
        self.trim();
    }

    /// Starts it, if it may be.
    async fn started(&self, order: &Ordered, mut wanted: Wanted) -> Result<JobId, String> {
        let below = self.place.below(&wanted.directory)?;
        wanted.directory = below.clone().unwrap_or_default();
        let why = self.permitted(order, &wanted, below.as_deref()).await?;
        if order.cancel.is_cancelled() {
            return Err("it was cancelled".to_owned());
        }
        self.jobs.check_room().map_err(|error| error.to_string())?;
        let mut job = self.place.start(&wanted).await.map_err(|error| error.to_string())?;
        let mut beside = ", in the background";
        if !wanted.background {
            // Whoever reads from its input is not to wait for somebody who never writes.
            let _ = job.close_input().await;
            beside = "";
        }
        let _ = output::note(&harmless(&format!("→ {} ({why}{beside})", wanted.line)));
        Ok(self.jobs.adopt(wanted.line, job))
    }

    /// Whether it may run, by the rules or by whoever is asked: why it may, or why not.
    async fn permitted(&self, order: &Ordered, wanted: &Wanted, below: Option<&str>) -> Result<String, String> {
        let Wanted { line, background, .. } = wanted;
        let rule = self.allowed.lock().rule(line, below);
        match rule {
            Rule::Run(pattern) => return Ok(format!("allowed by {pattern:?}")),
            Rule::Deny(pattern) => return Err(format!("whoever lends the machine denies {pattern:?}")),
            Rule::Ask if !self.asking.asks() => {
                return Err("whoever lends the machine has not allowed it, and nobody can be asked there".to_owned());
            }
            Rule::Ask => {}
        }
        order.stage.send_replace(Stage::Asked);
        let place = below.map_or_else(String::new, |below| format!(" in {below}"));
        let beside = if *background { " in the background" } else { "" };
        let question = format!("The agent wants to run{place}{beside}:\n{line}");
        tokio::select! {
            verdict = self.asking.ask(&question, "run it? [y/n/always] ") => self.answered(verdict, line, below),
            why = order.unwanted(self.grace) => Err(format!("nobody had answered when {why}")),
        }
    }

    fn answered(&self, verdict: Option<Verdict>, line: &str, below: Option<&str>) -> Result<String, String> {
        match verdict {
            Some(Verdict::Yes) => Ok("said yes to".to_owned()),
            Some(Verdict::Always) => {
                let kept = self.allowed.lock().always(line, below);
                kept.map(|pattern| format!("always allowed: {pattern}")).or_else(|error| {
                    let _ = output::note(&format!("the file of what is allowed cannot be written: {error}"));
                    Ok("always allowed until this program ends".to_owned())
                })
            }
            Some(Verdict::NoBecause(why)) => Err(format!("whoever lends the machine said no: {why}")),
            Some(Verdict::No) => Err("whoever lends the machine said no".to_owned()),
            None => Err("nobody can be asked there any more".to_owned()),
        }
    }

    /// Of those that are over, only the latest stay whole.
    fn trim(&self) {
        let is_over = |(id, _, state): (JobId, String, JobState)| (state != JobState::Running).then_some(id);
        let over: Vec<JobId> = self.jobs.list().into_iter().filter_map(is_over).collect();
        let old = &over[..over.len().saturating_sub(REMEMBERED)];
        self.orders.forget_jobs(old);
        for job in old {
            let _ = self.jobs.forget(*job);
        }
    }
}
