//! The text that `sqlite3 FILE .dump` writes, run into an empty file. It is a program from a stranger, so it may do only
//! what such a text does.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::super::admit::said;

/// A text is read whole; a larger object is to be brought as a file.
const LONGEST: u64 = 512 << 20;
/// Pages that a text may make of itself if the agents' allowance does not say: 16 GiB.
const MOST_PAGES: u32 = 4 << 20;
/// Instructions of SQLite's machine between two questions whether it has been enough.
const OPS_PER_LOOK: i32 = 100_000;
/// So many questions: enough for the longest text, and an end for one that loops.
const MOST_LOOKS: u64 = 1_000_000;

/// Runs the text into the empty file `to`. The error is a part of a sentence.
pub(super) fn load(from: &Path, to: &Path, max_pages: Option<u32>) -> Result<(), String> {
    let text = read(from)?;
    let mut conn = Connection::open(to).map_err(said)?;
    restrict(&mut conn, max_pages).map_err(said)?;
    conn.execute_batch(&text).map_err(said)?;
    if !conn.is_autocommit() {
        return Err("the text ends before its COMMIT".to_owned());
    }
    conn.close().map_err(|(_, e)| said(e))
}

fn read(from: &Path) -> Result<String, String> {
    let failed = |e: std::io::Error| e.to_string();
    let file = File::open(from).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > LONGEST {
        return Err(format!("the text has {bytes} bytes, at most {LONGEST} are read; bring the SQLite file itself"));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(failed)?;
    let text = String::from_utf8(text).map_err(|_| "it is neither a SQLite file nor text".to_owned())?;
    let begins = text.trim_start_matches('\u{feff}').trim_start();
    let known = ["PRAGMA", "BEGIN", "CREATE", "--", "/*"].iter().any(|word| begins.starts_with(word));
    if known { Ok(text) } else { Err("it is neither a SQLite file nor the text of one".to_owned()) }
}

/// Full-text tables are dumped as rows of SQLite's own table of tables, so that is allowed here and checked afterwards like a
/// file that somebody else has written.
fn restrict(conn: &mut Connection, max_pages: Option<u32>) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.execute_batch(
        "PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;",
    )?;
    conn.pragma_update(None, "max_page_count", max_pages.unwrap_or(MOST_PAGES))?;
    let mut looks = 0;
    conn.progress_handler(
        OPS_PER_LOOK,
        Some(move || {
            looks += 1;
            looks > MOST_LOOKS
        }),
    )?;
    conn.authorizer(Some(
        |context: AuthContext<'_>| if allowed(&context) { Authorization::Allow } else { Authorization::Deny },
    ))
}

fn allowed(context: &AuthContext<'_>) -> bool {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => false,
        AuthAction::Function { function_name } => !function_name.eq_ignore_ascii_case("load_extension"),
        AuthAction::Pragma { pragma_name, .. } => {
            ["foreign_keys", "writable_schema", "encoding", "user_version", "application_id"]
                .iter()
                .any(|fine| fine.eq_ignore_ascii_case(pragma_name))
        }
        _ => true,
    }
}
