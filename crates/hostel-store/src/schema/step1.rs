//! Version 1: identity, state, results of calls with an idempotency key.

/// `cf_agents_state` has the shape that the Agents SDK gives it, so that its tools can read ours.
pub(crate) const SQL: &str = "
CREATE TABLE hostel_meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    alarm_ms INTEGER
);
CREATE TABLE cf_agents_state (id TEXT PRIMARY KEY NOT NULL, state TEXT);
CREATE TABLE hostel_idempotency (
    key TEXT PRIMARY KEY NOT NULL,
    fingerprint TEXT NOT NULL,
    result TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX hostel_idempotency_at ON hostel_idempotency (at_ms);
";
