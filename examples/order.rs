//! An order that is paid, approved, sent and may be returned, as a durable run: `cargo run -p hostel --example order`.
//!
//! It places three orders by itself and says what becomes of them: one goes well, one is denied and paid back, one is
//! ended by its customer. Kill it with `kill -9` on the way and start it again: it goes on where it was, and nobody pays twice.

#![allow(clippy::needless_pass_by_value, reason = "arguments of calls come by value")]
#![allow(clippy::print_stdout, reason = "it is a program to look at")]

use std::time::Duration;

use hostel::{Answer, RunId, RunInfo, RunQuery, RunStatus, Started, StepState, prelude::*};

/// Orders from this on need a yes.
const LARGE: u64 = 10_000;
/// How long something may be returned: days in a shop, seconds here.
const RETURNABLE: Duration = Duration::from_secs(3);

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
struct Shop {
    /// What the till holds, in cents: the stand-in for a payment service.
    till: i64,
    log: Vec<String>,
}

#[agent]
impl Shop {
    /// Places an order. Under the same number it is the same order.
    #[callable]
    fn buy(&self, cx: &Cx<Self>, number: u32, cents: u64) -> Result<Started> {
        cx.tasks().order(number, cents).key(format!("order {number}")).start()
    }

    #[callable]
    fn answer(&self, cx: &Cx<Self>, run: RunId, yes: bool) -> Result<bool> {
        let answer = if yes { Answer::approve() } else { Answer::deny().reason("too much") };
        Ok(cx.runs().answer(&run, "large order", answer.by("the owner"))?.accepted)
    }

    /// The carrier says that it has arrived.
    #[callable]
    fn delivered(&self, cx: &Cx<Self>, run: RunId, place: String) -> Result<()> {
        cx.runs().send(&run, "delivered", &place)
    }

    #[callable]
    fn cancel(&self, cx: &Cx<Self>, run: RunId) -> Result<()> {
        cx.runs().cancel(&run, Some("the customer changed their mind"))
    }

    /// How many orders wait for a yes, by their run.
    #[callable]
    fn asked(&self, cx: &Cx<Self>) -> Result<Vec<RunId>> {
        let waiting = cx.runs().list(RunQuery { status: Some(RunStatus::Waiting), ..RunQuery::default() })?;
        let mut asked = Vec::new();
        for run in waiting.runs {
            let steps = cx.runs().get(&run.id)?.map(|run| run.steps).unwrap_or_default();
            if steps.iter().any(|step| step.kind == "approval" && step.state == StepState::Waiting) {
                asked.push(run.id);
            }
        }
        Ok(asked)
    }

    #[callable]
    fn books(&self) -> (i64, Vec<String>) {
        (self.till, self.log.clone())
    }

    #[callable]
    fn open_runs(&self, cx: &Cx<Self>) -> Result<usize> {
        Ok(cx.runs().list(RunQuery::default())?.runs.iter().filter(|run| !run.status.is_over()).count())
    }

    #[task]
    async fn order(cx: &Cx<Self>, number: u32, cents: u64) -> Result<String> {
        // Money that is in the agent itself: the payment and the fact that it was made are one transaction.
        cx.step_turn("pay", |me| {
            me.till += cents as i64;
            me.log.push(format!("{number}: paid {cents}"));
        })?;
        if cents >= LARGE {
            cx.approval("large order", &(number, cents), Duration::from_secs(60)).await?.approved()?;
        }
        // A carrier that recognises the number of an order: asking it twice does no harm.
        let parcel: String = cx.step("send", || async { Ok(format!("parcel {number}")) }).repeatable().await?;
        cx.progress(&format!("{parcel} is on its way"))?;
        let place: Option<String> = cx.wait_for("delivered", Duration::from_secs(60)).await?;
        cx.pause("may be returned", RETURNABLE).await?;
        Ok(place.unwrap_or_else(|| "lost".to_owned()))
    }

    /// What was paid for nothing is paid back.
    fn on_run_ended(&mut self, run: &RunInfo) {
        let why = run.error.as_deref().unwrap_or("well");
        self.log.push(format!("{}: {} ({why})", run.key.as_deref().unwrap_or("?"), run.status.as_str()));
        if run.status != RunStatus::Completed && run.has_done("pay") {
            let cents: (u32, i64) = serde_json::from_str(run.args.get()).unwrap_or_default();
            self.till -= cents.1;
            self.log.push(format!("{}: paid back {}", cents.0, cents.1));
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let home = App::new().agent::<Shop>().data("order-data").start().await?;
    let shop = home.edge().node().agent::<Shop>("main");
    let small = shop.buy(1, 500).await?.id;
    let large = shop.buy(2, 20_000).await?.id;
    let regretted = shop.buy(3, 700).await?.id;
    while !shop.asked().await?.contains(&large) && shop.open_runs().await? == 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What has been said before a `kill -9` need not be said again.
    let _told_before = shop.answer(large, false).await;
    let _told_before = shop.cancel(regretted).await;
    let _told_before = shop.delivered(small, "Berlin".to_owned()).await;
    while shop.open_runs().await? > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (till, log) = shop.books().await?;
    log.iter().for_each(|line| println!("{line}"));
    println!("in the till: {till}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hostel_testing::TestHome;

    use super::*;

    #[tokio::test]
    async fn orders_go_on_after_a_crash_nobody_pays_twice_and_what_is_denied_is_paid_back() {
        let mut home = TestHome::start(|| App::new().agent::<Shop>()).await;
        let small = home.ask::<Shop, _>("main", |shop| shop.buy(1, 500)).await.unwrap().id;
        let large = home.ask::<Shop, _>("main", |shop| shop.buy(2, 20_000)).await.unwrap().id;
        home.settle().await;
        home.crash().await;
        home.settle().await;
        assert_eq!(home.ask::<Shop, _>("main", |shop| shop.asked()).await.unwrap(), std::slice::from_ref(&large));
        assert!(home.ask::<Shop, _>("main", |shop| shop.answer(large, false)).await.unwrap());
        home.ask::<Shop, _>("main", |shop| shop.delivered(small, "Berlin".to_owned())).await.unwrap();
        home.advance(RETURNABLE).await;
        let (till, mut log) = home.ask::<Shop, _>("main", |shop| shop.books()).await.unwrap();
        log.sort();
        let lines = ["1: paid 500", "2: paid 20000", "2: paid back 20000", "order 1: completed (well)"];
        assert!(lines.iter().all(|line| log.iter().filter(|said| said == line).count() == 1), "{log:?}");
        assert_eq!((till, home.ask::<Shop, _>("main", |shop| shop.open_runs()).await.unwrap()), (500, 0));
    }
}
