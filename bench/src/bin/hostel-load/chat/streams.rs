//! Many answers at once.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::future::try_join_all;

use super::{Client, chunks::since, memory::open, provider::Wish};
use crate::{
    flags::{Flags, Streams},
    histogram::Histogram,
    process::Process,
    report::Report,
};

/// Asks in every conversation, and hears all answers.
pub(crate) async fn run(flags: &Flags, streams: &Streams) -> anyhow::Result<Report> {
    let process = Process::new(flags.pid.context("processor time needs --pid")?);
    let wish = Wish::new(streams.chunks, Duration::from_millis(streams.pace_ms));
    let mut clients = Vec::new();
    open(flags, "stream", streams.streams, &mut clients).await?;
    let delays = RefCell::new(Histogram::default());
    let (begun, cpu) = (Instant::now(), process.cpu()?);
    let answers = clients.iter_mut().map(|client| hear(client, wish, &delays));
    let frames: usize = try_join_all(answers).await?.into_iter().sum();
    let (took, used) = (begun.elapsed().as_secs_f64(), (process.cpu()? - cpu).as_secs_f64());
    let chunks = (streams.streams * streams.chunks) as f64;
    let delays = delays.into_inner();
    let scenario = format!("{} streams, a chunk every {} ms", streams.streams, streams.pace_ms);
    Ok(Report::new(&flags.label, scenario)
        .with("chunks/s", chunks / took)
        .with("% of the core", used / took * 100.0)
        .with("µs of CPU a chunk", used * 1e6 / chunks)
        .with("ms delay p50", delays.quantile_us(0.5) / 1e3)
        .with("ms delay p99", delays.quantile_us(0.99) / 1e3)
        .with("chunks a frame", chunks / frames as f64)
        .with("s in all", took))
}

async fn hear(client: &mut Client, wish: Wish, delays: &RefCell<Histogram>) -> anyhow::Result<usize> {
    client.talk(wish, |moment| delays.borrow_mut().add(since(moment))).await
}
