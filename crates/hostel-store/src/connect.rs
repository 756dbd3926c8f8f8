//! Opening SQLite the way this crate wants it, and the blank file that new agents start from.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hostel_journal::{Disk, LocalDisk, points};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::durability::sync_dir;
use crate::error::{Blame, classify_io};
use crate::layout::wal_of;
use crate::{Error, ErrorKind, schema};

const CACHED_STATEMENTS: usize = 8;
const PAGE: usize = 4096;
const LARGEST_STOCK: usize = 256;

/// Settings of every connection. SQLite syncs nothing and copies its log into the file only when told to: the journal is
/// what survives the loss of power, and no page may get into the file before it is there. `EXCLUSIVE` keeps the index of the log in memory: no `-shm` file, one
/// descriptor less, and most of the time of reopening saved.
const SETTINGS: &str = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; \
    PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-64; PRAGMA temp_store=MEMORY;";

const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Opens an existing database file; never creates one. SQLite's log is kept in memory; a file beside it is not looked at.
pub(crate) fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    // If SQLite did not take the file system, it says so here, by its name.
    let name = hostel_vfs::register().unwrap_or(hostel_vfs::NAME);
    let conn = Connection::open_with_flags_and_vfs(path, READ_WRITE, name)?;
    configure(&conn)?;
    Ok(conn)
}

/// [`open_file`] for a database from before the journal: with the log that is a file beside it.
pub(crate) fn open_with_log_file(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, READ_WRITE)?;
    configure(&conn)?;
    Ok(conn)
}

/// A database in memory with the newest schema.
pub(crate) fn open_memory() -> rusqlite::Result<Connection> {
    let conn =
        Connection::open_in_memory_with_flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&conn)?;
    schema::migrate(&conn, 0, schema::STEPS)?;
    Ok(conn)
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(std::time::Duration::ZERO)?;
    conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    distrust(conn)?;
    conn.execute_batch(SETTINGS)
}

/// What is declared in the file is an agent's word.
pub(crate) fn distrust(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map(drop)
}

/// Copies SQLite's log into the file and empties it. To be done only when all of it is durable in the journal. Returns
/// whether it could be done now.
pub(crate) fn checkpoint(conn: &Connection) -> rusqlite::Result<bool> {
    let _stops_here = points::pass("copy");
    let mut copying = conn.prepare_cached("/*hostel*/ PRAGMA wal_checkpoint(TRUNCATE)")?;
    let busy: i64 = copying.query_row([], |row| row.get(0))?;
    let _stops_here = points::pass("copied");
    Ok(busy == 0)
}

/// Copies as much of SQLite's log into the file as can be copied now, and leaves the log. Returns how many frames the log
/// has; of one that is emptied, SQLite would say none.
pub(crate) fn copy_counting(conn: &Connection) -> rusqlite::Result<u64> {
    let counted = conn.query_row("/*hostel*/ PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1))?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

/// Makes the coming close leave file and log exactly as they are.
pub(crate) fn keep_files_on_close(conn: &Connection) {
    let kept = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    debug_assert!(kept.is_ok(), "a plain flag of the connection");
}

/// The bytes of an empty database with the newest schema. Copying them is cheaper than running the
/// schema for every new agent.
#[derive(Debug)]
pub(crate) struct Blank {
    bytes: Vec<u8>,
    disk: LocalDisk,
    stock: Mutex<Stock>,
    temporary: PathBuf,
    counter: AtomicU64,
}

impl Blank {
    /// Builds the blank file once, in the directory of unfinished files.
    pub(crate) fn build(temporary: PathBuf) -> Result<Self, Error> {
        let path = temporary.join("blank.db");
        let failed = |e| Error::sqlite("the data directory", "preparing an empty database", Blame::Store, e);
        write_blank(&path).map_err(|e| refine(failed(e), &path))?;
        let bytes = fs::read(&path)
            .and_then(|bytes| fs::remove_file(&path).map(|()| bytes))
            .map_err(|e| Error::io("the data directory", "preparing an empty database", e))?;
        let disk = LocalDisk::new(&temporary)
            .map_err(|e| Error::io("the data directory", "preparing an empty database", e))?;
        Ok(Self { bytes, disk, stock: Mutex::default(), temporary, counter: AtomicU64::new(0) })
    }

    /// The pages of the blank file, numbered from 1.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (1..).zip(self.bytes.chunks_exact(PAGE))
    }

    /// A path for an unfinished file, never given twice.
    fn unfinished(&self) -> PathBuf {
        self.temporary.join(format!("{}.tmp", self.counter.fetch_add(1, Ordering::Relaxed)))
    }

    /// Puts an empty database at `path`, where nothing may be yet. The content is synced before the name exists, so whoever sees
    /// the name, even after a power cut, sees a whole file. The name itself is not synced: until a turn is in the journal there
    /// is nothing to lose, and from then on the journal can bring the file back.
    pub(crate) fn place(&self, path: &Path) -> io::Result<()> {
        let shard = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(shard)?;
        remove_stale_wal(path, shard)?;
        let unfinished = self.take()?;
        points::pass("create")?;
        let placed = fs::rename(&unfinished, path);
        if placed.is_err() {
            // What cannot be removed now is removed on the next start.
            fs::remove_file(&unfinished).unwrap_or_default();
        }
        placed
    }
}

impl Blank {
    /// A synced blank file from the stock. An empty stock is filled with twice as many as the last time, which are synced
    /// together: so a sync is shared by many creations, and a store with few agents has no stock to speak of.
    fn take(&self) -> io::Result<PathBuf> {
        let mut stock = self.stock.lock();
        if let Some(ready) = stock.ready.pop() {
            return Ok(ready);
        }
        stock.size = (stock.size * 2).clamp(1, LARGEST_STOCK);
        let files: Vec<PathBuf> = (0..stock.size).map(|_| self.unfinished()).collect();
        let written = self.write(&files);
        if let Err(error) = written {
            stock.size = 0;
            // What cannot be removed now is removed on the next start.
            files.iter().for_each(|file| fs::remove_file(file).unwrap_or_default());
            return Err(error);
        }
        stock.ready = files;
        stock.ready.pop().ok_or_else(|| io::Error::other("no blank file"))
    }

    fn write(&self, files: &[PathBuf]) -> io::Result<()> {
        match files {
            [one] => write_new(one, &self.bytes)?.sync_data(),
            many => {
                for file in many {
                    write_new(file, &self.bytes)?;
                }
                self.disk.sync_all()
            }
        }
    }
}

/// Blank files that are synced and wait for their agents.
#[derive(Debug, Default)]
struct Stock {
    ready: Vec<PathBuf>,
    size: usize,
}

fn write_blank(path: &Path) -> rusqlite::Result<()> {
    let conn = Connection::open(path)?;
    conn.execute_batch("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;")?;
    schema::migrate(&conn, 0, schema::STEPS)?;
    conn.close().map_err(|(_, e)| e)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// A log without its database belongs to an agent that was deleted half-way. Left in place it would be
/// replayed into the new one.
fn remove_stale_wal(path: &Path, shard: &Path) -> io::Result<()> {
    let wal = wal_of(path);
    match fs::remove_file(&wal) {
        Ok(()) => {
            tracing::warn!(wal = %wal.display(), "removed a log that had lost its database");
            sync_dir(shard)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// SQLite says "unable to open" for a full disk, a read-only disk and a missing right alike. This asks the
/// file system itself, by opening the log for writing.
pub(crate) fn refine(error: Error, database: &Path) -> Error {
    if error.kind() != ErrorKind::Failed {
        return error;
    }
    match probe(database) {
        Some(kind) if kind != ErrorKind::Failed => error.with_kind(kind),
        _ => error,
    }
}

fn probe(database: &Path) -> Option<ErrorKind> {
    let wal = wal_of(database);
    let existed = wal.exists();
    let mut probe = database.as_os_str().to_owned();
    probe.push("-probe");
    let probe = PathBuf::from(probe);
    let tried =
        if existed { OpenOptions::new().write(true).open(&wal).map(drop) } else { File::create(&probe).map(drop) };
    if !existed && tried.is_ok() {
        let removed = fs::remove_file(&probe);
        debug_assert!(removed.is_ok(), "created a moment ago");
    }
    tried.err().map(|e| classify_io(&e))
}
