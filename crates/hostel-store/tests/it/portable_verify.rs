//! The check of a directory finds whatever has changed, and changes nothing itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hostel_store::{HistoryQuery, Moment, Options, Store, Verified, VerifyOptions, make_durable, verify, verify_with};

use super::portable_export::{busy, key};
use super::{Disk, copy_all, database, files, keep};

fn check(dir: &Path) -> Verified {
    verify(dir, &mut |_| {}).unwrap()
}

fn told(verified: &Verified) -> Vec<String> {
    verified.problems.iter().map(|problem| format!("{} {:?} {}", problem.path, problem.agent, problem.what)).collect()
}

/// Everything about every file that a careless look could change.
fn trace(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
    let of = |path: PathBuf| {
        let meta = fs::metadata(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        (path, (bytes, meta.ctime(), meta.ctime_nsec()))
    };
    files(dir).into_iter().map(of).collect()
}

/// A store with history that was stopped cleanly, and how it looked while it ran.
fn stopped() -> (tempfile::TempDir, BTreeMap<String, String>) {
    let disk = Disk::new();
    busy(&disk, "a");
    busy(&disk, "b");
    keep(&mut disk.agent("small"), "\"s\"");
    keep(&mut disk.agent("gone"), "1");
    disk.agent("gone").destroy().unwrap();
    let Disk { dir, store } = disk;
    drop(store);
    // Once more, so that history is sorted into its files.
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while files(&dir.path().join("history/pending")).iter().any(|file| file.extension().is_some_and(|end| end == "seg"))
    {
        assert!(std::time::Instant::now() < until, "segments are taken apart in the background");
        std::thread::yield_now();
    }
    drop(store);
    let looks = looks(dir.path());
    (dir, looks)
}

/// All that anybody could ever read from a directory.
fn looks(dir: &Path) -> BTreeMap<String, String> {
    let copy = tempfile::tempdir().unwrap();
    copy_all(dir, copy.path());
    let store = Store::open(copy.path(), Options::default()).unwrap();
    let mut looks = BTreeMap::new();
    for name in ["a", "b", "small", "gone"] {
        let mut agent = store.agent("counter", name).unwrap();
        looks.insert(format!("state of {name}"), format!("{:?} {:?}", agent.state(), agent.alarm()));
        if ["a", "b"].contains(&name) {
            looks.insert(format!("rows of {name}"), format!("{:?}", agent.sql("SELECT * FROM t", &[])));
            agent.rollback().unwrap();
        }
        let query = HistoryQuery { limit: 1000, changes: true, ..HistoryQuery::default() };
        looks.insert(format!("history of {name}"), format!("{:?}", store.history(&key(name), &query)));
        let image = store.image(&key(name), Moment::Now).map(|image| fs::read(image.path()).unwrap());
        looks.insert(format!("image of {name}"), format!("{image:?}"));
    }
    let registered = store.alarms().unwrap();
    for name in ["a", "b"] {
        // It may be early, and never late.
        let in_time = registered.iter().any(|(of, at)| *of == key(name) && *at <= 1_000_020);
        looks.insert(format!("wake-up of {name}"), in_time.to_string());
    }
    looks
}

#[test]
fn a_directory_that_was_stopped_cleanly_is_in_order_and_stays_untouched() {
    let (dir, _) = stopped();
    let before = trace(dir.path());
    let verified = check(dir.path());
    assert_eq!(told(&verified), [""; 0]);
    assert!(verified.clean);
    assert_eq!(verified.agents, 3);
    assert_eq!(verified.history_records, 21 + 21 + 1 + 2);
    assert_eq!(trace(dir.path()), before);
}

#[test]
fn a_directory_after_a_crash_is_in_order_and_the_check_says_what_will_be_replayed() {
    let disk = Disk::new();
    busy(&disk, "a");
    let mut open = disk.agent("b");
    keep(&mut open, "1");
    let copy = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), copy.path());
    // Torn in the file, whole in the journal.
    let mut torn = fs::read(database(copy.path(), "a-")).unwrap();
    torn[2 * 4096..3 * 4096].fill(0x5a);
    fs::write(database(copy.path(), "a-"), torn).unwrap();
    fs::remove_file(database(copy.path(), "b-")).unwrap();
    let before = trace(copy.path());
    let verified = check(copy.path());
    assert_eq!(told(&verified), [""; 0]);
    assert!(!verified.clean);
    assert!(verified.notes.iter().any(|note| note.contains("replays 22 records of 2 agents")), "{:?}", verified.notes);
    assert_eq!(verified.agents, 2);
    assert_eq!(trace(copy.path()), before);
}

#[test]
fn a_directory_in_use_is_refused_and_so_is_one_that_is_none() {
    let disk = Disk::new();
    let error = verify(disk.dir.path(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "storage_locked");
    let empty = tempfile::tempdir().unwrap();
    assert!(verify(empty.path(), &mut |_| {}).unwrap_err().to_string().contains("no data directory"));
    assert!(verify(&empty.path().join("nothing"), &mut |_| {}).is_err());
}

/// Flips one bit at a time, anywhere. What is not found must not make a difference to anybody.
fn flip(dir: &Path, samples: usize, told_otherwise: impl Fn(&Verified) -> bool) -> BTreeMap<String, [usize; 2]> {
    let good = looks(dir);
    let files: Vec<_> = files(dir).into_iter().filter(|file| fs::metadata(file).unwrap().len() > 0).collect();
    let mut random = 0x0123_4567_89ab_cdef_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    let mut tally: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for _ in 0..samples {
        let file = &files[next(files.len())];
        let bytes = fs::read(file).unwrap();
        let (at, bit) = (next(bytes.len()), next(8));
        let mut bad = bytes.clone();
        bad[at] ^= 1 << bit;
        fs::write(file, &bad).unwrap();
        let verified = check(dir);
        let found = !verified.problems.is_empty() || told_otherwise(&verified);
        let kind = file.strip_prefix(dir).unwrap().components().next().unwrap().as_os_str().to_string_lossy();
        tally.entry(kind.into_owned()).or_default()[usize::from(found)] += 1;
        if !found {
            assert_eq!(looks(dir), good, "bit {bit} of byte {at} of {}", file.display());
        }
        fs::write(file, &bytes).unwrap();
    }
    assert_eq!(told(&check(dir)), [""; 0]);
    tally
}

#[test]
fn every_bit_that_changes_is_found_or_means_nothing() {
    let (dir, _) = stopped();
    let tally = flip(dir.path(), 200, |_| false);
    // Databases and history are covered whole; what means nothing is in the lock file and in unused parts of the register.
    for part in ["agents", "history", "journal"] {
        assert_eq!(tally[part][0], 0, "{tally:?}");
        assert!(tally[part][1] > 5, "{tally:?}");
    }
}

#[test]
fn every_bit_that_changes_after_a_crash_is_found_or_means_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { journal_segment_bytes: 256 << 10, ..Options::default() };
    let disk = Disk { store: Store::open(dir.path(), options.clone()).unwrap(), dir };
    busy(&disk, "a");
    keep(&mut disk.agent("small"), "\"s\"");
    let Disk { dir, store } = disk;
    drop(store);
    let disk = Disk { store: Store::open(dir.path(), options).unwrap(), dir };
    busy(&disk, "b");
    let mut a = disk.agent("a");
    a.sql("DELETE FROM t WHERE n < 5", &[]).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), copy.path());
    // A flaw in the very last write looks like a write that was not finished, and that is what is said.
    let tally = flip(copy.path(), 60, |verified| verified.notes.iter().any(|note| note.contains("was not finished")));
    assert!(tally["journal"][1] > 0, "{tally:?}");
}

#[test]
fn a_database_that_is_gone_moved_or_replaced_by_an_older_one_is_found() {
    let (dir, _) = stopped();
    let a = database(dir.path(), "a-");
    let bytes = fs::read(&a).unwrap();
    fs::remove_file(&a).unwrap();
    let gone = check(dir.path());
    assert_eq!(gone.problems.len(), 1, "{:?}", told(&gone));
    assert!(gone.problems[0].what.contains("gone") && gone.problems[0].agent.as_deref() == Some("counter/a"));

    fs::copy(database(dir.path(), "b-"), &a).unwrap();
    let moved = told(&check(dir.path()));
    assert!(moved.iter().any(|what| what.contains("database of agent counter/b")), "{moved:?}");

    fs::write(&a, &bytes[..bytes.len() - 4096]).unwrap();
    assert!(!check(dir.path()).problems.is_empty());

    let conn = rusqlite::Connection::open(&a).unwrap();
    drop(conn);
    fs::write(&a, &bytes).unwrap();
    let conn = rusqlite::Connection::open(&a).unwrap();
    conn.execute_batch("UPDATE t SET filler = 'by another hand' WHERE n = 7").unwrap();
    drop(conn);
    let touched = told(&check(dir.path()));
    assert!(touched.iter().any(|what| what.contains("not as turn #")), "{touched:?}");
}

#[test]
fn an_agent_that_would_not_be_woken_is_found() {
    let (dir, _) = stopped();
    let conn = rusqlite::Connection::open(dir.path().join("node.db")).unwrap();
    conn.execute_batch("DELETE FROM hostel_alarms WHERE name = 'a'").unwrap();
    drop(conn);
    let found = told(&check(dir.path()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("wants to be woken at 1000020"));
}

#[test]
fn a_lease_that_is_gone_and_a_history_file_of_nobody_are_found() {
    let (dir, _) = stopped();
    fs::remove_file(dir.path().join("journal/lease")).unwrap();
    fs::write(dir.path().join("history/counter/what.hist"), "x").unwrap();
    let found = told(&check(dir.path()));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_journal_that_lacks_a_segment_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { journal_segment_bytes: 256 << 10, ..Options::default() };
    let disk = Disk { store: Store::open(dir.path(), options).unwrap(), dir };
    let mut open = disk.agent("open");
    open.sql("CREATE TABLE t (b)", &[]).unwrap();
    for _ in 0..12 {
        open.sql("INSERT INTO t VALUES (randomblob(60000))", &[]).unwrap();
        make_durable(&open.commit().unwrap().unwrap()).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), copy.path());
    let segments = files(&copy.path().join("journal"));
    let segments: Vec<_> = segments.iter().filter(|file| file.extension().is_some_and(|end| end == "seg")).collect();
    assert!(segments.len() > 2, "{segments:?}");
    fs::remove_file(segments[1]).unwrap();
    let found = told(&check(copy.path()));
    assert!(found.iter().any(|what| what.contains("the journal lacks")), "{found:?}");
}

#[test]
fn a_check_that_may_not_take_long_says_which_databases_it_did_not_finish() {
    let (dir, _) = stopped();
    let hasty = VerifyOptions { longest: Some(std::time::Duration::ZERO) };
    let verified = verify_with(dir.path(), hasty, &mut |_| {}).unwrap();
    assert_eq!(told(&verified), [""; 0]);
    let named = |part: &str| verified.unfinished.iter().any(|path| path.contains(part));
    assert!(named("/a-") && named("/b-") && verified.agents + verified.unfinished.len() as u64 == 3, "{verified:?}");
    let patient = VerifyOptions { longest: Some(std::time::Duration::from_secs(3600)) };
    let verified = verify_with(dir.path(), patient, &mut |_| {}).unwrap();
    assert_eq!((verified.unfinished.len(), verified.agents), (0, 3));
}

#[test]
fn a_file_of_history_that_is_gone_as_a_whole_is_named() {
    let (dir, _) = stopped();
    let hist: Vec<_> = files(&dir.path().join("history"))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "hist"))
        .collect();
    assert!(!hist.is_empty());
    for file in &hist {
        let bytes = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        let found = told(&check(dir.path()));
        let named = found
            .iter()
            .any(|what| what.contains(&*file.file_name().unwrap().to_string_lossy()) && what.contains("gone"));
        assert!(named, "{}: {found:?}", file.display());
        fs::write(file, bytes).unwrap();
    }
    assert_eq!(told(&check(dir.path())), [""; 0]);
    fs::remove_dir_all(hist[0].parent().unwrap()).unwrap();
    assert!(told(&check(dir.path())).len() >= hist.len());
}

#[test]
fn a_segment_that_waits_for_history_and_is_gone_is_named_and_nothing_else_is_accused() {
    let (dir, _) = stopped();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let disk = Disk { store, dir };
    // Pages of other turns change, an agent ends, one comes: none of it is known without the segment.
    let mut a = disk.agent("a");
    a.sql("DELETE FROM t WHERE n < 5", &[]).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    drop(a);
    keep(&mut disk.agent("small"), "\"other\"");
    keep(&mut disk.agent("new"), "1");
    let Disk { dir, store } = disk;
    drop(store);
    assert_eq!(told(&check(dir.path())), [""; 0]);
    let waiting = files(&dir.path().join("history/pending"));
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let bytes = fs::read(&waiting[0]).unwrap();
    fs::remove_file(&waiting[0]).unwrap();
    let found = check(dir.path());
    let name = waiting[0].strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned();
    assert_eq!(found.problems.iter().map(|problem| &problem.path).collect::<Vec<_>>(), [&name], "{:?}", told(&found));
    assert!(found.problems[0].what.contains("gone"), "{:?}", told(&found));
    // Put back, it is as if nothing had been.
    fs::write(&waiting[0], bytes).unwrap();
    assert_eq!(told(&check(dir.path())), [""; 0]);
}
