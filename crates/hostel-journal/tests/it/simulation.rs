//! Random schedules of turns, batches, copies, checkpoints, faults, kills and power cuts. One seed, one schedule.
//!
//! `HOSTEL_SIM_SCHEDULES=100000` runs more of them, `HOSTEL_SIM_SEED=n` one alone.

use std::time::Duration;

use hostel_journal::Retention;

use super::archive::FOREVER;
use super::disk::{Faults, Random, SimDisk};
use super::node::{Node, Sabotage};

const AGENTS: u64 = 5;
const STEPS: u64 = 120;

/// What a schedule has done, so that a simulation in which nothing happens does not pass for one.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: u64,
    restarts: u64,
    refused: u64,
    /// Schedules that ended with a base of images.
    folded: u64,
}

fn schedule(seed: u64, sabotage: Sabotage, syncs_lie: bool, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random(seed);
    let age = if random.one_in(2) { FOREVER.age } else { Duration::from_millis(8 + random.below(60)) };
    let disk = SimDisk::default();
    let mut node = Node::new(&disk);
    node.sabotage = sabotage;
    node.set_retention(Retention { age, ..FOREVER });
    disk.set_faults(Faults { syncs_lie, ..Faults::default() });
    for _ in 0..STEPS {
        let agent = random.below(AGENTS);
        let went = match random.below(26) {
            0..12 => {
                node.turn(agent, &mut random);
                Ok(())
            }
            12..17 => node.flush(),
            17..20 => node.copy(agent),
            20 => node.turn_over(),
            21 => node.checkpoint(),
            22 | 23 => node.tend(),
            24 => {
                arm(&disk, &mut random, syncs_lie);
                Ok(())
            }
            _ => Err(std::io::Error::other("it is time")),
        };
        tally.refused += u64::from(went.is_err());
        if went.is_err() && random.one_in(2) {
            crash(&disk, &mut node, &mut random, tally)?;
            disk.set_faults(Faults { syncs_lie, ..Faults::default() });
        }
    }
    crash(&disk, &mut node, &mut random, tally)?;
    node.tend().map_err(|e| e.to_string())?;
    tally.acknowledged += node.acknowledged;
    tally.folded += u64::from(disk.paths().iter().any(|path| path.contains("/base-")));
    node.check_history()
}

/// Something is about to go wrong.
fn arm(disk: &SimDisk, random: &mut Random, syncs_lie: bool) {
    let faults = match random.below(3) {
        0 => Faults { cut_at: Some(random.below(40)), ..Faults::default() },
        1 => Faults { change_fails_at: Some(1 + random.below(40)), ..Faults::default() },
        _ => Faults { sync_fails_at: Some(1 + random.below(6)), ..Faults::default() },
    };
    disk.set_faults(Faults { syncs_lie, ..faults });
}

/// The process ends, with or without the power, and starts again; now and then it is interrupted at that.
fn crash(disk: &SimDisk, node: &mut Node, random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    loop {
        if random.one_in(3) {
            disk.kill()
        } else {
            disk.power_cut(random)
        }
        if random.one_in(3) {
            disk.set_faults(Faults { cut_at: Some(random.below(30)), ..Faults::default() });
        }
        match node.restart() {
            Ok(verdict) => {
                tally.restarts += 1;
                disk.set_faults(Faults::default());
                return verdict;
            }
            Err(error) if error.to_string().contains("power is gone") => {}
            Err(error) => return Err(format!("the start failed: {error}")),
        }
    }
}

fn schedules(default: u64) -> u64 {
    std::env::var("HOSTEL_SIM_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn no_schedule_loses_an_acknowledged_turn_or_breaks_the_order() {
    let mut tally = Tally::default();
    if let Some(seed) = std::env::var("HOSTEL_SIM_SEED").ok().and_then(|n| n.parse().ok()) {
        return schedule(seed, Sabotage::default(), false, &mut tally).unwrap();
    }
    let count = schedules(300);
    for seed in 0..count {
        if let Err(why) = schedule(seed, Sabotage::default(), false, &mut tally) {
            panic!("HOSTEL_SIM_SEED={seed}: {why}");
        }
    }
    assert!(tally.folded > count / 4, "{tally:?}");
    assert!(tally.acknowledged > count * 20 && tally.restarts > count && tally.refused > count, "{tally:?}");
}

/// Seeds that have found something.
const FOUND: &[u64] = &[
    // Segments were retired while the log was closed, so numbers were used twice.
    2741,
    // A segment was handed over, the process killed before that was durable, younger ones removed, the power cut.
    17933,
    // A base of images had its name, but the sync of that had failed; what it replaces was removed, the power cut.
    4522,
    // A file of history had its name, but the sync of that had failed; it was put on the list of what there should be, the power cut.
    9408,
];

#[test]
fn what_was_found_once_stays_mended() {
    for &seed in FOUND {
        let mut tally = Tally::default();
        schedule(seed, Sabotage::default(), false, &mut tally)
            .unwrap_or_else(|why| panic!("HOSTEL_SIM_SEED={seed}: {why}"));
    }
}

/// Looks for the loss that a sabotage must cause.
fn finds(sabotage: Sabotage, syncs_lie: bool) -> Option<String> {
    let mut tally = Tally::default();
    (0..300).find_map(|seed| {
        let run = std::panic::AssertUnwindSafe(|| schedule(seed, sabotage, syncs_lie, &mut tally));
        std::panic::catch_unwind(run).unwrap_or_else(|_| Err("it panicked".to_owned())).err()
    })
}

#[test]
fn a_gate_that_opens_early_is_found() {
    let found = finds(Sabotage { gate_opens_early: true, ..Sabotage::default() }, false);
    assert!(found.as_ref().is_some_and(|why| why.contains("acknowledged")), "{found:?}");
}

#[test]
fn ignored_checksums_are_found() {
    assert!(finds(Sabotage { checksums_ignored: true, ..Sabotage::default() }, false).is_some());
}

#[test]
fn a_sync_that_does_nothing_is_found() {
    let found = finds(Sabotage::default(), true);
    assert!(found.is_some(), "{found:?}");
}

#[test]
fn rule_3_a_page_copied_before_it_is_durable_is_found() {
    let found = finds(Sabotage { copies_early: true, ..Sabotage::default() }, false);
    assert!(found.is_some(), "{found:?}");
}

#[test]
fn rule_7_a_retirement_without_a_sync_is_found() {
    let found = finds(Sabotage { retires_without_sync: true, ..Sabotage::default() }, false);
    assert!(found.is_some(), "{found:?}");
}

#[test]
fn a_hand_over_without_a_sync_is_found() {
    let found = finds(Sabotage { hands_over_without_sync: true, ..Sabotage::default() }, false);
    assert!(found.is_some(), "{found:?}");
}

#[test]
fn history_that_is_deleted_is_found() {
    let found = finds(Sabotage { deletes_history: true, ..Sabotage::default() }, false);
    assert!(found.as_ref().is_some_and(|why| why.contains("lost") || why.contains("not")), "{found:?}");
}
