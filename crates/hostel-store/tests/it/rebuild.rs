//! Rebuilding a database, and finishing a rebuild that a crash interrupted.

use std::fs;

use super::{Disk, database, keep};

#[test]
fn a_rebuilt_database_holds_every_committed_turn_and_goes_on() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    a.sql("CREATE TABLE t (n); INSERT INTO t VALUES (1)", &[]).unwrap();
    a.sql("SELECT 1", &[]).unwrap();
    keep(&mut a, "1");
    a.set_state("unfinished").unwrap();
    a.rebuild().unwrap();
    assert_eq!(a.state().unwrap().as_deref(), Some("1"));
    keep(&mut a, "2");
    let disk = {
        drop(a);
        disk.reopen()
    };
    let mut a = disk.agent("a");
    assert_eq!(a.state().unwrap().as_deref(), Some("2"));
    assert_eq!(a.sql("SELECT n FROM t", &[]).unwrap().rows, [[1_i64.into()]]);
    assert_eq!(fs::read_dir(disk.dir.path().join("rebuilt")).unwrap().count(), 0);
}

#[test]
fn a_rebuild_interrupted_before_its_last_step_is_finished_on_opening() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "rebuilt");
    let place = database(disk.dir.path(), "a-");
    let relative = place.strip_prefix(disk.dir.path()).unwrap().to_str().unwrap().replace('/', "!");
    fs::copy(&place, disk.dir.path().join("rebuilt").join(relative)).unwrap();
    let mut a = disk.agent("a");
    keep(&mut a, "only in the log that is void");
    let log = fs::read(place.with_extension("db-wal")).unwrap();
    a.close().unwrap();
    fs::write(place.with_extension("db-wal"), log).unwrap();
    let disk = disk.reopen();
    assert_eq!(disk.agent("a").state().unwrap().as_deref(), Some("rebuilt"));
}
