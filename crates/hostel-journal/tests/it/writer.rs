//! The thread that groups commits.

use std::sync::Arc;

use hostel_journal::{
    AgentId, CommitLog, Entry, EntryHead, Failure, Health, Journal, Kind, Log, LogOptions, Lsn, Tail, Ticket,
};
use parking_lot::{Condvar, Mutex};

use super::disk::{Faults, SimDisk};

/// Notes what became of entries.
#[derive(Default)]
struct Notes(Mutex<Vec<(u64, Result<Lsn, String>)>>, Condvar);

struct Note(u64, Arc<Notes>);

impl Ticket for Note {
    fn stands(&self) -> bool {
        true
    }

    fn settle(self: Box<Self>, outcome: Result<Lsn, Failure>) {
        self.1.0.lock().push((self.0, outcome.map_err(|failure| failure.message.to_string())));
        self.1.1.notify_all();
    }
}

fn entry(n: u64, epoch: u64) -> Entry {
    let name = n.to_string();
    let head = EntryHead {
        agent: AgentId(u128::from(n % 4)),
        namespace: "n",
        name: &name,
        epoch,
        kind: Kind::Create,
        time_ms: 0,
        cause: b"",
        page_size: 64,
        db_pages: 1,
    };
    Entry::new(&head, [(1, &[7; 64][..])].into_iter())
}

fn journal(disk: &SimDisk) -> Journal<SimDisk> {
    Journal::start(Log::begin(disk.clone(), LogOptions::default(), 3, Tail::default(), 0, 1).unwrap()).unwrap()
}

#[test]
fn what_is_queued_shares_syncs_and_is_told_in_order() {
    let disk = SimDisk::default();
    let journal = journal(&disk);
    let notes = Arc::new(Notes::default());
    {
        // While the log is held, everything queues up.
        let _held = journal.log();
        for n in 0..100 {
            journal.append(entry(n, 3), Box::new(Note(n, Arc::clone(&notes))));
        }
    }
    journal.flush();
    let told: Vec<(u64, Lsn)> = notes.0.lock().iter().map(|(n, outcome)| (*n, outcome.clone().unwrap())).collect();
    assert_eq!(told, (0..100).map(|n| (n, n + 1)).collect::<Vec<_>>());
    assert!(journal.counts().syncs <= 2, "{:?}", journal.counts());
}

#[test]
fn an_entry_under_an_old_lease_is_refused_and_the_others_are_not() {
    let disk = SimDisk::default();
    let journal = journal(&disk);
    let notes = Arc::new(Notes::default());
    for (n, epoch) in [(0, 3), (1, 2), (2, 3)] {
        journal.append(entry(n, epoch), Box::new(Note(n, Arc::clone(&notes))));
    }
    journal.flush();
    let refused: Vec<u64> = notes.0.lock().iter().filter(|(_, outcome)| outcome.is_err()).map(|(n, _)| *n).collect();
    assert_eq!(refused, [1]);
}

#[test]
fn a_failed_sync_is_told_to_its_batch_and_the_journal_goes_on_in_a_new_segment() {
    let disk = SimDisk::default();
    let journal = journal(&disk);
    let notes = Arc::new(Notes::default());
    disk.set_faults(Faults { sync_fails_at: Some(1), ..Faults::default() });
    journal.append(entry(0, 3), Box::new(Note(0, Arc::clone(&notes))));
    journal.flush();
    assert!(notes.0.lock()[0].1.is_err());
    // The writer opens the log again by itself; until then entries are refused.
    for n in 1.. {
        journal.append(entry(n, 3), Box::new(Note(n, Arc::clone(&notes))));
        journal.flush();
        if notes.0.lock().last().unwrap().1.is_ok() {
            break;
        }
    }
    assert_eq!(notes.0.lock().last().unwrap().1, Ok(1));
    assert!(matches!(journal.health(), Health::Fine));
}

#[test]
fn dropping_the_journal_finishes_what_is_queued() {
    let disk = SimDisk::default();
    let journal = journal(&disk);
    let notes = Arc::new(Notes::default());
    for n in 0..50 {
        journal.append(entry(n, 3), Box::new(Note(n, Arc::clone(&notes))));
    }
    drop(journal);
    assert_eq!(notes.0.lock().len(), 50);
}
