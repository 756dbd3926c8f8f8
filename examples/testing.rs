//! How an agent is tested: `cargo test -p hostel-testing --example testing`.

use std::time::Duration;

use hostel::prelude::*;

/// An auction that ends by itself.
#[derive(Default, Serialize, Deserialize)]
struct Auction {
    highest: u64,
    sold: bool,
}

#[agent]
impl Auction {
    /// Bids; each bid gives the others another minute.
    #[callable]
    fn bid(&mut self, cx: &Cx<Self>, amount: u64) -> Result<()> {
        if self.sold || amount <= self.highest {
            return Err(Error::msg("too late or too low").with_label("no_bid"));
        }
        self.highest = amount;
        cx.tasks().close().key("close").after(Duration::from_secs(60)).map(drop)
    }

    #[task]
    fn close(&mut self, cx: &Cx<Self>) {
        self.sold = true;
        cx.broadcast(format!("sold for {}", self.highest));
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Auction>().serve("127.0.0.1:8787").await?)
}

#[cfg(test)]
mod tests {
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn an_auction_ends_a_minute_after_the_last_bid_even_if_the_host_crashes_meanwhile() {
        let mut home = TestHome::start(|| App::new().agent::<Auction>()).await;
        let mut ann = home.connect("auction/vase").await;
        ann.call("bid", json!([10])).await;
        home.advance(seconds(50)).await;
        ann.call("bid", json!([20])).await;

        home.crash().await;
        let mut bob = home.connect("auction/vase").await;
        home.advance(seconds(59)).await;
        assert_eq!(bob.state().await["sold"], json!(false));
        home.advance(seconds(1)).await;
        bob.until_text("sold for 20").await;
        assert!(bob.try_call("bid", json!([30])).await.is_err());
    }
}
