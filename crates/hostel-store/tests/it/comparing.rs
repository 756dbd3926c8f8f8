//! What turns changed, and what is different between two moments.

use hostel_store::{AgentDb, HistoryQuery, Moment, TableChange, make_durable};
use serde_json::json;

use super::Disk;
use super::history::{key, turns};

/// A turn of SQL and, if there is one, a state.
fn turn(agent: &mut AgentDb, sql: &str, state: Option<&str>) {
    agent.begin().unwrap();
    if !sql.is_empty() {
        agent.sql(sql, &[]).unwrap();
    }
    if let Some(state) = state {
        agent.set_state(state).unwrap();
    }
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
}

fn change(name: &str, added: u64, removed: u64, changed: u64) -> TableChange {
    TableChange { name: name.to_owned(), added, removed, changed }
}

fn with_changes(disk: &Disk, limit: usize) -> Vec<(Vec<String>, Vec<TableChange>)> {
    let query = HistoryQuery { before: None, limit, changes: true };
    let page = disk.store.history(&key("a"), &query).unwrap();
    let changes = page.turns.into_iter().map(|turn| turn.changes.expect("known"));
    changes.map(|changes| (changes.state_keys, changes.tables)).collect()
}

fn a_short_life(disk: &Disk) {
    let mut a = disk.agent("a");
    turn(&mut a, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", Some(r#"{"count":1,"list":[]}"#));
    turn(&mut a, "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')", None);
    turn(
        &mut a,
        "UPDATE t SET v = 'TWO' WHERE id = 2; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 'four')",
        None,
    );
    turn(&mut a, "", Some(r#"{"list":[1],"extra":null,"count":1}"#));
    turn(&mut a, "CREATE TABLE k (a TEXT, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO k VALUES ('x', 1)", None);
    turn(&mut a, "ALTER TABLE t ADD COLUMN w DEFAULT 7", None);
    turn(&mut a, "DROP TABLE k", None);
}

#[test]
fn a_listing_says_which_keys_and_tables_each_turn_changed() {
    let disk = Disk::new();
    a_short_life(&disk);
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let expected = [
        (keys(&[]), vec![change("k", 0, 1, 0)]),
        (keys(&[]), vec![change("t", 0, 0, 0)]),
        (keys(&[]), vec![change("k", 1, 0, 0)]),
        (keys(&["list", "extra"]), vec![]),
        (keys(&[]), vec![change("t", 1, 1, 1)]),
        (keys(&[]), vec![change("t", 3, 0, 0)]),
        (keys(&["count", "list"]), vec![change("t", 0, 0, 0)]),
    ];
    assert_eq!(with_changes(&disk, 50), expected);
    assert_eq!(with_changes(&disk, 3), expected[..3], "also when the listing does not begin with the first turn");
    let disk = disk.reopen();
    assert_eq!(with_changes(&disk, 50), expected, "also from the archive");
}

#[test]
fn a_difference_shows_state_by_place_and_rows_by_table() {
    let disk = Disk::new();
    a_short_life(&disk);
    let at: Vec<Moment> = turns(&disk.store, "a").iter().map(|turn| Moment::Turn(turn.turn)).collect();
    let found = disk.store.difference(&key("a"), at[1], at[3], 100).unwrap();
    assert_eq!((Moment::Turn(found.from.turn), Moment::Turn(found.to.turn)), (at[1], at[3]));
    let state = serde_json::to_value(&found.state).unwrap();
    assert_eq!(state, json!([{ "path": "/list/0", "after": 1 }, { "path": "/extra", "after": null }]));
    let tables = serde_json::to_value(&found.tables).unwrap();
    let expected = json!([{
        "name": "t",
        "schema_changed": false,
        "added": [{ "id": 4, "v": "four" }],
        "removed": [{ "id": 3, "v": "three" }],
        "changed": [[{ "id": 2, "v": "two" }, { "id": 2, "v": "TWO" }]],
        "more": 0,
    }]);
    assert_eq!(tables, expected);
    let back = disk.store.difference(&key("a"), at[3], at[1], 1).unwrap();
    assert_eq!(back.state.len(), 2);
    assert_eq!(back.tables[0].more, 2, "rows beyond the limit are counted");
    let same = disk.store.difference(&key("a"), Moment::Now, Moment::Now, 1).unwrap();
    assert!(same.state.is_empty() && same.tables.is_empty());
}

#[test]
fn a_column_more_is_a_change_of_the_table_and_not_of_its_rows() {
    let disk = Disk::new();
    a_short_life(&disk);
    let at: Vec<Moment> = turns(&disk.store, "a").iter().map(|turn| Moment::Turn(turn.turn)).collect();
    let found = disk.store.difference(&key("a"), at[4], at[6], 100).unwrap();
    let named: Vec<_> = found.tables.iter().map(|table| (table.name.as_str(), table.schema_changed)).collect();
    assert_eq!(named, [("k", true), ("t", true)]);
    assert_eq!(found.tables[0].removed, [json!({ "a": "x", "b": 1 }).as_object().unwrap().clone()]);
    assert!(found.tables[1].changed.is_empty());
}

#[test]
fn odd_tables_and_values_are_compared_and_shown() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    turn(
        &mut a,
        r#"CREATE TABLE "a ""quoted"" table" ("rowid" TEXT, _rowid_ REAL, oid);
           CREATE TABLE folded (name TEXT COLLATE NOCASE PRIMARY KEY, v);
           CREATE VIRTUAL TABLE notes USING fts5(body);
           CREATE TABLE values_of_all_kinds (v);
           CREATE VIEW seen AS SELECT * FROM folded;
           INSERT INTO folded VALUES ('b', 1), ('A', 1), ('c', 1)"#,
        None,
    );
    turn(
        &mut a,
        r#"INSERT INTO "a ""quoted"" table" VALUES ('x', 1.5, NULL), ('x', 1.5, NULL);
           REPLACE INTO folded VALUES ('B', 2), ('a', 1);
           INSERT INTO notes VALUES ('hello');
           INSERT INTO values_of_all_kinds VALUES (1), (1.0), (9e999), (x'00ff'), (zeroblob(100)), (replace(hex(zeroblob(4000)), '0', 'é'))"#,
        None,
    );
    let at: Vec<Moment> = turns(&disk.store, "a").iter().map(|turn| Moment::Turn(turn.turn)).collect();
    let found = disk.store.difference(&key("a"), at[0], at[1], 100).unwrap();
    let names: Vec<&str> = found.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["a \"quoted\" table", "folded", "notes", "values_of_all_kinds"]);
    assert_eq!(found.tables[0].added.len(), 2);
    let folded = (found.tables[1].added.len(), found.tables[1].removed.len());
    assert_eq!(folded, (2, 2), "keys that are equal only without regard to case are not the same row");
    assert_eq!(found.tables[2].added[0]["body"], "hello");
    let values: Vec<_> = found.tables[3].added.iter().map(|row| row["v"].clone()).collect();
    assert_eq!(values[..3], [json!(1), json!(1.0), json!({ "real": "inf" })]);
    assert_eq!(values[3], json!({ "blob": "00ff", "bytes": 2 }));
    assert_eq!(values[4], json!({ "blob": "00".repeat(32), "bytes": 100 }));
    assert_eq!(values[5]["bytes"], 16000);
    // In a listing too, and again from the later moment to the earlier one.
    assert_eq!(with_changes(&disk, 1)[0].1.len(), 4);
    let back = disk.store.difference(&key("a"), at[1], at[0], 100).unwrap();
    assert_eq!(back.tables[3].removed.len(), 6);
}

#[test]
fn the_servers_own_tables_are_not_shown() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    turn(&mut a, "", Some("1"));
    a.set_alarm(Some(5)).unwrap();
    a.store_result("key", "what", "result", 1).unwrap();
    make_durable(&a.commit().unwrap().unwrap()).unwrap();
    assert_eq!(with_changes(&disk, 1), [(vec![], vec![])]);
    let at: Vec<Moment> = turns(&disk.store, "a").iter().map(|turn| Moment::Turn(turn.turn)).collect();
    let found = disk.store.difference(&key("a"), at[0], at[1], 100).unwrap();
    assert!(found.state.is_empty() && found.tables.is_empty());
}

#[test]
fn a_very_large_database_is_not_compared_turn_by_turn_and_the_listing_says_so() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    turn(&mut a, "CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(70000000))", None);
    turn(&mut a, "INSERT INTO t VALUES (1)", None);
    turn(&mut a, "DELETE FROM t WHERE v = 1", Some("1"));
    let query = HistoryQuery { before: None, limit: 2, changes: true };
    let page = disk.store.history(&key("a"), &query).unwrap();
    for entry in &page.turns {
        let note = entry.changes.as_ref().unwrap().note.as_deref().unwrap();
        assert!(note.contains("66 MiB"), "{note}");
    }
    let (from, to) = (Moment::Turn(page.turns[1].turn), Moment::Now);
    let found = disk.store.difference(&key("a"), from, to, 10).unwrap();
    assert_eq!((found.tables[0].removed.len(), found.state.len()), (1, 1));
}
