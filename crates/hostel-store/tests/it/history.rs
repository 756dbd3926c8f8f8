//! Every turn that is kept can be made again, whatever happened before and after it.

use std::collections::BTreeMap;
use std::path::Path;

use hostel_store::{
    AgentDb, AgentKey, Author, Cause, HistoryQuery, Kept, Moment, Options, SqlValue, Store, TurnEntry, make_durable,
};
use rusqlite::{Connection, OpenFlags};

use super::{Disk, copy_all, keep};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a database held, and its very bytes where a copy was taken.
struct Known {
    dump: String,
    bytes: Option<Vec<u8>>,
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
    agents: BTreeMap<&'static str, AgentDb>,
    known: BTreeMap<(&'static str, i64), Known>,
    dice: Dice,
}

const NAMES: [&str; 3] = ["one", "two", "three"];

fn options() -> Options {
    Options { journal_segment_bytes: 256 << 10, ..Options::default() }
}

pub(crate) fn key(name: &str) -> AgentKey {
    AgentKey::new("counter", name)
}

/// Everything in an agent's tables, as text.
pub(crate) fn dump(path: &Path) -> String {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(format!("file:{}?immutable=1", path.display()), flags).unwrap();
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values: Vec<String> = (0..width).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect();
            Ok(values.join(" "))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    let mut all = texts("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        all.push(table.clone());
        all.extend(texts(&format!("SELECT * FROM \"{table}\"")));
    }
    all.join("\n")
}

/// All turns of an agent, oldest first, asked for in pieces.
pub(crate) fn turns(store: &Store, name: &str) -> Vec<TurnEntry> {
    let mut query = HistoryQuery { before: None, limit: 7, changes: false };
    let mut all = Vec::new();
    loop {
        let page = store.history(&key(name), &query).unwrap();
        assert!(page.damage.is_empty(), "{:?}", page.damage);
        all.extend(page.turns);
        query.before = page.next;
        if page.next.is_none() {
            all.reverse();
            return all;
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), options()).unwrap();
        Self { dir, store, agents: BTreeMap::new(), known: BTreeMap::new(), dice: Dice(seed) }
    }

    fn step(&mut self) {
        let name = NAMES[self.dice.roll(3) as usize];
        match self.dice.roll(40) {
            0 => self.store.checkpoint(),
            1 => self.restart(),
            2 => self.crash(),
            3 => self.destroy(name),
            4..8 => self.undo(name),
            8..10 => {
                self.settle();
                drop(self.agents.remove(name));
            }
            10..18 => self.hold(name),
            _ => self.turn(name),
        }
    }

    fn agent(&mut self, name: &'static str) -> &mut AgentDb {
        let store = &self.store;
        self.agents.entry(name).or_insert_with(|| store.agent("counter", name).unwrap())
    }

    fn write(&mut self, name: &'static str) {
        let (what, n) = (self.dice.roll(7), self.dice.roll(300) as i64);
        let agent = self.agent(name);
        agent.begin().unwrap();
        let tables = "CREATE TABLE IF NOT EXISTS kv (id INTEGER PRIMARY KEY, v);
            CREATE TABLE IF NOT EXISTS blobs (k TEXT PRIMARY KEY, data) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS by_v ON kv (v)";
        agent.sql(tables, &[]).unwrap();
        let mut sql = |text: &str, params: &[SqlValue]| drop(agent.sql(text, params).unwrap());
        match what {
            0 => sql("INSERT OR REPLACE INTO kv VALUES (?1, hex(randomblob(20)))", &[n.into()]),
            1 => sql(
                "INSERT OR REPLACE INTO blobs VALUES (?1, randomblob(?2))",
                &[n.to_string().into(), (n * 200).into()],
            ),
            2 => sql("DELETE FROM blobs WHERE k > ?1", &[n.to_string().into()]),
            3 => sql("DELETE FROM kv WHERE id % 3 = ?1", &[(n % 3).into()]),
            4 => sql("UPDATE kv SET v = v || 'x' WHERE id > ?1", &[n.into()]),
            5 => sql("DROP TABLE blobs", &[]),
            _ => agent.set_state(&format!("{{\"n\":{n},\"fill\":\"{}\"}}", "y".repeat(n as usize * 100))).unwrap(),
        }
    }

    fn turn(&mut self, name: &'static str) {
        self.write(name);
        let (image, wait) = (self.dice.roll(3) == 0, self.dice.roll(2) == 0);
        let agent = self.agent(name);
        agent.set_cause(Cause { event: "call", what: "step", author: Author::Connection("c1") });
        let Some(commit) = agent.commit().unwrap() else { return };
        if wait {
            make_durable(&commit).unwrap();
        }
        // Copying the file is what a checkpoint does, so it is not done always.
        let copy = self.agent(name).image().unwrap();
        let bytes = image.then(|| std::fs::read(copy.path()).unwrap());
        self.known.insert((name, copy.turn()), Known { dump: dump(copy.path()), bytes });
        if !image {
            // The next turns go on from a log that is not empty.
            keep_silent(self.agent(name));
            let turn = turns(&self.store, name).last().unwrap().turn;
            let now = self.store.image(&key(name), Moment::Now).unwrap();
            self.known.insert((name, turn), Known { dump: dump(now.path()), bytes: None });
        }
    }

    /// Turns that are to share a record, some of them undone.
    fn hold(&mut self, name: &'static str) {
        for _ in 0..=self.dice.roll(4) {
            self.write(name);
            if self.dice.roll(4) == 0 {
                self.agent(name).rollback().unwrap();
            } else if let Kept::Committed(_) = self.agent(name).hold().unwrap() {
                self.remember(name);
            }
        }
    }

    fn remember(&mut self, name: &'static str) {
        let copy = self.agent(name).image().unwrap();
        let bytes = Some(std::fs::read(copy.path()).unwrap());
        self.known.insert((name, copy.turn()), Known { dump: dump(copy.path()), bytes });
    }

    /// Ends what is held.
    fn settle(&mut self) {
        for name in NAMES {
            if self.agents.get(name).is_some_and(AgentDb::is_holding) {
                self.agent(name).commit().unwrap().unwrap();
                self.remember(name);
            }
        }
    }

    fn undo(&mut self, name: &'static str) {
        self.write(name);
        self.agent(name).rollback().unwrap();
    }

    fn destroy(&mut self, name: &'static str) {
        self.agent(name);
        self.settle();
        self.agents.remove(name).unwrap().destroy().unwrap();
    }

    fn restart(&mut self) {
        self.settle();
        self.agents.clear();
        let memory = Store::in_memory(options()).unwrap();
        drop(std::mem::replace(&mut self.store, memory));
        self.store = Store::open(self.dir.path(), options()).unwrap();
    }

    /// Goes on with what a killed process would leave.
    fn crash(&mut self) {
        let there = tempfile::tempdir().unwrap();
        copy_all(self.dir.path(), there.path());
        self.agents.clear();
        self.store = Store::open(there.path(), options()).unwrap();
        self.dir = there;
    }

    fn check(&self) {
        let mut whole = 0;
        for name in NAMES {
            let listed = turns(&self.store, name);
            assert!(listed.is_sorted_by(|a, b| a.turn < b.turn));
            for entry in listed.iter().filter(|entry| !entry.ended) {
                let image = self.store.image(&key(name), Moment::Turn(entry.turn)).unwrap();
                let known = &self.known[&(name, entry.turn)];
                assert_eq!(dump(image.path()), known.dump, "{name} {}", entry.turn);
                if let Some(bytes) = &known.bytes {
                    assert!(&std::fs::read(image.path()).unwrap() == bytes, "{name} {}", entry.turn);
                }
                whole += 1;
            }
        }
        assert_eq!(whole, self.known.len(), "no turn is missing");
    }
}

/// A small turn more.
fn keep_silent(agent: &mut AgentDb) {
    agent.sql("CREATE TABLE IF NOT EXISTS ticks (n)", &[]).unwrap();
    agent.sql("INSERT INTO ticks SELECT count(*) FROM ticks", &[]).unwrap();
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
}

#[test]
fn every_turn_that_is_kept_rebuilds_to_exactly_what_the_database_was_then() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        for _ in 0..60 {
            world.step();
        }
        world.settle();
        world.check();
        world.restart();
        world.check();
    }
}

#[test]
fn history_survives_a_restart_a_crash_and_the_retirement_of_the_journal() {
    let disk = Disk::new();
    for n in 1..=10 {
        let mut a = disk.agent("a");
        a.set_cause(Cause { event: "call", what: "set", author: Author::Connection("c1") });
        a.set_state(&n.to_string()).unwrap();
        make_durable(&a.commit().unwrap().unwrap()).unwrap();
    }
    let before = turns(&disk.store, "a");
    assert_eq!(before.len(), 10);
    assert_eq!(before[3].cause.to_string(), "call set by connection c1");
    assert!(before[0].whole && !before[1].whole);
    let crashed = tempfile::tempdir().unwrap();
    copy_all(disk.dir.path(), crashed.path());
    let disk = disk.reopen();
    assert_eq!(turns(&disk.store, "a"), before);
    let disk = disk.reopen();
    assert_eq!(turns(&disk.store, "a"), before);
    let after_a_crash = Store::open(crashed.path(), Options::default()).unwrap();
    assert_eq!(turns(&after_a_crash, "a"), before);
    let third = after_a_crash.image(&key("a"), Moment::Turn(before[2].turn)).unwrap();
    assert_eq!(third.state().unwrap().as_deref(), Some("3"));
}

#[test]
fn history_is_read_while_the_agent_is_busy_and_shows_durable_turns_only() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    keep(&mut a, "0");
    let reader = disk.store.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let looking = std::thread::spawn(move || {
        for commit in told {
            let commit: hostel_store::Commit = commit;
            let page = reader.history(&key("a"), &HistoryQuery::default()).unwrap();
            assert!(commit.is_durable(), "what was committed before is waited for");
            let newest = reader.image(&key("a"), Moment::Turn(page.turns[0].turn)).unwrap();
            let n: u32 = newest.state().unwrap().unwrap().parse().unwrap();
            assert_eq!(page.turns.len(), 50.min(n as usize + 1));
        }
    });
    for n in 1..=40 {
        a.set_state(&n.to_string()).unwrap();
        tell.send(a.commit().unwrap().unwrap()).unwrap();
    }
    drop(tell);
    looking.join().unwrap();
}

#[test]
fn a_turn_without_a_cause_says_so_and_a_cause_is_for_one_turn() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    a.set_cause(Cause { event: "start", what: "", author: Author::Agent });
    a.set_state("1").unwrap();
    a.commit().unwrap().unwrap();
    keep(&mut a, "2");
    a.set_cause(Cause { event: "alarm", what: "", author: Author::Schedule });
    a.rollback().unwrap();
    keep(&mut a, "3");
    let causes: Vec<String> = turns(&disk.store, "a").iter().map(|turn| turn.cause.to_string()).collect();
    assert_eq!(causes, ["start by agent", "not recorded", "not recorded"]);
}

#[test]
fn moments_are_found_and_those_that_are_not_there_are_refused_with_what_is() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    for n in 1..=3 {
        keep(&mut a, &n.to_string());
        keep(&mut disk.agent("other"), "0");
    }
    let listed = turns(&disk.store, "a");
    let state = |at| disk.store.image(&key("a"), at).map(|image| image.state().unwrap().unwrap());
    assert_eq!(state(Moment::Now).unwrap(), "3");
    assert_eq!(state(Moment::Turn(listed[1].turn)).unwrap(), "2");
    assert_eq!(state(Moment::Time(i64::MAX)).unwrap(), "3");
    assert_eq!(state(Moment::Time(listed[0].time_ms - 1)).unwrap_err().code(), "history_gone");
    assert_eq!(state(Moment::Turn(listed[0].turn - 1)).unwrap_err().code(), "history_gone");
    let between = state(Moment::Turn(listed[0].turn + 1)).unwrap_err();
    assert_eq!(between.code(), "moment_invalid");
    assert!(between.to_string().contains(&format!("#{} and #{}", listed[0].turn, listed[1].turn)), "{between}");
    let nobody = disk.store.history(&key("nobody"), &HistoryQuery::default()).unwrap_err();
    assert_eq!(nobody.code(), "agent_not_found");
    let nobody = disk.store.image(&key("nobody"), Moment::Turn(1)).unwrap_err();
    assert_eq!(nobody.code(), "agent_not_found");
    a.destroy().unwrap();
    assert_eq!(state(Moment::Now).unwrap_err().code(), "agent_not_found");
    assert_eq!(state(Moment::Turn(listed[2].turn)).unwrap(), "3");
    assert!(turns(&disk.store, "a").last().unwrap().ended);
}

#[test]
fn a_store_in_memory_and_a_class_without_retention_say_that_they_keep_nothing() {
    let memory = Store::in_memory(Options::default()).unwrap();
    keep(&mut memory.agent("counter", "a").unwrap(), "1");
    let asked = memory.history(&key("a"), &HistoryQuery::default()).unwrap_err();
    assert_eq!(asked.code(), "history_off");
    assert_eq!(memory.image(&key("a"), Moment::Now).unwrap_err().code(), "history_off");

    let dir = tempfile::tempdir().unwrap();
    let options = Options { history: hostel_store::HistoryOptions::off(), ..Options::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    keep(&mut a, "1");
    assert_eq!(store.history(&key("a"), &HistoryQuery::default()).unwrap_err().code(), "history_off");
    assert_eq!(a.image().unwrap().state().unwrap().as_deref(), Some("1"));
    keep(&mut a, "2");
    assert_eq!(store.image(&key("a"), Moment::Now).unwrap().state().unwrap().as_deref(), Some("2"));
    keep(&mut a, "1");
    a.release().unwrap();
    assert_eq!(store.image(&key("a"), Moment::Now).unwrap().state().unwrap().as_deref(), Some("1"));
    assert_eq!(store.image(&key("nobody"), Moment::Now).unwrap_err().code(), "agent_not_found");
}

#[test]
fn an_agent_whose_history_begins_in_the_middle_is_kept_whole_from_a_restore_to_now_on() {
    let dir = tempfile::tempdir().unwrap();
    let off = Options { history: hostel_store::HistoryOptions::off(), ..Options::default() };
    let store = Store::open(dir.path(), off).unwrap();
    keep(&mut store.agent("counter", "a").unwrap(), "1");
    drop(store);
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let mut a = store.agent("counter", "a").unwrap();
    keep(&mut a, "2");
    let listed = turns(&store, "a");
    assert_eq!(listed.len(), 1);
    let gone = store.image(&key("a"), Moment::Turn(listed[0].turn)).unwrap_err();
    assert_eq!(gone.code(), "history_gone");
    assert!(gone.to_string().contains("restore it to now"), "{gone}");
    let now = store.image(&key("a"), Moment::Now).unwrap();
    assert_eq!((now.turn(), now.state().unwrap().as_deref()), (listed[0].turn, Some("2")));
    a.replace(now, Cause { event: "restore", what: "", author: Author::Operator }).unwrap();
    keep(&mut a, "3");
    let page = store.history(&key("a"), &HistoryQuery { changes: true, ..HistoryQuery::default() }).unwrap();
    let known: Vec<bool> = page.turns.iter().map(|turn| turn.changes.is_some()).collect();
    assert_eq!(known, [true, false, false]);
    let before = store.image(&key("a"), Moment::Turn(page.turns[1].turn)).unwrap();
    assert_eq!(before.state().unwrap().as_deref(), Some("2"));
}
