//! Counters and gauges, resolved once per class. Agent names are never labels.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

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
    pub(crate) tasks: Counter,
    pub(crate) task_failures: Counter,
    pub(crate) tasks_given_up: Counter,
    pub(crate) tasks_missed: Counter,
    pub(crate) letters_forgotten: Counter,
    /// How long after its moment a scheduled run begins, in seconds.
    pub(crate) task_lateness: Histogram,
    /// How long a run waits in its queue, in seconds.
    pub(crate) queue_wait: Histogram,
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
            tasks: counter!("hostel_tasks_total", "class" => class()),
            task_failures: counter!("hostel_task_failures_total", "class" => class()),
            tasks_given_up: counter!("hostel_tasks_given_up_total", "class" => class()),
            tasks_missed: counter!("hostel_tasks_missed_total", "class" => class()),
            letters_forgotten: counter!("hostel_dead_letters_forgotten_total", "class" => class()),
            task_lateness: histogram!("hostel_task_lateness_seconds", "class" => class()),
            queue_wait: histogram!("hostel_queue_wait_seconds", "class" => class()),
        }
    }
}
