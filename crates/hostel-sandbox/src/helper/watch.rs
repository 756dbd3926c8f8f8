//! What the processes of the sandbox take together, where the kernel counts only single ones.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Limits;
use crate::order::Why;

pub(super) struct Watch {
    memory: u64,
    processes: u64,
    last: Option<Instant>,
}

impl Watch {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory: limits.memory, processes: limits.processes, last: None }
    }

    /// Looks, if the last look is `every` ago; answers what is too much.
    pub(super) fn look(&mut self, now: Instant, every: Duration) -> Option<Why> {
        if self.last.is_some_and(|last| now < last + every) {
            return None;
        }
        self.last = Some(now);
        let processes = processes();
        let threads: u64 = processes.iter().map(|pid| field(*pid, "status", "Threads:").unwrap_or(1)).sum();
        if threads > self.processes {
            return Some(Why::Processes);
        }
        let own: u64 = processes.iter().filter_map(|pid| field(*pid, "status", "RssAnon:")).sum();
        let shared = shared_segments();
        if own * 1024 + shared <= self.memory {
            return None;
        }
        // Pages that processes share since a fork were counted for each: count anew, with each one's part.
        let parts: u64 = processes.iter().filter_map(|pid| field(*pid, "smaps_rollup", "Pss_Anon:")).sum();
        (parts * 1024 + shared > self.memory).then_some(Why::Memory)
    }
}

/// Sends a signal to every process but this.
pub(super) fn signal_all(signal: Signal) {
    for pid in processes() {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The numbers of all processes of the namespace, without this one.
fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| *pid != 1).collect()
}

/// A number of a file of `/proc`.
fn field(pid: u32, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes in the shared memory segments of the namespace, which belong to no process.
fn shared_segments() -> u64 {
    let text = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let mut lines = text.lines();
    let Some(column) = lines.next().and_then(|head| head.split_whitespace().position(|name| name == "rss")) else {
        return 0;
    };
    lines.filter_map(|line| line.split_whitespace().nth(column)?.parse::<u64>().ok()).sum()
}
