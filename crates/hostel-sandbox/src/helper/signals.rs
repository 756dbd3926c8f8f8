//! Signals that whoever started the server told it to ignore: a shell does that for what it starts with `&`, `nohup` for what it starts.
//!
//! A program goes on ignoring them in whatever it becomes, and a shell cannot even set a trap for one: without this no command of such a
//! server could be interrupted.

use std::fs;
use std::io;
use std::sync::Arc;

use signal_hook::consts::FORBIDDEN;
use signal_hook::flag;

/// Makes every signal mean to the program this process becomes what it usually means.
///
/// `execve(2)`: a signal that is handled is as usual again in the new program, one that is ignored stays ignored.
pub(super) fn as_usual() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let signals = (1..=31).filter(|signal| ignored & (1 << (signal - 1)) != 0);
    for signal in signals.filter(|signal| !FORBIDDEN.contains(signal)) {
        flag::register(signal, Arc::default())?;
    }
    Ok(())
}
