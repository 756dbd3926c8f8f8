//! Whether a database file from elsewhere may become an agent's. It is somebody's word from the first byte on: SQLite
//! itself is told so, and what is ours in it must be exactly as we make it.

mod plain;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension};

use crate::history::Scratch;
use crate::{AgentKey, connect, schema};

/// What the file says of itself, to be compared with what is in it.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) key: &'a AgentKey,
    pub(super) schema: u32,
}

/// Everything that is ours, by name, or that hangs on it.
const OURS: &str = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
    WHERE lower(substr(name, 1, 7)) = 'hostel_' OR lower(substr(tbl_name, 1, 7)) = 'hostel_'";
/// How names of tables begin that the layers above the store make, with its own statements, when they first need them.
const ABOVE: [&str; 2] = ["hostel_chat_", "hostel_mcp_"];
const STATE: &str = "SELECT type, coalesce(sql, '') FROM sqlite_schema WHERE lower(name) = 'cf_agents_state'";
const STATE_COLUMNS: &str = "SELECT group_concat(name || ' ' || pk) FROM pragma_table_xinfo('cf_agents_state')";
/// Triggers run with our own statements too.
const TRIGGERS: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = 'cf_agents_state' LIMIT 1";
/// What a foreign key does, it does in our own statements, and with it the triggers of the table that it is in.
const REFERRING: &str = "SELECT tables.name FROM sqlite_schema AS tables, pragma_foreign_key_list(tables.name) AS keys
    WHERE tables.type = 'table'
    AND (lower(substr(keys.\"table\", 1, 7)) = 'hostel_' OR lower(keys.\"table\") = 'cf_agents_state') LIMIT 1";
/// No value in a database from elsewhere is longer, nor may an expression in it make a longer one.
const LONGEST_VALUE: i32 = 256 << 20;
/// `LIKE` and `GLOB` take as long as text times pattern. A pattern for a UUID has 288 bytes.
const LONGEST_PATTERN: i32 = 512;
/// Instructions of SQLite's machine between two looks at the clock.
const OPS_PER_LOOK: i32 = 1000;
/// What is declared in a file may not keep us longer.
const LONGEST_TIME: Duration = Duration::from_secs(600);
/// What somebody allowed on the server that it comes from, and where that one's secrets went: nobody here has said yes to it. Of each
/// table, what of it goes; nothing is declared on them that could put it back.
const ALLOWED_ELSEWHERE: [(&str, &str); 7] = [
    ("hostel_mcp_servers", "true"),
    ("hostel_mcp_grants", "true"),
    ("hostel_chat_permissions", "true"),
    // Of the coding agent: the yes to a server that a project's own file names, rules that allow, how a tool was described when somebody
    // said "always" to it, and a mode in which less is asked. What asks or refuses stays.
    ("coder_mcp", "true"),
    ("coder_rules", "action IS NOT 'ask' AND action IS NOT 'deny'"),
    ("coder_rule_pins", "true"),
    ("coder_policy", "value IS NOT 'ask' AND value IS NOT 'plan'"),
];
const IDENTITY: &str = "SELECT namespace, name FROM hostel_meta";

/// Checks a database and brings it into the mode in which ours are. The error is a part of a sentence.
pub(super) fn check(file: &Scratch, claim: &Claim<'_>) -> Result<(), String> {
    check_header(file.path())?;
    let conn = open(file.path()).map_err(said)?;
    whole(&conn)?;
    check_schema(&conn, claim.schema)?;
    check_identity(&conn, claim.key)?;
    plain::check(&conn)?;
    forget_consent(&conn).map_err(said)?;
    settle(conn).map_err(said)
}

/// Whether nothing is declared on what the server writes, in a database from elsewhere that is [`as_made`]. Only looks.
pub(crate) fn nothing_hangs(conn: &Connection) -> Result<(), String> {
    plain::check(conn)
}

/// Whether the store itself keeps this for an agent: [`check_schema`] has compared it word for word.
fn is_of_the_store(name: &str) -> bool {
    let head = |prefix: &str| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    head("hostel_") && !ABOVE.iter().any(|prefix| head(prefix))
}

/// MCP servers and standing permissions stay behind, in a database of which [`nothing_hangs`] is known.
pub(crate) fn forget_consent(conn: &Connection) -> rusqlite::Result<()> {
    for (table, which) in ALLOWED_ELSEWHERE {
        let is_there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        if conn.query_row(is_there, [table], |_| Ok(())).optional()?.is_some() {
            conn.execute(&format!("DELETE FROM \"{table}\" WHERE {which}"), [])?;
        }
    }
    Ok(())
}

/// Opens a file of ours that holds somebody else's database.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut conn = Connection::open(path)?;
    connect::distrust(&conn)?;
    bound(&mut conn)?;
    conn.execute_batch(
        "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;",
    )?;
    Ok(conn)
}

/// Puts bounds to what the expressions in a file may cost: checks, indexes and views are run by those who only look.
pub(crate) fn bound(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    conn.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)?;
    let begun = Instant::now();
    conn.progress_handler(OPS_PER_LOOK, Some(move || begun.elapsed() > LONGEST_TIME))
}

/// Whether what is ours in a database is as we make it, and nothing hangs on it. Only looks.
pub(crate) fn as_made(conn: &Connection) -> Result<(), String> {
    let version = schema::version_of(conn).map_err(said)?;
    check_schema(conn, version)
}

/// SQLite's own check of everything: pages, indexes, values.
pub(super) fn whole(conn: &Connection) -> Result<(), String> {
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(said)?;
    if verdict == "ok" { Ok(()) } else { Err(format!("the database is damaged: {verdict}")) }
}

/// Everything into the file, which has a log from now on, as ours have.
pub(super) fn settle(conn: Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.close().map_err(|(_, e)| e)
}

/// The header as SQLite has it, and a size that fits: before SQLite opens it.
fn check_header(path: &Path) -> Result<(), String> {
    use std::io::Read;
    let mut header = [0; 100];
    let read = || -> std::io::Result<([u8; 100], u64)> {
        let mut file = std::fs::File::open(path)?;
        file.read_exact(&mut header)?;
        Ok((header, file.metadata()?.len()))
    };
    let (header, bytes) = read_or(read)?;
    let page_size = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65536,
        size => size,
    };
    if !header.starts_with(b"SQLite format 3\0") || !page_size.is_power_of_two() || page_size < 512 {
        return Err("it is not a SQLite database".to_owned());
    }
    if bytes.is_multiple_of(page_size) { Ok(()) } else { Err("the database is cut off".to_owned()) }
}

fn read_or<T>(mut read: impl FnMut() -> std::io::Result<T>) -> Result<T, String> {
    read().map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => "it is not a SQLite database".to_owned(),
        _ => e.to_string(),
    })
}

fn check_schema(conn: &Connection, claimed: u32) -> Result<(), String> {
    let version = schema::version_of(conn).map_err(said)?;
    let newest = schema::newest(schema::STEPS);
    if version != claimed {
        return Err(format!("it has schema version {version}, not {claimed}"));
    }
    if version == 0 || version > newest {
        return Err(format!("it has schema version {version}, this build knows 1 to {newest}"));
    }
    let steps: Vec<_> = schema::STEPS.iter().filter(|step| step.version <= version).copied().collect();
    let reference = Connection::open_in_memory().map_err(said)?;
    schema::migrate(&reference, 0, &steps).map_err(said)?;
    let found = ours(conn).map_err(said)?;
    let expected = with_lazy(&reference, &found).map_err(said)?;
    let (mut extra, mut missing) = (found.difference(&expected), expected.difference(&found));
    if missing.next().is_some() || !extra.all(is_of_a_layer_above) {
        return Err("the tables that Hostel keeps for itself are not as Hostel makes them".to_owned());
    }
    check_state_table(conn)
}

/// What a database has of ours if it has those groups of tables, made when first needed, of which it has any.
fn with_lazy(reference: &Connection, found: &BTreeSet<[String; 4]>) -> rusqlite::Result<BTreeSet<[String; 4]>> {
    for group in schema::LAZY {
        let alone = Connection::open_in_memory()?;
        alone.execute_batch(group)?;
        if ours(&alone)?.iter().any(|object| found.contains(object)) {
            reference.execute_batch(group)?;
        }
    }
    ours(reference)
}

/// Whether it is a plain table, or an index of one, that a layer above the store keeps for itself: which ones there are, and how they are made,
/// only that layer knows. No trigger hangs on them.
fn is_of_a_layer_above([kind, name, table, sql]: &[String; 4]) -> bool {
    let named = |name: &str| ABOVE.iter().any(|prefix| name.starts_with(prefix));
    match &**kind {
        "table" => named(name) && sql.starts_with("CREATE TABLE "),
        "index" => named(table),
        _ => false,
    }
}

/// The table of the state is read and written by us and may come from the Agents SDK.
pub(super) fn check_state_table(conn: &Connection) -> Result<(), String> {
    let (kind, sql): (String, String) =
        conn.query_row(STATE, [], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(said)?.unwrap_or_default();
    let columns: Option<String> = conn.query_row(STATE_COLUMNS, [], |row| row.get(0)).map_err(said)?;
    let is_virtual = sql.get(..14).is_some_and(|head| head.eq_ignore_ascii_case("CREATE VIRTUAL"));
    if kind != "table" || is_virtual || columns.as_deref() != Some("id 1,state 0") {
        return Err("cf_agents_state is not a table with the columns id, its primary key, and state".to_owned());
    }
    let first = |sql| conn.query_row(sql, [], |row| row.get::<_, String>(0)).optional().map_err(said);
    if let Some(name) = first(TRIGGERS)? {
        return Err(format!("the trigger {} hangs on cf_agents_state; drop it", name.escape_debug()));
    }
    match first(REFERRING)? {
        Some(name) => Err(format!("the table {} refers to one of Hostel's own; drop it", name.escape_debug())),
        None => Ok(()),
    }
}

fn ours(conn: &Connection) -> rusqlite::Result<BTreeSet<[String; 4]>> {
    let mut statement = conn.prepare(OURS)?;
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    rows.collect()
}

fn check_identity(conn: &Connection, key: &AgentKey) -> Result<(), String> {
    let found = conn
        .query_row(IDENTITY, [], |row| Ok(AgentKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .optional()
        .map_err(said)?;
    match found {
        Some(found) if found == *key => Ok(()),
        Some(found) => Err(format!("it is the database of agent {found}, not of {key}")),
        None => Err("it does not say whose it is".to_owned()),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn said(error: rusqlite::Error) -> String {
    format!("SQLite says: {error}")
}
