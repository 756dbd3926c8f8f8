//! `kill -9` at random moments.

use crate::{field::Field, say};

/// Kills a server `kills` times.
pub(crate) async fn run(field: &mut Field, kills: u32) -> anyhow::Result<()> {
    let mut server = field.plan.start().await?;
    for kill in 1..=kills {
        let mut load = field.load(&server);
        field.work().await;
        server.kill().await;
        load.end().await;
        let Some(next) = field.restart(kill).await else { return Ok(()) };
        server = next;
        if kill % 100 == 0 {
            say(&format!("{kill} kills: {}; {}", field.ledger.totals(), field.faults));
        }
    }
    field.finish(server).await
}
