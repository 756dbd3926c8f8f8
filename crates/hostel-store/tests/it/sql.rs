//! The agent's own SQL: what it may do, and for how long.

use std::time::{Duration, Instant};

use hostel_store::{AgentDb, Options, SqlValue, Store};

use super::keep;

fn agent() -> (Store, AgentDb) {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut agent = store.agent("counter", "a").unwrap();
    keep(&mut agent, "{}");
    (store, agent)
}

#[test]
fn values_of_every_type_come_back_as_they_went_in() {
    let (_store, mut a) = agent();
    let values = [
        SqlValue::Null,
        SqlValue::Integer(i64::MIN),
        SqlValue::Real(0.1),
        SqlValue::Text("é\0;".to_owned()),
        SqlValue::Blob(vec![0, 255]),
    ];
    let rows = a.sql("SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d, ?5 AS e", &values).unwrap();
    assert_eq!(*rows.columns, ["a", "b", "c", "d", "e"]);
    assert_eq!(rows.rows, [values]);
}

#[test]
fn several_statements_run_in_order_and_the_last_one_answers() {
    let (_store, mut a) = agent();
    let rows = a.sql("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2); -- done\nSELECT n FROM t;", &[]).unwrap();
    assert_eq!(rows.rows, [[1_i64.into()], [2_i64.into()]]);
    assert_eq!(rows.changes, 2);
    let refused = a.sql("SELECT ?1; SELECT 2", &[1_i64.into()]).unwrap_err();
    assert_eq!(refused.code(), "sql_error");
}

#[test]
fn wrong_sql_is_the_authors_error_and_the_turn_goes_on() {
    let (_store, mut a) = agent();
    a.sql("CREATE TABLE t (n UNIQUE)", &[]).unwrap();
    for wrong in ["SELEC 1", "SELECT * FROM nothing", "SELECT ?1", "INSERT INTO t VALUES (1), (1)", "SELECT 'a\0b'"] {
        assert_eq!(a.sql(wrong, &[]).unwrap_err().code(), "sql_error", "{wrong}");
    }
    a.sql("INSERT INTO t VALUES (1)", &[]).unwrap();
    a.commit().unwrap().unwrap();
    assert_eq!(a.sql("SELECT count(*) FROM t", &[]).unwrap().rows, [[1_i64.into()]]);
}

#[test]
fn no_table_of_the_agents_refers_to_one_of_ours() {
    let (_store, mut a) = agent();
    a.sql("CREATE TABLE mine (k PRIMARY KEY)", &[]).unwrap();
    for bound in [
        "CREATE TABLE bound (id REFERENCES hostel_meta (id))",
        "CREATE TABLE bound (id, FOREIGN KEY (id) references \"Cf_Agents_State\")",
        "ALTER TABLE mine ADD COLUMN id REFERENCES/**/hostel_meta",
        "CREATE TABLE bound (id REFERENCES hostel_meta); SELECT nothing",
        "CREATE TABLE first (n); CREATE TABLE bound (id REFERENCES hostel_meta); INSERT INTO first VALUES (1)",
    ] {
        assert_eq!(a.sql(bound, &[]).unwrap_err().code(), "sql_error", "{bound}");
    }
    a.sql("CREATE TABLE theirs (k REFERENCES mine ON DELETE CASCADE)", &[]).unwrap();
    a.sql("INSERT INTO mine VALUES (1); INSERT INTO theirs VALUES (1); DELETE FROM mine", &[]).unwrap();
    a.commit().unwrap().unwrap();
    let tables =
        a.sql("SELECT name FROM sqlite_schema WHERE name IN ('bound', 'first', 'mine', 'theirs') ORDER BY 1", &[]);
    assert_eq!(tables.unwrap().rows, [[SqlValue::Text("mine".into())], [SqlValue::Text("theirs".into())]]);
    assert_eq!(a.sql("SELECT count(*) FROM theirs", &[]).unwrap().rows, [[0_i64.into()]]);
}

#[test]
fn threat_20_our_tables_transactions_other_files_and_settings_are_out_of_reach() {
    let (_store, mut a) = agent();
    let path = std::env::temp_dir().join("hostel-must-not-exist.db");
    let attach = format!("ATTACH '{}' AS x", path.display());
    let vacuum = format!("VACUUM INTO '{}'", path.display());
    let refused = [
        "UPDATE cf_agents_state SET state = 'x'",
        "INSERT INTO cf_agents_state (id, state) VALUES ('y', '1')",
        "DELETE FROM hostel_meta",
        "DROP TABLE hostel_idempotency",
        "SELECT * FROM hostel_meta",
        "SELECT * FROM HOSTEL_idempotency",
        "CREATE TABLE hostel_more (n)",
        "CREATE TABLE cf_agents_schedules (n)",
        "CREATE INDEX i ON cf_agents_state (state)",
        "CREATE TRIGGER t AFTER UPDATE ON cf_agents_state BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER t AFTER UPDATE ON main.cf_agents_state BEGIN SELECT 1; END",
        "ALTER TABLE cf_agents_state ADD COLUMN x",
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        &attach,
        "DETACH main",
        &vacuum,
        "VACUUM",
        "SELECT load_extension('x')",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA writable_schema=1",
        "PRAGMA user_version=9",
        "PRAGMA synchronous=OFF",
        "PRAGMA wal_checkpoint",
        "PRAGMA locking_mode=NORMAL",
        "PRAGMA page_size=512",
        "/*hostel*/ BEGIN",
        "/*hostel*/ COMMIT",
    ];
    for sql in refused {
        let error = a.sql(sql, &[]).unwrap_err();
        assert_eq!(error.code(), "sql_error", "{sql}: {error}");
    }
    assert!(!path.exists());
    assert_eq!(a.state().unwrap().as_deref(), Some("{}"));
    a.set_state("1").unwrap();
    a.commit().unwrap().unwrap();
}

#[test]
fn a_text_equal_to_one_of_ours_still_obeys_the_agents_rules() {
    let (_store, mut a) = agent();
    let ours = "/*hostel*/ INSERT INTO cf_agents_state (id, state) VALUES ('cf_state_row_id', ?1)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state";
    a.set_state("1").unwrap();
    assert_eq!(a.sql(ours, &["2".into()]).unwrap_err().code(), "sql_error");
    assert_eq!(a.state().unwrap().as_deref(), Some("1"));
}

#[test]
fn state_may_be_read_and_harmless_pragmas_asked() {
    let (_store, mut a) = agent();
    let rows = a.sql("SELECT state FROM cf_agents_state", &[]).unwrap();
    assert_eq!(rows.rows, [["{}".into()]]);
    a.sql("CREATE TABLE t (n INTEGER PRIMARY KEY, text)", &[]).unwrap();
    assert_eq!(a.sql("PRAGMA table_info(t)", &[]).unwrap().rows.len(), 2);
    assert_eq!(a.sql("PRAGMA integrity_check", &[]).unwrap().rows, [["ok".into()]]);
    a.sql("PRAGMA defer_foreign_keys = ON", &[]).unwrap();
}

#[test]
fn a_trigger_of_the_agent_cannot_reach_our_tables() {
    let (_store, mut a) = agent();
    a.sql("CREATE TABLE t (n); CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM cf_agents_state; END;", &[])
        .unwrap();
    assert_eq!(a.sql("INSERT INTO t VALUES (1)", &[]).unwrap_err().code(), "sql_error");
    assert_eq!(a.state().unwrap().as_deref(), Some("{}"));
}

#[test]
fn foreign_keys_hold() {
    let (_store, mut a) = agent();
    a.sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)", &[]).unwrap();
    assert_eq!(a.sql("INSERT INTO c VALUES (7)", &[]).unwrap_err().code(), "sql_error");
}

#[test]
fn a_commit_that_breaks_a_deferred_foreign_key_keeps_nothing_of_the_turn() {
    let (_store, mut a) = agent();
    a.sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)", &[]).unwrap();
    a.commit().unwrap().unwrap();
    a.set_state("2").unwrap();
    a.sql("PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (7)", &[]).unwrap();
    assert_eq!(a.commit().unwrap_err().code(), "sql_error");
    assert_eq!(a.state().unwrap().as_deref(), Some("{}"));
    a.set_state("3").unwrap();
    a.commit().unwrap().unwrap();
}

#[test]
fn a_result_that_would_fill_the_memory_is_refused() {
    let (_store, mut a) = agent();
    let many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT zeroblob(1000000) FROM n";
    let refused = a.sql(many, &[]).unwrap_err();
    assert_eq!(refused.code(), "sql_error");
    assert!(refused.to_string().contains("LIMIT"), "{refused}");
}

/// Row 21 of the threat table.
#[test]
fn threat_20_a_query_without_end_is_stopped_at_the_deadline_and_the_agent_lives() {
    let (_store, mut a) = agent();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
    let begun = Instant::now();
    a.set_deadline(Some(begun + Duration::from_millis(30)));
    assert_eq!(a.sql(endless, &[]).unwrap_err().code(), "turn_timeout");
    assert!(begun.elapsed() < Duration::from_secs(5));
    a.rollback().unwrap();
    a.set_deadline(None);
    a.sql("SELECT 1", &[]).unwrap();
}

#[test]
fn a_write_without_end_undoes_the_turn_and_says_so_until_it_is_rolled_back() {
    let (_store, mut a) = agent();
    a.set_state("2").unwrap();
    a.sql("CREATE TABLE t (n)", &[]).unwrap();
    a.set_deadline(Some(Instant::now() + Duration::from_millis(30)));
    let endless = "INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
    assert_eq!(a.sql(endless, &[]).unwrap_err().code(), "turn_timeout");
    assert_eq!(a.set_state("3").unwrap_err().code(), "turn_timeout");
    assert_eq!(a.commit().unwrap_err().code(), "turn_timeout");
    assert_eq!(a.state().unwrap().as_deref(), Some("{}"));
}
