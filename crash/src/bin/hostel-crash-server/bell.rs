//! An agent with work for later: turns that run exactly once, and work that waits and runs at least once.

use std::{collections::BTreeMap, time::Duration};

use hostel::prelude::*;

/// What was ordered is done while the server is killed again and again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct BellAgent {
    /// How often each number was rung by a turn.
    turns: BTreeMap<u64, u64>,
    /// The same of work that waits.
    waits: BTreeMap<u64, u64>,
}

#[agent]
impl BellAgent {
    /// Orders four runs for one number: by delay and queued, as turns and as work that waits.
    #[callable]
    fn order(&mut self, cx: &Cx<Self>, number: u64, delay_ms: u64) -> Result<()> {
        let delay = Duration::from_millis(delay_ms);
        cx.tasks().turn(number * 2).after(delay)?;
        cx.tasks().turn(number * 2 + 1).now()?;
        cx.tasks().wait(number * 2).after(delay)?;
        cx.tasks().wait(number * 2 + 1).in_any_order().now()?;
        Ok(())
    }

    /// What was done, and how much still waits.
    #[callable]
    fn report(&self, cx: &Cx<Self>) -> Result<serde_json::Value> {
        let declared = cx.schedules()?.iter().filter(|schedule| schedule.declared).count();
        let waiting = cx.schedules()?.len() - declared;
        let given_up = cx.dead_letters()?.len();
        Ok(
            serde_json::json!({"turns": self.turns, "waits": self.waits, "waiting": waiting, "declared": declared, "givenUp": given_up}),
        )
    }

    #[task]
    fn turn(&mut self, number: u64) {
        *self.turns.entry(number).or_default() += 1;
    }

    #[task]
    async fn wait(cx: &Cx<Self>, number: u64) -> Result<()> {
        cx.sleep(Duration::from_millis(2)).await;
        cx.update(|me| *me.waits.entry(number).or_default() += 1)
    }

    /// Declared, so that restarts have something to double.
    #[task(every = "50ms")]
    fn tick(&mut self) {}
}
