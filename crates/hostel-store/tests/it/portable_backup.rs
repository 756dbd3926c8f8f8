//! A backup taken from a busy store is a data directory of its own, at every moment of its making.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use hostel_store::{BackedUp, Beside, Held, Options, Progress, SqlValue, Store, make_durable, verify};

use super::portable_export::{busy, key};
use super::{Disk, copy_all, database, files, keep};

fn back_up(store: &Store, to: &Path) -> BackedUp {
    store.backup(to, &mut |_| {}).unwrap()
}

/// Serves a copy of a backup, which stays one.
fn serve(backup: &Path) -> Result<(tempfile::TempDir, Store), hostel_store::Error> {
    let copy = tempfile::tempdir().unwrap();
    copy_all(backup, copy.path());
    let store = Store::open(copy.path(), Options::default())?;
    Ok((copy, store))
}

fn state(store: &Store, name: &str) -> Option<String> {
    store.agent("counter", name).unwrap().state().unwrap().map(|state| state.to_string())
}

#[test]
fn a_backup_of_a_store_at_work_has_all_that_was_acknowledged_before_it_began() {
    const AGENTS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    // Small, so that segments are retired and SQLite's logs copied all the time.
    let options = Options { journal_segment_bytes: 256 << 10, checkpoint_bytes: 1 << 20, ..Options::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let acknowledged: Arc<[AtomicI64; AGENTS]> = Arc::default();
    let ends = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..AGENTS)
        .map(|of| {
            let (store, acknowledged, ends) = (store.clone(), Arc::clone(&acknowledged), Arc::clone(&ends));
            std::thread::spawn(move || write(&store, of, &acknowledged[of], &ends))
        })
        .collect();
    let backup = tempfile::tempdir().unwrap();
    for _round in 0..4 {
        let goal = acknowledged[0].load(Ordering::SeqCst) + 40;
        while acknowledged[0].load(Ordering::SeqCst) < goal {
            store.checkpoint();
        }
        let before: Vec<i64> = acknowledged.iter().map(|of| of.load(Ordering::SeqCst)).collect();
        back_up(&store, backup.path());
        let verified = verify(backup.path(), &mut |_| {}).unwrap();
        assert!(verified.problems.is_empty(), "{:?}", verified.problems);
        let (_copy, restored) = serve(backup.path()).unwrap();
        for (of, before) in before.iter().enumerate() {
            assert_holds(&restored, of, *before);
        }
    }
    ends.store(true, Ordering::SeqCst);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

fn write(store: &Store, of: usize, acknowledged: &AtomicI64, ends: &AtomicBool) {
    let mut agent = store.agent("counter", &format!("busy{of}")).unwrap();
    agent.sql("CREATE TABLE t (n INTEGER, filler TEXT)", &[]).unwrap();
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    for n in 1.. {
        if ends.load(Ordering::SeqCst) {
            return;
        }
        agent.begin().unwrap();
        agent.sql("INSERT INTO t VALUES (?1, hex(randomblob(1500)))", &[n.into()]).unwrap();
        agent.sql("DELETE FROM t WHERE n < ?1 - 100", &[n.into()]).unwrap();
        agent.set_state(&n.to_string()).unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
        acknowledged.store(n, Ordering::SeqCst);
        if n % 16 == 0 {
            agent.release().unwrap();
        }
    }
}

fn assert_holds(store: &Store, of: usize, before: i64) {
    let mut agent = store.agent("counter", &format!("busy{of}")).unwrap();
    let n: i64 = agent.state().unwrap().map_or(0, |state| state.parse().unwrap());
    assert!(n >= before, "{n} of {before}");
    assert_eq!(agent.sql("PRAGMA integrity_check", &[]).unwrap().rows, [["ok".into()]]);
    if n > 0 {
        let last = agent.sql("SELECT max(n) FROM t", &[]).unwrap();
        assert_eq!(last.rows, [[SqlValue::Integer(n)]]);
    }
    agent.rollback().unwrap();
}

#[test]
fn a_second_backup_copies_what_has_changed_and_nothing_else() {
    let disk = Disk::new();
    for n in 0..20 {
        busy(&disk, &format!("a{n}"));
    }
    let disk = disk.reopen();
    let backup = tempfile::tempdir().unwrap();
    let first = back_up(&disk.store, backup.path());
    assert!(first.copied >= 20);
    // What has just been written is copied once more; then everything is at rest.
    let until = Instant::now() + Duration::from_secs(30);
    while back_up(&disk.store, backup.path()).copied > 2 {
        assert!(Instant::now() < until, "the register and the lease alone are made anew each time");
    }
    keep(&mut disk.agent("a7"), "\"changed\"");
    let changed = back_up(&disk.store, backup.path());
    assert!((3..=5).contains(&changed.copied), "{changed:?}");
    let (_copy, restored) = serve(backup.path()).unwrap();
    assert_eq!(state(&restored, "a7").as_deref(), Some("\"changed\""));
    assert_eq!(state(&restored, "a8").as_deref(), Some("{\"count\":20}"));
    assert_eq!(restored.count("counter").unwrap(), 20);
}

#[test]
fn history_wake_ups_and_imports_are_in_a_backup_and_the_numbers_of_turns_go_on() {
    let disk = Disk::new();
    busy(&disk, "a");
    let disk = disk.reopen();
    keep(&mut disk.agent("a"), "\"later\"");
    let backup = tempfile::tempdir().unwrap();
    let done = back_up(&disk.store, backup.path());
    let (_copy, restored) = serve(backup.path()).unwrap();
    let list = |store: &Store| {
        let query = hostel_store::HistoryQuery { limit: 100, ..Default::default() };
        store.history(&key("a"), &query).unwrap().turns.into_iter().map(|turn| turn.turn).collect::<Vec<_>>()
    };
    assert_eq!(list(&restored), list(&disk.store));
    assert_eq!(u64::try_from(list(&restored)[0]).unwrap(), done.turn);
    assert_eq!(restored.alarms().unwrap(), disk.store.alarms().unwrap());
    keep(&mut restored.agent("counter", "a").unwrap(), "\"restored\"");
    assert!(list(&restored)[0] > list(&disk.store)[0]);
}

#[test]
fn an_agent_that_was_destroyed_leaves_the_backup_with_the_next_one() {
    let disk = Disk::new();
    keep(&mut disk.agent("stays"), "1");
    keep(&mut disk.agent("goes"), "1");
    let disk = disk.reopen();
    let backup = tempfile::tempdir().unwrap();
    back_up(&disk.store, backup.path());
    assert_eq!(files(&backup.path().join("agents")).len(), 2);
    disk.agent("goes").destroy().unwrap();
    let done = back_up(&disk.store, backup.path());
    assert!(done.removed >= 1);
    assert_eq!(files(&backup.path().join("agents")).len(), 1);
    let (_copy, restored) = serve(backup.path()).unwrap();
    assert_eq!((state(&restored, "goes"), state(&restored, "stays")), (None, Some("1".to_owned())));
}

/// What an application keeps beside: contents and stamps by name.
type Kept = std::collections::BTreeMap<&'static str, (&'static str, Option<u8>)>;

/// Backs up with these, and says which were read.
fn back_up_with(store: &Store, to: &Path, kept: &RefCell<Kept>) -> (BackedUp, Vec<String>) {
    let read = RefCell::new(Vec::new());
    let held = || {
        let of = |(name, (_, stamp)): (&&str, &(_, Option<u8>))| Held {
            name: (*name).to_owned(),
            stamp: stamp.map(|stamp| [stamp; 32]),
        };
        Ok(kept.borrow().iter().map(of).collect())
    };
    let pack = |name: &str, out: &mut dyn Write| {
        read.borrow_mut().push(name.to_owned());
        match kept.borrow().get(name) {
            Some((content, _)) if content.starts_with("unreadable") => Err(std::io::Error::other(*content)),
            Some((content, _)) => out.write_all(content.as_bytes()).map(|()| true),
            None => Ok(false),
        }
    };
    let beside = Beside { name: "workspace", held: &held, pack: &pack };
    let done = store.backup_with(to, &[beside], &mut |_| {}).unwrap();
    (done, read.into_inner())
}

fn beside(root: &Path, name: &str) -> Option<String> {
    fs::read_to_string(root.join("belongings/workspace").join(name).with_extension("tar")).ok()
}

#[test]
fn what_is_kept_beside_is_backed_up_once_while_it_is_at_rest_and_named_while_it_is_worked_in() {
    let (disk, backup) = (Disk::new(), tempfile::tempdir().unwrap());
    keep(&mut disk.agent("a"), "1");
    let to = backup.path();
    let kept = RefCell::new(Kept::from([("rests", ("one", Some(1))), ("works", ("two", None))]));
    let (done, read) = back_up_with(&disk.store, to, &kept);
    assert_eq!(read, ["rests", "works", "works"]);
    assert_eq!((done.worked_in, done.left_out), (vec!["workspace/works".to_owned()], vec![]));
    assert_eq!((beside(to, "rests"), beside(to, "works")), (Some("one".to_owned()), Some("two".to_owned())));
    let verified = verify(to, &mut |_| {}).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    assert!(verified.notes.iter().any(|note| note == "it has the workspace of 2 agents"), "{:?}", verified.notes);

    // The next one reads only what is not as it was.
    let inode = |name: &str| to.join("belongings/workspace").join(name).metadata().unwrap().ino();
    let before = inode("rests.tar");
    kept.borrow_mut().insert("works", ("three", Some(3)));
    kept.borrow_mut().insert("comes", ("four", Some(4)));
    let (done, read) = back_up_with(&disk.store, to, &kept);
    assert_eq!((read, done.worked_in), (vec!["comes".to_owned(), "works".to_owned()], vec![]));
    assert_eq!((inode("rests.tar"), beside(to, "works").as_deref()), (before, Some("three")));
    let (_, read) = back_up_with(&disk.store, to, &kept);
    assert_eq!(read, [""; 0]);

    // What cannot be read stays as an earlier backup has it, and is tried again; what is gone goes.
    kept.borrow_mut().insert("works", ("unreadable", Some(5)));
    kept.borrow_mut().insert("never", ("unreadable too", Some(6)));
    kept.borrow_mut().remove("rests");
    for _again in 0..2 {
        let (done, _) = back_up_with(&disk.store, to, &kept);
        let left: Vec<_> = done.left_out.iter().map(|left| (&*left.what, &*left.why, left.has_older)).collect();
        assert_eq!(left, [("workspace/never", "unreadable too", false), ("workspace/works", "unreadable", true)]);
        assert_eq!((beside(to, "works").as_deref(), beside(to, "rests")), (Some("three"), None));
    }
    assert!(verify(to, &mut |_| {}).unwrap().problems.is_empty());

    // A copy that is served has it to put back; a byte that is not as it was is found.
    let (copy, served) = serve(to).unwrap();
    let names: Vec<_> = served.brought("workspace").unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["comes", "works"]);
    drop((served, copy));
    fs::write(to.join("belongings/workspace/works.tar"), "thre3").unwrap();
    let problems = verify(to, &mut |_| {}).unwrap().problems;
    assert!(problems.iter().any(|problem| problem.path.ends_with("works.tar")), "{problems:?}");
}

#[test]
fn what_is_gone_when_a_backup_comes_to_it_is_not_missed_and_every_one_is_told() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    for look in 1..=2 {
        let backup = tempfile::tempdir().unwrap();
        let (there, looks) = (RefCell::new(vec!["breaks", "goes", "stays"]), Cell::new(0));
        let held = || Ok(there.borrow().iter().map(|name| Held { name: (*name).to_owned(), stamp: None }).collect());
        let pack = |name: &str, out: &mut dyn Write| {
            looks.set(looks.get() + usize::from(name == "goes"));
            if name == "goes" && looks.get() == look {
                there.borrow_mut().retain(|there| *there != name);
                return Err(std::io::Error::other("gone"));
            }
            if name == "breaks" {
                return Err(std::io::Error::other("unreadable"));
            }
            out.write_all(b"all").map(|()| true)
        };
        let mut told = Vec::new();
        let progress = &mut |at: Progress| {
            if at.doing == "copying files of agents" {
                told.push((at.done, at.of));
            }
        };
        let beside = Beside { name: "workspace", held: &held, pack: &pack };
        let done = disk.store.backup_with(backup.path(), &[beside], progress).unwrap();
        let left: Vec<_> = done.left_out.iter().map(|left| (&*left.what, &*left.why)).collect();
        assert_eq!((left, looks.get()), (vec![("workspace/breaks", "unreadable")], look));
        assert_eq!(told[..4], [(0, 0), (0, 3), (1, 3), (2, 3)]);
    }
}

/// Runs a backup that is killed when it tells of its progress for the `at`th time. `None` if it was done before that.
fn killed(store: &Store, to: &Path, at: usize) -> Option<()> {
    let mut told = 0;
    let progress = &mut |_| {
        told += 1;
        assert!(told <= at, "killed");
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| store.backup(to, progress)));
    match outcome {
        Ok(done) => {
            done.unwrap();
            None
        }
        Err(_) => Some(()),
    }
}

#[test]
fn a_first_backup_that_is_killed_is_refused_or_whole() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    let (mut refused, mut whole) = (0, 0);
    for at in 0.. {
        let backup = tempfile::tempdir().unwrap();
        let died = killed(&disk.store, backup.path(), at);
        match serve(backup.path()) {
            Ok((_copy, restored)) => {
                assert_eq!(state(&restored, "a").as_deref(), Some("1"));
                whole += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("not finished"), "{error}");
                assert!(!verify(backup.path(), &mut |_| {}).unwrap().problems.is_empty());
                refused += 1;
            }
        }
        back_up(&disk.store, backup.path());
        assert_eq!(state(&serve(backup.path()).unwrap().1, "a").as_deref(), Some("1"));
        if died.is_none() {
            break;
        }
    }
    assert!(refused > 2 && whole > 3, "{refused} {whole}");
}

#[test]
fn a_later_backup_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let disk = Disk::new();
    for name in ["a", "b", "gone"] {
        keep(&mut disk.agent(name), "\"old\"");
    }
    let disk = disk.reopen();
    let old = tempfile::tempdir().unwrap();
    back_up(&disk.store, old.path());
    for name in ["a", "b"] {
        keep(&mut disk.agent(name), "\"new\"");
    }
    disk.agent("gone").destroy().unwrap();
    keep(&mut disk.agent("fresh"), "\"new\"");
    let (mut olds, mut news) = (0, 0);
    for at in 0.. {
        let backup = tempfile::tempdir().unwrap();
        copy_all(old.path(), backup.path());
        let died = killed(&disk.store, backup.path(), at);
        let verified = verify(backup.path(), &mut |_| {}).unwrap();
        assert!(verified.problems.is_empty(), "{:?}", verified.problems);
        let (_copy, restored) = serve(backup.path()).unwrap();
        let found = ["a", "b", "gone", "fresh"].map(|name| state(&restored, name));
        let [is_old, is_new] = [
            [Some("\"old\""), Some("\"old\""), Some("\"old\""), None],
            [Some("\"new\""), Some("\"new\""), None, Some("\"new\"")],
        ]
        .map(|state| state.map(|state| state.map(str::to_owned)) == found);
        assert!(is_old || is_new, "{found:?}");
        olds += usize::from(is_old);
        news += usize::from(is_new);
        back_up(&disk.store, backup.path());
        assert_eq!(state(&serve(backup.path()).unwrap().1, "fresh").as_deref(), Some("\"new\""));
        if died.is_none() {
            break;
        }
    }
    assert!(olds > 3 && news > 3, "{olds} {news}");
}

#[test]
fn a_directory_that_is_no_place_for_a_backup_is_refused_in_words() {
    let disk = Disk::new();
    keep(&mut disk.agent("a"), "1");
    let refused = |dir: &Path, why: &str| {
        let error = disk.store.backup(dir, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    };
    refused(disk.dir.path(), "in each other");
    refused(&disk.dir.path().join("below"), "in each other");
    let full = tempfile::tempdir().unwrap();
    fs::write(full.path().join("letter.txt"), "mine").unwrap();
    refused(full.path(), "letter.txt");

    let other = Disk::new();
    keep(&mut other.agent("a"), "1");
    let backup = tempfile::tempdir().unwrap();
    back_up(&other.store, backup.path());
    refused(backup.path(), "is a backup of");
    let served = Store::open(backup.path(), Options::default()).unwrap();
    refused(backup.path(), "served");
    drop(served);
    refused(backup.path(), "served");
    assert_eq!(fs::read(full.path().join("letter.txt")).unwrap(), b"mine");
}

#[test]
fn a_backup_that_has_changed_is_found_by_its_sums() {
    let disk = Disk::new();
    busy(&disk, "a");
    let disk = disk.reopen();
    let backup = tempfile::tempdir().unwrap();
    back_up(&disk.store, backup.path());
    for file in files(backup.path()) {
        let bytes = fs::read(&file).unwrap();
        if bytes.is_empty() || file.ends_with("lock") {
            continue;
        }
        let mut bad = bytes.clone();
        bad[bytes.len() / 2] ^= 4;
        fs::write(&file, &bad).unwrap();
        let verified = verify(backup.path(), &mut |_| {}).unwrap();
        assert!(!verified.problems.is_empty(), "{}", file.display());
        fs::write(&file, &bytes).unwrap();
    }
    fs::copy(database(backup.path(), "a-"), backup.path().join("agents/counter/stranger.db")).unwrap();
    let verified = verify(backup.path(), &mut |_| {}).unwrap();
    assert!(verified.problems.iter().any(|problem| problem.what.contains("not part of the backup")));
}
