//! Where the code of a run is: which step comes next, and whether any is under way. Pure.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hostel_protocol::refusal::Code;
use parking_lot::Mutex;

use super::host::RunHost;
use crate::error::{Error, Result};

/// Bytes of a step's name.
const LONGEST_NAME: usize = 200;

/// Where in its run a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which strand of the run; empty for the main one.
    pub lane: String,
    /// The how-manieth step of its strand, from 0.
    pub position: u32,
    /// What the code calls it.
    pub name: String,
    /// The how-manieth of that name in its strand, from 0.
    pub occurrence: u32,
}

/// How far the code of a run has come, this time.
#[derive(Debug, Default)]
pub struct Track(Mutex<Tracked>);

#[derive(Debug, Default)]
struct Tracked {
    /// The strand that is being polled.
    lane: String,
    lanes: HashMap<String, Lane>,
    /// The inside of a step is being polled.
    inside: bool,
    /// Steps under way.
    under_way: usize,
    /// Waits that need no memory.
    parked: usize,
    /// A step was done that had not been done before.
    advanced: bool,
}

#[derive(Debug, Default)]
struct Lane {
    next: u32,
    names: HashMap<String, u32>,
}

impl Track {
    /// The place of the step that is called now.
    ///
    /// # Errors
    /// `step_nested` inside a step, `invalid_arguments` for a name that cannot be kept.
    pub fn place(&self, name: &str) -> Result<Place> {
        let mut tracked = self.0.lock();
        if tracked.inside {
            let message = format!("The step {name:?} is inside another; what is inside a step is not looked at again.");
            return Err(Error::coded(Code::StepNested, message).with_fix("take it out, or make it part of that step"));
        }
        if name.is_empty() || name.len() > LONGEST_NAME {
            let message = format!("A step needs a name of 1 to {LONGEST_NAME} bytes.");
            return Err(Error::coded(Code::InvalidArguments, message));
        }
        let lane = tracked.lane.clone();
        let strand = tracked.lanes.entry(lane.clone()).or_default();
        let position = strand.next;
        strand.next += 1;
        let seen = strand.names.entry(name.to_owned()).or_default();
        let occurrence = *seen;
        *seen += 1;
        Ok(Place { lane, position, name: name.to_owned(), occurrence })
    }

    /// Whether all that the code does is to wait for something that needs no memory.
    pub fn may_be_dropped(&self) -> bool {
        let tracked = self.0.lock();
        tracked.parked > 0 && tracked.under_way == 0
    }

    /// Whether a step is under way.
    pub fn is_busy(&self) -> bool {
        self.0.lock().under_way > 0
    }

    /// A step was done for the first time.
    pub fn note_advance(&self) {
        self.0.lock().advanced = true;
    }

    /// Whether the code has come further than ever before.
    pub fn has_advanced(&self) -> bool {
        self.0.lock().advanced
    }

    fn swap_lane(&self, lane: String) -> String {
        std::mem::replace(&mut self.0.lock().lane, lane)
    }

    fn swap_inside(&self, inside: bool) -> bool {
        std::mem::replace(&mut self.0.lock().inside, inside)
    }
}

/// Counts a step as under way, or a wait as parked, while it lives.
pub(super) struct Counted {
    run: Arc<dyn RunHost>,
    parked: bool,
}

impl Counted {
    pub(super) fn under_way(run: &Arc<dyn RunHost>) -> Self {
        run.track().0.lock().under_way += 1;
        Self { run: Arc::clone(run), parked: false }
    }

    pub(super) fn parked(run: &Arc<dyn RunHost>) -> Self {
        run.track().0.lock().parked += 1;
        Self { run: Arc::clone(run), parked: true }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut tracked = self.run.track().0.lock();
        let count = if self.parked { &mut tracked.parked } else { &mut tracked.under_way };
        *count = count.saturating_sub(1);
    }
}

/// What is inside a step, or a strand of a run: marked while it is polled.
pub(super) struct Marked<F> {
    run: Arc<dyn RunHost>,
    /// The strand, or nothing for a step.
    lane: Option<String>,
    inner: Pin<Box<F>>,
}

impl<F> Marked<F> {
    pub(super) fn step(run: &Arc<dyn RunHost>, inner: F) -> Self {
        Self { run: Arc::clone(run), lane: None, inner: Box::pin(inner) }
    }

    pub(super) fn lane(run: &Arc<dyn RunHost>, name: &str, inner: F) -> Self {
        let outer = run.track().0.lock().lane.clone();
        Self { run: Arc::clone(run), lane: Some(format!("{outer}{name}/")), inner: Box::pin(inner) }
    }
}

/// Takes a mark back, however the poll ends.
enum Mark<'a> {
    Lane(&'a Track, String),
    Inside(&'a Track, bool),
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        match self {
            Self::Lane(track, lane) => drop(track.swap_lane(std::mem::take(lane))),
            Self::Inside(track, inside) => drop(track.swap_inside(*inside)),
        }
    }
}

impl<F: Future> Future for Marked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let run = Arc::clone(&self.run);
        let track = run.track();
        let _mark = match &self.lane {
            Some(lane) => Mark::Lane(track, track.swap_lane(lane.clone())),
            None => Mark::Inside(track, track.swap_inside(true)),
        };
        self.inner.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_by_strand_and_by_name() {
        let track = Track::default();
        let place = |name| track.place(name).map(|place| (place.lane, place.position, place.occurrence)).unwrap();
        assert_eq!(place("a"), (String::new(), 0, 0));
        assert_eq!(place("b"), (String::new(), 1, 0));
        assert_eq!(place("a"), (String::new(), 2, 1));
        track.swap_lane("left/".into());
        assert_eq!(place("a"), ("left/".into(), 0, 0));
    }

    #[test]
    fn a_step_inside_a_step_and_a_name_that_cannot_be_kept_are_refused() {
        let track = Track::default();
        assert_eq!(track.place("").unwrap_err().code(), Some(Code::InvalidArguments));
        assert_eq!(track.place(&"x".repeat(201)).unwrap_err().code(), Some(Code::InvalidArguments));
        track.swap_inside(true);
        assert_eq!(track.place("a").unwrap_err().code(), Some(Code::StepNested));
    }
}
