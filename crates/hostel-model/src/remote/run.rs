//! One request, with the attempts it takes.

use std::time::Duration;

use super::{Remote, live::Live, sentence};
use crate::{Event, Fault, Request, failure::Failure, time};

/// The pause before the first repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause we choose ourselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause a provider may ask for before the user is told instead.
const LONGEST_WISH: Duration = Duration::from_secs(60);

/// A request on its way.
pub(super) struct Run {
    remote: Remote,
    request: Request,
    /// How often it was asked again.
    repeats: u32,
    phase: Phase,
}

enum Phase {
    Pause(Duration),
    Ask,
    Read(Box<Live>),
    Over,
}

impl Run {
    pub(super) fn new(remote: Remote, request: Request) -> Self {
        Self { remote, request, repeats: 0, phase: Phase::Ask }
    }

    /// What the stream yields next.
    pub(super) async fn next(mut self) -> Option<(Result<Event, Fault>, Self)> {
        loop {
            let failure = match &mut self.phase {
                Phase::Over => return None,
                Phase::Pause(time) => {
                    tokio::time::sleep(*time).await;
                    self.phase = Phase::Ask;
                    continue;
                }
                Phase::Ask => match self.remote.ask(&self.request).await {
                    Ok(live) => {
                        self.phase = Phase::Read(Box::new(live));
                        continue;
                    }
                    Err(failure) => failure,
                },
                Phase::Read(live) => match live.next().await {
                    Ok(event) => return Some((Ok(self.priced(event)), self)),
                    Err(failure) => failure,
                },
            };
            let outcome = self.failed(failure).await;
            return Some((outcome, self));
        }
    }

    /// Fills in what an answer cost, and knows that nothing comes after it.
    fn priced(&mut self, event: Event) -> Event {
        let Event::Finish { reason, mut usage } = event else { return event };
        self.phase = Phase::Over;
        usage.cost = self.remote.0.settings.price.and_then(|price| price.of(&usage)).or(usage.cost);
        Event::Finish { reason, usage }
    }

    /// Decides whether it is asked again.
    async fn failed(&mut self, failure: Failure) -> Result<Event, Fault> {
        let begun = matches!(&self.phase, Phase::Read(live) if live.has_begun());
        if !begun && let Some(after) = self.pause(&failure) {
            self.repeats += 1;
            self.phase = Phase::Pause(after);
            let why = sentence::why(&self.remote.0, &failure);
            return Ok(Event::Retrying { after, why: format!("{why} Asking again in {}.", time::show(after)) });
        }
        self.phase = Phase::Over;
        Err(sentence::fault(&self.remote.0, &failure, self.repeats).await)
    }

    /// How long to wait before asking again; `None` if that makes no sense.
    fn pause(&self, failure: &Failure) -> Option<Duration> {
        let settings = &self.remote.0.settings;
        if self.repeats >= settings.retries || !failure.kind.is_transient_before_the_first_event() {
            return None;
        }
        match failure.retry_after {
            Some(wish) => (wish <= LONGEST_WISH).then_some(wish),
            None => Some(backed_off(self.repeats)),
        }
    }
}

/// Twice as long each time, and never the same for two who failed together: between a half and the whole of it.
fn backed_off(repeats: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << repeats.min(10)).min(LONGEST_PAUSE);
    let chance = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    whole.mul_f64(0.5 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_differ() {
        for (repeats, whole) in [(0, 500), (1, 1000), (2, 2000), (9, 15_000), (u32::MAX, 15_000)] {
            let pause = backed_off(repeats);
            let whole = Duration::from_millis(whole);
            assert!(pause >= whole / 2 && pause <= whole, "{repeats}: {pause:?}");
        }
        let pauses: std::collections::BTreeSet<_> = (0..20).map(|_| backed_off(5)).collect();
        assert!(pauses.len() > 1);
    }
}
