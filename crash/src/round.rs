//! One life of the server: clients increment until it is killed.

use std::{sync::Arc, time::Duration};

use hostel_client::{Call, Client, Event, Events, Options};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{ledger::Ledger, rng::Rng, server::Server};

/// One life of the server.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) clients: u64,
    pub(crate) life_ms: u64,
    pub(crate) seed: u64,
}

impl Round {
    /// Lets clients loose, kills the server after its time, and waits for the clients to notice.
    pub(crate) async fn run(&self, server: &mut Server, ledger: &Arc<Ledger>) {
        let mut rng = Rng::new(self.seed);
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let agent = rng.below(ledger.agents());
            let Ok(target) = server.counter(agent) else { continue };
            let ledger = Arc::clone(ledger);
            clients.spawn(async move {
                if let Ok((client, events)) = Client::connect_with_events(&target, &Options::default()).await {
                    let watcher = tokio::spawn(watch(events, Arc::clone(&ledger), agent));
                    increment(&client, &ledger, agent).await;
                    let _ended_with_its_socket = watcher.await;
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(self.life_ms)).await;
        server.kill().await;
        while clients.join_next().await.is_some() {}
    }
}

/// Increments until the socket is gone.
async fn increment(client: &Client, ledger: &Ledger, agent: u64) {
    let account = ledger.account(agent);
    loop {
        account.send();
        match client.call(Call::new("increment", Vec::new())).await {
            Ok(count) => account.acknowledge(count.as_u64().unwrap_or(0)),
            Err(_) => return,
        }
    }
}

/// Notes every count that a state frame shows.
async fn watch(mut events: Events, ledger: Arc<Ledger>, agent: u64) {
    while let Some(event) = events.next().await {
        if let Event::Text { text, .. } = event
            && let Ok(frame) = serde_json::from_str::<Value>(&text)
            && frame["type"] == "cf_agent_state"
        {
            ledger.account(agent).see(frame["state"]["count"].as_u64().unwrap_or(0));
        }
    }
}
