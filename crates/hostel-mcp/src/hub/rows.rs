//! Registrations in the agent's own database: the table comes with the first of them.

use hostel_core::{Result, SqlValue, host::Host};

use crate::client::{Server, ServerId};

const EXISTS: &str =
    "/*hostel*/ SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'hostel_mcp_servers'";
const CREATE: &str = "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_mcp_servers
    (id TEXT PRIMARY KEY, name TEXT NOT NULL, server TEXT NOT NULL) WITHOUT ROWID";
const ALL: &str = "/*hostel*/ SELECT id, name, server FROM hostel_mcp_servers ORDER BY name, id";
const PUT: &str = "/*hostel*/ INSERT INTO hostel_mcp_servers (id, name, server) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, server = excluded.server";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_mcp_servers WHERE id = ?1";

/// One registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: ServerId,
    pub(super) name: String,
    pub(super) server: Server,
}

fn exists(host: &dyn Host) -> Result<bool> {
    Ok(host.own_sql(EXISTS, &[])?.value::<i64>()?.unwrap_or(0) > 0)
}

/// All registrations, by name.
pub(super) fn read(host: &dyn Host) -> Result<Vec<Row>> {
    if !exists(host)? {
        return Ok(Vec::new());
    }
    let rows = host.own_sql(ALL, &[])?;
    let row = |row: hostel_core::Row<'_>| {
        let server = serde_json::from_str(&row.get::<String>("server")?)?;
        Ok(Row { id: ServerId(row.get("id")?), name: row.get("name")?, server })
    };
    rows.iter().map(row).collect()
}

pub(super) fn write(host: &dyn Host, row: &Row) -> Result<()> {
    host.own_sql(CREATE, &[])?;
    let text = |text: &str| SqlValue::Text(text.into());
    let params = [text(row.id.as_str()), text(&row.name), text(&serde_json::to_string(&row.server)?)];
    host.own_sql(PUT, &params).map(drop)
}

pub(super) fn remove(host: &dyn Host, id: &ServerId) -> Result<bool> {
    if !exists(host)? {
        return Ok(false);
    }
    super::grants::remove(host, id)?;
    Ok(host.own_sql(REMOVE, &[SqlValue::Text(id.as_str().into())])?.changes > 0)
}
