//! The register of wake-ups.

use hostel_store::{AgentKey, Options, Store};

use super::Disk;

#[test]
fn registered_wake_ups_are_found_by_the_next_process_in_order_of_time() {
    let disk = Disk::new();
    let (a, b) = (AgentKey::new("counter", "a"), AgentKey::new("coder-agent", "b\0é"));
    disk.store.register_alarm(&a, 200).unwrap();
    disk.store.register_alarm(&b, 300).unwrap();
    disk.store.register_alarm(&b, 100).unwrap();
    let disk = disk.reopen();
    assert_eq!(disk.store.alarms().unwrap(), [(b, 100), (a, 200)]);
}

#[test]
fn a_wake_up_is_cleared_only_if_it_is_the_one_that_was_meant() {
    let store = Store::in_memory(Options::default()).unwrap();
    let a = AgentKey::new("counter", "a");
    store.register_alarm(&a, 200).unwrap();
    store.clear_alarm(&a, Some(100)).unwrap();
    assert_eq!(store.alarms().unwrap(), [(a.clone(), 200)]);
    store.clear_alarm(&a, Some(200)).unwrap();
    assert!(store.alarms().unwrap().is_empty());
    store.register_alarm(&a, 300).unwrap();
    store.clear_alarm(&a, None).unwrap();
    assert!(store.alarms().unwrap().is_empty());
}
