//! History: records that left the log are found, each once, whatever happens in between.

use std::time::Duration;

use hostel_journal::scan::Trust;
use hostel_journal::{
    AgentId, Archive, Disk, Entry, EntryHead, Extent, Kind, Log, LogOptions, Past, Retention, Tail, read_live,
};

use super::disk::{Faults, Random, SimDisk};
use super::node::{Node, PAGE, recover};

pub(super) const FOREVER: Retention = Retention { age: Duration::from_secs(1 << 30), bytes: 1 << 50 };

fn entry(agent: u64, namespace: &str, kind: Kind, commit: u64) -> Entry {
    entry_in(1, agent, namespace, kind, commit)
}

pub(super) fn entry_in(epoch: u64, agent: u64, namespace: &str, kind: Kind, commit: u64) -> Entry {
    let name = agent.to_string();
    let head = EntryHead {
        agent: AgentId(u128::from(agent)),
        namespace,
        name: &name,
        epoch,
        kind,
        time_ms: commit as i64,
        cause: &commit.to_le_bytes(),
        page_size: PAGE as u32,
        db_pages: 1,
    };
    Entry::new(&head, [(1, &[commit as u8; PAGE][..])].into_iter().filter(|_| kind != Kind::Destroy))
}

pub(super) fn log(disk: &SimDisk) -> Log<SimDisk> {
    Log::begin(disk.clone(), LogOptions { segment_bytes: 0 }, 1, Tail::default(), 0, 1).unwrap()
}

pub(super) fn hand_over(log: &mut Log<SimDisk>, archive: &Archive<SimDisk>) {
    log.turn_over().unwrap();
    for Extent { id, end } in log.retire(None) {
        archive.take_over(&Extent { id, end }.path(), id, end).unwrap();
        log.removed(id);
    }
}

pub(super) fn turns(records: &[Past]) -> Vec<i64> {
    records.iter().map(Past::turn).collect()
}

pub(super) fn id(agent: u64) -> AgentId {
    AgentId(u128::from(agent))
}

/// An archive that keeps everything.
pub(super) fn archive(disk: &SimDisk) -> Archive<SimDisk> {
    Archive::new(disk.clone(), |_: &str| FOREVER)
}

/// Appends one turn each: agent and kind. Numbers and times count from 1.
pub(super) fn append(log: &mut Log<SimDisk>, turns: &[(u64, Kind)]) {
    for (agent, kind) in turns {
        let commit = log.tail().lsn + 1;
        log.append(std::iter::once(&entry(*agent, "n", *kind, commit))).unwrap();
    }
}

/// What the turn with this number wrote into the first page.
fn page_of(turn: i64) -> [u8; PAGE] {
    [turn as u8; PAGE]
}

#[test]
fn records_are_found_live_handed_over_and_in_files() {
    let disk = SimDisk::default();
    let archive = archive(&disk);
    let mut log = log(&disk);
    for commit in 1..=40 {
        let kind = if commit <= 4 { Kind::Create } else { Kind::Commit };
        let namespace = if commit % 4 < 2 { "a" } else { "b" };
        log.append(std::iter::once(&entry(commit % 4, namespace, kind, commit))).unwrap();
        match commit {
            10 => hand_over(&mut log, &archive),
            20 => {
                hand_over(&mut log, &archive);
                assert_eq!(archive.tend(0).unwrap().segments, 2);
                assert_eq!(archive.tend(0).unwrap().segments, 0);
            }
            30 => hand_over(&mut log, &archive),
            _ => {}
        }
    }
    for agent in 0..4 {
        let namespace = if agent < 2 { "a" } else { "b" };
        let mut found = read_live(&disk, &log.live(), id(agent)).unwrap();
        found.splice(0..0, archive.records(namespace, id(agent)).unwrap());
        assert_eq!(turns(&found), (1..=40).filter(|turn| *turn as u64 % 4 == agent).collect::<Vec<i64>>());
        for past in &found {
            assert_eq!(past.cause, past.turn().to_le_bytes());
            assert_eq!(past.body().unwrap().pages().next().unwrap().1, page_of(past.turn()));
            assert!(!past.broken && !past.base && *past.name == agent.to_string());
        }
        let listing = archive.listing(&log.live(), namespace, id(agent)).unwrap();
        assert_eq!(turns(&listing.records), turns(&found));
    }
    assert_eq!(archive.sizes().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(disk.list("history/pending").unwrap().len(), 1);
}

#[test]
fn a_class_may_have_the_name_of_a_directory_of_history() {
    let disk = SimDisk::default();
    let archive = archive(&disk);
    let mut log = log(&disk);
    for (n, namespace) in ["pending", "gaps", "pending"].into_iter().enumerate() {
        log.append(std::iter::once(&entry(1, namespace, Kind::Create, n as u64))).unwrap();
        hand_over(&mut log, &archive);
        archive.tend(0).unwrap();
    }
    assert_eq!(turns(&archive.records("pending", id(1)).unwrap()), [1, 3]);
    assert_eq!(archive.sizes().unwrap().keys().collect::<Vec<_>>(), ["gaps", "pending"]);
}

/// A node with turns in the log, in segments that were handed over, in files, and in a base.
fn busy() -> Node {
    let mut node = Node::new(&SimDisk::default());
    let mut random = Random(11);
    for round in 0..14 {
        for agent in 0..4 {
            node.turn(agent, &mut random);
        }
        node.flush().unwrap();
        (0..4).try_for_each(|agent| node.copy(agent)).unwrap();
        node.turn_over().unwrap();
        node.checkpoint().unwrap();
        if round % 2 == 1 && round < 10 {
            node.tend().unwrap();
        }
    }
    node
}

#[test]
fn a_power_cut_after_any_change_of_tending_loses_nothing_and_doubles_nothing() {
    for age in [FOREVER.age, Duration::from_millis(20)] {
        let changes = {
            let mut node = busy();
            node.set_retention(Retention { age, ..FOREVER });
            node.disk.set_faults(Faults::default());
            node.tend().unwrap();
            node.check_history().unwrap();
            node.disk.changes()
        };
        assert!(changes > 30, "{changes}");
        for n in 0..changes {
            let mut node = busy();
            node.set_retention(Retention { age, ..FOREVER });
            node.disk.set_faults(Faults { cut_at: Some(n), ..Faults::default() });
            assert!(node.tend().is_err());
            node.disk.power_cut(&mut Random(n));
            let told = |why| panic!("change {n}: {why}");
            node.restart().unwrap().unwrap_or_else(told);
            node.tend().unwrap();
            node.check_history().unwrap_or_else(told);
            let pending = node.disk.list("history/pending").unwrap();
            assert!(pending.is_empty(), "change {n}: {pending:?}");
        }
    }
}

#[test]
fn small_files_become_one() {
    let mut node = busy();
    for _ in 0..20 {
        node.turn(0, &mut Random(3));
        node.flush().unwrap();
        node.copy(0).unwrap();
        node.turn_over().unwrap();
        node.checkpoint().unwrap();
        node.tend().unwrap();
    }
    let files = node.disk.list("history/n").unwrap();
    assert!(files.len() <= 8, "{files:?}");
    node.check_history().unwrap();
}

#[test]
fn a_start_opens_no_file_of_history() {
    let node = busy();
    let opened = |disk: &SimDisk| {
        disk.kill();
        disk.set_faults(Faults::default());
        recover(disk, Trust::Checksums).unwrap();
        disk.opened()
    };
    let with = node.disk.fork();
    let without = node.disk.fork();
    let history: Vec<String> = without.paths().into_iter().filter(|path| path.starts_with("history/")).collect();
    assert!(history.len() > 3, "{history:?}");
    history.iter().for_each(|path| without.remove(path).unwrap());
    let opened_with = opened(&with);
    assert!(opened_with.iter().all(|path| !path.starts_with("history/")), "{opened_with:?}");
    assert_eq!(opened_with, opened(&without));
}

#[test]
fn reading_one_agent_does_not_read_whole_files() {
    let disk = SimDisk::default();
    let archive = archive(&disk);
    let mut log = log(&disk);
    let many: Vec<Entry> = (0..2000).map(|agent| entry(agent, "n", Kind::Create, agent)).collect();
    log.append(many.iter()).unwrap();
    hand_over(&mut log, &archive);
    archive.tend(0).unwrap();
    let whole = archive.sizes().unwrap()["n"];
    disk.set_faults(Faults::default());
    assert_eq!(archive.records("n", id(1234)).unwrap().len(), 1);
    assert!(disk.bytes_read() < 4000 && whole > 400_000, "{} of {whole}", disk.bytes_read());
}

#[test]
fn what_is_older_than_a_class_keeps_is_one_image_of_each_agent() {
    let disk = SimDisk::default();
    let age = Duration::from_millis(20);
    let archive = Archive::new(disk.clone(), move |_: &str| Retention { age, ..FOREVER });
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create), (2, Kind::Create), (3, Kind::Create), (1, Kind::Commit), (3, Kind::Destroy)]);
    // Of this one the whole was never seen.
    append(&mut log, &[(4, Kind::Commit)]);
    hand_over(&mut log, &archive);
    archive.tend(6).unwrap();
    append(&mut log, &[(5, Kind::Create), (5, Kind::Commit), (5, Kind::Destroy), (1, Kind::Commit), (4, Kind::Commit)]);
    hand_over(&mut log, &archive);
    archive.tend(28).unwrap();
    assert_eq!(turns(&archive.records("n", id(3)).unwrap()), [3, 5], "a little more is kept than was asked for");
    archive.tend(29).unwrap();
    for (agent, expected) in
        [(1, vec![(4, true), (10, false)]), (2, vec![(2, true)]), (3, vec![]), (4, vec![(11, false)])]
    {
        let found = archive.records("n", id(agent)).unwrap();
        let told: Vec<(i64, bool)> = found.iter().map(|past| (past.turn(), past.base)).collect();
        assert_eq!(told, expected, "agent {agent}");
        for past in found.iter().filter(|past| past.base) {
            assert_eq!((past.header.kind, past.cause.len(), past.header.time_ms), (Kind::Create, 0, past.turn()));
            assert_eq!(past.body().unwrap().pages().collect::<Vec<_>>(), [(1, &page_of(past.turn())[..])]);
            assert_eq!(past.body().unwrap().name, agent.to_string());
        }
    }
    // And once more, over the base.
    append(&mut log, &[(2, Kind::Destroy)]);
    hand_over(&mut log, &archive);
    archive.tend(60).unwrap();
    assert_eq!(turns(&archive.records("n", id(1)).unwrap()), [10]);
    assert_eq!(archive.records("n", id(1)).unwrap()[0].body().unwrap().pages().next().unwrap().1, page_of(10));
    assert!(archive.records("n", id(2)).unwrap().is_empty() && archive.records("n", id(4)).unwrap().is_empty());
    assert_eq!(disk.list("history/n").unwrap().len(), 1);
}

#[test]
fn too_many_bytes_are_folded_oldest_first() {
    let disk = SimDisk::default();
    let archive = Archive::new(disk.clone(), |_: &str| Retention { bytes: 20_000, ..FOREVER });
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create)]);
    for _ in 0..40 {
        append(&mut log, &[(1, Kind::Commit); 10]);
        hand_over(&mut log, &archive);
        archive.tend(0).unwrap();
        let found = archive.records("n", id(1)).unwrap();
        let newest = log.tail().lsn as i64;
        assert_eq!(turns(&found), (found[0].turn()..=newest).collect::<Vec<_>>());
        assert_eq!(found[0].header.kind, Kind::Create);
        assert!(archive.sizes().unwrap()["n"] <= 23_500, "{:?}", archive.sizes());
    }
    assert!(archive.records("n", id(1)).unwrap()[0].base);
}

#[test]
fn on_a_small_disk_less_is_kept_than_was_asked_for() {
    let disk = SimDisk::default();
    let archive = archive(&disk);
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create)]);
    for _ in 0..80 {
        append(&mut log, &[(1, Kind::Commit); 10]);
        hand_over(&mut log, &archive);
        disk.set_faults(Faults { room: Some(100_000), ..Faults::default() });
        archive.tend(0).unwrap();
        // With what the segment gives back, there are 360 KiB.
        assert!(archive.sizes().unwrap()["n"] < 65_000, "{:?}", archive.sizes());
        disk.set_faults(Faults::default());
    }
    assert!(archive.records("n", id(1)).unwrap().len() > 100);
}

#[test]
fn a_class_that_keeps_nothing_loses_all_it_had() {
    let disk = SimDisk::default();
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create)]);
    hand_over(&mut log, &archive(&disk));
    archive(&disk).tend(0).unwrap();
    append(&mut log, &[(1, Kind::Commit)]);
    let off = Archive::new(disk.clone(), |_: &str| Retention::NONE);
    hand_over(&mut log, &off);
    off.tend(0).unwrap();
    assert!(off.is_empty().unwrap());
    // Nothing old is left for what comes later to be laid upon.
    append(&mut log, &[(1, Kind::Commit)]);
    hand_over(&mut log, &archive(&disk));
    archive(&disk).tend(0).unwrap();
    assert_eq!(turns(&archive(&disk).records("n", id(1)).unwrap()), [3]);
}

#[test]
fn a_stopped_archive_leaves_the_rest_for_later() {
    let disk = SimDisk::default();
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create)]);
    let stopped = archive(&disk);
    hand_over(&mut log, &stopped);
    stopped.stop();
    assert!(stopped.tend(0).unwrap().stopped);
    assert_eq!(turns(&stopped.records("n", id(1)).unwrap()), [1]);
    assert_eq!(archive(&disk).tend(0).unwrap().records, 1);
    assert_eq!(turns(&archive(&disk).records("n", id(1)).unwrap()), [1]);
}

#[test]
fn turns_brought_from_elsewhere_come_before_all_others() {
    let disk = SimDisk::default();
    let archive = archive(&disk);
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create), (2, Kind::Create), (1, Kind::Commit)]);
    hand_over(&mut log, &archive);
    archive.tend(0).unwrap();
    let brought = |of: u64, from: i64| {
        let mut turn = from;
        let past = archive.records("n", id(of)).unwrap();
        let renumber = move |past: Past| {
            turn += 1;
            let lsn = (turn - 1).cast_unsigned();
            Ok((hostel_journal::record::Header { agent: id(2), lsn, ..past.header.clone() }, past.packed()?))
        };
        archive.import("n", id(2), &mut past.into_iter().map(renumber))
    };
    brought(1, -2).unwrap();
    assert_eq!(turns(&archive.records("n", id(2)).unwrap()), [-2, -1, 2]);
    assert_eq!(turns(&archive.records("n", id(1)).unwrap()), [1, 3]);
    assert_eq!(archive.records("n", id(2)).unwrap()[1].body().unwrap().pages().next().unwrap().1, page_of(3));
    assert!(brought(1, -1).is_err(), "numbers must be negative");
    assert_eq!(turns(&archive.records("n", id(2)).unwrap()), [-2, -1, 2]);
    // Folded, they are an image before the first turn here.
    let short = Archive::new(disk.clone(), |_: &str| Retention { bytes: 500, ..FOREVER });
    short.tend(0).unwrap();
    let found = short.records("n", id(2)).unwrap();
    assert_eq!(found.iter().map(|past| (past.turn(), past.base)).collect::<Vec<_>>(), [(2, true)]);
}
