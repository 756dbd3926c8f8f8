//! A turn is a transaction, on disk and in memory alike.

use std::time::Duration;

use hostel_store::{Options, Store, make_durable};

use super::{Disk, keep};

#[test]
fn a_committed_state_is_found_by_the_next_process() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "{\"count\":1}");
    let disk = disk.reopen();
    assert_eq!(disk.agent("a").state().unwrap().as_deref(), Some("{\"count\":1}"));
}

#[test]
fn a_rolled_back_turn_leaves_state_rows_and_alarm_as_they_were() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    a.begin().unwrap();
    a.set_state("1").unwrap();
    a.set_alarm(Some(10)).unwrap();
    a.sql("CREATE TABLE notes (text)", &[]).unwrap();
    a.commit().unwrap().unwrap();

    a.begin().unwrap();
    a.set_state("2").unwrap();
    a.set_alarm(None).unwrap();
    a.sql("INSERT INTO notes VALUES ('x')", &[]).unwrap();
    a.store_result("k", "f", "r", 1).unwrap();
    a.rollback().unwrap();

    assert_eq!(a.state().unwrap().as_deref(), Some("1"));
    assert_eq!(a.alarm().unwrap(), Some(10));
    assert_eq!(a.idempotent_result("k").unwrap(), None);
    let rows = a.sql("SELECT count(*) FROM notes", &[]).unwrap();
    assert_eq!(rows.rows, [[0_i64.into()]]);
}

#[test]
fn a_turn_dropped_in_the_middle_is_undone() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    let mut a = disk.agent("a");
    a.set_state("2").unwrap();
    drop(a);
    assert_eq!(disk.agent("a").state().unwrap().as_deref(), Some("1"));
}

#[test]
fn a_turn_without_a_write_commits_nothing() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "1");
    a.begin().unwrap();
    a.begin().unwrap();
    assert!(a.commit().unwrap().is_none());
    a.sql("SELECT state FROM cf_agents_state", &[]).unwrap();
    assert!(a.commit().unwrap().is_none());
}

#[test]
fn a_later_sync_covers_earlier_commits_even_after_closing() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    let commits: Vec<_> = (0..5)
        .map(|n| {
            a.set_state(&n.to_string()).unwrap();
            a.commit().unwrap().unwrap()
        })
        .collect();
    make_durable(commits.last().unwrap()).unwrap();
    a.close().unwrap();
    for commit in &commits {
        make_durable(commit).unwrap();
    }
}

#[test]
fn commits_are_made_durable_from_other_threads() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            a.set_state(&n.to_string()).unwrap();
            let commit = a.commit().unwrap().unwrap();
            std::thread::spawn(move || make_durable(&commit))
        })
        .collect();
    for thread in waiting {
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_store_in_memory_finds_its_agents_again() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    assert!(!a.is_created());
    keep(&mut a, "1");
    a.set_state("2").unwrap();
    a.close().unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    assert!(a.is_created());
    assert_eq!(a.state().unwrap().as_deref(), Some("1"));
    a.set_alarm(Some(5)).unwrap();
    a.commit().unwrap();
    a.release().unwrap();
    assert_eq!(a.alarm().unwrap(), Some(5));
    a.destroy().unwrap();
    assert!(!store.agent("counter", "a").unwrap().is_created());
}

#[test]
fn an_agent_in_memory_whose_first_turn_fails_does_not_exist() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    a.set_state("1").unwrap();
    a.rollback().unwrap();
    assert!(!a.is_created());
    assert_eq!(a.state().unwrap(), None);
    assert_eq!(store.count("counter").unwrap(), 0);
}

#[test]
fn a_second_writer_of_an_agent_is_refused_until_the_first_has_closed() {
    let disk = Disk::new();
    let mut first = disk.agent("a");
    keep(&mut first, "1");
    let second = disk.agent("a");
    let refused = second.state().unwrap_err();
    assert_eq!(refused.code(), "storage_locked");
    assert!(refused.to_string().contains("counter/a"), "{refused}");
    first.close().unwrap();
    assert_eq!(second.state().unwrap().as_deref(), Some("1"));
}

#[test]
fn two_handles_that_create_the_same_agent_do_not_overwrite_each_other() {
    let disk = Disk::new();
    let (mut first, mut second) = (disk.agent("a"), disk.agent("a"));
    assert_eq!((first.state().unwrap(), second.state().unwrap()), (None, None));
    keep(&mut first, "1");
    assert_eq!(second.set_state("2").unwrap_err().code(), "storage_locked");
    first.close().unwrap();
    second.set_alarm(Some(1)).unwrap();
    second.commit().unwrap().unwrap();
    assert_eq!(second.state().unwrap().as_deref(), Some("1"));
}

#[test]
fn results_are_kept_under_their_key_and_expire() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { idempotency_retention: Duration::from_millis(100), ..Options::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    assert_eq!(a.idempotent_result("first").unwrap(), None);
    a.store_result("first", "increment[1]", "1", 1_000).unwrap();
    a.commit().unwrap().unwrap();
    let stored = a.idempotent_result("first").unwrap().unwrap();
    assert_eq!((stored.fingerprint.as_str(), stored.result.as_str(), stored.at_ms), ("increment[1]", "1", 1_000));
    a.store_result("second", "f", "2", 1_100).unwrap();
    assert!(a.idempotent_result("first").unwrap().is_some());
    a.store_result("third", "f", "3", 1_101).unwrap();
    assert!(a.idempotent_result("first").unwrap().is_none());
    assert!(a.idempotent_result("second").unwrap().is_some());
}

#[test]
fn thousands_of_commits_keep_the_log_bounded() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    for n in 0..500 {
        a.set_state(&format!("{n:020000}")).unwrap();
        make_durable(&a.commit().unwrap().unwrap()).unwrap();
    }
    // What is not in the file by now is in memory.
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("a.db");
    std::fs::copy(super::database(disk.dir.path(), "a-"), &file).unwrap();
    let conn = rusqlite::Connection::open(file).unwrap();
    let copied: String = conn.query_row("SELECT state FROM cf_agents_state", [], |row| row.get(0)).unwrap();
    assert!(copied.parse::<u64>().unwrap() > 480, "{copied}");
}
