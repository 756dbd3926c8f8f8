//! A desk that asks departments: typed calls between agents, with a key, a time limit and an end.
//! `cargo run -p hostel --example departments`, then
//!
//! ```text
//! hostel call department/paper fill 10
//! hostel call desk/main order '"paper"' 1 4            six are left
//! hostel call desk/main order '"paper"' 1 4            order 1 once more: nothing is taken twice
//! hostel call desk/main count '"paper"' 2              two seconds are not enough
//! ```

use std::time::Duration;

use hostel::prelude::*;

/// Where people ask.
#[derive(Default, Serialize, Deserialize)]
struct Desk {}

#[agent]
impl Desk {
    /// Takes something from a department, once for each number, and says how many are left. A department that sleeps wakes up.
    #[callable]
    async fn order(cx: &Cx<Self>, department: &str, number: u32, count: u64) -> Result<u64> {
        let department = cx.agent::<Department>(department);
        department.take(count).idempotency_key(format!("order {number}")).timeout(Duration::from_secs(5)).await
    }

    /// Has a department count, for so many seconds at most. It stops when nobody waits for it any more.
    #[callable]
    async fn count(cx: &Cx<Self>, department: &str, seconds: u64) -> Result<u64> {
        cx.agent::<Department>(department).count().timeout(Duration::from_secs(seconds)).cancel_on_drop().await
    }
}

/// Where things are kept.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Department {
    stock: u64,
    counted: u32,
    log: Vec<String>,
}

#[agent]
impl Department {
    /// Puts things there.
    #[callable]
    fn fill(&mut self, count: u64) {
        self.stock += count;
    }

    /// What it has given to whom, and how often it has counted.
    #[callable]
    fn books(&self) -> (Vec<String>, u32) {
        (self.log.clone(), self.counted)
    }

    /// For other agents, not for clients.
    #[callable(allow = "internal")]
    fn take(&mut self, cx: &Cx<Self>, count: u64) -> Result<u64> {
        let left = self.stock.checked_sub(count);
        self.stock = left.ok_or_else(|| Error::msg("There are not so many.").with_label("out_of_stock"))?;
        let desk = cx.caller_agent().map_or_else(String::new, ToString::to_string);
        self.log.push(format!("{count} for {desk}"));
        Ok(self.stock)
    }

    /// Counting takes ten seconds.
    #[callable(allow = "internal")]
    async fn count(cx: &Cx<Self>) -> Result<u64> {
        cx.sleep(Duration::from_secs(10)).await;
        cx.update(|me| {
            me.counted += 1;
            me.stock
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Desk>().agent::<Department>().serve("127.0.0.1:8787").await?)
}

#[cfg(test)]
mod tests {
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_order_is_taken_once_and_whoever_takes_too_long_is_neither_waited_for_nor_goes_on() {
        let home = TestHome::start(|| App::new().agent::<Desk>().agent::<Department>()).await;
        let (mut desk, mut paper) = (home.connect("desk/main").await, home.connect("department/paper").await);
        paper.call("fill", json!([10])).await;
        for _ in 0..2 {
            assert_eq!(desk.call("order", json!(["paper", 1, 4])).await, 6);
        }
        let refused = desk.try_call("order", json!(["paper", 2, 7])).await.unwrap_err();
        assert!(refused.to_string().contains("not so many"), "{refused}");
        assert_eq!(paper.call("books", json!([])).await, json!([["4 for desk/main"], 0]));

        for (limit, counted) in [(2, 0), (20, 1)] {
            let ask = json!({"type": "rpc", "id": format!("{limit}"), "method": "count", "args": ["paper", limit]});
            desk.send(ask.to_string()).await;
            // It has begun once another call is answered.
            desk.call("order", json!(["paper", 1, 4])).await;
            home.advance(Duration::from_secs(60)).await;
            assert_eq!(paper.call("books", json!([])).await[1], counted, "within {limit} seconds");
        }
    }
}
