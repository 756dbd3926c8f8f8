//! Going back to what is durable.

use super::{Disk, keep};

#[test]
fn a_rebuilt_database_holds_every_durable_turn_and_goes_on() {
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
}
