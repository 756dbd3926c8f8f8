//! Parcels leave one after the other; what fails is tried again, and what is given up can be mended.
//! `cargo run -p hostel --example parcels`, then
//!
//! ```text
//! hostel call parcels/main send '"Ann"'
//! hostel call parcels/main send '"nobody"'             tried three times, then given up
//! hostel dead-letters parcels/main                     why, and its name
//! hostel dead-letters parcels/main retry NAME --args '["Bob"]'
//! ```

#![allow(clippy::needless_pass_by_value, reason = "callables own what came over the wire")]

use std::time::Duration;

use hostel::{DeadLetter, Retry, prelude::*};

/// Three attempts, with a pause drawn at random below a second and then two.
const PATIENT: Retry = Retry { attempts: 3, first: Duration::from_secs(1), longest: Duration::from_secs(60) };

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Parcels {
    delivered: Vec<String>,
}

#[agent]
impl Parcels {
    /// Puts a parcel at the end of the queue. It waits for those before it.
    #[callable]
    fn send(&self, cx: &Cx<Self>, to: String) -> Result<ScheduleId> {
        cx.tasks().deliver(to).retry(PATIENT).now()
    }

    /// A letter waits for no parcel that is tried again.
    #[callable]
    fn send_letter(&self, cx: &Cx<Self>, to: String) -> Result<ScheduleId> {
        cx.tasks().deliver(to).retry(PATIENT).in_any_order().now()
    }

    /// To whom parcels and letters have gone.
    #[callable]
    fn delivered(&self) -> Vec<String> {
        self.delivered.clone()
    }

    /// What was given up, with the reason and what it was.
    #[callable]
    fn given_up(&self, cx: &Cx<Self>) -> Result<Vec<DeadLetter>> {
        cx.dead_letters()
    }

    /// Sends what was given up to somebody else.
    #[callable]
    fn redirect(&self, cx: &Cx<Self>, id: ScheduleId, to: String) -> Result<bool> {
        cx.retry_with(&id, &(to,))
    }

    #[task]
    fn deliver(&mut self, to: String) -> Result<()> {
        if to == "nobody" {
            return Err(Error::msg("Nobody of that name lives here."));
        }
        self.delivered.push(to);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Parcels>().serve("127.0.0.1:8787").await?)
}

#[cfg(test)]
mod tests {
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_parcel_that_fails_is_tried_again_and_given_up_and_leaves_to_another_address() {
        let home = TestHome::start(|| App::new().agent::<Parcels>()).await;
        let mut page = home.connect("parcels/main").await;
        page.call("send", json!(["nobody"])).await;
        page.call("send", json!(["Ann"])).await;
        page.call("sendLetter", json!(["Eve"])).await;
        home.settle().await;
        assert_eq!(page.call("delivered", json!([])).await, json!(["Eve"]), "Ann's waits for the one before it");
        home.advance(Duration::from_secs(10)).await;
        assert_eq!(page.call("delivered", json!([])).await, json!(["Eve", "Ann"]));
        let letters = page.call("givenUp", json!([])).await;
        let letter = &letters[0];
        assert_eq!((&letter["callback"], &letter["args"]), (&json!("deliver"), &json!(["nobody"])), "{letters}");
        assert_eq!(page.call("redirect", json!([letter["id"], "Bob"])).await, true);
        home.advance(Duration::from_secs(1)).await;
        assert_eq!(page.call("delivered", json!([])).await, json!(["Eve", "Ann", "Bob"]));
        assert_eq!(page.call("givenUp", json!([])).await, json!([]));
    }
}
