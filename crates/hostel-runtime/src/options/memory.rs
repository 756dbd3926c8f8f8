//! How much memory there is, and for how many open agents it is enough.

use std::{fs, sync::OnceLock};

/// What an agent in use holds, with its database open: pages, SQLite's log and its index, statements.
const AWAKE_BYTES: u64 = 192 << 10;
/// The part of all memory that is for them.
const SHARE: u64 = 8;
/// Without knowing.
const ASSUMED: u64 = 2 << 30;

/// For how many awake agents there is memory. Asked once.
pub(super) fn awake_agents() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| agents_in(bytes().unwrap_or(ASSUMED)))
}

fn agents_in(bytes: u64) -> usize {
    usize::try_from(bytes / SHARE / AWAKE_BYTES).unwrap_or(usize::MAX).clamp(512, 65_536)
}

/// What the machine has, or what the process may use of it.
fn bytes() -> Option<u64> {
    let machine = total(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let allowed = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|max| max.trim().parse().ok());
    Some(allowed.map_or(machine, |allowed| machine.min(allowed)))
}

fn total(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_the_memory_is_for_awake_agents() {
        let read = total("MemTotal:       24696064 kB\nMemFree:        1 kB\n").unwrap();
        assert_eq!(read, 24_696_064 << 10);
        assert_eq!(agents_in(read), 16_078);
        assert_eq!((agents_in(0), agents_in(u64::MAX)), (512, 65_536));
        assert_eq!(total("nothing"), None);
    }
}
