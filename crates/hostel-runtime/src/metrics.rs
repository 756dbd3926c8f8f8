//! Counters and gauges, resolved once per class. Agent names are never labels.

use metrics::{Counter, Gauge, counter, gauge};

/// The metrics of one agent class.
pub(crate) struct ClassMetrics {
    pub(crate) turns: Counter,
    pub(crate) rollbacks: Counter,
    pub(crate) panics: Counter,
    pub(crate) calls: Counter,
    pub(crate) frames_refused: Counter,
    pub(crate) wakes: Counter,
    pub(crate) start_failures: Counter,
    pub(crate) awake: Gauge,
    pub(crate) sockets: Gauge,
    pub(crate) syncs: Counter,
}

impl ClassMetrics {
    pub(crate) fn new(namespace: &str) -> Self {
        let class = || namespace.to_owned();
        Self {
            turns: counter!("hostel_turns_total", "class" => class()),
            rollbacks: counter!("hostel_turns_rolled_back_total", "class" => class()),
            panics: counter!("hostel_panics_total", "class" => class()),
            calls: counter!("hostel_calls_total", "class" => class()),
            frames_refused: counter!("hostel_frames_refused_total", "class" => class()),
            wakes: counter!("hostel_wakes_total", "class" => class()),
            start_failures: counter!("hostel_start_failures_total", "class" => class()),
            awake: gauge!("hostel_agents_awake", "class" => class()),
            sockets: gauge!("hostel_sockets", "class" => class()),
            syncs: counter!("hostel_syncs_total", "class" => class()),
        }
    }
}
