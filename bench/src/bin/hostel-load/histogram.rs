//! Latencies, counted in steps of about one percent.

use std::time::Duration;

/// Steps between two powers of two.
const STEPS: u64 = 64;

/// Latencies, counted in steps of about one percent.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn add(&mut self, latency: Duration) {
        let index = index(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
    }

    /// The latency that this share of all stayed below, in microseconds.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return value(index as u64) / 1_000.0;
            }
        }
        0.0
    }
}

fn index(nanos: u64) -> usize {
    let nanos = nanos.max(STEPS);
    let power = u64::from(nanos.ilog2());
    let step = (nanos >> (power - STEPS.ilog2() as u64)) - STEPS;
    usize::try_from((power - u64::from(STEPS.ilog2())) * STEPS + step).unwrap_or(usize::MAX)
}

fn value(index: u64) -> f64 {
    let (power, step) = (index / STEPS, index % STEPS);
    ((STEPS + step) as f64 + 0.5) * 2_f64.powi(i32::try_from(power).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_two_percent() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|us| histogram.add(Duration::from_micros(us)));
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let seen = histogram.quantile_us(share);
            assert!((seen / expected - 1.0).abs() < 0.02, "{share}: {seen}");
        }
    }
}
