//! What stands between a record and its superfluity: a page is in the log, then also in the agent's file, then synced there.
//! Only then may the record go.

use std::collections::{BTreeSet, HashMap};

use crate::{AgentId, Lsn};

/// Which agents still need which records.
#[derive(Debug, Default)]
pub struct Ledger {
    agents: HashMap<AgentId, Needs>,
}

/// The first record that an agent still needs, by what is missing.
#[derive(Clone, Copy, Debug, Default)]
struct Needs {
    /// Not copied into the agent's file yet.
    copying: Option<Lsn>,
    /// Copied, not synced.
    syncing: Option<Lsn>,
    /// A sync is under way that will cover it.
    under_way: Option<Lsn>,
}

impl Needs {
    fn first(&self) -> Option<Lsn> {
        [self.copying, self.syncing, self.under_way].into_iter().flatten().min()
    }
}

fn earlier(a: Option<Lsn>, b: Option<Lsn>) -> Option<Lsn> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Ledger {
    /// A record of `agent` is durable in the log. To be told before anybody is told of the commit.
    pub fn appended(&mut self, agent: AgentId, lsn: Lsn) {
        let needs = self.agents.entry(agent).or_default();
        needs.copying = needs.copying.or(Some(lsn));
    }

    /// All records of `agent` so far are in its file, or have made it vanish.
    pub fn copied(&mut self, agent: AgentId) {
        if let Some(needs) = self.agents.get_mut(&agent) {
            needs.syncing = earlier(needs.syncing, needs.copying.take());
        }
    }

    /// Begins a sync: these agents' files, and the directories they are in, are to be synced.
    pub fn begin_sync(&mut self) -> Vec<AgentId> {
        let mut due = Vec::new();
        for (agent, needs) in &mut self.agents {
            if needs.syncing.is_some() {
                needs.under_way = earlier(needs.under_way, needs.syncing.take());
            }
            if needs.under_way.is_some() {
                due.push(*agent);
            }
        }
        due
    }

    /// The sync of these succeeded. To be said of no agent whose file or directory was left out.
    pub fn synced(&mut self, agents: &[AgentId]) {
        for agent in agents {
            if let Some(needs) = self.agents.get_mut(agent) {
                needs.under_way = None;
                if needs.first().is_none() {
                    self.agents.remove(agent);
                }
            }
        }
        if self.agents.len() * 4 < self.agents.capacity() {
            self.agents.shrink_to(self.agents.len() * 2);
        }
    }

    /// The first record that anybody needs. `None`: no record is needed.
    pub fn floor(&self) -> Option<Lsn> {
        self.agents.values().filter_map(Needs::first).min()
    }

    /// Whether `agent` needs a record.
    pub fn needs(&self, agent: AgentId) -> bool {
        self.agents.contains_key(&agent)
    }

    /// How many agents need a record.
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether no record is needed.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// The agents whose pages are in the log alone.
    pub fn uncopied(&self) -> BTreeSet<AgentId> {
        self.agents.iter().filter(|(_, needs)| needs.copying.is_some()).map(|(agent, _)| *agent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AgentId = AgentId(1);
    const B: AgentId = AgentId(2);

    #[test]
    fn a_record_is_needed_until_its_pages_are_synced_in_the_file() {
        let mut ledger = Ledger::default();
        ledger.appended(A, 5);
        ledger.appended(B, 6);
        ledger.appended(A, 7);
        assert_eq!(ledger.floor(), Some(5));
        ledger.copied(A);
        assert_eq!(ledger.floor(), Some(5));
        let due = ledger.begin_sync();
        assert_eq!(due, [A]);
        ledger.synced(&due);
        assert_eq!(ledger.floor(), Some(6));
        ledger.copied(B);
        let due = ledger.begin_sync();
        ledger.synced(&due);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_is_appended_or_copied_during_a_sync_is_not_covered_by_it() {
        let mut ledger = Ledger::default();
        ledger.appended(A, 1);
        ledger.copied(A);
        let due = ledger.begin_sync();
        ledger.appended(A, 2);
        ledger.copied(A);
        assert_eq!(ledger.floor(), Some(1));
        ledger.synced(&due);
        assert_eq!(ledger.floor(), Some(2));
    }

    #[test]
    fn a_sync_that_failed_is_due_again() {
        let mut ledger = Ledger::default();
        ledger.appended(A, 1);
        ledger.copied(A);
        assert_eq!(ledger.begin_sync(), [A]);
        assert_eq!(ledger.begin_sync(), [A]);
        assert_eq!(ledger.floor(), Some(1));
    }
}
