//! What the operating system knows about the server: processor time and memory.

use std::{fs, time::Duration};

use anyhow::Context;

/// Ticks of a second in `/proc/PID/stat` (`getconf CLK_TCK`; the same on every Linux of today).
const TICKS: u32 = 100;

/// A process that is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// Processor time of all its threads, user and system, so far.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).context("the server's process is gone")?;
        // The second field is the name in brackets, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
        let ticks: u32 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(Duration::from_secs(1) * ticks / TICKS)
    }

    /// Resident memory in bytes, and the part of it that is not of files.
    pub(crate) fn memory(self) -> anyhow::Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).context("the server's process is gone")?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kb| kb * 1024.0)
        };
        Ok((bytes("VmRSS").context("no VmRSS")?, bytes("RssAnon").context("no RssAnon")?))
    }

    /// Bytes that it caused to be written to disks.
    pub(crate) fn written(self) -> anyhow::Result<f64> {
        let io = fs::read_to_string(format!("/proc/{}/io", self.0)).context("the server's writes cannot be seen")?;
        let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        bytes.and_then(|bytes| bytes.parse().ok()).context("an unknown form of /proc/PID/io")
    }

    /// How many files it has open whose path has `part` in it.
    pub(crate) fn files(self, part: &str) -> anyhow::Result<usize> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0)).context("the server's files cannot be seen")?;
        let paths = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        Ok(paths.filter(|path| path.to_string_lossy().contains(part)).count())
    }
}

/// How often disks were told to make durable what they hold, by all processes together. The kernel counts it in the
/// sixteenth figure of a disk (`Documentation/admin-guide/iostats.rst`).
pub(crate) fn flushes() -> anyhow::Result<f64> {
    let stats = fs::read_to_string("/proc/diskstats").context("the disks cannot be seen")?;
    let real = stats.lines().filter(|line| !line.contains(" loop") && !line.contains(" ram"));
    Ok(real.filter_map(|line| line.split_whitespace().nth(18)?.parse::<f64>().ok()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_has_memory_and_has_run() {
        let me = Process::new(std::process::id());
        let (resident, anonymous) = me.memory().unwrap();
        assert!(resident > anonymous && anonymous > 0.0);
        assert!(me.cpu().is_ok() && me.written().is_ok() && flushes().is_ok());
    }
}
