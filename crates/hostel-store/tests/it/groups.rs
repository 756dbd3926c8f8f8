//! Turns that share a record: each undone alone, all of them durable together, and nothing of them in a file before.

use std::fs;

use hostel_store::{
    AgentDb, Author, Cause, Commit, Error, HistoryQuery, Kept, Moment, Options, SqlValue, Store, make_durable,
};

use super::history::{key, turns};
use super::{Disk, copy_all, database, keep};

fn turn(agent: &mut AgentDb, n: u32) {
    agent.begin().unwrap();
    agent.set_cause(Cause { event: "call", what: "add", author: Author::Connection("c1") });
    agent.set_state(&n.to_string()).unwrap();
}

fn hold(agent: &mut AgentDb, n: u32) {
    turn(agent, n);
    assert!(matches!(agent.hold().unwrap(), Kept::Held));
}

fn committed(kept: Result<Kept, Error>) -> Commit {
    match kept.unwrap() {
        Kept::Committed(commit) => commit,
        other => panic!("{other:?}"),
    }
}

fn state_after_a_crash(disk: &Disk, name: &str) -> Option<String> {
    let crashed = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), crashed.path());
    let store = Store::open(crashed.path(), Options::default()).unwrap();
    store.agent("counter", name).unwrap().state().unwrap().map(|state| state.to_string())
}

#[test]
fn turns_that_are_held_share_one_record_with_the_turn_that_ends_them() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    let before = disk.store.journal_counts().entries;
    (1..=9).for_each(|n| hold(&mut a, n));
    assert_eq!(a.state().unwrap().as_deref(), Some("9"), "seen in this process at once");
    assert_eq!(state_after_a_crash(&disk, "a").as_deref(), Some("0"), "and nowhere else");
    turn(&mut a, 10);
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    assert_eq!(disk.store.journal_counts().entries - before, 1);
    assert_eq!(state_after_a_crash(&disk, "a").as_deref(), Some("10"));
    assert!(!a.is_holding());
}

#[test]
fn what_is_held_is_ended_by_a_commit_without_a_turn_and_by_a_turn_that_only_reads() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    hold(&mut a, 1);
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    assert_eq!(state_after_a_crash(&disk, "a").as_deref(), Some("1"));
    hold(&mut a, 2);
    a.sql("SELECT state FROM cf_agents_state", &[]).unwrap();
    assert!(matches!(a.hold().unwrap(), Kept::Nothing));
    a.sql("SELECT state FROM cf_agents_state", &[]).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    assert_eq!(state_after_a_crash(&disk, "a").as_deref(), Some("2"));
    assert!(a.commit().unwrap().is_none());
}

#[test]
fn a_turn_in_the_middle_is_undone_alone_also_when_sqlite_undoes_it_by_itself() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    a.sql("CREATE TABLE t (n)", &[]).unwrap();
    assert!(matches!(a.hold().unwrap(), Kept::Held));
    let insert = |a: &mut AgentDb, n: i64| drop(a.sql("INSERT INTO t VALUES (?1)", &[n.into()]).unwrap());
    insert(&mut a, 1);
    assert!(matches!(a.hold().unwrap(), Kept::Held));
    insert(&mut a, 2);
    a.set_alarm(Some(7)).unwrap();
    a.rollback().unwrap();
    assert_eq!(a.alarm().unwrap(), None);
    insert(&mut a, 3);
    a.set_alarm(Some(8)).unwrap();
    assert!(matches!(a.hold().unwrap(), Kept::Held));
    // An interrupted write ends SQLite's transaction, and only that.
    a.set_deadline(Some(std::time::Instant::now()));
    let endless = "INSERT INTO t WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r";
    assert_eq!(a.sql(endless, &[]).unwrap_err().code(), "turn_timeout");
    a.set_deadline(None);
    a.hold().unwrap_err();
    insert(&mut a, 4);
    make_durable(&committed(a.commit().map(Kept::from))).unwrap();
    assert_eq!(a.alarm().unwrap(), Some(8));

    let now = disk.store.image(&key("a"), Moment::Now).unwrap();
    let conn = rusqlite::Connection::open(now.path()).unwrap();
    let rows: String = conn.query_row("SELECT group_concat(n) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, "1,3,4");
    assert_eq!(turns(&disk.store, "a").len(), 2);
}

#[test]
fn an_agents_first_turn_has_a_record_of_its_own_and_a_store_in_memory_holds_nothing() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    turn(&mut a, 1);
    make_durable(&committed(a.hold())).unwrap();
    assert_eq!(state_after_a_crash(&disk, "a").as_deref(), Some("1"));

    let memory = Store::in_memory(Options::default()).unwrap();
    let mut b = memory.agent("counter", "b").unwrap();
    for n in 1..=3 {
        turn(&mut b, n);
        assert!(committed(b.hold()).is_durable());
    }
}

#[test]
fn a_turn_that_changes_nothing_adds_nothing_to_a_group() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "1");
    turn(&mut a, 1);
    assert!(committed(a.hold()).is_durable(), "it rests on the turn before");
    assert!(!a.is_holding());
    hold(&mut a, 2);
    hold(&mut a, 2);
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    let last = turns(&disk.store, "a").pop().unwrap();
    assert!(last.shared.is_empty(), "{last:?}");
    assert_eq!(last.cause.to_string(), "call add by connection c1");
}

#[test]
fn many_turns_and_many_bytes_are_handed_over_without_being_asked_for() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    let handed_over = |a: &mut AgentDb, bytes: usize| -> usize {
        (1_u32..)
            .position(|n| {
                turn(a, n);
                a.set_state(&format!("{{\"n\":{n},\"fill\":\"{}\"}}", "x".repeat(bytes))).unwrap();
                matches!(a.hold().unwrap(), Kept::Committed(_))
            })
            .unwrap()
    };
    assert_eq!(handed_over(&mut a, 0), 63);
    assert!(handed_over(&mut a, 50_000) < 6);
}

#[test]
fn no_page_of_a_held_turn_gets_into_the_file_before_the_journal_has_it() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    drop(a.image().unwrap());
    let file = database(disk.dir.path(), "a-");
    let as_it_was = fs::read(&file).unwrap();
    // All that the journal knows of is durable, and the log is long: it would be copied, but for what is held.
    (1..=14).for_each(|n| keep(&mut a, &n.to_string()));
    (15..=30).for_each(|n| hold(&mut a, n));
    disk.store.checkpoint();
    a.begin().unwrap();
    assert!(fs::read(&file).unwrap() == as_it_was);
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    a.begin().unwrap();
    assert!(fs::read(&file).unwrap() != as_it_was);
    assert_eq!(state_after_a_crash(&disk, "a").as_deref(), Some("30"));
}

#[test]
fn whatever_closes_a_database_hands_over_what_is_held() {
    type Close = fn(AgentDb);
    let closings: [(&str, Close); 4] = [
        ("closed", |a| a.close().unwrap()),
        ("released", |mut a| a.release().unwrap()),
        ("dropped", drop),
        ("copied", |mut a| assert_eq!(a.image().unwrap().state().unwrap().as_deref(), Some("2"))),
    ];
    for (name, close) in closings {
        let disk = Disk::new();
        let mut a = disk.agent(name);
        keep(&mut a, "0");
        hold(&mut a, 1);
        hold(&mut a, 2);
        close(a);
        assert_eq!(state_after_a_crash(&disk, name).as_deref(), Some("2"), "{name}");
        assert_eq!(disk.agent(name).state().unwrap().as_deref(), Some("2"), "{name}");
        let last = turns(&disk.store, name).pop().unwrap();
        assert_eq!(last.shared.iter().map(|run| run.turns).sum::<u32>(), 2, "{name}");
        let disk = disk.reopen();
        assert_eq!(disk.agent(name).state().unwrap().as_deref(), Some("2"), "{name}");
    }
}

#[test]
fn an_image_takes_the_place_of_an_agent_with_held_turns_and_an_agent_with_held_turns_is_destroyed() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    let image = disk.store.image(&key("a"), Moment::Now).unwrap();
    hold(&mut a, 1);
    a.replace(image, Cause { event: "restore", what: "", author: Author::Operator }).unwrap();
    let listed = turns(&disk.store, "a");
    assert_eq!(listed.len(), 3);
    let held = disk.store.image(&key("a"), Moment::Turn(listed[1].turn)).unwrap();
    assert_eq!(held.state().unwrap().as_deref(), Some("1"), "the turn that was held is in the history");
    assert_eq!(a.state().unwrap().as_deref(), Some("0"));
    hold(&mut a, 2);
    a.destroy().unwrap();
    assert_eq!(state_after_a_crash(&disk, "a"), None);
    assert_eq!(turns(&disk.store, "a").len(), 5);
}

#[test]
fn the_history_shows_why_each_turn_of_a_group_was_done_and_the_moment_after_all_of_them() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    let cause = |what, who| Cause { event: "call", what, author: Author::Connection(who) };
    for (n, (what, who)) in [("add", "ann"), ("add", "ann"), ("add", "bob"), ("take", "bob")].into_iter().enumerate() {
        a.set_state(&format!("{{\"n\":{n}}}")).unwrap();
        a.set_cause(cause(what, who));
        assert!(matches!(a.hold().unwrap(), Kept::Held));
    }
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    let disk = disk_without(a, disk);
    let query = HistoryQuery { changes: true, ..HistoryQuery::default() };
    let page = disk.store.history(&key("a"), &query).unwrap();
    let group = &page.turns[0];
    let shown: Vec<_> = group.shared.iter().map(|run| format!("{} {}", run.turns, run.cause)).collect();
    assert_eq!(
        shown,
        ["2 call add by connection ann", "1 call add by connection bob", "1 call take by connection bob"]
    );
    assert_eq!(group.cause.to_string(), "call add by connection ann");
    assert!(page.turns[1].shared.is_empty());
    let after = disk.store.image(&key("a"), Moment::Turn(group.turn)).unwrap();
    assert_eq!(after.state().unwrap().as_deref(), Some("{\"n\":3}"));
}

/// The same after a restart: what is told is told from the files.
fn disk_without(agent: AgentDb, disk: Disk) -> Disk {
    drop(agent);
    disk.reopen()
}

#[test]
fn the_rows_of_held_turns_are_whole_after_a_crash() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    a.sql("CREATE TABLE t (n INTEGER PRIMARY KEY, filler)", &[]).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    for group in 0..20_i64 {
        for n in 0..5 {
            let n = group * 5 + n;
            a.sql("INSERT INTO t VALUES (?1, ?2)", &[n.into(), "x".repeat((n % 7 * 900) as usize).into()]).unwrap();
            if n % 3 == 0 {
                a.sql("DELETE FROM t WHERE n = ?1", &[(n - 2).into()]).unwrap();
            }
            assert!(matches!(a.hold().unwrap(), Kept::Held));
        }
        make_durable(&a.commit().unwrap().unwrap()).unwrap();
    }
    let crashed = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), crashed.path());
    let store = Store::open(crashed.path(), Options::default()).unwrap();
    let mut again = store.agent("counter", "a").unwrap();
    let all = "SELECT n, length(filler) FROM t";
    assert_eq!(again.sql(all, &[]).unwrap().rows, a.sql(all, &[]).unwrap().rows);
    let sound: SqlValue = "ok".into();
    assert_eq!(again.sql("PRAGMA integrity_check", &[]).unwrap().rows, [[sound]]);
}
