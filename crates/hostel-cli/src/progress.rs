//! How far long work has come: one line on stderr that is written over, and nothing where nobody watches.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::output::harmless;

/// Written at most this often.
const PACE: Duration = Duration::from_millis(100);

/// The line.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: bool,
    shown: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { watched: io::stderr().is_terminal(), shown: None }
    }

    /// Shows where the work is, unless it was shown a moment ago.
    pub(crate) fn show(&mut self, text: &str) {
        if !self.watched || self.shown.is_some_and(|at| at.elapsed() < PACE) {
            return;
        }
        self.shown = Some(Instant::now());
        self.put(text);
    }

    /// Shows a step of the store's work.
    pub(crate) fn step(&mut self, doing: &str, (done, of): (u64, u64), bytes: u64) {
        let of = if of > 0 { format!(" of {of}") } else { String::new() };
        self.show(&format!("{}: {done}{of}, {} …", harmless(doing), size(bytes)));
    }

    fn put(&self, text: &str) {
        let mut out = io::stderr().lock();
        // Progress that cannot be shown is no reason to stop the work.
        let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            self.put("");
        }
    }
}

/// `12.3 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        // Tenths in whole numbers: sizes have more digits than a float keeps.
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// `1 turn`, `2 turns`.
pub(crate) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_a_unit() {
        for (bytes, expect) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (5 << 30, "5.0 GiB"),
        ] {
            assert_eq!(size(bytes), expect);
        }
    }
}
