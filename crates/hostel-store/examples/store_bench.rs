//! Prints what the store costs here: opening, committing, creating, memory per open database.
//!
//! `cargo run --release -p hostel-store --example store_bench [DIR]`

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hostel_store::{AgentDb, Error, Options, Store, make_durable};

const AGENTS: usize = 1000;
const COMMITS: usize = 5000;

fn main() -> Result<(), Error> {
    let dir = std::env::args_os().nth(1).unwrap_or_else(|| "store-bench".into());
    let dir = Path::new(&dir);
    let store = Store::open(dir, Options::default())?;
    let mut agents = all(&store)?;
    for agent in agents.drain(..) {
        agent.destroy()?;
    }

    create(&store)?;
    let mut agents = all(&store)?;
    let before = resident_kb();
    report("open an existing agent and read its state", each(&mut agents, read)?);
    say_memory(resident_kb().saturating_sub(before));
    report("read the state of an open agent", each(&mut agents, read)?);
    report("first commit after opening, without sync", each(&mut agents, small_commit)?);
    let one = &mut agents[0];
    report("small commit, without sync", times(COMMITS, || small_commit(one))?);
    report("small commit and make_durable", times(COMMITS / 5, || durable(one))?);
    report("close after writing", each(&mut agents, AgentDb::release)?);
    report("open, read, close (no write)", each(&mut agents, |agent| read(agent).and_then(|()| agent.release()))?);
    report("destroy", times(AGENTS, || agents.pop().map_or(Ok(()), AgentDb::destroy))?);
    Ok(())
}

/// One agent after the other, so that only one is open at a time and memory stays as it is.
fn create(store: &Store) -> Result<(), Error> {
    let (mut first, mut second, mut closing) = (Vec::new(), Vec::new(), Vec::new());
    for mut agent in all(store)? {
        first.push(timed(|| small_commit(&mut agent))?);
        second.push(timed(|| durable(&mut agent))?);
        closing.push(timed(|| agent.release())?);
    }
    report("create: first commit of a new agent", first);
    report("  and a commit with make_durable", second);
    report("  and close (checkpoint, two syncs)", closing);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a program that prints its results")]
fn say_memory(kilobytes: u64) {
    println!("memory per open idle database: {:.1} KB", kilobytes as f64 / AGENTS as f64);
}

/// A state that differs from the one before: SQLite writes nothing for an equal one.
fn next_state() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1_000_000);
    format!(r#"{{"count":{}}}"#, COUNT.fetch_add(1, Ordering::Relaxed))
}

fn all(store: &Store) -> Result<Vec<AgentDb>, Error> {
    (0..AGENTS).map(|n| store.agent("bench", &format!("agent {n}"))).collect()
}

fn small_commit(agent: &mut AgentDb) -> Result<(), Error> {
    agent.begin()?;
    agent.set_state(&next_state())?;
    agent.commit().map(drop)
}

fn durable(agent: &mut AgentDb) -> Result<(), Error> {
    agent.set_state(&next_state())?;
    agent.commit()?.map_or(Ok(()), |commit| make_durable(&commit))
}

fn read(agent: &mut AgentDb) -> Result<(), Error> {
    agent.state().map(drop)
}

fn each(
    agents: &mut [AgentDb],
    mut run: impl FnMut(&mut AgentDb) -> Result<(), Error>,
) -> Result<Vec<Duration>, Error> {
    agents.iter_mut().map(|agent| timed(|| run(agent))).collect()
}

fn times(count: usize, mut run: impl FnMut() -> Result<(), Error>) -> Result<Vec<Duration>, Error> {
    (0..count).map(|_| timed(&mut run)).collect()
}

fn timed(mut run: impl FnMut() -> Result<(), Error>) -> Result<Duration, Error> {
    let begun = Instant::now();
    run()?;
    Ok(begun.elapsed())
}

#[allow(clippy::print_stdout, reason = "a program that prints its results")]
fn report(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!("{what:<45} p50 {:>9.1} us   p99 {:>9.1} us", at(0.5), at(0.99));
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
