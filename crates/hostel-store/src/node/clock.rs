//! The time of day when the node last looked, so that the next start sees whether the clock went back meanwhile.

use rusqlite::OptionalExtension;

use super::{NodeDb, failed};
use crate::Error;

const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_clock')";
const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS hostel_clock (one INTEGER PRIMARY KEY CHECK (one = 1), seen_ms INTEGER NOT NULL)";
const GET: &str = "SELECT seen_ms FROM hostel_clock";
const PUT: &str = "INSERT OR REPLACE INTO hostel_clock (one, seen_ms) VALUES (1, ?1)";

impl NodeDb {
    /// What was noted last, in Unix milliseconds.
    pub(crate) fn noted_time(&self) -> Result<Option<i64>, Error> {
        let conn = self.conn.lock();
        let get = || {
            if !conn.query_row(EXISTS, [], |row| row.get::<_, bool>(0))? {
                return Ok(None);
            }
            conn.query_row(GET, [], |row| row.get(0)).optional()
        };
        get().map_err(|e| failed("reading it", e))
    }

    /// Notes the time, without a sync: it outlives the process, and after a power cut an older one will do. The table comes
    /// into being with the first note.
    pub(crate) fn note_time(&self, now_ms: i64) -> Result<(), Error> {
        let conn = self.conn.lock();
        let put = || {
            conn.execute_batch("PRAGMA synchronous=NORMAL")?;
            conn.execute(CREATE, [])?;
            conn.execute(PUT, [now_ms])
        };
        let put = put();
        conn.execute_batch("PRAGMA synchronous=FULL").map_err(|e| failed("writing to it", e))?;
        put.map(drop).map_err(|e| failed("writing to it", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_noted_last_is_there_and_what_is_registered_is_synced_as_before() {
        let node = NodeDb::in_memory().unwrap();
        assert_eq!(node.noted_time().unwrap(), None);
        node.note_time(7).unwrap();
        node.note_time(5).unwrap();
        assert_eq!(node.noted_time().unwrap(), Some(5));
        let synced: i64 = node.conn.lock().query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!(synced, 2, "FULL");
    }
}
