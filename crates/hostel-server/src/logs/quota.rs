//! Keeps one cause from flooding the log: beyond its share of lines, they are counted instead of written.
//!
//! What strangers send ends in the log line by line, so whoever repeats a mistake often enough could fill a disk, and hide
//! everything else. A cause is the place in the code, with the refusal's code or the connection's step. Debugging levels are
//! left alone: who asks for them wants all of it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Lines of one cause that are written in one [`WINDOW`].
const LINES: u64 = 200;
/// How often every cause gets a new share, and what was left out is told.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// Counts lines by cause. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Quota(Arc<Mutex<HashMap<Cause, Share>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cause {
    place: Identifier,
    detail: Option<String>,
}

#[derive(Debug)]
struct Share {
    target: &'static str,
    since: Instant,
    lines: u64,
}

/// Lines of one cause that were not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// The module that wrote them.
    pub(super) target: &'static str,
    /// The refusal's code or the step, where the lines had one.
    pub(super) detail: String,
    /// How many.
    pub(super) lines: u64,
}

impl Quota {
    fn admits(&self, cause: Cause, target: &'static str, now: Instant) -> bool {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(cause).or_insert(Share { target, since: now, lines: 0 });
        share.lines += 1;
        share.lines <= LINES
    }

    /// Ends the windows that are over, and says what was left out in them.
    pub(super) fn renew(&self, now: Instant) -> Vec<LeftOut> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = shares.extract_if(|_, share| now.duration_since(share.since) >= WINDOW);
        let left_out = |(cause, share): (Cause, Share)| LeftOut {
            target: share.target,
            detail: cause.detail.unwrap_or_default(),
            lines: share.lines.saturating_sub(LINES),
        };
        over.map(left_out).filter(|left_out| left_out.lines > 0).collect()
    }
}

impl<S: Subscriber> Layer<S> for Quota {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let mut detail = Detail(None);
        event.record(&mut detail);
        let cause = Cause { place: metadata.callsite(), detail: detail.0 };
        self.admits(cause, metadata.target(), Instant::now())
    }
}

/// The field that tells causes of one place apart. Both are words of ours, never a stranger's.
struct Detail(Option<String>);

impl Visit for Detail {
    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "code" | "step") && self.0.as_deref().is_none_or(|_| field.name() == "code") {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` leaves in a log.
    fn log(quota: &Quota, work: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer).with(quota.clone()), work);
        String::from_utf8(std::mem::take(&mut *written.0.lock().unwrap())).unwrap()
    }

    fn refuse(code: &str) {
        tracing::warn!(code, "a frame was refused");
    }

    #[test]
    fn threat_32_a_repeated_cause_does_not_flood_the_log_nor_hide_another() {
        let quota = Quota::default();
        let text = log(&quota, || {
            (0..10_000).for_each(|_| refuse("unknown_frame"));
            refuse("json_too_deep");
            tracing::error!("something else");
        });
        assert_eq!(text.matches("unknown_frame").count() as u64, LINES);
        assert_eq!(text.matches("json_too_deep").count(), 1);
        assert_eq!(text.matches("something else").count(), 1);
    }

    #[test]
    fn what_was_left_out_is_told_once_and_the_cause_gets_a_new_share() {
        let quota = Quota::default();
        let again = || (0..LINES + 3).for_each(|_| refuse("unknown_frame"));
        log(&quota, again);
        assert_eq!(quota.renew(Instant::now()), []);
        let later = Instant::now() + WINDOW;
        let told = LeftOut { target: module_path!(), detail: "unknown_frame".to_owned(), lines: 3 };
        assert_eq!(quota.renew(later), [told]);
        assert_eq!(quota.renew(later), []);
        assert_eq!(log(&quota, again).lines().count() as u64, LINES);
    }

    #[test]
    fn debugging_levels_are_written_in_full() {
        let text = log(&Quota::default(), || (0..LINES + 3).for_each(|_| tracing::debug!("detail")));
        assert_eq!(text.lines().count() as u64, LINES + 3);
    }
}
