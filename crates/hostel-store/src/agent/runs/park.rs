//! Runs in an image of a database: nothing that another agent, or a later moment of the same, has done goes on by itself.

use rusqlite::Connection;

const HAS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
const PARK: &str = "UPDATE hostel_runs SET status = 'paused', wake_ms = NULL, code = 'run_put_back', error = ?1
    WHERE ended_ms IS NULL";
const TAKE_BACK: &str = "DELETE FROM hostel_tasks WHERE id IN (SELECT id FROM hostel_runs)";

/// Pauses every run that has not ended, with `why`.
pub(crate) fn park_unfinished(conn: &Connection, why: &str) -> rusqlite::Result<()> {
    let has = |table: &str| conn.query_row(HAS, [table], |row| row.get::<_, bool>(0));
    if !has("hostel_runs")? {
        return Ok(());
    }
    conn.execute(PARK, [why])?;
    if has("hostel_tasks")? {
        conn.execute(TAKE_BACK, [])?;
    }
    Ok(())
}
