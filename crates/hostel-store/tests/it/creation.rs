//! Nothing on disk before the first write, and nothing after a first turn that failed.

use super::{Disk, files, keep};

#[test]
fn reading_an_agent_that_does_not_exist_creates_no_file() {
    let disk = Disk::new();
    let before = files(disk.dir.path());
    let mut a = disk.agent("a");
    a.begin().unwrap();
    assert_eq!(a.state().unwrap(), None);
    assert_eq!(a.alarm().unwrap(), None);
    assert_eq!(a.idempotent_result("k").unwrap(), None);
    assert!(!a.is_created());
    let rows = a.sql("SELECT count(*) AS n FROM cf_agents_state; SELECT 2 AS m", &[]).unwrap();
    assert_eq!(rows.rows, [[2_i64.into()]]);
    assert!(a.commit().unwrap().is_none());
    a.close().unwrap();
    assert_eq!(files(disk.dir.path()), before);
}

#[test]
fn a_query_that_writes_creates_the_file_even_if_it_begins_like_a_read() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    a.sql("CREATE TABLE t (n)", &[]).unwrap();
    a.commit().unwrap().unwrap();
    let mut b = disk.agent("b");
    let refused = b.sql("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", &[]).unwrap_err();
    assert_eq!(refused.code(), "sql_error");
    assert!(a.is_created());
    assert!(!b.is_created());
}

#[test]
fn a_first_turn_that_is_rolled_back_leaves_no_file() {
    let disk = Disk::new();
    let before = files(disk.dir.path());
    let mut a = disk.agent("a");
    a.begin().unwrap();
    a.set_state("1").unwrap();
    a.rollback().unwrap();
    assert_eq!(a.state().unwrap(), None);
    assert_eq!(files(disk.dir.path()), before);
    keep(&mut a, "2");
    assert_eq!(a.state().unwrap().as_deref(), Some("2"));
}

#[test]
fn a_file_without_a_committed_turn_is_an_agent_that_does_not_exist_yet() {
    let disk = Disk::new();
    keep(&mut disk.agent("template"), "1");
    let template = super::database(disk.dir.path(), "template");
    let conn = rusqlite::Connection::open(&template).unwrap();
    conn.execute_batch("DELETE FROM hostel_meta; DELETE FROM cf_agents_state").unwrap();
    conn.close().unwrap();
    let mut a = disk.agent("template");
    assert!(!a.is_created());
    assert_eq!(disk.store.agents(None, 10, None).unwrap().len(), 1, "open, so it is listed");
    a.release().unwrap();
    assert_eq!(disk.store.agents(None, 10, None).unwrap(), []);
    a.set_state("2").unwrap();
    a.rollback().unwrap();
    keep(&mut a, "3");
    assert_eq!(a.state().unwrap().as_deref(), Some("3"));
}

#[test]
fn a_file_with_data_but_without_identity_is_not_taken_for_an_agent_that_does_not_exist() {
    for damage in
        ["DELETE FROM hostel_meta", "DELETE FROM hostel_meta; DELETE FROM cf_agents_state; CREATE TABLE t (n)"]
    {
        let disk = Disk::new();
        keep(&mut disk.agent("a"), "1");
        let file = super::database(disk.dir.path(), "a-");
        let conn = rusqlite::Connection::open(&file).unwrap();
        conn.execute_batch(damage).unwrap();
        conn.close().unwrap();
        let mut a = disk.agent("a");
        assert_eq!(a.state().unwrap_err().code(), "storage_corrupt");
        assert_eq!(a.set_state("2").unwrap_err().code(), "storage_corrupt");
        drop(a);
        assert!(file.exists());
    }
}

#[test]
fn a_log_that_lost_its_database_is_not_replayed_into_a_new_agent() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "old");
    let database = super::database(disk.dir.path(), "a-");
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(&database, copy.path().join("a.db")).unwrap();
    let log = super::leave_log(&copy.path().join("a.db"), "CREATE TABLE old (x)");
    a.destroy().unwrap();
    std::fs::copy(log, database.with_extension("db-wal")).unwrap();
    let mut a = disk.agent("a");
    assert_eq!(a.state().unwrap(), None);
    a.set_alarm(Some(1)).unwrap();
    a.commit().unwrap();
    assert_eq!(a.state().unwrap(), None);
}

#[test]
fn a_destroyed_agent_is_gone_with_all_its_files() {
    let disk = Disk::new();
    let before = files(disk.dir.path());
    let mut a = disk.agent("a");
    keep(&mut a, "1");
    a.set_state("2").unwrap();
    a.destroy().unwrap();
    assert_eq!(files(disk.dir.path()), before);
    disk.agent("never").destroy().unwrap();
    let disk = disk.reopen();
    assert_eq!(disk.agent("a").state().unwrap(), None);
}

#[test]
fn unfinished_files_are_removed_on_opening() {
    let disk = Disk::new();
    let left = disk.dir.path().join("tmp/7.tmp");
    std::fs::write(&left, "half").unwrap();
    let _disk = disk.reopen();
    assert!(!left.exists());
}
