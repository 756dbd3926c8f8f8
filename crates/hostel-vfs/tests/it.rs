//! SQLite on a log in memory.

#[cfg(test)]
mod it {
    use std::fs;
    use std::path::Path;

    use hostel_vfs::{log_of, register};
    use rusqlite::config::DbConfig;
    use rusqlite::{Connection, OpenFlags};

    const SETTINGS: &str = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL;
        PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-64;";

    fn open(path: &Path) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags_and_vfs(path, flags, register().unwrap()).unwrap();
        conn.execute_batch(SETTINGS).unwrap();
        conn
    }

    fn count(conn: &Connection) -> i64 {
        conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    fn files(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// Closes and leaves the log uncopied.
    fn abandon(conn: Connection) {
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        conn.close().unwrap();
    }

    #[test]
    fn commits_are_in_the_log_and_not_in_a_file_until_it_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let conn = open(&path);
        conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
        let log = log_of(&conn).unwrap();
        assert!(log.length() > 4096);
        assert_eq!(files(dir.path()), ["a.db"]);
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        assert_eq!(log.length(), 0);
        conn.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        conn.close().unwrap();
        assert_eq!(files(dir.path()), ["a.db"]);
        let plain = Connection::open(&path).unwrap();
        assert_eq!(count(&plain), 2, "closing copies the log");
    }

    #[test]
    fn without_an_offer_what_was_not_copied_is_gone_and_with_one_it_is_there_up_to_the_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let conn = open(&path);
        conn.execute_batch("CREATE TABLE t (x); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (1);").unwrap();
        abandon(conn);
        let conn = open(&path);
        assert_eq!(count(&conn), 0);
        conn.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        let log = log_of(&conn).unwrap();
        let end = log.length();
        conn.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        abandon(conn);
        let offer = log.offer(end).unwrap();
        let conn = open(&path);
        assert_eq!(count(&conn), 1);
        drop(offer);
        conn.close().unwrap();
        assert_eq!(count(&open(&path)), 1);
    }

    #[test]
    fn a_turn_larger_than_memory_is_kept_whole_and_undone_whole() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open(&dir.path().join("a.db"));
        let fill = "INSERT INTO t SELECT randomblob(4000) FROM generate";
        let numbers = "WITH RECURSIVE generate(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM generate WHERE n < 3000)";
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        conn.execute_batch(&format!("BEGIN; {numbers} {fill}; COMMIT; BEGIN; {numbers} {fill}; ROLLBACK;")).unwrap();
        assert!(log_of(&conn).unwrap().length() > 10 << 20);
        assert_eq!(count(&conn), 3000);
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!((sound.as_str(), count(&conn)), ("ok", 3000));
    }

    #[test]
    fn a_database_of_the_default_file_system_has_no_such_log() {
        let dir = tempfile::tempdir().unwrap();
        register().unwrap();
        let conn = Connection::open(dir.path().join("a.db")).unwrap();
        conn.execute_batch(SETTINGS).unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(log_of(&conn).is_none());
    }

    #[test]
    fn while_a_database_has_its_descriptor_no_other_sqlite_gets_at_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let conn = open(&path);
        conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
        let plain = Connection::open(&path).unwrap();
        plain.busy_timeout(std::time::Duration::ZERO).unwrap();
        let refused = plain.execute_batch("SELECT * FROM sqlite_schema").unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
        conn.close().unwrap();
        assert_eq!(count(&plain), 1);
    }

    #[test]
    fn what_is_missing_is_not_made_and_what_is_no_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        for path in [dir.path().join("none.db"), dir.path().to_owned()] {
            let opened = Connection::open_with_flags_and_vfs(&path, flags, register().unwrap());
            assert_eq!(opened.unwrap_err().sqlite_error_code(), Some(rusqlite::ErrorCode::CannotOpen));
        }
        assert!(files(dir.path()).is_empty());
    }
}
