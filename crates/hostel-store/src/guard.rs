//! What an agent's own SQL may do, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// How many instructions of SQLite's machine pass between two looks at the clock.
const OPS_PER_LOOK: i32 = 1000;

/// Pragmas that only look.
const LOOKING: &[&str] = &[
    "data_version",
    "freelist_count",
    "page_count",
    "page_size",
    "encoding",
    "user_version",
    "table_list",
    "foreign_keys",
    "compile_options",
    "function_list",
    "collation_list",
];
/// Pragmas that only look and take the name of a table or an index.
const LOOKING_AT: &[&str] = &[
    "table_info",
    "table_xinfo",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
    "table_list",
];
/// Pragmas whose effect ends with the transaction.
const HARMLESS: &[&str] = &["defer_foreign_keys"];
const MODULES: &[&str] = &["fts5", "fts5vocab", "rtree", "geopoly"];

/// The switch between our own statements and the agent's, per connection.
#[derive(Debug)]
pub(crate) struct Guard {
    author: Arc<AtomicBool>,
    deadline: Arc<AtomicU64>,
    epoch: Instant,
    watching: bool,
}

impl Guard {
    /// Installs the authoriser. Until [`Guard::enter`] it lets everything through.
    pub(crate) fn install(conn: &mut Connection) -> rusqlite::Result<Self> {
        let author = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&author);
        conn.authorizer(Some(move |context: AuthContext<'_>| {
            if !asked.load(Ordering::Relaxed) || allowed(&context) { Authorization::Allow } else { Authorization::Deny }
        }))?;
        Ok(Self { author, deadline: Arc::default(), epoch: Instant::now(), watching: false })
    }

    /// From here to the drop of the result, statements are the agent's.
    pub(crate) fn enter(&mut self, conn: &mut Connection, deadline: Option<Instant>) -> rusqlite::Result<Entered> {
        if let Some(deadline) = deadline {
            self.watch(conn)?;
            let nanos = deadline.saturating_duration_since(self.epoch).as_nanos().max(1);
            self.deadline.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        self.author.store(true, Ordering::Relaxed);
        Ok(Entered { author: Arc::clone(&self.author), deadline: Arc::clone(&self.deadline) })
    }

    fn watch(&mut self, conn: &mut Connection) -> rusqlite::Result<()> {
        if self.watching {
            return Ok(());
        }
        let (deadline, epoch) = (Arc::clone(&self.deadline), self.epoch);
        conn.progress_handler(OPS_PER_LOOK, Some(move || past(&deadline, epoch)))?;
        self.watching = true;
        Ok(())
    }
}

/// While this lives, the agent's rules are in force.
#[derive(Debug)]
pub(crate) struct Entered {
    author: Arc<AtomicBool>,
    deadline: Arc<AtomicU64>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.author.store(false, Ordering::Relaxed);
        self.deadline.store(0, Ordering::Relaxed);
    }
}

fn past(deadline: &AtomicU64, epoch: Instant) -> bool {
    match deadline.load(Ordering::Relaxed) {
        0 => false,
        nanos => epoch.elapsed().as_nanos() > u128::from(nanos),
    }
}

/// Tables of ours, and those in which workerd keeps what is its own: not the agent's to change.
fn reserved(name: &str) -> bool {
    let starts = |prefix: &str| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    starts("hostel_") || starts("cf_agents_") || starts("_cf_")
}

/// Of ours, only what the Agents SDK shows too may be read.
fn unreadable(name: &str) -> bool {
    reserved(name) && !name.get(..10).is_some_and(|head| head.eq_ignore_ascii_case("cf_agents_"))
}

fn allowed(context: &AuthContext<'_>) -> bool {
    use AuthAction as A;
    match context.action {
        A::Select | A::Recursive => true,
        A::Read { table_name, .. } => !unreadable(table_name),
        A::Insert { table_name } | A::Update { table_name, .. } | A::Delete { table_name } => !reserved(table_name),
        A::CreateTable { table_name } | A::CreateTempTable { table_name } => !reserved(table_name),
        A::DropTable { table_name } | A::DropTempTable { table_name } => !reserved(table_name),
        A::AlterTable { table_name, .. } | A::Analyze { table_name } => !reserved(table_name),
        A::CreateIndex { index_name, table_name } | A::CreateTempIndex { index_name, table_name } => {
            !reserved(index_name) && !reserved(table_name)
        }
        A::DropIndex { index_name, table_name } | A::DropTempIndex { index_name, table_name } => {
            !reserved(index_name) && !reserved(table_name)
        }
        A::CreateTrigger { trigger_name, table_name } | A::CreateTempTrigger { trigger_name, table_name } => {
            !reserved(trigger_name) && !reserved(table_name)
        }
        A::DropTrigger { table_name, .. } | A::DropTempTrigger { table_name, .. } => !reserved(table_name),
        A::CreateView { view_name } | A::CreateTempView { view_name } => !reserved(view_name),
        A::DropView { view_name } | A::DropTempView { view_name } => !reserved(view_name),
        A::CreateVtable { table_name, module_name } => !reserved(table_name) && listed(MODULES, module_name),
        A::DropVtable { table_name, .. } => !reserved(table_name),
        A::Reindex { .. } => true,
        A::Function { function_name } => !function_name.eq_ignore_ascii_case("load_extension"),
        A::Pragma { pragma_name, pragma_value } => pragma_allowed(pragma_name, pragma_value),
        // The turn is the transaction; and no other file is reachable from here.
        A::Transaction { .. } | A::Savepoint { .. } | A::Attach { .. } | A::Detach { .. } => false,
        _ => false,
    }
}

/// A table of the agent's that refers to one of ours: our own statements would then be bound by its rows. SQLite does not ask
/// [`Guard`] about that when the table is made.
pub(crate) fn bound_to_ours(conn: &Connection) -> rusqlite::Result<Option<String>> {
    const BINDINGS: &str =
        "/*hostel*/ SELECT m.name, f.\"table\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
        WHERE m.type = 'table'";
    let mut statement = conn.prepare(BINDINGS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if reserved(&row.get::<_, String>(1)?) {
            return row.get(0).map(Some);
        }
    }
    Ok(None)
}

/// Whether a text may declare that one table refers to another; no such declaration can do without the word.
pub(crate) fn may_bind(query: &str) -> bool {
    const WORD: &[u8] = b"references";
    query.as_bytes().windows(WORD.len()).any(|part| part.eq_ignore_ascii_case(WORD))
}

fn pragma_allowed(name: &str, value: Option<&str>) -> bool {
    match value {
        None => listed(LOOKING, name) || listed(LOOKING_AT, name) || listed(HARMLESS, name),
        Some(_) => listed(LOOKING_AT, name) || listed(HARMLESS, name),
    }
}

fn listed(list: &[&str], name: &str) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(name))
}
