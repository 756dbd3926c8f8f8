//! Damage in history: told to those whom it touches, and crossed by no image.

use std::time::Duration;

use hostel_journal::record::Header;
use hostel_journal::{AgentId, Archive, Disk, Findings, Flaw, Kind, Log, LogOptions, Lsn, Retention, Tail};

use super::archive::{FOREVER, append, archive, entry_in, hand_over, id, log, turns};
use super::disk::{Faults, Random, SimDisk};

#[test]
fn every_flipped_byte_of_a_history_file_is_told_to_one_agent_at_most() {
    let disk = SimDisk::default();
    let mut log = log(&disk);
    append(&mut log, &[(1, Kind::Create), (2, Kind::Create), (3, Kind::Create)]);
    append(&mut log, &[(1, Kind::Commit), (2, Kind::Commit), (3, Kind::Commit), (1, Kind::Commit)]);
    hand_over(&mut log, &archive(&disk));
    archive(&disk).tend(0).unwrap();
    let expected = [vec![1, 4, 7], vec![2, 5], vec![3, 6]];
    let path = format!("history/n/{}", disk.list("history/n").unwrap()[0]);
    let whole = disk.read(&path).unwrap();
    let (mut told, mut silent) = (0, 0);
    for (at, byte) in whole.iter().enumerate() {
        let damaged = disk.fork();
        damaged.overwrite(&path, at, byte ^ 0x10);
        let mut touched = 0;
        for (agent, expected) in (1..).zip(&expected) {
            let read = archive(&damaged).records("n", id(agent));
            let bodies =
                read.and_then(|all| all.iter().map(|past| past.body().map(drop).map(|()| past.turn())).collect());
            match bodies {
                Ok::<Vec<i64>, _>(turns) => assert_eq!(turns, *expected, "byte {at}, agent {agent}"),
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "byte {at}: {error}");
                    touched += 1;
                }
            }
        }
        assert!(touched <= 1, "byte {at}: {touched} agents");
        if touched == 1 { told += 1 } else { silent += 1 }
    }
    assert!(told > 7 * 160 && silent > 2 * 128, "{told} {silent}");
}

#[test]
fn a_file_that_cannot_be_read_at_all_leaves_a_gap_that_no_image_crosses() {
    let disk = SimDisk::default();
    let age = Duration::from_millis(20);
    let keeps_some = || Archive::new(disk.clone(), move |_: &str| Retention { age, ..FOREVER });
    let archive = keeps_some();
    for epoch in 1..=3 {
        // Each life of the log has its own count of an agent's turns.
        let tail = Tail { lsn: 2 * (epoch - 1), ..Tail::default() };
        let options = LogOptions { segment_bytes: 0 };
        let mut log = Log::begin(disk.clone(), options, 1, tail, 10 * epoch, epoch).unwrap();
        append(&mut log, &[(1, if epoch == 1 { Kind::Create } else { Kind::Commit }), (2, Kind::Create)]);
        log.end(None, |_, extent| archive.take_over(&extent.path(), extent.id, extent.end)).unwrap();
        archive.tend(0).unwrap();
    }
    let files = disk.list("history/n").unwrap();
    assert_eq!(files.len(), 3);
    let middle = format!("history/n/{}", files[1]);
    let length = disk.read(&middle).unwrap().len();
    disk.overwrite(&middle, 20, 0xff);
    disk.overwrite(&middle, length - 100, 0xff);
    let listing = archive.listing(&[], "n", id(1)).unwrap();
    assert_eq!((turns(&listing.records), listing.damage.len()), (vec![1, 5], 1));
    assert!(listing.records[1].broken);
    assert_eq!(archive.records("n", id(1)).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    archive.tend(40).unwrap();
    assert_eq!(turns(&keeps_some().records("n", id(2)).unwrap()), [6]);
    assert!(keeps_some().records("n", id(1)).unwrap().is_empty(), "no image of it is known");
}

/// One life of the log, with its own count of an agent's turns.
fn live_once(disk: &SimDisk, epoch: u64) {
    let tail = Tail { lsn: 2 * (epoch - 1), ..Tail::default() };
    let mut log = Log::begin(disk.clone(), LogOptions { segment_bytes: 0 }, epoch, tail, 10 * epoch, epoch).unwrap();
    let kind = if epoch == 1 { Kind::Create } else { Kind::Commit };
    let turns = [entry_in(epoch, 1, "n", kind, 2 * epoch - 1), entry_in(epoch, 2, "n", Kind::Create, 2 * epoch)];
    log.append(turns.iter()).unwrap();
    log.end(None, |_, extent| archive(disk).take_over(&extent.path(), extent.id, extent.end)).unwrap();
    archive(disk).tend(0).unwrap();
}

#[test]
fn files_on_both_sides_of_one_that_cannot_be_read_are_never_joined_over_it() {
    let disk = SimDisk::default();
    (1..=5).for_each(|epoch| live_once(&disk, epoch));
    let lost = format!("history/n/{}", disk.list("history/n").unwrap()[4]);
    let length = disk.read(&lost).unwrap().len();
    disk.overwrite(&lost, 20, 0xff);
    disk.overwrite(&lost, length - 100, 0xff);
    (6..=9).for_each(|epoch| live_once(&disk, epoch));
    archive(&disk).tend(0).unwrap();
    let listing = archive(&disk).listing(&[], "n", id(1)).unwrap();
    assert_eq!(turns(&listing.records), [1, 3, 5, 7, 11, 13, 15, 17]);
    assert!(listing.records[4].broken);
    assert_eq!(listing.damage.len(), 1);
    let keeps_some = Archive::new(disk.clone(), |_: &str| Retention { age: Duration::from_millis(20), ..FOREVER });
    keeps_some.tend(80).unwrap();
    assert!(keeps_some.records("n", id(1)).unwrap().is_empty(), "no image of it is known");
    assert_eq!(turns(&keeps_some.records("n", id(2)).unwrap()), [18]);
}

#[test]
fn damage_in_a_segment_that_was_handed_over_costs_what_is_damaged() {
    // In the record's header, and in its body.
    for place in [40, 140] {
        let disk = SimDisk::default();
        let archive = archive(&disk);
        let mut log = log(&disk);
        append(&mut log, &[(1, Kind::Create), (2, Kind::Create), (1, Kind::Commit), (2, Kind::Commit)]);
        append(&mut log, &[(1, Kind::Commit)]);
        hand_over(&mut log, &archive);
        let path = format!("history/pending/{}", disk.list("history/pending").unwrap()[0]);
        let bytes = disk.read(&path).unwrap();
        let third = [3_u64.to_le_bytes(), 3_u64.to_le_bytes()].concat();
        let at = bytes.windows(16).position(|window| *window == third).unwrap() - 16 + place;
        disk.overwrite(&path, at, bytes[at] ^ 1);
        assert_eq!(archive.records("n", id(1)).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(turns(&archive.records("n", id(2)).unwrap()), [2, 4]);
        archive.tend(0).unwrap();
        let listing = archive.listing(&[], "n", id(1)).unwrap();
        assert_eq!(turns(&listing.records), [1, 5]);
        assert!(listing.records[1].broken);
        assert_eq!(turns(&archive.records("n", id(2)).unwrap()), [2, 4]);
        // The next life of the log counts anew; still nothing of agent 2 is in doubt.
        let tail = Tail { lsn: 5, ..Tail::default() };
        let mut log = Log::begin(disk.clone(), LogOptions { segment_bytes: 0 }, 2, tail, 9, 2).unwrap();
        let next = |agent| entry_in(2, agent, "n", Kind::Commit, 6);
        log.append([next(1), next(2)].iter()).unwrap();
        let listing = archive.listing(&log.live(), "n", id(2)).unwrap();
        assert_eq!(turns(&listing.records), [2, 4, 7]);
        assert!(!listing.records[2].broken);
    }
}

/// What a check finds: flaws, and how far gaps reach.
#[derive(Debug, Default)]
struct Found {
    flaws: Vec<(String, String)>,
    gaps: Vec<Lsn>,
}

impl Findings for Found {
    fn record(&mut self, _: &Header, _: &str, _: &str, _: &[u8]) {}

    fn gap(&mut self, _: Option<AgentId>, lsn: Lsn) {
        self.gaps.push(lsn);
    }

    fn flaw(&mut self, flaw: Flaw) {
        self.flaws.push((flaw.path, flaw.what));
    }

    fn file(&mut self, _: u64) {}
}

fn checked(disk: &SimDisk) -> Found {
    let mut found = Found::default();
    archive(disk).check(&mut found).unwrap();
    found
}

/// One life of the log, which hands over a segment that nobody takes apart.
fn leave_one(disk: &SimDisk, epoch: u64, kind: Kind) {
    let tail = Tail { lsn: 2 * (epoch - 1), ..Tail::default() };
    let mut log = Log::begin(disk.clone(), LogOptions { segment_bytes: 0 }, epoch, tail, 10 * epoch, epoch).unwrap();
    let turns = [entry_in(epoch, 1, "n", kind, 2 * epoch - 1), entry_in(epoch, 2, "n", Kind::Create, 2 * epoch)];
    log.append(turns.iter()).unwrap();
    log.end(None, |_, extent| archive(disk).take_over(&extent.path(), extent.id, extent.end)).unwrap();
}

#[test]
fn a_segment_that_waits_and_goes_missing_is_found_wherever_it_stood_and_no_image_is_carried_across() {
    for lost in 0..3 {
        let disk = SimDisk::default();
        leave_one(&disk, 1, Kind::Create);
        leave_one(&disk, 2, Kind::Commit);
        leave_one(&disk, 3, Kind::Commit);
        let whole = checked(&disk);
        assert!(whole.flaws.is_empty() && whole.gaps.is_empty(), "{whole:?}");
        let path = format!("history/pending/{}", disk.list("history/pending").unwrap()[lost]);
        disk.remove(&path).unwrap();
        let found = checked(&disk);
        assert_eq!(found.flaws, [(path, "it is gone".to_owned())]);
        assert_eq!(found.gaps, [2 * lost as u64 + 1]);

        archive(&disk).tend(0).unwrap();
        let listing = archive(&disk).listing(&[], "n", id(1)).unwrap();
        let left: Vec<i64> = [1, 3, 5].into_iter().filter(|turn| *turn != found.gaps[0] as i64).collect();
        assert_eq!(turns(&listing.records), left);
        let broken: Vec<bool> = listing.records.iter().map(|past| past.broken).collect();
        assert_eq!(broken, [false, lost == 1], "segment {lost}");
        let tended = checked(&disk);
        assert_eq!((tended.flaws.len(), tended.gaps), (0, found.gaps), "it is a gap from now on, and no news");
    }
}

/// Two segments wait to be taken apart.
fn two_wait() -> SimDisk {
    let disk = SimDisk::default();
    leave_one(&disk, 1, Kind::Create);
    leave_one(&disk, 2, Kind::Commit);
    disk.set_faults(Faults::default());
    disk
}

#[test]
fn a_file_whose_name_was_never_made_durable_is_not_missed_after_the_loss_of_power() {
    for (sync, at) in (1..=8).flat_map(|sync| (0..16).map(move |at| (sync, at))) {
        let disk = two_wait();
        disk.set_faults(Faults { sync_fails_at: Some(sync), ..Faults::default() });
        archive(&disk).tend(0).unwrap_err();
        disk.set_faults(Faults { cut_at: Some(at), ..Faults::default() });
        archive(&disk).tend(0).unwrap_err();
        disk.power_cut(&mut Random(at));
        archive(&disk).tend(0).unwrap();
        let found = checked(&disk);
        assert!(found.flaws.is_empty() && found.gaps.is_empty(), "sync {sync}, change {at}: {found:?}");
        let kept = archive(&disk).records("n", id(1)).unwrap();
        assert_eq!(turns(&kept), [1, 3], "sync {sync}, change {at}");
        assert!(kept.iter().all(|past| !past.broken), "sync {sync}, change {at}");
    }
}

#[test]
fn a_segment_that_was_taken_apart_is_not_missed_wherever_the_power_went() {
    let whole = two_wait();
    archive(&whole).tend(0).unwrap();
    assert!(whole.changes() > 15 && whole.list("history/pending").unwrap().is_empty());
    for at in 0..whole.changes() {
        let disk = two_wait();
        disk.set_faults(Faults { cut_at: Some(at), ..Faults::default() });
        assert!(archive(&disk).tend(0).is_err(), "change {at}");
        disk.power_cut(&mut Random(at));
        for tended in [false, true] {
            let found = checked(&disk);
            assert!(found.flaws.is_empty() && found.gaps.is_empty(), "change {at}, {tended}: {found:?}");
            archive(&disk).tend(0).unwrap();
        }
        assert_eq!(turns(&archive(&disk).records("n", id(1)).unwrap()), [1, 3], "change {at}");
    }
}

#[test]
fn a_hand_over_that_the_power_interrupts_leaves_nothing_that_is_missed() {
    let ended = |disk: &SimDisk| {
        let log = &mut log(disk);
        append(log, &[(1, Kind::Create)]);
        disk.set_faults(Faults::default());
        log.turn_over().unwrap();
        log.retire(None)[0]
    };
    let whole = SimDisk::default();
    let extent = ended(&whole);
    whole.set_faults(Faults::default());
    archive(&whole).take_over(&extent.path(), extent.id, extent.end).unwrap();
    for at in 0..whole.changes() {
        let disk = SimDisk::default();
        let extent = ended(&disk);
        disk.set_faults(Faults { cut_at: Some(at), ..Faults::default() });
        archive(&disk).take_over(&extent.path(), extent.id, extent.end).unwrap_err();
        disk.power_cut(&mut Random(at));
        assert!(checked(&disk).flaws.is_empty(), "change {at}");
        archive(&disk).take_over(&extent.path(), extent.id, extent.end).unwrap();
        archive(&disk).tend(0).unwrap();
        assert_eq!(turns(&archive(&disk).records("n", id(1)).unwrap()), [1], "change {at}");
        assert!(checked(&disk).flaws.is_empty(), "change {at}");
    }
}
