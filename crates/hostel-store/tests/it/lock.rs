//! One process per data directory.

use std::path::PathBuf;
use std::process::Command;

use hostel_store::{Options, Store};

const DIR: &str = "HOSTEL_STORE_TEST_LOCK_DIR";

/// On its own: the directory can be taken, and taken again after it was let go. As the child of the test
/// below: says what happens when the parent has it.
#[test]
fn a_directory_is_free_again_when_its_store_is_dropped() {
    if let Some(dir) = std::env::var_os(DIR) {
        let refused = Store::open(&PathBuf::from(dir), Options::default()).unwrap_err();
        println!("\nrefused {} {refused}", refused.code());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Options::default()).unwrap());
    Store::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn a_second_process_is_refused_with_directory_and_pid() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::open(dir.path(), Options::default()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "it::lock::a_directory_is_free_again_when_its_store_is_dropped", "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("refused ")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.starts_with("refused storage_locked"), "{line}");
    assert!(line.contains(&dir.path().display().to_string()), "{line}");
    assert!(line.contains(&format!("pid {}", std::process::id())), "{line}");
}
