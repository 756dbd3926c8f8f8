//! Reminders: in a while, at a moment, by the calendar. `cargo run -p hostel --example reminders`, then
//!
//! ```text
//! hostel connect reminders/ann                                    hears them
//! hostel call reminders/ann remind '"water the plants"' 5         in five minutes
//! hostel call reminders/ann repeat '"stretch"' '"30 10 * * *"' '"Europe/Berlin"'
//! hostel schedules reminders/ann                                  what waits
//! ```

#![allow(clippy::needless_pass_by_value, reason = "callables own what came over the wire")]

use std::time::Duration;

use hostel::{Missed, Timestamp, prelude::*};

/// What somebody wants to be reminded of.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Reminders {
    said: Vec<String>,
}

#[agent]
impl Reminders {
    /// Reminds in so many minutes, even if the server restarts meanwhile.
    #[callable]
    fn remind(&self, cx: &Cx<Self>, text: String, minutes: u64) -> Result<ScheduleId> {
        cx.tasks().say(text).after(Duration::from_secs(60 * minutes))
    }

    /// Reminds at a moment such as `2026-12-24T18:00:00Z`. Asked for twice, it is one reminder.
    #[callable]
    fn remind_at(&self, cx: &Cx<Self>, text: String, moment: &str) -> Result<ScheduleId> {
        let moment: Timestamp = moment.parse()?;
        cx.tasks().say(text).idempotent(true).at(moment)
    }

    /// Reminds again and again. Of several that were missed while the server was down, one is made up for.
    #[callable]
    fn repeat(&self, cx: &Cx<Self>, text: String, cron: &str, zone: &str) -> Result<ScheduleId> {
        cx.tasks().say(text).missed(Missed::Once).in_zone(zone).cron(cron)
    }

    /// What it has said, and when.
    #[callable]
    fn said(&self) -> Vec<String> {
        self.said.clone()
    }

    /// What waits.
    #[callable]
    fn pending(&self, cx: &Cx<Self>) -> Result<Vec<Schedule>> {
        cx.schedules()
    }

    /// Takes one back.
    #[callable]
    fn never_mind(&self, cx: &Cx<Self>, id: ScheduleId) -> Result<bool> {
        cx.cancel(&id)
    }

    #[task]
    fn say(&mut self, cx: &Cx<Self>, text: String) {
        self.said.push(format!("{} {text}", cx.now()));
        cx.broadcast(text);
    }

    /// Every agent of the class has this one, once, whatever restarts; it goes when its line goes.
    #[task(cron = "0 9 * * MON-FRI", zone = "Europe/Berlin", missed = "skip")]
    fn good_morning(&mut self, cx: &Cx<Self>) {
        self.said.push(format!("{} good morning", cx.now()));
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Reminders>().serve("127.0.0.1:8787").await?)
}

#[cfg(test)]
mod tests {
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn reminders_come_when_they_are_due_across_a_restart_unless_they_were_taken_back() {
        let mut home = TestHome::start(|| App::new().agent::<Reminders>()).await;
        let mut ann = home.connect("reminders/ann").await;
        ann.call("remind", json!(["water the plants", 5])).await;
        let never = ann.call("remind", json!(["never", 6])).await;
        assert_eq!(ann.call("neverMind", json!([never])).await, true);
        let noon = ann.call("remindAt", json!(["noon", "2026-01-01T12:00:00Z"])).await;
        assert_eq!(ann.call("remindAt", json!(["noon", "2026-01-01T12:00:00Z"])).await, noon);
        ann.call("repeat", json!(["stretch", "30 10 * * *", "Europe/Berlin"])).await;
        assert_eq!(ann.call("pending", json!([])).await.as_array().unwrap().len(), 4);

        home.restart(Duration::from_secs(120)).await;
        let mut ann = home.connect("reminders/ann").await;
        home.advance(Duration::from_secs(13 * 3600)).await;
        ann.until_text("noon").await;
        let said = [
            "2026-01-01T00:05:00Z water the plants",
            "2026-01-01T08:00:00Z good morning",
            "2026-01-01T09:30:00Z stretch",
            "2026-01-01T12:00:00Z noon",
        ];
        assert_eq!(ann.call("said", json!([])).await, json!(said));
    }
}
