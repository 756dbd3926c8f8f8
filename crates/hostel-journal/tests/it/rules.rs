//! The rules of the journal, one by one.

use hostel_journal::scan::Trust;
use hostel_journal::{AgentId, Disk, Log, LogOptions, Tail, segment};

use super::disk::{Faults, Random, SimDisk};
use super::node::{Node, path_of, recover};

/// A node with some acknowledged turns of three agents, in two segments, some of them copied.
fn scenario(node: &mut Node) -> std::io::Result<()> {
    let mut random = Random(1);
    for round in 0..6 {
        for agent in 0..3 {
            node.turn(agent, &mut random);
        }
        node.flush()?;
        match round {
            1 => (0..3).try_for_each(|agent| node.copy(agent))?,
            2 => node.checkpoint()?,
            3 => node.turn_over()?,
            _ => {}
        }
    }
    Ok(())
}

fn standard() -> (SimDisk, Node) {
    let disk = SimDisk::default();
    let mut node = Node::new(&disk);
    scenario(&mut node).unwrap();
    (disk, node)
}

#[test]
fn rule_4_every_flipped_byte_is_noticed_and_touches_one_agent_or_the_torn_end() {
    let (disk, node) = standard();
    let segments: Vec<String> = disk.paths().into_iter().filter(|path| path.contains(".seg")).collect();
    assert!(segments.len() > 1);
    let (mut stuck, mut cut, mut harmless) = (0, 0, 0);
    for path in &segments {
        let used = disk.read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for at in (0..256).chain(4096..4352).chain(8192..used) {
            let damaged = disk.fork();
            let byte = damaged.read(path).unwrap()[at];
            damaged.overwrite(path, at, byte ^ 0x10);
            let recovered = recover(&damaged, Trust::Checksums).unwrap_or_else(|e| panic!("{path} byte {at}: {e}"));
            let named: Vec<u64> = recovered.replayed.stuck.iter().map(|stuck| stuck.agent.0 as u64).collect();
            assert!(named.len() <= 1, "{path} byte {at}: {named:?}");
            let behind: Vec<u64> = (0..3).filter(|agent| !node.is_current(&damaged, *agent)).collect();
            match (named.as_slice(), recovered.scan.torn) {
                ([agent], _) => {
                    assert!(behind.iter().all(|other| other == agent), "{path} byte {at}: {behind:?} besides {agent}");
                    stuck += 1;
                }
                ([], true) => {
                    assert!(node.lacks_only_the_last_turn(&damaged), "{path} byte {at}");
                    cut += 1;
                }
                _ => {
                    assert!(behind.is_empty(), "{path} byte {at}: {behind:?} lost without a word");
                    harmless += 1;
                }
            }
        }
    }
    assert!(stuck > 1000 && cut > 100 && harmless > 500, "{stuck} {cut} {harmless}");
}

#[test]
fn rule_5_whichever_sync_fails_nothing_acknowledged_is_lost() {
    let mut failed = 0;
    for n in 1.. {
        let disk = SimDisk::default();
        let mut node = Node::new(&disk);
        disk.set_faults(Faults { sync_fails_at: Some(n), ..Faults::default() });
        let went = scenario(&mut node);
        // Go on after the failure: what follows must be as durable as ever.
        let after = disk.syncs() >= n;
        let _again = scenario(&mut node);
        disk.power_cut(&mut Random(n));
        node.restart().unwrap().unwrap_or_else(|why| panic!("sync {n}: {why}"));
        if !after {
            break;
        }
        failed += u64::from(went.is_err());
    }
    assert!(failed > 5, "{failed}");
}

#[test]
fn rule_5_what_a_failed_batch_left_behind_is_void() {
    let disk = SimDisk::default();
    let mut node = Node::new(&disk);
    let mut random = Random(3);
    node.turn(0, &mut random);
    node.flush().unwrap();
    node.turn(0, &mut random);
    disk.set_faults(Faults { sync_fails_at: Some(1), ..Faults::default() });
    node.flush().unwrap_err();
    node.turn(0, &mut random);
    node.flush().unwrap();
    disk.kill();
    node.restart().unwrap().unwrap();
    assert!(node.is_current(&disk, 0));
}

#[test]
fn rule_6_a_full_disk_is_noticed_while_there_is_still_room_and_over_when_there_is_space() {
    let disk = SimDisk::default();
    let mut node = Node::new(&disk);
    disk.set_faults(Faults { room: Some(100_000), ..Faults::default() });
    let mut random = Random(5);
    let mut turns = 0;
    while node.log.tend().is_ok() {
        node.turn(turns % 3, &mut random);
        node.flush().unwrap();
        turns += 1;
    }
    assert_eq!(node.log.tend().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    for agent in 0..3 {
        node.turn(agent, &mut random);
        node.flush().expect("what is under way still fits");
    }
    disk.set_faults(Faults { room: Some(10 << 20), ..Faults::default() });
    node.log.tend().unwrap();
    disk.power_cut(&mut random);
    node.restart().unwrap().unwrap();
}

#[test]
fn rule_7_a_power_cut_after_any_change_of_a_retirement_loses_nothing() {
    let changes = {
        let (disk, mut node) = standard();
        (0..3).for_each(|agent| node.copy(agent).unwrap());
        disk.set_faults(Faults::default());
        node.turn_over().unwrap();
        node.checkpoint().unwrap();
        disk.changes()
    };
    assert!(changes > 8, "{changes}");
    for n in 0..=changes {
        for seed in 0..10 {
            let (disk, mut node) = standard();
            (0..3).for_each(|agent| node.copy(agent).unwrap());
            disk.set_faults(Faults { cut_at: Some(n), ..Faults::default() });
            let went = node.turn_over().and_then(|()| node.checkpoint());
            assert_eq!(went.is_err(), n < changes);
            disk.power_cut(&mut Random(seed));
            node.restart().unwrap().unwrap_or_else(|why| panic!("change {n}, seed {seed}: {why}"));
        }
    }
}

#[test]
fn rule_7_a_kill_after_any_change_of_a_retirement_and_a_power_cut_after_the_next_start_lose_no_history() {
    for n in 0.. {
        let (disk, mut node) = standard();
        (0..3).for_each(|agent| node.copy(agent).unwrap());
        disk.set_faults(Faults { cut_at: Some(n), ..Faults::default() });
        let done = node.turn_over().and_then(|()| node.turn_over()).and_then(|()| node.checkpoint()).is_ok();
        disk.kill();
        node.restart().unwrap().unwrap_or_else(|why| panic!("change {n}: {why}"));
        // The next start removes nothing that is needed to find what the power cut brings back.
        disk.power_cut(&mut Random(n));
        node.restart().unwrap().unwrap_or_else(|why| panic!("change {n}, after the power cut: {why}"));
        if done {
            break;
        }
    }
}

#[test]
fn rule_7_a_log_that_could_not_begin_a_segment_keeps_the_last_so_no_number_is_used_twice() {
    let (disk, mut node) = standard();
    (0..3).for_each(|agent| node.copy(agent).unwrap());
    disk.set_faults(Faults { sync_fails_at: Some(1), ..Faults::default() });
    node.turn_over().unwrap_err();
    let newest = node.log.tail().lsn;
    node.checkpoint().unwrap();
    disk.kill();
    node.restart().unwrap().unwrap();
    assert_eq!(node.log.tail().lsn, newest);
}

#[test]
fn rule_8_a_missing_file_is_brought_back_from_the_journal_alone() {
    let disk = SimDisk::default();
    let mut node = Node::new(&disk);
    let mut random = Random(8);
    node.turn(0, &mut random);
    node.flush().unwrap();
    node.turn(0, &mut random);
    node.flush().unwrap();
    disk.remove(&path_of(0)).unwrap();
    disk.power_cut(&mut random);
    node.restart().unwrap().unwrap();
    assert!(node.is_current(&disk, 0) && disk.read(&path_of(0)).is_some());
}

#[test]
fn rule_8_a_missing_file_that_the_journal_does_not_hold_whole_is_reported() {
    let (disk, mut node) = standard();
    (0..3).for_each(|agent| node.copy(agent).unwrap());
    node.turn_over().unwrap();
    node.checkpoint().unwrap();
    node.turn(0, &mut Random(2));
    node.flush().unwrap();
    disk.remove(&path_of(0)).unwrap();
    let why = node.restart().unwrap().unwrap_err();
    assert!(why.contains("its database file is gone"), "{why}");
}

#[test]
fn rule_10_replaying_twice_or_stopping_anywhere_is_the_same_as_once() {
    let (disk, mut node) = standard();
    disk.kill();
    let whole = disk.fork();
    whole.set_faults(Faults::default());
    recover(&whole, Trust::Checksums).unwrap();
    let changes = whole.changes();
    for n in 0..changes {
        for seed in 0..5 {
            let stopped = disk.fork();
            stopped.set_faults(Faults { cut_at: Some(n), ..Faults::default() });
            assert!(recover(&stopped, Trust::Checksums).is_err());
            if seed == 0 {
                stopped.kill()
            } else {
                stopped.power_cut(&mut Random(seed))
            }
            recover(&stopped, Trust::Checksums).unwrap();
            for agent in 0..3 {
                assert_eq!(stopped.read(&path_of(agent)), whole.read(&path_of(agent)), "change {n}, seed {seed}");
            }
        }
    }
    node.restart().unwrap().unwrap();
}

#[test]
fn a_lease_that_is_not_in_force_is_refused_by_the_log() {
    let (disk, mut node) = standard();
    let before = node.log.tail();
    let mut random = Random(1);
    node.turn(0, &mut random);
    node.log.fence(node.log.epoch() + 1);
    assert_eq!(node.flush().unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(node.log.tail(), before);
    disk.kill();
    node.restart().unwrap().unwrap();
}

#[test]
fn a_segment_missing_between_others_is_named() {
    let (disk, mut node) = standard();
    node.turn_over().unwrap();
    node.turn(1, &mut Random(4));
    node.flush().unwrap();
    let segments: Vec<String> = disk.paths().into_iter().filter(|path| path.contains(".seg")).collect();
    disk.remove(&segments[1]).unwrap();
    let error = node.restart().unwrap_err().to_string();
    assert!(error.contains(&segments[1]), "{error}");
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let disk = SimDisk::default();
    let mut log = Log::begin(disk.clone(), LogOptions { segment_bytes: 0 }, 1, Tail::default(), 0, 1).unwrap();
    let mut random = Random(9);
    let page: Vec<u8> = (0..1 << 20).map(|_| random.next() as u8).collect();
    let head = hostel_journal::EntryHead {
        agent: AgentId(1),
        namespace: "n",
        name: "large",
        epoch: 1,
        kind: hostel_journal::Kind::Create,
        time_ms: 0,
        cause: b"",
        page_size: 1 << 20,
        db_pages: 1,
    };
    let entry = hostel_journal::Entry::new(&head, [(1, &page[..])].into_iter());
    log.append(std::iter::once(&entry)).unwrap();
    assert!(disk.read(&segment::path(2)).unwrap().len() > 1 << 20);
    recover(&disk, Trust::Checksums).unwrap();
    assert_eq!(disk.read("agents/n/large.db").unwrap(), page);
}
