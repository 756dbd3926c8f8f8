//! Many agents due at the same moment: whether each runs, once, and how late.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use futures_util::{StreamExt, TryStreamExt, stream};
use hostel::{AgentId, App, Order, Timestamp, When, prelude::*};
use hostel_bench::{runtime, say};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Orders under way at a time.
const ORDERS: usize = 512;

/// Orders one run of one task on each of many agents, all due at the same moment, and watches them run.
#[derive(Debug, Parser)]
struct Flags {
    /// How many agents.
    #[arg(long, default_value_t = 100_000)]
    agents: usize,
    /// A directory for their data; a temporary one without.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Threads that run agents.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds between the last order and the moment they are due.
    #[arg(long, default_value_t = 5)]
    after: u64,
}

/// What each agent did.
struct Log {
    runs: Vec<AtomicU32>,
    /// In microseconds.
    lateness: Vec<AtomicU64>,
    /// Unix milliseconds.
    due: AtomicU64,
}

#[derive(Default, Serialize, Deserialize)]
struct Bell {
    rung: u32,
}

#[agent]
impl Bell {
    #[task]
    fn ring(&mut self, cx: &Cx<Self>, index: usize) -> Result<()> {
        let log = cx.env::<Arc<Log>>()?;
        let late = cx.now().as_microsecond() - i64::try_from(log.due.load(Ordering::Relaxed))? * 1_000;
        log.lateness[index].store(late.max(0).unsigned_abs(), Ordering::Relaxed);
        log.runs[index].fetch_add(1, Ordering::Relaxed);
        self.rung += 1;
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    runtime(flags.threads)?.block_on(measure(&flags))
}

async fn measure(flags: &Flags) -> anyhow::Result<()> {
    let scratch =
        flags.data.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("hostel-due-{}", std::process::id())));
    let log = Arc::new(Log {
        runs: (0..flags.agents).map(|_| AtomicU32::new(0)).collect(),
        lateness: (0..flags.agents).map(|_| AtomicU64::new(0)).collect(),
        due: AtomicU64::new(0),
    });
    let app = App::new().agent::<Bell>().data(&scratch).env(Arc::clone(&log));
    let home = app.start().await?;
    let node = home.edge().node().clone();
    let begun = Instant::now();
    // The moment must lie behind the last order, however long those take: at first it is far away, then moved near.
    let far = When::At(Timestamp::now() + Duration::from_secs(86_400));
    order(&node, flags.agents, &far).await?;
    say(&format!("{} agents have a schedule after {:.1} s", flags.agents, begun.elapsed().as_secs_f64()))?;
    let moved = Instant::now();
    let due = Timestamp::now() + Duration::from_secs(flags.after) + begun.elapsed();
    log.due.store(due.as_millisecond().unsigned_abs(), Ordering::Relaxed);
    order(&node, flags.agents, &When::At(due)).await?;
    let early = due.as_millisecond() > Timestamp::now().as_millisecond();
    say(&format!(
        "all moved to one moment after {:.1} s, {}",
        moved.elapsed().as_secs_f64(),
        if early { "in time" } else { "TOO LATE" }
    ))?;
    watch(&log, due).await?;
    report(&log)?;
    node.shutdown(Duration::from_secs(30)).await;
    drop((home, node));
    if flags.data.is_none() {
        fs::remove_dir_all(&scratch)?;
    }
    Ok(())
}

async fn order(node: &hostel::Node, agents: usize, when: &When) -> anyhow::Result<()> {
    let orders = stream::iter(0..agents).map(|index| async move {
        let run = Order { when: Some(when.clone()), key: Some("bell".into()), ..Order::new("ring", &(index,))? };
        node.order(&AgentId::new("Bell", &format!("bell-{index}")), run, None).await
    });
    let kept = orders.buffer_unordered(ORDERS).try_for_each(|_| async { Ok(()) }).await;
    kept.map_err(|error| anyhow::anyhow!("{error:?}"))
}

async fn watch(log: &Log, due: Timestamp) -> anyhow::Result<()> {
    let ran = || log.runs.iter().filter(|runs| runs.load(Ordering::Relaxed) > 0).count();
    let mut shown = 0;
    while ran() < log.runs.len() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (now, since) = (ran(), Timestamp::now().as_millisecond() - due.as_millisecond());
        if now > shown && since > 0 {
            say(&format!("  {:>6.1} s: {now} ran, {} MB", since as f64 / 1_000.0, memory_mb("VmRSS")))?;
            shown = now;
        }
    }
    // Whatever would run twice has its chance.
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(())
}

fn report(log: &Log) -> anyhow::Result<()> {
    let twice = log.runs.iter().filter(|runs| runs.load(Ordering::Relaxed) != 1).count();
    let mut lateness: Vec<u64> = log.lateness.iter().map(|late| late.load(Ordering::Relaxed)).collect();
    lateness.sort_unstable();
    let at = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize] as f64 / 1_000_000.0;
    say(&format!(
        "{} ran, {twice} not exactly once; late by {:.2} s (median), {:.2} s (99 %), {:.2} s (most); at most {} MB",
        log.runs.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        memory_mb("VmHWM")
    ))?;
    Ok(())
}

/// A figure of this process, in megabytes.
fn memory_mb(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default() / 1_024
}
