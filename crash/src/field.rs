//! What every kind of round needs: a server to start, clients to let loose, and the books.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{
    faults::Faults,
    ledger::Ledger,
    load::Load,
    points::PATIENCE,
    rng::Rng,
    say,
    server::{Plan, Server},
};

/// Every so many rounds all agents are compared, not only those that were touched.
const ALL: u32 = 25;

/// A server to start, clients to let loose, and the books.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) plan: Plan,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clients: u64,
    pub(crate) longest_ms: u64,
    /// How long a round waits for a point that was missed once.
    pub(crate) patience: Duration,
    pub(crate) rng: Rng,
    pub(crate) faults: Faults,
    loads: u64,
}

impl Field {
    pub(crate) fn new(plan: Plan, agents: u64, clients: u64, longest_ms: u64, rng: Rng) -> Self {
        let ledger = Arc::new(Ledger::new(agents));
        Self { plan, ledger, clients, longest_ms, patience: PATIENCE, rng, faults: Faults::default(), loads: 0 }
    }

    /// Lets clients loose.
    pub(crate) fn load(&mut self, server: &Server) -> Load {
        self.loads += 1;
        Load::start(server, &self.ledger, self.clients, &self.loads.to_string(), &mut self.rng)
    }

    /// Waits until the first of the clients was told something, which takes its time on a busy machine, and then for a
    /// moment of a random length.
    pub(crate) async fn work(&mut self) {
        let told = self.ledger.told();
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.ledger.told() == told && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.moment().await;
    }

    /// A moment of a random length.
    pub(crate) async fn moment(&mut self) {
        tokio::time::sleep(Duration::from_millis(1 + self.rng.below(self.longest_ms))).await;
    }

    /// Starts a server after an end of whatever kind, and compares. `None` if it does not start, which is a fault.
    pub(crate) async fn restart(&mut self, round: u32) -> Option<Server> {
        match self.plan.start().await {
            Ok(server) => {
                self.compare(&server, round.is_multiple_of(ALL)).await;
                Some(server)
            }
            Err(error) => {
                say(&format!("round {round}: {error:#}"));
                self.faults.stuck += 1;
                None
            }
        }
    }

    pub(crate) async fn compare(&mut self, server: &Server, all: bool) {
        self.ledger.thaw();
        self.faults += self.ledger.compare(server, all).await;
    }

    /// Lets clients loose once more, stops the server in peace, and compares everything: a clean stop must keep all of it,
    /// too.
    pub(crate) async fn finish(&mut self, mut server: Server) -> anyhow::Result<()> {
        let mut load = self.load(&server);
        self.work().await;
        load.stop().await;
        let ended = server.terminate().await?;
        if !ended.success() {
            say(&format!("asked to stop, the server ended with {ended}: {}", self.plan.last_words()));
            self.faults.stuck += 1;
        }
        let server = self.plan.start().await?;
        self.compare(&server, true).await;
        Ok(())
    }
}
