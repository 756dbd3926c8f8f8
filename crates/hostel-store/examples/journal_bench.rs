//! Durable increments: what the journal costs and gives.
//!
//! `cargo run --release -p hostel-store --example journal_bench [DIR]`

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hostel_store::{AgentDb, Error, Options, Store, make_durable};

const FOR: Duration = Duration::from_secs(3);

fn main() -> Result<(), Error> {
    let dir = std::env::args_os().nth(1).unwrap_or_else(|| "journal-bench".into());
    let dir = Path::new(&dir);
    fresh(dir);
    floor(dir);
    creation(dir)?;
    for (agents, pipelined) in [(1, 1), (1, 16), (16, 1), (16, 16), (256, 1), (256, 16)] {
        increments(dir, agents, pipelined)?;
    }
    recovery(dir)
}

fn fresh(dir: &Path) {
    fs::remove_dir_all(dir).unwrap_or_default();
    fs::create_dir_all(dir).unwrap_or_default();
}

#[allow(clippy::print_stdout, reason = "a program that prints its results")]
fn say(line: &str) {
    println!("{line}");
}

/// What this disk takes for one `fdatasync` of a small write into reserved space.
fn floor(dir: &Path) {
    let Ok(file) = File::create(dir.join("floor")) else { return };
    if file.write_all_at(&vec![0; 4 << 20], 0).and_then(|()| file.sync_all()).is_err() {
        return;
    }
    let mut took: Vec<Duration> = (0..500)
        .map(|n| {
            let begun = Instant::now();
            let _same = file.write_all_at(&[7; 400], n * 400).and_then(|()| file.sync_data());
            begun.elapsed()
        })
        .collect();
    say(&format!("one fdatasync                              {}", percentiles(&mut took)));
}

fn percentiles(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    format!("p50 {:>7.0} us  p99 {:>7.0} us", at(0.5), at(0.99))
}

fn creation(dir: &Path) -> Result<(), Error> {
    fresh(dir);
    let store = Store::open(dir, Options::default())?;
    let mut took = Vec::new();
    let begun = Instant::now();
    for n in 0..3000 {
        let one = Instant::now();
        let mut agent = store.agent("bench", &n.to_string())?;
        agent.set_state("{\"count\":1}")?;
        let commit = agent.commit()?;
        agent.close()?;
        drop(commit);
        took.push(one.elapsed());
    }
    let rate = 3000.0 / begun.elapsed().as_secs_f64();
    say(&format!("create, write once, close, one by one       {}  {rate:.0}/s", percentiles(&mut took)));
    Ok(())
}

/// One thread runs the turns of all agents; each agent has at most `pipelined` of them unacknowledged.
fn increments(dir: &Path, agents: usize, pipelined: usize) -> Result<(), Error> {
    fresh(dir);
    let store = Store::open(dir, Options::default())?;
    let mut all: Vec<AgentDb> = (0..agents).map(|n| store.agent("bench", &n.to_string())).collect::<Result<_, _>>()?;
    for agent in &mut all {
        agent.set_state("{\"count\":0}")?;
        agent.commit()?.map_or(Ok(()), |commit| make_durable(&commit))?;
    }
    let before = store.journal_counts();
    let (tell, told) = mpsc::channel();
    let (mut took, mut count) = (Vec::new(), 0_u64);
    let begun = Instant::now();
    for _ in 0..pipelined {
        for (n, agent) in all.iter_mut().enumerate() {
            count += 1;
            increment(&store, agent, n, count, &tell)?;
        }
    }
    let mut under_way = agents * pipelined;
    while under_way > 0 {
        let Ok((n, since)) = told.recv() else { break };
        took.push(Instant::now().duration_since(since));
        under_way -= 1;
        if begun.elapsed() < FOR {
            count += 1;
            increment(&store, &mut all[n], n, count, &tell)?;
            under_way += 1;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = store.journal_counts();
    let (syncs, bytes) = (after.syncs - before.syncs, after.bytes - before.bytes);
    say(&format!(
        "{agents:>4} agents, {pipelined:>2} each under way  {:>7.0}/s  {}  {syncs:>6} syncs  {:>5} bytes each",
        count as f64 / seconds,
        percentiles(&mut took),
        bytes / count.max(1),
    ));
    Ok(())
}

fn increment(
    store: &Store,
    agent: &mut AgentDb,
    n: usize,
    count: u64,
    tell: &mpsc::Sender<(usize, Instant)>,
) -> Result<(), Error> {
    let (tell, since) = (tell.clone(), Instant::now());
    agent.begin()?;
    agent.set_state(&format!("{{\"count\":{count}}}"))?;
    if let Some(commit) = agent.commit()? {
        store.submit(commit, move |outcome| {
            if outcome.is_ok() {
                let _done = tell.send((n, since));
            }
        });
    }
    Ok(())
}

/// Writes a journal, leaves it as a kill would, and times the next start.
fn recovery(dir: &Path) -> Result<(), Error> {
    fresh(dir);
    let live = dir.join("live");
    let options = Options { checkpoint_bytes: u64::MAX, checkpoint_after: Duration::MAX, ..Options::default() };
    let store = Store::open(&live, options.clone())?;
    let mut all: Vec<AgentDb> = (0..256).map(|n| store.agent("bench", &n.to_string())).collect::<Result<_, _>>()?;
    let written = Arc::new(AtomicU64::new(0));
    while store.journal_counts().bytes < 100 << 20 {
        for agent in &mut all {
            let count = written.fetch_add(1, Ordering::Relaxed);
            agent.begin()?;
            agent.set_state(&format!("{{\"count\":{count}}}"))?;
            agent.commit()?;
        }
    }
    for agent in &mut all {
        agent.sync_handle().map_or(Ok(()), |handle| handle.sync())?;
    }
    let copy = dir.join("copy");
    copy_all(&live, &copy);
    let begun = Instant::now();
    let _again = Store::open(&copy, options)?;
    let records = store.journal_counts().entries;
    say(&format!("recovery of 100 MB ({records} records, 256 agents)  {:.2} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_default();
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (path, there) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy_all(&path, &there) } else { fs::copy(&path, &there).map(drop).unwrap_or_default() }
    }
}
