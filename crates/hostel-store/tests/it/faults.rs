//! Damaged, foreign, newer and read-only files: a clear error for one agent, nothing else touched.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use hostel_store::{Error, Options, Store};

use super::{Disk, database, keep};

/// Two closed agents, of which `damage` has its way with one.
fn damaged(damage: impl FnOnce(&Path)) -> (Disk, Error) {
    let disk = Disk::new();
    for name in ["victim", "bystander"] {
        let mut agent = disk.agent(name);
        agent.sql("CREATE TABLE t (n); INSERT INTO t VALUES (zeroblob(20000))", &[]).unwrap();
        keep(&mut agent, &format!("\"{name}\""));
    }
    let file = database(disk.dir.path(), "victim");
    damage(&file);
    let before = fs::read(&file).unwrap();
    let error = disk.agent("victim").state().unwrap_err();
    let again = disk.agent("victim").set_state("1").unwrap_err();
    assert_eq!(again.code(), error.code());
    assert_eq!(fs::read(&file).unwrap(), before, "the file was left as it is");
    assert!(error.to_string().contains("counter/victim"), "{error}");
    assert_eq!(disk.agent("bystander").state().unwrap().as_deref(), Some("\"bystander\""));
    keep(&mut disk.agent("bystander"), "2");
    (disk, error)
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn the_damaged_file_is_named_to_the_operator_and_not_to_strangers() {
    let mut place = String::new();
    let (_disk, error) = damaged(|file| {
        place = file.display().to_string();
        overwrite(file, 0, &[0x5a; 200]);
    });
    let cause = std::error::Error::source(&error).expect("a cause for the log").to_string();
    assert!(cause.contains(&place), "{cause}");
    assert!(!error.to_string().contains(&place), "{error}");
}

#[test]
fn a_data_directory_that_is_a_file_is_refused_with_what_to_do() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let error = Store::open(place.path(), Options::default()).unwrap_err();
    let shown = place.path().display().to_string();
    assert!(error.to_string().contains(&shown) && error.to_string().ends_with("choose another directory"), "{error}");
}

#[test]
fn a_garbage_header_is_corruption_of_one_agent() {
    let (disk, error) = damaged(|file| overwrite(file, 0, &[0x5a; 200]));
    assert_eq!(error.code(), "storage_corrupt");
    let listed = disk.store.agents(None, 10, None).unwrap();
    assert_eq!(listed.iter().filter(|e| e.problem.is_some()).count(), 1);
    assert_eq!(listed.iter().filter(|e| e.name.as_deref() == Some("bystander")).count(), 1);
}

#[test]
fn a_flipped_page_is_corruption_of_one_agent() {
    let (_disk, error) = damaged(|file| overwrite(file, 4096, &[0xff; 4096]));
    assert_eq!(error.code(), "storage_corrupt");
}

#[test]
fn a_file_cut_short_is_corruption() {
    let (_disk, error) = damaged(|file| fs::OpenOptions::new().write(true).open(file).unwrap().set_len(4096).unwrap());
    assert_eq!(error.code(), "storage_corrupt");
}

#[test]
fn an_empty_file_in_an_agents_place_is_not_taken_for_a_new_agent() {
    let (_disk, error) = damaged(|file| fs::write(file, "").unwrap());
    assert_eq!(error.code(), "storage_corrupt");
}

#[test]
fn a_file_of_another_agent_is_noticed() {
    let (_disk, error) = damaged(|file| {
        let root = file.ancestors().nth(4).unwrap();
        fs::copy(database(root, "bystander"), file).unwrap();
    });
    assert_eq!(error.code(), "storage_corrupt");
    assert!(error.to_string().contains("counter/bystander"), "{error}");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_disk, error) = damaged(|file| {
        let conn = rusqlite::Connection::open(file).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        conn.close().unwrap();
    });
    assert_eq!(error.code(), "storage_schema");
    assert!(error.to_string().contains("99"), "{error}");
}

#[test]
fn a_file_switched_to_another_journal_mode_is_switched_back() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    let conn = rusqlite::Connection::open(database(disk.dir.path(), "a-")).unwrap();
    conn.pragma_update(None, "journal_mode", "DELETE").unwrap();
    conn.close().unwrap();
    let mut a = disk.agent("a");
    assert_eq!(a.state().unwrap().as_deref(), Some("1"));
    keep(&mut a, "2");
    assert_eq!(fs::read(database(disk.dir.path(), "a-")).unwrap()[18..20], [2, 2], "the mode, in the file's header");
    drop(a);
    assert_eq!(disk.agent("a").state().unwrap().as_deref(), Some("2"));
}

#[test]
fn a_damaged_register_of_wake_ups_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("node.db"), [0x5a; 5000]).unwrap();
    let error = Store::open(dir.path(), Options::default()).unwrap_err();
    assert_eq!(error.code(), "storage_corrupt");
    assert!(error.to_string().contains("wake-ups"), "{error}");
}

/// A mount of its own, where the tests may mount.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", options, "tmpfs"], dir.path());
        mounted.then(|| Self(dir))
    }

    fn remount(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], self.0.path()));
    }

    /// Lays a read-only view over the directory of agents: what is opened from now on cannot be written.
    /// (The disk itself cannot turn read-only while the store has files open.)
    fn cover_agents(&self) -> impl FnOnce() {
        let agents = self.0.path().join("agents");
        let itself = agents.to_str().unwrap();
        assert!(mount(&["--bind", itself], &agents));
        assert!(mount(&["-o", "remount,ro,bind"], &agents));
        move || assert!(Command::new("umount").arg(agents).status().unwrap().success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(args: &[&str], dir: &Path) -> bool {
    let output = Command::new("mount").args(args).arg(dir).output();
    output.is_ok_and(|output| output.status.success())
}

/// A disk that turns read-only, for real where mounting is allowed, otherwise by the mode of a directory.
#[test]
fn a_read_only_disk_is_named_and_over_when_it_is_writable_again() {
    let Some(mount) = Mount::tmpfs("size=4m") else { return read_only_directory() };
    let store = Store::open(mount.0.path(), Options::default()).unwrap();
    keep(&mut store.agent("counter", "old").unwrap(), "1");
    let uncover = mount.cover_agents();
    let old = store.agent("counter", "old").unwrap();
    let mut new = store.agent("counter", "new").unwrap();
    assert_eq!(new.set_state("1").unwrap_err().code(), "storage_read_only");
    assert_eq!(old.state().unwrap_err().code(), "storage_read_only");
    uncover();
    assert_eq!(old.state().unwrap().as_deref(), Some("1"));
    keep(&mut new, "1");
    drop((old, new, store));
    mount.remount("ro");
    assert_eq!(Store::open(mount.0.path(), Options::default()).unwrap_err().code(), "storage_read_only");
}

fn read_only_directory() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = Store::open(dir.path(), Options::default()).unwrap_err();
    assert_eq!(error.code(), "storage_read_only");
}
