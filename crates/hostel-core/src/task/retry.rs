//! Trying again: how often, after which waits, and whether at all.

use std::time::Duration;

use hostel_protocol::refusal::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cx::Cx,
    error::{Error, Result},
};

/// How often something that fails is tried, and how long is waited in between: the wait is drawn at random up to `first`
/// doubled with every attempt, and at most `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all; at least one.
    pub attempts: u32,
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Retry {
    /// Three attempts, waits of up to 200 ms and 400 ms (agents-protocol, 6.3).
    fn default() -> Self {
        Self { attempts: 3, first: Duration::from_millis(100), longest: Duration::from_secs(3) }
    }
}

impl Retry {
    /// One attempt, and no more.
    pub const ONCE: Self = Self { attempts: 1, first: Duration::from_millis(100), longest: Duration::from_secs(3) };

    /// How long to wait after the attempt with this number, counted from 1; `random` is the draw. `None`: no more.
    pub fn wait_after(&self, attempt: u32, random: u64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let ceiling = self.first.saturating_mul(1 << attempt.min(31)).min(self.longest);
        let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
        Some(Duration::from_micros(random % micros.max(1)))
    }

    /// Refuses what makes no sense, in the words of the Agents SDK.
    ///
    /// # Errors
    /// `invalid_arguments`.
    pub fn check(&self) -> Result<()> {
        let wrong = match self {
            Self { attempts: 0, .. } => "retry.maxAttempts must be >= 1",
            Self { first: Duration::ZERO, .. } => "retry.baseDelayMs must be > 0",
            Self { longest: Duration::ZERO, .. } => "retry.maxDelayMs must be > 0",
            Self { first, longest, .. } if first > longest => "retry.baseDelayMs must be <= retry.maxDelayMs",
            _ => return Ok(()),
        };
        Err(Error::coded(Code::InvalidArguments, wrong)
            .with_fix("here these are `attempts`, `first` and `longest` of `Retry`"))
    }

    /// As clients know it.
    pub(super) fn shown(&self) -> Value {
        json!({"maxAttempts": self.attempts, "baseDelayMs": self.first.as_millis(), "maxDelayMs": self.longest.as_millis()})
    }
}

/// Does `work` until it succeeds, at most as often as `policy` says; `work` is told the number of the attempt, from 1.
///
/// For what may fail by chance, such as a request to another service, on the way of an async method. The waits are spent
/// in memory: for work that has to survive a restart there are tasks.
///
/// ```
/// use hostel_core::{Cx, Result, Retry, task::retry};
/// # async fn ask_somebody() -> Result<String> { Ok(String::new()) }
///
/// async fn weather<A>(cx: &Cx<A>) -> Result<String> {
///     retry(cx, Retry::default(), |_attempt| ask_somebody()).await
/// }
/// ```
///
/// # Errors
/// The last attempt's, or `invalid_arguments` if the policy makes no sense.
///
/// # Cancel safety
/// Dropping the future breaks the attempt under way off, and there is none after it.
pub async fn retry<A, T, W: Future<Output = Result<T>>>(
    cx: &Cx<A>,
    policy: Retry,
    work: impl FnMut(u32) -> W,
) -> Result<T> {
    retry_when(cx, policy, |_, _| true, work).await
}

/// [`retry`] that asks whether to go on: `again` is told the error and the number of the attempt that would be next.
///
/// # Errors
/// Those of [`retry`].
///
/// # Cancel safety
/// That of [`retry`].
pub async fn retry_when<A, T, W: Future<Output = Result<T>>>(
    cx: &Cx<A>,
    policy: Retry,
    mut again: impl FnMut(&Error, u32) -> bool,
    mut work: impl FnMut(u32) -> W,
) -> Result<T> {
    policy.check()?;
    let mut attempt = 1;
    loop {
        let error = match work(attempt).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(wait) = policy.wait_after(attempt, u64::from_ne_bytes(cx.random())) else { return Err(error) };
        attempt += 1;
        if !again(&error, attempt) {
            return Err(error);
        }
        cx.sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let retry = Retry { attempts: 4, first: Duration::from_millis(100), longest: Duration::from_millis(300) };
        let most = |attempt| retry.wait_after(attempt, u64::MAX - u64::MAX % 1_000_000 - 1);
        assert!(most(1).unwrap() < Duration::from_millis(200));
        assert!(most(3).unwrap() < Duration::from_millis(300));
        assert_eq!(retry.wait_after(1, 150_000), Some(Duration::from_millis(150)));
        assert_eq!(retry.wait_after(4, 1), None);
    }

    #[test]
    fn a_policy_that_makes_no_sense_is_refused_in_the_words_of_the_sdk() {
        let words = |retry: Retry| retry.check().unwrap_err().message().to_owned();
        let usual = Retry::default();
        assert_eq!(words(Retry { attempts: 0, ..usual }), "retry.maxAttempts must be >= 1");
        assert_eq!(words(Retry { first: Duration::ZERO, ..usual }), "retry.baseDelayMs must be > 0");
        assert_eq!(words(Retry { longest: Duration::ZERO, ..usual }), "retry.maxDelayMs must be > 0");
        let swapped = Retry { first: usual.longest, longest: usual.first, ..usual };
        assert_eq!(words(swapped), "retry.baseDelayMs must be <= retry.maxDelayMs");
        assert!(usual.check().is_ok() && Retry::ONCE.check().is_ok());
    }
}
