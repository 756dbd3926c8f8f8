//! Whether nothing is declared on the tables that our own statements write, so that these do what they say and nothing else.
//!
//! An agent's own tables may have what they like: triggers, checks, views and computed columns run when the agent's own SQL does, under
//! its rules and within its time. Ours run under no rules and without a clock.

use rusqlite::{Connection, OptionalExtension};

use super::said;

/// The tables that the server writes, on its own behalf or as the Agents SDK would, and those of the coding agent out of which an import
/// takes what somebody elsewhere allowed: `$name` is the column with the name.
macro_rules! written {
    ($name:literal) => {
        concat!(
            "(lower(substr(",
            $name,
            ", 1, 7)) = 'hostel_' OR lower(",
            $name,
            ") IN ('cf_agents_state', 'cf_ai_chat_agent_messages', '_cf_metadata',
                'coder_mcp', 'coder_policy', 'coder_rules', 'coder_rule_pins'))"
        )
    };
}

const TRIGGERS: &str =
    concat!("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' AND ", written!("tbl_name"), " LIMIT 1");
/// A name cannot be written in another way than with its letters. A trigger on whatever other table could allow anew what did not arrive.
const NAMING: &str =
    "SELECT triggers.name FROM sqlite_schema AS triggers JOIN (VALUES ('hostel_'), ('coder_mcp'), ('coder_policy'), ('coder_rule')) AS ours
    WHERE type = 'trigger' AND instr(lower(coalesce(sql, '')), ours.column1) LIMIT 1";
/// What a foreign key does, it does in our own statements.
const REFERRING: &str = concat!(
    "SELECT tables.name, keys.\"table\" FROM sqlite_schema AS tables, pragma_foreign_key_list(tables.name) AS keys
    WHERE tables.type = 'table' AND ",
    written!("keys.\"table\""),
    " LIMIT 1"
);
const TABLES: &str = concat!(
    "SELECT type, name, tbl_name, sql FROM sqlite_schema
    WHERE type <> 'trigger' AND sql IS NOT NULL AND lower(tbl_name) <> '_cf_metadata' AND ",
    written!("tbl_name")
);

/// The one check that a layer of ours makes itself.
const OUR_CHECK: &str = "CHECK (one = 1)";
/// Words of declarations by which a table does more than keep rows.
const DOING: [&str; 8] = ["CHECK", "GENERATED", "AS", "REFERENCES", "CONSTRAINT", "COLLATE", "ON", "FOREIGN"];
/// Words of declarations by which an index does more than keep an order.
const COMPUTING: [&str; 6] = ["UNIQUE", "LIKE", "GLOB", "MATCH", "REGEXP", "COLLATE"];

/// Looks at a database from elsewhere, of whose own tables it is known that they are as we make them.
pub(super) fn check(conn: &Connection) -> Result<(), String> {
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    if let Some((name, table)) = conn.query_row(TRIGGERS, [], pair).optional().map_err(said)? {
        return Err(format!("the trigger {} hangs on {table}, which the server writes; drop it", name.escape_debug()));
    }
    let naming = conn.query_row(NAMING, [], |row| row.get::<_, String>(0)).optional().map_err(said)?;
    if let Some(name) = naming {
        return Err(format!("the trigger {} names a table of Hostel's own; drop it", name.escape_debug()));
    }
    if let Some((name, table)) = conn.query_row(REFERRING, [], pair).optional().map_err(said)? {
        return Err(format!("the table {} refers to {table}, which the server writes; drop it", name.escape_debug()));
    }
    let mut statement = conn.prepare(TABLES).map_err(said)?;
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]));
    for row in rows.map_err(said)? {
        check_one(&row.map_err(said)?)?;
    }
    Ok(())
}

fn check_one([kind, name, table, sql]: &[String; 4]) -> Result<(), String> {
    let what = match &**kind {
        _ if super::is_of_the_store(table) => return Ok(()),
        "table" if is_plain_table(sql) => return Ok(()),
        "index" if table.eq_ignore_ascii_case("cf_agents_state") => "hangs on a table that has none",
        "index" if is_plain_index(sql) => return Ok(()),
        _ => {
            "declares more than the server's tables have: a check, a computed column, a default that is no value, an expression"
        }
    };
    Err(format!("the {kind} {} {what}; make it anew without", name.escape_debug()))
}

/// Columns with types, keys and plain values as defaults.
fn is_plain_table(sql: &str) -> bool {
    let sql = sql.replace(OUR_CHECK, "");
    let computes = words(&sql).zip(words(&sql).skip(1)).any(|(word, next)| is(word, "DEFAULT") && next == "(");
    sql.starts_with("CREATE TABLE ") && has_plain_letters(&sql) && !computes && !has_any(&sql, &DOING)
}

/// Columns, and perhaps which of them are null.
fn is_plain_index(sql: &str) -> bool {
    let once = |letter| sql.matches(letter).count() == 1;
    sql.starts_with("CREATE INDEX ") && has_plain_letters(sql) && once('(') && once(')') && !has_any(sql, &COMPUTING)
}

/// No comment, no operator, nothing that is not a word.
fn has_plain_letters(sql: &str) -> bool {
    sql.chars().all(|c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "_,()\"'`[]".contains(c))
}

/// Words and parentheses; what is quoted counts like what is not.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let of_a_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    sql.split_inclusive(move |c| !of_a_word(c))
        .flat_map(move |piece| piece.split_at_checked(piece.trim_end_matches(|c| !of_a_word(c)).len()))
        .flat_map(|(word, end)| [word, end])
        .filter(|piece| !piece.trim().is_empty())
}

fn has_any(sql: &str, listed: &[&str]) -> bool {
    words(sql).any(|word| listed.iter().any(|listed| is(word, listed)))
}

fn is(word: &str, other: &str) -> bool {
    word.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_indexes_of_ours_are_plain_and_what_computes_is_not() {
        let plain = [
            "CREATE TABLE cf_agents_state (id TEXT PRIMARY KEY NOT NULL, state TEXT)",
            "CREATE TABLE \"cf_agents_state\" (\n  id TEXT PRIMARY KEY NOT NULL,\n  state TEXT\n)",
            "CREATE TABLE cf_ai_chat_agent_messages
                (id text primary key, message text not null, created_at datetime default current_timestamp)",
            "CREATE TABLE hostel_chat_settings (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL)",
            "CREATE TABLE t (n INTEGER NOT NULL DEFAULT 0, a TEXT, PRIMARY KEY (n, a)) WITHOUT ROWID",
        ];
        assert!(plain.iter().all(|sql| is_plain_table(sql)));
        let odd = [
            "CREATE TABLE t (a CHECK(a > 1))",
            "CREATE TABLE t (a, b AS (a))",
            "CREATE TABLE t (a, b generated always as(a))",
            "CREATE TABLE t (a DEFAULT (random()))",
            "CREATE TABLE t (a DEFAULT\n(1))",
            "CREATE TABLE t (a REFERENCES t)",
            "CREATE TABLE t (a NOT NULL ON CONFLICT IGNORE)",
            "CREATE TABLE t (a /* CHECK */)",
            "CREATE TABLE t (one INTEGER CHECK (one = 1 OR b))",
            "CREATE VIRTUAL TABLE t USING fts5(a)",
        ];
        for sql in odd {
            assert!(!is_plain_table(sql), "{sql}");
        }
        assert!(is_plain_index("CREATE INDEX hostel_chat_open ON hostel_chat_turns (n) WHERE ended IS NULL"));
        for sql in [
            "CREATE UNIQUE INDEX i ON t (a)",
            "CREATE INDEX i ON t (json(a))",
            "CREATE INDEX i ON t (a) WHERE a LIKE 'x'",
            "CREATE INDEX i ON t (a) WHERE a > 1",
        ] {
            assert!(!is_plain_index(sql), "{sql}");
        }
    }
}
