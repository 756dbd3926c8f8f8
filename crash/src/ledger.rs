//! What clients were told, kept outside of the system under test.

use std::sync::atomic::{AtomicU64, Ordering};

use hostel_client::{Client, Options};

use crate::{say, server::Server};

/// One line an agent.
#[derive(Debug, Default)]
pub(crate) struct Account {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// The highest count in an acknowledgement.
    highest_acknowledged: AtomicU64,
    /// The highest count in a state frame.
    highest_seen: AtomicU64,
}

impl Account {
    /// An increment is about to be sent.
    pub(crate) fn send(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// A client was told that the count is `count`.
    pub(crate) fn acknowledge(&self, count: u64) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.highest_acknowledged.fetch_max(count, Ordering::SeqCst);
    }

    /// A client saw the count in a state frame.
    pub(crate) fn see(&self, count: u64) {
        self.highest_seen.fetch_max(count, Ordering::SeqCst);
    }
}

/// What was sent and acknowledged in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
}

/// Broken promises, counted by agent and round.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u32,
    pub(crate) early: u32,
    pub(crate) invented: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.early += other.early;
        self.invented += other.invented;
    }

    pub(crate) fn any(self) -> bool {
        self.lost + self.early + self.invented > 0
    }
}

/// The accounts of all agents.
#[derive(Debug)]
pub(crate) struct Ledger(Vec<Account>);

impl Ledger {
    pub(crate) fn new(agents: u64) -> Self {
        Self((0..agents).map(|_| Account::default()).collect())
    }

    pub(crate) fn agents(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn account(&self, agent: u64) -> &Account {
        &self.0[agent as usize]
    }

    pub(crate) fn totals(&self) -> Totals {
        let sum = |value: fn(&Account) -> &AtomicU64| self.0.iter().map(|a| value(a).load(Ordering::SeqCst)).sum();
        Totals { sent: sum(|account| &account.sent), acknowledged: sum(|account| &account.acknowledged) }
    }

    /// Asks a restarted server for every counter, and compares.
    pub(crate) async fn compare(&self, server: &Server) -> anyhow::Result<Faults> {
        let mut faults = Faults::default();
        for agent in 0..self.agents() {
            let account = self.account(agent);
            if account.sent.load(Ordering::SeqCst) > 0 {
                faults.add(account.compare(agent, count(server, agent).await?));
            }
        }
        Ok(faults)
    }
}

impl Account {
    fn compare(&self, agent: u64, count: u64) -> Faults {
        let [sent, acknowledged, seen] =
            [&self.sent, &self.highest_acknowledged, &self.highest_seen].map(|value| value.load(Ordering::SeqCst));
        let faults = Faults {
            lost: (count < acknowledged).into(),
            early: (count < seen).into(),
            invented: (count > sent).into(),
        };
        if faults.any() {
            say(&format!("agent {agent}: counts {count}; {acknowledged} acknowledged, {seen} seen, {sent} sent"));
        }
        faults
    }
}

async fn count(server: &Server, agent: u64) -> anyhow::Result<u64> {
    let client = Client::connect(&server.counter(agent)?, &Options::default()).await?;
    let state = client.state().await?.unwrap_or_default();
    client.close().await;
    Ok(state["count"].as_u64().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sabotage: the harness must notice each kind of broken promise.
    #[test]
    fn a_lost_an_early_and_an_invented_increment_are_each_found() {
        let account = Account::default();
        (0..5).for_each(|_| account.send());
        account.acknowledge(3);
        account.see(4);
        let faults = |count| {
            let Faults { lost, early, invented } = account.compare(0, count);
            (lost, early, invented)
        };
        assert_eq!(faults(2), (1, 1, 0), "an acknowledged increment is gone");
        assert_eq!(faults(3), (0, 1, 0), "a client saw what was not durable");
        assert_eq!(faults(4), (0, 0, 0));
        assert_eq!(faults(5), (0, 0, 0), "an unacknowledged increment may have happened");
        assert_eq!(faults(6), (0, 0, 1), "nobody sent the sixth");
    }
}
