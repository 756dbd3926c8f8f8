//! Going back to a moment, undoing that, and making another agent of it; also when the process or the disk stops on the way.

use std::fs;
use std::path::Path;

use hostel_store::{AgentDb, Author, Cause, Error, Image, Moment, Options, Store, make_durable};

use super::history::{dump, key, turns};
use super::{Disk, copy_all, database, files, keep, leave_log};

const RESTORE: Cause<'static> = Cause { event: "restore", what: "", author: Author::Operator };
const FORK: Cause<'static> = Cause { event: "fork", what: "", author: Author::Operator };

fn life(agent: &mut AgentDb) {
    agent.sql("CREATE TABLE t (n, filler)", &[]).unwrap();
    for n in 1..=5 {
        agent.sql("INSERT INTO t VALUES (?1, ?2)", &[n.into(), "x".repeat(3000).into()]).unwrap();
        keep(agent, &n.to_string());
    }
}

fn rows(agent: &mut AgentDb) -> i64 {
    let found = agent.sql("SELECT count(*) FROM t", &[]).unwrap();
    agent.rollback().unwrap();
    match &found.rows[0][0] {
        hostel_store::SqlValue::Integer(count) => *count,
        other => panic!("{other:?}"),
    }
}

fn image_of(store: &Store, name: &str, place: usize) -> Image {
    let turn = turns(store, name)[place].turn;
    store.image(&key(name), Moment::Turn(turn)).unwrap()
}

fn restore(store: &Store, agent: &mut AgentDb, place: usize) -> Result<(), Error> {
    let image = image_of(store, agent.key().name(), place);
    agent.replace(image, RESTORE)
}

fn assert_at(agent: &mut AgentDb, n: i64) {
    assert_eq!(agent.state().unwrap().as_deref(), Some(n.to_string().as_str()));
    assert_eq!(rows(agent), n);
}

#[test]
fn a_restore_is_a_turn_of_its_own_and_is_undone_by_another() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    restore(&disk.store, &mut a, 1).unwrap();
    assert_at(&mut a, 2);
    assert!(
        !files(disk.dir.path())
            .iter()
            .any(|f| f.starts_with(disk.dir.path().join("tmp")) && f.to_string_lossy().contains("image"))
    );
    let listed = turns(&disk.store, "a");
    assert_eq!(listed.len(), 6);
    assert!(listed[5].whole);
    assert_eq!(listed[5].cause.to_string(), "restore by operator");
    // Life goes on from there.
    a.sql("INSERT INTO t VALUES (3, 'another third')", &[]).unwrap();
    keep(&mut a, "3");
    assert_at(&mut a, 3);
    let before_it = image_of(&disk.store, "a", 4);
    a.replace(before_it, RESTORE).unwrap();
    assert_at(&mut a, 5);
    assert_eq!(turns(&disk.store, "a").len(), 8);
    drop(a);
    let disk = disk.reopen();
    assert_at(&mut disk.agent("a"), 5);
    assert_eq!(image_of(&disk.store, "a", 6).state().unwrap().as_deref(), Some("3"));
}

#[test]
fn an_unfinished_turn_and_commits_on_their_way_come_before_a_restore() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    let image = image_of(&disk.store, "a", 0);
    a.set_state("6").unwrap();
    let commit = a.commit().unwrap().unwrap();
    a.set_state("never").unwrap();
    a.replace(image, RESTORE).unwrap();
    assert!(commit.is_durable());
    assert_at(&mut a, 1);
    let states: Vec<_> = (4..7).map(|place| image_of(&disk.store, "a", place).state().unwrap().unwrap()).collect();
    assert_eq!(states, ["5", "6", "1"]);
}

#[test]
fn a_fork_is_an_agent_of_its_own_without_wake_up_and_stored_results() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    a.set_alarm(Some(12345)).unwrap();
    a.store_result("key", "what", "result", 1).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    let mut image = disk.store.image(&key("a"), Moment::Now).unwrap();
    assert_eq!((image.alarm().unwrap(), image.identity().unwrap()), (Some(12345), Some(key("a"))));
    let mut b = disk.agent("b");
    let wrong = b.replace(disk.store.image(&key("a"), Moment::Now).unwrap(), FORK).unwrap_err();
    assert!(wrong.to_string().contains("rename it first"), "{wrong}");
    assert_eq!(b.state().unwrap(), None);
    image.rename_to(&key("b")).unwrap();
    assert_eq!((image.alarm().unwrap(), image.identity().unwrap()), (None, Some(key("b"))));
    b.replace(image, FORK).unwrap();
    assert_at(&mut b, 5);
    assert_eq!((b.alarm().unwrap(), b.idempotent_result("key").unwrap()), (None, None));
    assert_eq!(a.alarm().unwrap(), Some(12345));
    assert_eq!(a.idempotent_result("key").unwrap().unwrap().result, "result");
    keep(&mut b, "b's own");
    keep(&mut a, "a's own");
    drop((a, b));
    let disk = disk.reopen();
    assert_eq!(disk.agent("a").state().unwrap().as_deref(), Some("a's own"));
    assert_eq!(disk.agent("b").state().unwrap().as_deref(), Some("b's own"));
    let listed: Vec<String> = turns(&disk.store, "b").iter().map(|turn| turn.cause.event.clone()).collect();
    assert_eq!(listed, ["fork", ""]);
    let mut names: Vec<_> =
        disk.store.agents(None, 9, None).unwrap().into_iter().filter_map(|entry| entry.name).collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn an_image_that_this_version_could_not_open_is_not_put_in_place() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    let image = image_of(&disk.store, "a", 1);
    let conn = rusqlite::Connection::open(image.path()).unwrap();
    conn.execute_batch("PRAGMA user_version = 99").unwrap();
    conn.close().unwrap();
    assert_eq!(a.replace(image, RESTORE).unwrap_err().code(), "storage_schema");
    let image = image_of(&disk.store, "a", 1);
    fs::write(image.path(), [0x5a; 8192]).unwrap();
    assert_eq!(a.replace(image, RESTORE).unwrap_err().code(), "storage_corrupt");
    assert_at(&mut a, 5);
    assert_eq!(turns(&disk.store, "a").len(), 5);
}

#[test]
fn a_destroyed_agent_comes_back_with_its_history() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    a.destroy().unwrap();
    let image = image_of(&disk.store, "a", 4);
    let mut again = disk.agent("a");
    again.replace(image, RESTORE).unwrap();
    assert_at(&mut again, 5);
    assert_eq!(turns(&disk.store, "a").iter().map(|turn| turn.ended).collect::<Vec<_>>()[4..], [false, true, false]);
}

/// What a stop leaves that came after the record was durable and before the file was in its place.
#[test]
fn a_kill_on_the_way_leaves_the_old_database_or_the_new_one() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    let image = image_of(&disk.store, "a", 1);
    let before = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), before.path());
    a.replace(image, RESTORE).unwrap();
    let copy = before.path().join("a.db");
    fs::copy(database(before.path(), "a-"), &copy).unwrap();
    let old_log = leave_log(&copy, "CREATE TABLE old (x)");

    let state_in = |journal_of: &Path, agents_of: &Path, with_old_log: bool| {
        let there = tempfile::tempdir().unwrap();
        copy_all(&journal_of.join("journal"), &there.path().join("journal"));
        copy_all(&agents_of.join("agents"), &there.path().join("agents"));
        if with_old_log {
            fs::copy(&old_log, database(there.path(), "a-").with_extension("db-wal")).unwrap();
        }
        let store = Store::open(there.path(), Options::default()).unwrap();
        let mut a = store.agent("counter", "a").unwrap();
        let n = a.state().unwrap().unwrap().parse::<i64>().unwrap();
        assert_eq!(rows(&mut a), n);
        keep(&mut a, "lives on");
        n
    };
    assert_eq!(state_in(before.path(), before.path(), false), 5, "before the record");
    assert_eq!(state_in(disk.dir.path(), before.path(), false), 2, "after the record");
    assert_eq!(state_in(disk.dir.path(), disk.dir.path(), true), 2, "after the renaming");
    assert_eq!(state_in(disk.dir.path(), disk.dir.path(), false), 2, "at the end");
}

#[test]
fn an_image_that_cannot_be_put_in_place_is_put_there_by_the_next_start() {
    let disk = Disk::new();
    life(&mut disk.agent("a"));
    let old = database(disk.dir.path(), "a-");
    let mut a = disk.agent("a");
    let image = image_of(&disk.store, "a", 1);
    // A directory stands where the file belongs.
    let aside = disk.dir.path().join("aside");
    fs::rename(&old, &aside).unwrap();
    fs::create_dir(&old).unwrap();
    let failed = a.replace(image, RESTORE).unwrap_err();
    assert!(failed.to_string().contains("restart the server"), "{failed}");
    for refused in [a.state().map(drop), a.set_state("6").map(drop), a.image().map(drop)] {
        assert!(refused.unwrap_err().to_string().contains("restart the server"));
    }
    fs::remove_dir(&old).unwrap();
    fs::rename(&aside, &old).unwrap();
    assert!(a.state().is_err(), "the old database is not what the journal says");
    drop(a);
    let disk = disk.reopen();
    assert_at(&mut disk.agent("a"), 2);
    assert_eq!(turns(&disk.store, "a").len(), 6);
}

#[test]
fn a_damaged_database_is_brought_back() {
    let disk = Disk::new();
    life(&mut disk.agent("a"));
    keep(&mut disk.agent("other"), "untouched");
    let file = database(disk.dir.path(), "a-");
    fs::write(&file, [0x5a; 9000]).unwrap();
    let mut a = disk.agent("a");
    assert_eq!(a.state().unwrap_err().code(), "storage_corrupt");
    let image = disk.store.image(&key("a"), Moment::Now).unwrap();
    a.replace(image, RESTORE).unwrap();
    assert_at(&mut a, 5);
    drop(a);
    let disk = disk.reopen();
    assert_at(&mut disk.agent("a"), 5);
    assert_eq!(disk.agent("other").state().unwrap().as_deref(), Some("untouched"));
}

#[test]
fn an_agent_whose_part_of_the_journal_is_damaged_goes_back_to_a_turn_before_the_damage() {
    let disk = Disk::new();
    let mut victim = disk.agent("victim");
    for n in 1..=4 {
        keep(&mut victim, &format!("\"mark {n}\""));
        keep(&mut disk.agent("other"), "1");
    }
    let copy = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), copy.path());
    damage(copy.path(), b"victim", 3);
    let store = Store::open(copy.path(), Options::default()).unwrap();
    let mut victim = store.agent("counter", "victim").unwrap();
    assert_eq!(victim.state().unwrap_err().code(), "storage_corrupt");
    let page = store.history(&key("victim"), &Default::default()).unwrap();
    assert!(!page.damage.is_empty());
    let readable: Vec<i64> = page.turns.iter().map(|turn| turn.turn).collect();
    assert_eq!(readable.len(), 3, "{readable:?}");
    let after = store.image(&key("victim"), Moment::Turn(readable[0])).unwrap_err();
    assert_eq!(after.code(), "history_gone", "{after}");
    let image = store.image(&key("victim"), Moment::Turn(readable[1])).unwrap();
    assert_eq!(image.state().unwrap().as_deref(), Some("\"mark 2\""));
    victim.replace(image, RESTORE).unwrap();
    assert_eq!(victim.state().unwrap().as_deref(), Some("\"mark 2\""));
    keep(&mut victim, "\"well again\"");
    drop((victim, store));
    let store = Store::open(copy.path(), Options::default()).unwrap();
    assert_eq!(store.agent("counter", "victim").unwrap().state().unwrap().as_deref(), Some("\"well again\""));
    let now = store.image(&key("victim"), Moment::Now).unwrap();
    assert_eq!(now.state().unwrap().as_deref(), Some("\"well again\""));
}

/// Flips a bit behind the place where the name stands for the `nth` time (from 0): the first record has it twice.
fn damage(root: &Path, name: &[u8], nth: usize) {
    let is_segment = |file: &std::path::PathBuf| file.extension().is_some_and(|end| end == "seg");
    let segment = files(&root.join("journal")).into_iter().find(is_segment).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let found = bytes
        .windows(name.len() + 7)
        .enumerate()
        .filter(|(_, part)| part.starts_with(b"counter") && part.ends_with(name));
    let at = found.map(|(at, _)| at).nth(nth).unwrap();
    bytes[at + name.len() + 40] ^= 1;
    fs::write(&segment, &bytes).unwrap();
}

#[test]
fn an_image_is_there_as_long_as_somebody_has_it_and_is_what_the_database_is() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    life(&mut a);
    let (from_history, from_file) = (disk.store.image(&key("a"), Moment::Now).unwrap(), a.image().unwrap());
    assert_eq!(from_history.turn(), from_file.turn());
    assert_eq!(from_history.time_ms(), from_file.time_ms());
    assert_eq!(dump(from_history.path()), dump(from_file.path()));
    assert!(fs::read(from_history.path()).unwrap() == fs::read(from_file.path()).unwrap());
    let path = from_history.path().to_owned();
    drop(from_history);
    assert!(!path.exists());
    assert_at(&mut a, 5);
}
