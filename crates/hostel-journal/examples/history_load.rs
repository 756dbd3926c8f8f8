//! What history costs: time and memory of taking segments apart, of folding, and of reading one agent's turns.
//!
//! ```sh
//! cargo run --release -p hostel-journal --example history_load -- make DIR 1000000 1   # agents, turns of each
//! cargo run --release -p hostel-journal --example history_load -- tend DIR
//! cargo run --release -p hostel-journal --example history_load -- read DIR
//! cargo run --release -p hostel-journal --example history_load -- fold DIR
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use hostel_journal::{AgentId, Archive, Entry, EntryHead, Kind, LocalDisk, Log, LogOptions, Retention, Tail};

const PAGE: u32 = 4096;
const BATCH: u64 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, dir, rest @ ..] = args.as_slice() else {
        return Err("usage: make|tend|read|fold DIR [AGENTS TURNS]".into());
    };
    std::fs::create_dir_all(Path::new(dir).join("journal"))?;
    let disk = LocalDisk::new(Path::new(dir))?;
    let begun = Instant::now();
    match (what.as_str(), rest) {
        ("make", [agents, turns]) => make(&disk, agents.parse()?, turns.parse()?)?,
        ("tend", []) => println!("{:?}", keeping(&disk, 1 << 40).tend(0)?),
        ("fold", []) => println!("{:?}", keeping(&disk, 1).tend(0)?),
        ("read", []) => read(&disk)?,
        _ => return Err("make wants agents and turns".into()),
    }
    println!("{what}: {:?}, at most {} MB of memory", begun.elapsed(), peak_kb() / 1024);
    Ok(())
}

fn keeping(disk: &LocalDisk, bytes: u64) -> Archive<LocalDisk> {
    let age = Duration::from_secs(1 << 32);
    Archive::new(disk.clone(), move |_: &str| Retention { age, bytes })
}

fn make(disk: &LocalDisk, agents: u64, turns: u64) -> Result<(), Box<dyn Error>> {
    let archive = keeping(disk, 1 << 40);
    let mut log = Log::begin(disk.clone(), LogOptions::default(), 1, Tail::default(), 0, 1)?;
    for turn in 0..turns {
        for first in (0..agents).step_by(BATCH as usize) {
            let batch: Vec<Entry> = (first..agents.min(first + BATCH)).map(|agent| entry(agent, turn)).collect();
            log.append(batch.iter())?;
        }
    }
    log.end(None, |_, extent| archive.take_over(&extent.path(), extent.id, extent.end))?;
    Ok(())
}

/// A turn that writes two pages of some hundred bytes each.
fn entry(agent: u64, turn: u64) -> Entry {
    let name = format!("agent-{agent}");
    let mut page = [0; PAGE as usize];
    for (n, byte) in page.iter_mut().take(300).enumerate() {
        *byte = (agent as usize * 31 + n * 7 + turn as usize) as u8;
    }
    let head = EntryHead {
        agent: AgentId(u128::from(agent.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64),
        namespace: "counter",
        name: &name,
        epoch: 1,
        kind: if turn == 0 { Kind::Create } else { Kind::Commit },
        time_ms: turn.cast_signed(),
        cause: b"call increment",
        page_size: PAGE,
        db_pages: 3,
    };
    Entry::new(&head, [(1, &page[..]), (3, &page[..])].into_iter())
}

fn read(disk: &LocalDisk) -> Result<(), Box<dyn Error>> {
    let archive = keeping(disk, 1 << 40);
    for agent in [0_u64, 7, 4711] {
        let begun = Instant::now();
        let id = AgentId(u128::from(agent.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64);
        let found = archive.records("counter", id)?;
        println!("agent {agent}: {} turns in {:?}", found.len(), begun.elapsed());
    }
    println!("{:?}", archive.sizes()?);
    Ok(())
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
