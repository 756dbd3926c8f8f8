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

    /// How many files it has open whose path has `part` in it.
    pub(crate) fn files(self, part: &str) -> anyhow::Result<usize> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0)).context("the server's files cannot be seen")?;
        let paths = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        Ok(paths.filter(|path| path.to_string_lossy().contains(part)).count())
    }
}

/// What all disks did for all processes together: how often they were told to make durable what they hold, and bytes
/// written. (What the kernel charges to a process counts whole folios of the page cache, however little of one was written.)
/// The figures of a disk are the sixteenth and the seventh (`Documentation/admin-guide/iostats.rst`).
pub(crate) fn disks() -> anyhow::Result<(f64, f64)> {
    let stats = fs::read_to_string("/proc/diskstats").context("the disks cannot be seen")?;
    let real = stats.lines().filter(|line| !line.contains(" loop") && !line.contains("ram"));
    let figure = |line: &str, at: usize| line.split_whitespace().nth(at)?.parse::<f64>().ok();
    let figures = real.map(|line| (figure(line, 18).unwrap_or(0.0), figure(line, 9).unwrap_or(0.0) * 512.0));
    Ok(figures.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_has_memory_and_has_run() {
        let me = Process::new(std::process::id());
        let (resident, anonymous) = me.memory().unwrap();
        assert!(resident > anonymous && anonymous > 0.0);
        assert!(me.cpu().is_ok() && disks().is_ok());
    }
}
