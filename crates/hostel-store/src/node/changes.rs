//! Changes of the register: whoever comes to write takes along what others wait for, in the order it came.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::{NodeDb, failed};
use crate::{AgentKey, Error};

const PUT: &str = "INSERT INTO hostel_alarms (namespace, name, at_ms) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms WHERE at_ms <> excluded.at_ms";
const CLEAR: &str = "DELETE FROM hostel_alarms WHERE namespace = ?1 AND name = ?2";

/// A change on its way.
#[derive(Debug)]
pub(super) struct Change {
    key: AgentKey,
    at_ms: Option<i64>,
    ticket: Ticket,
}

impl Change {
    pub(super) fn is_for(&self, key: &AgentKey) -> bool {
        self.key == *key
    }

    pub(super) fn at_ms(&self) -> Option<i64> {
        self.at_ms
    }
}

/// Says what became of a change, once it is settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket(Arc<Mutex<Option<Result<(), Error>>>>);

impl NodeDb {
    /// Sets or removes the wake-up of an agent, after everything queued before. Nothing is written before somebody settles.
    pub(crate) fn queue(&self, key: &AgentKey, at_ms: Option<i64>) -> Ticket {
        let ticket = Ticket::default();
        self.waiting.lock().push(Change { key: key.clone(), at_ms, ticket: ticket.clone() });
        ticket
    }

    /// Returns when the change is durable.
    pub(crate) fn settle(&self, ticket: &Ticket) -> Result<(), Error> {
        let mut conn = self.conn.lock();
        if let Some(settled) = ticket.0.lock().take() {
            return settled;
        }
        let changes = std::mem::take(&mut *self.waiting.lock());
        write(&mut conn, &changes);
        drop(conn);
        ticket.0.lock().take().unwrap_or(Ok(()))
    }
}

/// All in one transaction; if that fails, each by itself, so that every one hears of its own failure.
fn write(conn: &mut Connection, changes: &[Change]) {
    let together = match changes {
        [_] => false,
        _ => write_all(conn, changes).is_ok(),
    };
    for change in changes {
        let outcome = if together { Ok(()) } else { apply(conn, change) };
        *change.ticket.0.lock() = Some(outcome.map_err(|e| failed("registering a wake-up", e)));
    }
}

fn write_all(conn: &mut Connection, changes: &[Change]) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    changes.iter().try_for_each(|change| apply(&transaction, change))?;
    transaction.commit()
}

fn apply(conn: &Connection, Change { key, at_ms, .. }: &Change) -> rusqlite::Result<()> {
    match at_ms {
        Some(at_ms) => conn.prepare_cached(PUT)?.execute(params![key.namespace(), key.name(), at_ms]),
        None => conn.prepare_cached(CLEAR)?.execute([key.namespace(), key.name()]),
    }
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_counts_for_the_latest_that_a_wake_up_may_become() {
        let db = NodeDb::in_memory().unwrap();
        let (a, b) = (AgentKey::new("bell", "a"), AgentKey::new("bell", "b"));
        assert_eq!(db.latest_alarm(&a).unwrap(), None);
        db.register(&a, 5).unwrap();
        let earlier = db.queue(&a, Some(3));
        let other = db.queue(&b, Some(99));
        assert_eq!(db.latest_alarm(&a).unwrap(), Some(5), "an earlier one may fail to be written");
        let later = db.queue(&a, Some(9));
        assert_eq!(db.latest_alarm(&a).unwrap(), Some(9));
        let cleared = db.queue(&a, None);
        assert_eq!(db.latest_alarm(&a).unwrap(), None);
        for ticket in [earlier, other, later, cleared] {
            db.settle(&ticket).unwrap();
        }
        assert_eq!((db.latest_alarm(&a).unwrap(), db.latest_alarm(&b).unwrap()), (None, Some(99)));
    }

    #[test]
    fn changes_that_wait_together_are_written_in_the_order_they_came() {
        let db = NodeDb::in_memory().unwrap();
        let (a, b) = (AgentKey::new("bell", "a"), AgentKey::new("bell", "b"));
        let early = db.queue(&a, Some(5));
        let other = db.queue(&b, Some(7));
        let late = db.queue(&a, Some(9));
        db.settle(&late).unwrap();
        assert_eq!((db.alarm(&a).unwrap(), db.alarm(&b).unwrap()), (Some(9), Some(7)));
        db.settle(&early).unwrap();
        db.settle(&other).unwrap();
        assert_eq!(db.alarm(&a).unwrap(), Some(9), "what is settled is not written again");
    }
}
