//! Damage in history: told to those whom it touches, and crossed by no image.

use std::time::Duration;

use hostel_journal::{Archive, Disk, Kind, Log, LogOptions, Retention, Tail};

use super::archive::{FOREVER, append, archive, entry_in, hand_over, id, log, turns};
use super::disk::SimDisk;

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
