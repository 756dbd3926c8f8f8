//! A Durable Object of the Agents SDK moves here, works, and moves back.

use std::path::{Path, PathBuf};
use std::process::Command;

use hostel_store::{AgentKey, Author, Cause, Options, SqlValue, Store, make_durable};
use rusqlite::Connection;

use super::Disk;

const ALARM: i64 = 1_795_355_813_211;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/durable-object/moving.sqlite")
}

fn key() -> AgentKey {
    AgentKey::new("moving-agent", "home")
}

fn import(disk: &Disk, from: &Path) {
    let image = disk.store.import_durable_object(from, &key()).unwrap();
    let mut agent = disk.store.agent("moving-agent", "home").unwrap();
    agent.replace(image, Cause { event: "import", what: "", author: Author::Operator }).unwrap();
}

/// Everything in a database as text: its schema, and its rows in the order of their tables.
fn dump(path: &Path, without: &str) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut all = Vec::new();
    let mut schema = conn.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let mut found = schema.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let (kind, name): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        if name.contains(without) {
            continue;
        }
        all.push(format!("{kind} {name} {:?}", row.get::<_, Option<String>>(2).unwrap()));
        if kind == "table" {
            rows(&conn, &name, &mut all);
        }
    }
    all
}

fn rows(conn: &Connection, table: &str, all: &mut Vec<String>) {
    let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<_> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
        all.push(format!("  {table} {values:?}"));
    }
}

#[test]
fn an_object_becomes_an_agent_with_its_state_its_alarm_and_all_of_its_tables() {
    let disk = Disk::new();
    import(&disk, &fixture());
    let disk = disk.reopen();
    let mut agent = disk.store.agent("moving-agent", "home").unwrap();
    let state: serde_json::Value = serde_json::from_str(&agent.state().unwrap().unwrap()).unwrap();
    assert_eq!(state["words"], "grüße, 世界");
    assert_eq!(agent.alarm().unwrap(), Some(ALARM));
    let mut count = |table: &str| match agent.sql(&format!("SELECT count(*) FROM {table}"), &[]).unwrap().rows[0][0] {
        SqlValue::Integer(n) => n,
        _ => -1,
    };
    assert_eq!((count("notes"), count("log"), count("heavy")), (35, 35, 28));
    assert_eq!(count("found WHERE found MATCH 'note'"), 40);
    assert_eq!(
        (count("cf_agents_jobs"), count("cf_agents_mcp_servers"), count("cf_agents_session_messages")),
        (5, 1, 2)
    );
    // Its trigger still works, and so does its AUTOINCREMENT.
    agent.sql("INSERT INTO notes (body) VALUES ('new')", &[]).unwrap();
    let last = agent.sql("SELECT max(note) FROM log", &[]).unwrap();
    assert_eq!(last.rows, [[SqlValue::Integer(41)]]);
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
}

#[test]
fn what_workerd_keeps_for_itself_is_out_of_reach_of_the_agents_own_sql() {
    let disk = Disk::new();
    import(&disk, &fixture());
    let mut agent = disk.store.agent("moving-agent", "home").unwrap();
    for sql in ["SELECT * FROM _cf_KV", "DELETE FROM _cf_METADATA", "DROP TABLE _cf_KV", "CREATE TABLE _cf_x (n)"] {
        assert_eq!(agent.sql(sql, &[]).unwrap_err().code(), "sql_error", "{sql}");
    }
}

#[test]
fn the_way_back_is_the_same_database() {
    let disk = Disk::new();
    import(&disk, &fixture());
    let back = disk.dir.path().join("back.sqlite");
    disk.store.export_durable_object(&key(), &back).unwrap();
    assert_eq!(dump(&back, "no such name"), dump(&fixture(), "no such name"));
    let bytes = std::fs::read(&back).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"moving-agent"), "Hostel's tables are gone, bytes included");
    let twice = disk.store.export_durable_object(&key(), &back).unwrap_err();
    assert!(twice.to_string().contains("exists"), "{twice}");
}

#[test]
fn an_alarm_that_was_set_here_is_where_workerd_looks_for_it() {
    let disk = Disk::new();
    let mut agent = disk.store.agent("moving-agent", "home").unwrap();
    agent.set_state("{}").unwrap();
    agent.set_alarm(Some(5)).unwrap();
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    let back = disk.dir.path().join("back.sqlite");
    disk.store.export_durable_object(&key(), &back).unwrap();
    let conn = Connection::open(&back).unwrap();
    let alarm: i64 = conn.query_row("SELECT value FROM _cf_METADATA WHERE key = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(alarm, 5_000_000);
}

#[test]
fn a_file_that_workerd_did_not_close_brings_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live.sqlite");
    std::fs::copy(fixture(), &live).unwrap();
    let conn = Connection::open(&live).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; INSERT INTO notes (id, body) VALUES (1000, 'in the log')").unwrap();
    let disk = Disk::new();
    import(&disk, &live);
    let mut agent = disk.store.agent("moving-agent", "home").unwrap();
    let found = agent.sql("SELECT body FROM notes WHERE id = 1000", &[]).unwrap();
    assert_eq!(found.rows, [["in the log".into()]]);
    drop(conn);
}

#[test]
fn the_text_of_a_dump_is_as_good_as_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("moving.sql");
    // The text was written by SQLite's own shell; without the shell there is nothing to compare.
    let Ok(dumped) = Command::new("sqlite3").arg(fixture()).arg(".dump").output() else { return };
    std::fs::write(&text, &dumped.stdout).unwrap();
    let disk = Disk::new();
    import(&disk, &text);
    let back = disk.dir.path().join("back.sqlite");
    disk.store.export_durable_object(&key(), &back).unwrap();
    let (ours, theirs) = (dump(&back, "found_"), dump(&fixture(), "found_"));
    let plain = |all: Vec<String>| all.into_iter().filter(|line| line.starts_with("  ")).collect::<Vec<_>>();
    assert_eq!(plain(ours), plain(theirs));
}

#[test]
fn what_is_no_object_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let refused = |bytes: &[u8], why: &str| {
        let path = dir.path().join("object");
        std::fs::write(&path, bytes).unwrap();
        let error = disk.store.import_durable_object(&path, &key()).unwrap_err();
        assert_eq!(error.code(), "export_invalid", "{error}");
        assert!(error.to_string().contains(why), "{error}");
    };
    let good = std::fs::read(fixture()).unwrap();
    refused(b"hello", "neither");
    refused(&[0xff; 100], "neither");
    refused(&good[..good.len() - 100], "cannot be imported");
    refused(&good[..50], "cannot be imported");
    refused(b"BEGIN; CREATE TABLE t (n);", "before its COMMIT");
    refused(b"CREATE TABLE hostel_meta (n);", "already");
    refused(b"ATTACH '/etc/passwd' AS x;", "neither");
    refused(b"BEGIN; ATTACH '/etc/passwd' AS x; COMMIT;", "not authorized");
    refused(b"PRAGMA temp_store_directory='/';", "not authorized");
    refused(b"CREATE TABLE cf_agents_state (n);", "cf_agents_state");
    let mut torn = good;
    for at in (4096..torn.len()).step_by(4096) {
        torn[at] = 0x77;
    }
    refused(&torn, "cannot be imported");
}

#[test]
fn an_object_for_which_there_is_no_room_is_refused_before_a_byte_of_it_is_copied() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let object = dir.path().join("object.sqlite");
    let refused = |why: &str| {
        let error = disk.store.import_durable_object(&object, &key()).unwrap_err();
        assert!(error.code() == "storage_full" && error.to_string().contains(why), "{error}");
    };
    let lengthen = |path: &Path, bytes| {
        // Nothing of it takes any room here.
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.set_len(bytes).unwrap();
    };
    std::fs::copy(fixture(), &object).unwrap();
    lengthen(&object.with_extension("sqlite-wal"), 1 << 43);
    refused("no room");
    std::fs::remove_file(object.with_extension("sqlite-wal")).unwrap();
    lengthen(&object, 1 << 30);
    refused("at most");
    assert!(super::files(&disk.dir.path().join("tmp")).is_empty());
}

#[test]
fn a_text_that_never_ends_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("endless.sql");
    let text = "CREATE TABLE t (n); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) INSERT INTO t SELECT zeroblob(100000) FROM c;";
    std::fs::write(&path, text).unwrap();
    let options = Options { max_pages: Some(1000), ..Options::default() };
    let store = Store::open(&dir.path().join("data"), options).unwrap();
    let error = store.import_durable_object(&path, &key()).unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
}
