//! What the programs of the benchmark have in common.

use std::io::{self, Write};

use tokio::runtime::{Builder, Runtime};

/// The runtime all servers of the benchmark run on: one thread needs no scheduler between threads.
///
/// # Errors
/// When the operating system refuses it.
pub fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// Prints a line at once.
///
/// # Errors
/// When nobody reads it any more.
pub fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
