//! What each class declared when its agents were last brought in step with it.

use rusqlite::OptionalExtension;

use super::{NodeDb, failed};
use crate::Error;

const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_declared')";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS hostel_declared (
    namespace TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL
) WITHOUT ROWID";
const GET: &str = "SELECT fingerprint FROM hostel_declared WHERE namespace = ?1";
const PUT: &str = "INSERT OR REPLACE INTO hostel_declared (namespace, fingerprint) VALUES (?1, ?2)";

impl NodeDb {
    /// What was last noted for a class.
    pub(crate) fn declared(&self, namespace: &str) -> Result<Option<String>, Error> {
        let conn = self.conn.lock();
        let get = || {
            if !conn.query_row(EXISTS, [], |row| row.get::<_, bool>(0))? {
                return Ok(None);
            }
            conn.query_row(GET, [namespace], |row| row.get(0)).optional()
        };
        get().map_err(|e| failed("reading it", e))
    }

    /// Notes it. The table comes into being with the first class that declares anything.
    pub(crate) fn note_declared(&self, namespace: &str, fingerprint: &str) -> Result<(), Error> {
        let conn = self.conn.lock();
        let put = || {
            conn.execute(CREATE, [])?;
            conn.execute(PUT, [namespace, fingerprint])
        };
        put().map(drop).map_err(|e| failed("writing to it", e))
    }
}
