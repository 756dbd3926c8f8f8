//! What the disk takes to make a small write durable: the floor under every durable call.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    flags::{Disk, Flags},
    histogram::Histogram,
    report::Report,
};

/// Bytes of one write, about those of a journal's record.
const WRITE: usize = 256;
/// Bytes of the file, written once before, so that a write changes no metadata.
const FILE: usize = 16 << 20;

/// Writes and syncs, one after the other.
pub(crate) fn run(flags: &Flags, disk: &Disk) -> anyhow::Result<Report> {
    let path = disk.directory.join("hostel-load.disk");
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let file = file.with_context(|| format!("cannot create {}", path.display()))?;
    let measured = measure(&file, disk.seconds);
    std::fs::remove_file(&path)?;
    let latencies = measured?;
    Ok(Report::new(&flags.label, "one fdatasync")
        .with("µs p50", latencies.quantile_us(0.5))
        .with("µs p99", latencies.quantile_us(0.99)))
}

fn measure(file: &File, seconds: f64) -> anyhow::Result<Histogram> {
    file.write_all_at(&vec![0; FILE], 0)?;
    file.sync_all()?;
    let mut latencies = Histogram::default();
    let begun = Instant::now();
    for at in (0..).map(|n: usize| n * WRITE % FILE) {
        if begun.elapsed() > Duration::from_secs_f64(seconds) {
            break;
        }
        let one = Instant::now();
        file.write_all_at(&[7; WRITE], at as u64)?;
        file.sync_data()?;
        latencies.add(one.elapsed());
    }
    Ok(latencies)
}
