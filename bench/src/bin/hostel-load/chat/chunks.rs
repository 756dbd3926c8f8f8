//! What a chunk costs on its way through, and what it costs whoever reads the provider's stream without anything between.

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use super::{
    Client,
    provider::{Wish, moments, now},
};
use crate::{
    flags::{Chunks, Flags},
    histogram::Histogram,
    process::Process,
    report::Report,
};

/// How many chunks the first answer has, which is not measured.
const FIRST: usize = 1_000;

impl Chunks {
    fn wish(&self) -> Wish {
        Wish::new(self.chunks, Duration::from_micros(self.pace_us))
    }
}

/// Answers, one after the other.
pub(crate) async fn run(flags: &Flags, chunks: &Chunks) -> anyhow::Result<Report> {
    let process = Process::new(flags.pid.context("processor time needs --pid")?);
    Client::open(flags, &format!("first-{}", chunks.pace_us))
        .await?
        .talk(Wish { chunks: FIRST, ..chunks.wish() }, drop)
        .await?;
    let mut clients = Vec::new();
    for answer in 0..chunks.answers {
        clients.push(Client::open(flags, &format!("chunks-{}-{answer}", chunks.pace_us)).await?);
    }
    let (mut delays, mut frames) = (Histogram::default(), 0);
    let (begun, cpu) = (Instant::now(), process.cpu()?);
    for client in &mut clients {
        frames += client.talk(chunks.wish(), |moment| delays.add(since(moment))).await?;
    }
    let (took, used) = (begun.elapsed(), process.cpu()? - cpu);
    Ok(report(flags, chunks, took, used, &delays).with("chunks a frame", all(chunks) / frames as f64))
}

/// The same by a process that only reads, on the core of the servers.
pub(crate) async fn floor(flags: &Flags, chunks: &Chunks) -> anyhow::Result<Report> {
    let told = [
        ("--provider", flags.provider.to_string()),
        ("--label", flags.label.clone()),
        ("--answers", chunks.answers.to_string()),
        ("--chunks", chunks.chunks.to_string()),
        ("--pace-us", chunks.pace_us.to_string()),
    ];
    let mut reader = Command::new("taskset");
    reader.args(["-c", "0"]).arg(env::current_exe()?).args(["chat-read", "--json"]);
    let output = reader.args(told.iter().flat_map(|(flag, value)| [*flag, value])).output().await?;
    ensure!(output.status.success(), "the reader failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Reads the provider's stream.
pub(crate) async fn read(flags: &Flags, chunks: &Chunks) -> anyhow::Result<Report> {
    let process = Process::new(std::process::id());
    let mut delays = Histogram::default();
    read_one(flags, Wish { chunks: FIRST, ..chunks.wish() }, &mut Histogram::default()).await?;
    let (begun, cpu) = (Instant::now(), process.cpu()?);
    for _ in 0..chunks.answers {
        read_one(flags, chunks.wish(), &mut delays).await?;
    }
    Ok(report(flags, chunks, begun.elapsed(), process.cpu()? - cpu, &delays))
}

async fn read_one(flags: &Flags, wish: Wish, delays: &mut Histogram) -> anyhow::Result<()> {
    let body = serde_json::json!({"stream": true, "messages": [{"role": "user", "content": wish.question()}]});
    let body = body.to_string();
    let mut stream = TcpStream::connect(flags.provider).await?;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await?;
    let (mut bytes, mut heard) = (Vec::with_capacity(1 << 16), 0);
    while stream.read_buf(&mut bytes).await? > 0 {
        let end = moments(&bytes, |moment| {
            heard += 1;
            delays.add(since(moment));
        });
        bytes.drain(..end);
    }
    ensure!(heard == wish.chunks, "{heard} of {} chunks arrived", wish.chunks);
    Ok(())
}

pub(super) fn since(moment: u64) -> Duration {
    Duration::from_nanos(now().saturating_sub(moment))
}

fn all(chunks: &Chunks) -> f64 {
    (chunks.answers * chunks.chunks) as f64
}

fn report(flags: &Flags, chunks: &Chunks, took: Duration, used: Duration, delays: &Histogram) -> Report {
    let pace = if chunks.pace_us == 0 { "at full speed".to_owned() } else { format!("every {} µs", chunks.pace_us) };
    Report::new(&flags.label, format!("{} chunks {pace}", all(chunks)))
        .with("µs a chunk", took.as_secs_f64() * 1e6 / all(chunks))
        .with("µs of CPU a chunk", used.as_secs_f64() * 1e6 / all(chunks))
        .with("µs delay p50", delays.quantile_us(0.5))
        .with("µs delay p99", delays.quantile_us(0.99))
}
