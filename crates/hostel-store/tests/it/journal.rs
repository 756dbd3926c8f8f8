//! The rules of the journal with real files.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use hostel_store::{AgentDb, Options, SqlValue, Store, make_durable};

use super::{Disk, copy_all, database, files, keep, leave_log};

fn reopen_copy(of: &Path) -> (tempfile::TempDir, Store) {
    let copy = tempfile::tempdir().unwrap();
    copy_all(of, copy.path());
    let store = Store::open(copy.path(), Options::default()).unwrap();
    (copy, store)
}

fn turn(agent: &mut AgentDb, n: i64) {
    agent.sql("INSERT INTO t VALUES (?1, ?2)", &[n.into(), "x".repeat(3000).into()]).unwrap();
    agent.set_state(&n.to_string()).unwrap();
}

fn assert_holds(agent: &mut AgentDb, n: i64) {
    assert_eq!(agent.state().unwrap().unwrap().parse::<i64>().unwrap(), n);
    let rows = agent.sql("SELECT count(*), max(n) FROM t", &[]).unwrap();
    assert_eq!(rows.rows, [[SqlValue::Integer(n), SqlValue::Integer(n)]]);
    assert_eq!(agent.sql("PRAGMA integrity_check", &[]).unwrap().rows, [["ok".into()]]);
    agent.rollback().unwrap();
}

/// An agent with this many turns, each durable, that is still open.
fn durable_turns(count: i64) -> (Disk, AgentDb) {
    let disk = Disk::new();
    let mut agent = disk.agent("a");
    agent.sql("CREATE TABLE t (n, filler)", &[]).unwrap();
    for n in 1..=count {
        turn(&mut agent, n);
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    }
    (disk, agent)
}

/// Five durable turns; then a commit that is in a log of SQLite and not in the journal.
fn ahead_of_the_journal() -> (tempfile::TempDir, Store) {
    let (disk, _open) = durable_turns(5);
    let copy = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), copy.path());
    leave_log(&database(copy.path(), "a-"), "CREATE TABLE IF NOT EXISTS t (n, filler); INSERT INTO t VALUES (6, '');");
    let store = Store::open(copy.path(), Options::default()).unwrap();
    (copy, store)
}

#[test]
fn rule_1_after_an_unclean_stop_the_log_of_sqlite_is_thrown_away() {
    let (copy, store) = ahead_of_the_journal();
    assert!(!files(&copy.path().join("agents")).iter().any(|file| file.to_string_lossy().ends_with("-wal")));
    assert_holds(&mut store.agent("counter", "a").unwrap(), 5);
    // A log that a kill left beside an agent that the journal does not mention.
    keep(&mut store.agent("counter", "b").unwrap(), "1");
    drop(store);
    fs::write(database(copy.path(), "b-").with_extension("db-wal"), [0x37; 5000]).unwrap();
    let store = Store::open(copy.path(), Options::default()).unwrap();
    assert_eq!(store.agent("counter", "b").unwrap().state().unwrap().as_deref(), Some("1"));
}

#[test]
fn rule_2_a_commit_that_the_journal_never_had_is_undone_and_ten_turns_later_a_crash_finds_all_of_them() {
    let (copy, store) = ahead_of_the_journal();
    let mut a = store.agent("counter", "a").unwrap();
    assert_holds(&mut a, 5);
    for n in 6..=15 {
        turn(&mut a, n);
        make_durable(&a.commit().unwrap().unwrap()).unwrap();
    }
    // A crash after which only what was synced is there: no log, and the file as the last start left it.
    let (_again, store) = reopen_copy(copy.path());
    assert_holds(&mut store.agent("counter", "a").unwrap(), 15);
}

#[test]
fn rule_8_a_database_that_is_gone_after_a_crash_comes_back_from_the_journal() {
    let (disk, _open) = durable_turns(20);
    let copy = tempfile::tempdir().unwrap();
    copy_all(&disk.dir.path().join("journal"), &copy.path().join("journal"));
    let store = Store::open(copy.path(), Options::default()).unwrap();
    assert_holds(&mut store.agent("counter", "a").unwrap(), 20);
}

#[test]
fn rule_10_a_crash_after_a_crash_finds_the_same() {
    let (disk, _open) = durable_turns(20);
    let (first, store) = reopen_copy(disk.dir.path());
    let (_second, again) = reopen_copy(first.path());
    assert_holds(&mut store.agent("counter", "a").unwrap(), 20);
    assert_holds(&mut again.agent("counter", "a").unwrap(), 20);
}

#[test]
fn a_destroyed_agent_stays_gone_after_a_crash_and_its_successor_stays() {
    let disk = Disk::new();
    for name in ["gone", "successor"] {
        keep(&mut disk.agent(name), "1");
        disk.agent(name).destroy().unwrap();
    }
    keep(&mut disk.agent("successor"), "2");
    let (_copy, store) = reopen_copy(disk.dir.path());
    assert_eq!(store.agent("counter", "gone").unwrap().state().unwrap(), None);
    assert_eq!(store.agent("counter", "successor").unwrap().state().unwrap().as_deref(), Some("2"));
}

#[test]
fn a_clean_stop_leaves_no_journal_to_replay_and_no_log_of_sqlite() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    let Disk { dir, store } = disk;
    drop(store);
    let left: Vec<_> = files(&dir.path().join("journal"));
    assert_eq!(left, [dir.path().join("journal/lease")]);
    assert!(!files(&dir.path().join("agents")).iter().any(|file| file.to_string_lossy().ends_with("-wal")));
}

#[test]
fn a_turn_that_sqlite_spilled_and_undid_does_not_confuse_the_next() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    a.sql("CREATE TABLE t (n, filler)", &[]).unwrap();
    turn(&mut a, 1);
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    // Much more than the page cache holds, then undone: frames stay behind the end of SQLite's log.
    for _ in 0..400 {
        a.sql("INSERT INTO t VALUES (99, zeroblob(4000))", &[]).unwrap();
    }
    a.rollback().unwrap();
    for n in 2..=5 {
        turn(&mut a, n);
        make_durable(&a.commit().unwrap().unwrap()).unwrap();
    }
    // And a large one that is kept.
    for _ in 0..400 {
        a.sql("INSERT INTO t VALUES (0, randomblob(4000))", &[]).unwrap();
    }
    a.sql("DELETE FROM t WHERE n = 0", &[]).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    let (_copy, store) = reopen_copy(disk.dir.path());
    assert_holds(&mut store.agent("counter", "a").unwrap(), 5);
}

#[test]
fn damage_in_the_middle_of_the_journal_stops_one_agent_for_good_and_no_other() {
    let disk = Disk::new();
    for name in ["first", "victim", "last"] {
        keep(&mut disk.agent(name), &format!("\"{name}\""));
    }
    let copy = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), copy.path());
    let segment =
        files(&copy.path().join("journal")).into_iter().find(|f| f.extension().is_some_and(|e| e == "seg")).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let victim = bytes.windows(6).position(|six| six == b"victim").unwrap();
    bytes[victim + 200] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    for _start in 0..2 {
        let store = Store::open(copy.path(), Options::default()).unwrap();
        let refused = store.agent("counter", "victim").unwrap().state().unwrap_err();
        assert_eq!(refused.code(), "storage_corrupt");
        assert!(refused.to_string().contains("the journal is damaged"), "{refused}");
        assert_eq!(store.agent("counter", "first").unwrap().state().unwrap().as_deref(), Some("\"first\""));
        assert_eq!(store.agent("counter", "last").unwrap().state().unwrap().as_deref(), Some("\"last\""));
    }
    assert!(segment.with_extension("seg.damaged").exists());
}

#[test]
fn a_checkpoint_keeps_the_journal_bounded_while_agents_stay_open() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { journal_segment_bytes: 256 << 10, ..Options::default() };
    let store = Store::open(dir.path(), options.clone()).unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    a.sql("CREATE TABLE t (n, filler)", &[]).unwrap();
    for n in 1..=600 {
        a.begin().unwrap();
        a.sql("INSERT INTO t VALUES (?1, hex(randomblob(1500)))", &[n.into()]).unwrap();
        a.set_state(&n.to_string()).unwrap();
        make_durable(&a.commit().unwrap().unwrap()).unwrap();
        if n % 50 == 0 {
            store.checkpoint();
        }
    }
    let segments =
        files(&dir.path().join("journal")).iter().filter(|f| f.extension().is_some_and(|e| e == "seg")).count();
    assert!(segments < 6, "{segments}");
    let (_copy, again) = reopen_copy(dir.path());
    assert_holds(&mut again.agent("counter", "a").unwrap(), 600);
}

#[test]
fn submitted_commits_are_told_in_order_and_of_several_agents() {
    let disk = Disk::new();
    let (tell, told) = mpsc::channel();
    let mut agents: Vec<_> = (0..4).map(|n| disk.agent(&n.to_string())).collect();
    for round in 0..20 {
        for (n, agent) in agents.iter_mut().enumerate() {
            agent.set_state(&round.to_string()).unwrap();
            let tell = tell.clone();
            let commit = agent.commit().unwrap().unwrap();
            disk.store.submit(commit, move |outcome| tell.send((n, round, outcome.is_ok())).unwrap());
        }
    }
    drop(tell);
    let mut next = [0; 4];
    for (n, round, durable) in told {
        assert!(durable);
        assert_eq!(next[n], round);
        next[n] += 1;
    }
    assert_eq!(next, [20; 4]);
    assert!(disk.store.journal_counts().entries >= 80);
}
