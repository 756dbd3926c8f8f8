//! Tests from the outside: turns, the agent's own SQL, names, files, processes and faults.

#[cfg(test)]
mod it {
    mod alarms;
    mod comparing;
    mod creation;
    mod faults;
    mod full_disk;
    mod groups;
    mod history;
    mod journal;
    mod kill;
    mod listing;
    mod lock;
    mod names;
    mod portable_backup;
    mod portable_export;
    mod portable_object;
    mod portable_verify;
    mod power;
    mod rebuild;
    mod replace;
    mod runs;
    mod sql;
    mod tasks;
    mod turns;

    use std::path::{Path, PathBuf};

    use hostel_store::{AgentDb, Options, Store, make_durable};

    /// A store in a directory that goes away with it.
    struct Disk {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Disk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path(), Options::default()).unwrap();
            Self { dir, store }
        }

        fn agent(&self, name: &str) -> AgentDb {
            self.store.agent("counter", name).unwrap()
        }

        /// As after a restart of the process.
        fn reopen(self) -> Self {
            let Self { dir, store } = self;
            drop(store);
            let store = Store::open(dir.path(), Options::default()).unwrap();
            Self { dir, store }
        }
    }

    fn keep(agent: &mut AgentDb, state: &str) {
        agent.begin().unwrap();
        agent.set_state(state).unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    }

    /// Leaves a log of SQLite beside a database, as an earlier version and a kill would: what `sql` did is in it alone.
    fn leave_log(database: &Path, sql: &str) -> PathBuf {
        let conn = rusqlite::Connection::open(database).unwrap();
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
        conn.execute_batch(sql).unwrap();
        conn.close().unwrap();
        let log = database.with_extension("db-wal");
        assert!(std::fs::metadata(&log).unwrap().len() > 0);
        log
    }

    /// Copies what a killed process leaves behind. Where history was put in order meanwhile, so that a file is gone, it is
    /// done again.
    fn copy_all(from: &Path, to: &Path) {
        while files(from).iter().any(|file| !copy_one(from, to, file)) {
            std::fs::remove_dir_all(to).unwrap();
            std::fs::create_dir(to).unwrap();
        }
    }

    fn copy_one(from: &Path, to: &Path, file: &Path) -> bool {
        let there = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(there.parent().unwrap()).unwrap();
        match std::fs::copy(file, there) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            copied => copied.map(|_bytes| true).unwrap(),
        }
    }

    /// Every file below a directory.
    fn files(dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
        }
        found.sort();
        found
    }

    /// The database file of the only agent whose file name begins with `prefix`.
    fn database(root: &Path, prefix: &str) -> PathBuf {
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(prefix) && name.ends_with(".db")
        };
        files(&root.join("agents")).into_iter().find(named).unwrap()
    }
}
