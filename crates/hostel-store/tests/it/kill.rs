//! `kill -9` at random moments loses nothing that was acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hostel_store::{Options, SqlValue, Store, make_durable};

const DIR: &str = "HOSTEL_STORE_TEST_KILL_DIR";
const ROUNDS: u64 = 50;

/// Counts up by one turn after the other, each with a row; says each number once it is durable.
fn count_up(dir: &Path, turns: Option<i64>) {
    let store = Store::open(dir, Options::default()).unwrap();
    let mut agent = store.agent("counter", "k").unwrap();
    let mut count = read_count(&agent);
    agent.sql("CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, filler TEXT)", &[]).unwrap();
    let mut out = std::io::stdout();
    let last = turns.map(|turns| count + turns);
    while Some(count) != last {
        count += 1;
        agent.begin().unwrap();
        agent.set_state(&count.to_string()).unwrap();
        let filler = "x".repeat(usize::try_from(count % 7).unwrap() * 1000);
        agent.sql("INSERT INTO log VALUES (?1, ?2)", &[count.into(), filler.into()]).unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
        writeln!(out, "\nack {count}").unwrap();
        if count % 40 == 0 {
            agent.release().unwrap();
        }
    }
}

fn read_count(agent: &hostel_store::AgentDb) -> i64 {
    agent.state().unwrap().map_or(0, |state| state.parse().unwrap())
}

/// On its own: counts. As the child of the test below: counts until it is killed.
#[test]
fn a_counter_counts_every_turn_once() {
    if let Some(dir) = std::env::var_os(DIR) {
        return count_up(&PathBuf::from(dir), None);
    }
    let dir = tempfile::tempdir().unwrap();
    count_up(dir.path(), Some(3));
    count_up(dir.path(), Some(2));
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(read_count(&store.agent("counter", "k").unwrap()), 5);
}

#[test]
fn kill_9_at_random_moments_loses_no_acknowledged_turn_and_invents_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = u64::from(std::process::id()) | 1;
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = 1 + (random >> 33) % 60;
        let said = run_until(dir.path(), until, |child| child.kill().unwrap());
        acknowledged = said.all;
        check(dir.path(), acknowledged, acknowledged + 1, round);
    }
    assert!(acknowledged > 50);
}

/// The last number that the child said.
pub(super) struct Said {
    /// Before its end began.
    pub(super) before: i64,
    /// At all.
    pub(super) all: i64,
}

/// Ends the child once it has said `until` numbers.
pub(super) fn run_until(dir: &Path, until: u64, end: impl FnOnce(&mut Child)) -> Said {
    let mut child = spawn(dir);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: &String| line.strip_prefix("ack ").and_then(|n| n.parse::<i64>().ok());
    let mut before = 0;
    let mut seen = 0;
    while seen < until {
        let line = said.next().expect("the child counts until it is ended");
        if let Some(n) = number(&line) {
            before = n;
            seen += 1;
        }
    }
    end(&mut child);
    // What was still in the pipe was acknowledged too. A last line may be torn: it counts only if whole.
    let rest: Vec<String> = said.collect();
    child.wait().unwrap();
    Said { before, all: rest.iter().filter_map(number).max().unwrap_or(before) }
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "it::kill::a_counter_counts_every_turn_once", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

pub(super) fn check(dir: &Path, least: i64, most: i64, round: u64) -> i64 {
    let store = Store::open(dir, Options::default()).unwrap();
    let mut agent = store.agent("counter", "k").unwrap();
    let count = read_count(&agent);
    assert!((least..=most).contains(&count), "round {round}: {least} acknowledged, {most} begun, {count} found");
    let rows = agent.sql("SELECT count(*), max(n) FROM log", &[]).unwrap();
    assert_eq!(rows.rows, [[SqlValue::Integer(count), SqlValue::Integer(count)]], "round {round}");
    let sound = agent.sql("PRAGMA integrity_check", &[]).unwrap();
    assert_eq!(sound.rows, [["ok".into()]], "round {round}");
    count
}
