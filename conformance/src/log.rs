//! Who changed a counter's state, and to what: private rows, so that the list outlives a client replacing the state.

use hostel::{Cx, Result, Source};
use serde_json::{Value, json};

/// Begins the list with the initial state, which counts as the server's doing.
pub(crate) fn begin<A>(cx: &Cx<A>, state: &Value) -> Result<()> {
    cx.sql("create table if not exists log (id integer primary key, state text, source text)", ())?;
    match cx.sql("select 1 from log limit 1", ())?.is_empty() {
        true => add(cx, state, "server"),
        false => Ok(()),
    }
}

pub(crate) fn note<A>(cx: &Cx<A>, state: &Value, source: &Source) -> Result<()> {
    match source {
        Source::Server => add(cx, state, "server"),
        Source::Client(connection) => add(cx, state, connection.id()),
    }
}

fn add<A>(cx: &Cx<A>, state: &Value, source: &str) -> Result<()> {
    cx.sql("insert into log (state, source) values (?, ?)", (state.to_string(), source))?;
    Ok(())
}

/// The whole list.
pub(crate) fn read<A>(cx: &Cx<A>) -> Result<Vec<Value>> {
    let rows = cx.sql("select state, source from log order by id", ())?;
    let entry = |row: hostel::Row<'_>| {
        let state: Value = serde_json::from_str(&row.get::<String>("state")?)?;
        Ok(json!({"s": state, "source": row.get::<String>("source")?}))
    };
    rows.iter().map(entry).collect()
}
