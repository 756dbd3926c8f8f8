//! History: records that left the log are found, each once, whatever happens in between.

use std::time::Duration;

use hostel_journal::{
    AgentId, Archive, Disk, Entry, EntryHead, Extent, Kind, Log, LogOptions, Past, Retention, Tail, read_live,
};

use super::disk::SimDisk;

pub(super) const FOREVER: Retention = Retention { age: Duration::from_secs(1 << 30), bytes: 1 << 50 };

pub(super) fn entry(agent: u64, namespace: &str, kind: Kind, commit: u64) -> Entry {
    let name = agent.to_string();
    let head = EntryHead {
        agent: AgentId(u128::from(agent)),
        namespace,
        name: &name,
        epoch: 1,
        kind,
        time_ms: commit as i64,
        cause: &commit.to_le_bytes(),
        page_size: 64,
        db_pages: 1,
    };
    Entry::new(&head, [(1, &[commit as u8; 64][..])].into_iter().filter(|_| kind != Kind::Destroy))
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

#[test]
fn records_are_found_live_handed_over_and_in_files() {
    let disk = SimDisk::default();
    let archive = Archive::new(disk.clone(), |_: &str| FOREVER);
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
        let mut found = read_live(&disk, &log.live(), AgentId(u128::from(agent))).unwrap();
        found.splice(0..0, archive.records(namespace, AgentId(u128::from(agent))).unwrap());
        assert_eq!(turns(&found), (1..=40).filter(|turn| *turn as u64 % 4 == agent).collect::<Vec<i64>>());
        for past in &found {
            assert_eq!(past.cause, past.turn().to_le_bytes());
            assert_eq!(past.body().unwrap().pages().next().unwrap().1, [past.turn() as u8; 64]);
            assert!(!past.broken && !past.base && *past.name == agent.to_string());
        }
        let listing = archive.listing(&log.live(), namespace, AgentId(u128::from(agent))).unwrap();
        assert_eq!(turns(&listing.records), turns(&found));
    }
    assert_eq!(archive.sizes().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(disk.list("history/pending").unwrap().len(), 1);
}
