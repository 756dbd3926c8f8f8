//! Sub-agents that nobody has: each must stand on its parent's list, or it is never deleted and counted by nobody.

use std::collections::HashSet;

use hostel_core::AgentId;
use rusqlite::Connection;

use super::Work;
use crate::AgentKey;
use crate::layout::relative;

const REMEDY: &str =
    "ask its parent for it once, and it is on the list again with what it holds; or have it deleted then";
const HAS_TABLE: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_children')";
const LISTED: &str = "SELECT class, name FROM hostel_children WHERE class <> ''";

/// Who is under whom, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Databases that could be read, with what they list.
    read: HashSet<AgentKey>,
    listed: HashSet<AgentKey>,
    children: Vec<(String, AgentKey)>,
}

/// The class and name of each agent that a database lists.
pub(super) fn listed(conn: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    if !conn.query_row(HAS_TABLE, [], |row| row.get::<_, bool>(0))? {
        return Ok(Vec::new());
    }
    let mut statement = conn.prepare(LISTED)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

impl Family {
    /// Notes what the database of `key`, at `place`, lists.
    pub(super) fn note(&mut self, place: &str, key: &AgentKey, listed: &[(String, String)]) {
        let parent = AgentId::from_stored(key.namespace(), key.name());
        let children = listed.iter().filter_map(|(class, name)| parent.sub_agent_in(class, name).ok());
        self.listed.extend(children.map(|child| key_of(&child)));
        if key.is_child() {
            self.children.push((place.to_owned(), key.clone()));
        }
        self.read.insert(key.clone());
    }

    /// Says which of them nobody lists. Nothing can be said of those whose parent could not be read.
    pub(super) fn check(self, work: &mut Work<'_>) {
        for (place, key) in self.children.iter().filter(|(_, key)| !self.listed.contains(key)) {
            let parent = AgentId::from_stored(key.namespace(), key.name()).parent().map(|parent| key_of(&parent));
            let known = parent.is_some_and(|parent| {
                self.read.contains(&parent) || !work.layout.root().join(relative(&parent)).exists()
            });
            if known {
                let what = "it is a sub-agent, and no agent lists it as its own";
                work.problem(place, Some(key.to_string()), what, REMEDY);
            }
        }
    }
}

fn key_of(id: &AgentId) -> AgentKey {
    let (namespace, name) = id.stored();
    AgentKey::new(namespace, name)
}
