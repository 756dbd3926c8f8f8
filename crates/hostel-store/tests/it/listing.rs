//! Which agents there are.

use hostel_store::{Options, Store};

use super::{Disk, copy_all, keep};

fn names(store: &Store, namespace: Option<&str>) -> Vec<String> {
    let entries = store.agents(namespace, 100, None).unwrap();
    let mut names: Vec<_> = entries.into_iter().map(|e| e.name.unwrap()).collect();
    names.sort();
    names
}

#[test]
fn open_and_closed_agents_are_listed_by_their_true_names() {
    let disk = Disk::new();
    let mut open = disk.agent("Ünï/code ../..");
    keep(&mut open, "1");
    keep(&mut disk.agent("closed"), "1");
    keep(&mut disk.store.agent("other", "x").unwrap(), "1");
    assert_eq!(names(&disk.store, Some("counter")), ["closed", "Ünï/code ../.."]);
    assert_eq!(names(&disk.store, None), ["closed", "x", "Ünï/code ../.."]);
    assert_eq!(disk.store.count("counter").unwrap(), 2);
    assert_eq!(disk.store.count("nobody").unwrap(), 0);
}

#[test]
fn a_listing_goes_on_behind_the_cursor() {
    let disk = Disk::new();
    for store in [disk.store.clone(), Store::in_memory(Options::default()).unwrap()] {
        for n in 0..40 {
            let namespace = ["counter", "counter-two", "counter2"][n % 3];
            keep(&mut store.agent(namespace, &format!("agent {n}")).unwrap(), "1");
        }
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = store.agents(None, 7, cursor.as_deref()).unwrap();
            let Some(last) = page.last() else { break };
            cursor = Some(last.cursor.clone());
            seen.extend(page.into_iter().map(|e| e.name.unwrap()));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 40);
    }
}

#[test]
fn after_a_kill_agents_are_listed_and_no_log_of_sqlite_is_believed() {
    let disk = Disk::new();
    let copy = tempfile::tempdir().unwrap();
    let mut a = disk.agent("a");
    keep(&mut a, "1");
    copy_all(disk.dir.path(), copy.path());
    let log = super::leave_log(&super::database(copy.path(), "a-"), "CREATE TABLE ahead (x)");

    let store = Store::open(copy.path(), Options::default()).unwrap();
    assert_eq!(names(&store, None), ["a"]);
    assert!(!log.exists());
    assert_eq!(store.agent("counter", "a").unwrap().state().unwrap().as_deref(), Some("1"));
}

#[test]
fn a_directory_from_before_the_journal_keeps_what_its_logs_hold() {
    let disk = Disk::new();
    let copy = tempfile::tempdir().unwrap();
    let mut a = disk.agent("a");
    keep(&mut a, "1");
    a.close().unwrap();
    copy_all(&disk.dir.path().join("agents"), &copy.path().join("agents"));
    super::leave_log(&super::database(copy.path(), "a-"), "UPDATE cf_agents_state SET state = '2'");

    let store = Store::open(copy.path(), Options::default()).unwrap();
    assert_eq!(names(&store, None), ["a"]);
    assert_eq!(store.agent("counter", "a").unwrap().state().unwrap().as_deref(), Some("2"));
}
