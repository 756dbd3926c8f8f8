//! Many clients that call one method over and over.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures_util::future::try_join_all;
use tokio::task::JoinSet;

use crate::{
    connection::{Connection, call},
    flags::{Flags, Load},
    frame,
    histogram::Histogram,
    process::{self, Process},
    report::Report,
};

pub(crate) const WARM_UP: Duration = Duration::from_millis(500);
/// Connections made at a time.
const AT_ONCE: usize = 64;

/// What all clients have done.
#[derive(Default)]
struct Done {
    calls: Cell<u64>,
    measuring: Cell<bool>,
    latencies: RefCell<Histogram>,
}

/// Calls `method` as fast as the server answers.
pub(crate) async fn run(flags: &Flags, load: &Load, method: &str) -> anyhow::Result<Report> {
    let done = Rc::new(Done::default());
    let mut clients = JoinSet::new();
    for connection in connect(flags, load, method).await? {
        let client = Client::new(connection, method, load.pipeline, flags.floor);
        clients.spawn_local(client.run(Rc::clone(&done)));
    }
    let measured = tokio::select! {
        measured = measure(flags, &done, load.seconds) => measured?,
        Some(failed) = clients.join_next() => {
            failed??;
            anyhow::bail!("a client stopped");
        }
    };
    Ok(report(Report::new(&flags.label, scenario(load, method)), &measured, &done.latencies.borrow()))
}

fn scenario(load: &Load, method: &str) -> String {
    let depth = if load.pipeline == 1 { String::new() } else { format!(" x{}", load.pipeline) };
    match method {
        "ping" => format!("calls{depth}"),
        _ if load.agents == 1 => format!("increments, 1 agent{depth}"),
        _ => format!("increments, {} agents{depth}", load.agents),
    }
}

/// All clients, a few at a time, each with its first call behind it: that makes a new agent's files, which is not what is
/// measured here. A file system may take milliseconds for each if as many were deleted shortly before.
async fn connect(flags: &Flags, load: &Load, method: &str) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for begun in (0..load.connections).step_by(AT_ONCE) {
        let indices = begun..load.connections.min(begun + AT_ONCE);
        let names: Vec<_> = indices.map(|index| format!("calls-{}", index % load.agents.max(1))).collect();
        let ready = names.iter().map(|name| ready(flags, name, method));
        connections.extend(try_join_all(ready).await?);
    }
    Ok(connections)
}

async fn ready(flags: &Flags, name: &str, method: &str) -> anyhow::Result<Connection> {
    let mut connection = Connection::ready(flags, name).await?;
    if !flags.floor {
        connection.call(method).await?;
    }
    Ok(connection)
}

struct Measured {
    calls: f64,
    wall: f64,
    cpu: Option<f64>,
    /// Flushes of all disks, and bytes written to them.
    disk: Option<(f64, f64)>,
}

async fn measure(flags: &Flags, done: &Done, seconds: f64) -> anyhow::Result<Measured> {
    tokio::time::sleep(WARM_UP).await;
    done.measuring.set(true);
    let process = flags.pid.map(Process::new);
    let cpu = || process.map(Process::cpu).transpose();
    let disk = || process.map(|_| process::disks()).transpose();
    let (calls, begun, cpu_before, disk_before) = (done.calls.get(), Instant::now(), cpu()?, disk()?);
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let used = cpu()?.zip(cpu_before).map(|(after, before)| (after - before).as_secs_f64());
    let disk = disk()?.zip(disk_before).map(|(after, before)| (after.0 - before.0, after.1 - before.1));
    Ok(Measured { calls: (done.calls.get() - calls) as f64, wall: begun.elapsed().as_secs_f64(), cpu: used, disk })
}

fn report(report: Report, measured: &Measured, latencies: &Histogram) -> Report {
    let report = report.with("calls/s", measured.calls / measured.wall);
    let report = match measured.cpu.filter(|cpu| *cpu > 0.0) {
        Some(cpu) => {
            report.with("calls per second of CPU", measured.calls / cpu).with("cores busy", cpu / measured.wall)
        }
        None => report,
    };
    // A call without a write leaves the disk alone.
    let report = match measured.disk.filter(|_| report.scenario.starts_with("increments")) {
        Some((flushes, bytes)) => report
            .with("disk flushes/s", flushes / measured.wall)
            .with("increments per flush", measured.calls / flushes.max(1.0))
            .with("bytes written each", bytes / measured.calls.max(1.0)),
        None => report,
    };
    report.with("µs p50", latencies.quantile_us(0.5)).with("µs p99", latencies.quantile_us(0.99))
}

struct Client {
    connection: Connection,
    /// The frames of all calls under way, twice: any run of them can be written at once.
    frames: Vec<u8>,
    one: usize,
    pipeline: usize,
    sent: VecDeque<Instant>,
    next: usize,
    floor: bool,
}

impl Client {
    fn new(connection: Connection, method: &str, pipeline: usize, floor: bool) -> Self {
        let frames: Vec<u8> =
            (0..pipeline * 2).flat_map(|index| frame::text(&call(method, index % pipeline))).collect();
        let one = frames.len() / (pipeline * 2);
        Self { connection, frames, one, pipeline, sent: VecDeque::new(), next: 0, floor }
    }

    async fn run(mut self, done: Rc<Done>) -> anyhow::Result<()> {
        self.send(self.pipeline).await?;
        loop {
            self.connection.read().await?;
            let replies = self.take_replies(&done)?;
            if replies > 0 {
                self.send(replies).await?;
            }
        }
    }

    async fn send(&mut self, calls: usize) -> anyhow::Result<()> {
        let now = Instant::now();
        self.sent.extend(std::iter::repeat_n(now, calls));
        let from = self.next * self.one;
        self.next = (self.next + calls) % self.pipeline;
        self.connection.send(&self.frames[from..from + calls * self.one]).await
    }

    fn take_replies(&mut self, done: &Done) -> anyhow::Result<usize> {
        let now = Instant::now();
        let mut replies = 0;
        while let Some(text) = self.connection.next_text()? {
            if !self.floor && !text.contains("\"success\":") {
                continue;
            }
            ensure!(self.floor || text.contains("\"success\":true"), "{text}");
            replies += 1;
            let sent = self.sent.pop_front().filter(|_| done.measuring.get());
            sent.iter().for_each(|sent| done.latencies.borrow_mut().add(now - *sent));
        }
        done.calls.set(done.calls.get() + replies as u64);
        Ok(replies)
    }
}
