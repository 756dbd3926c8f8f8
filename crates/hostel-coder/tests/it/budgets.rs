//! Tokens and money, where several are at work for one answer.

use hostel_chat::model::{BoxStream, Event, Fault, Model, ModelInfo, Models, Request, Scripted};
use hostel_coder::{Budget, Budgets, Workspaces};
use hostel_testing::CrashPoint;
use serde_json::{Value, json};

use super::scene::{HELPER, Scene, results, text};

/// Three of its own at 11 tokens each, and three who take 6600 each, if they are let.
const SPENDING: &str = r#"
on begin
  usage 10 1
  call write_file {"path": "base.txt", "content": "base\n"}
then
  usage 10 1
  call git_commit {"message": "base"}
then
  usage 10 1
  call delegate {"name": "left", "task": "child spends"}
  call delegate {"name": "right", "task": "child spends"}
  call delegate {"name": "third", "task": "child spends"}
then
  usage 10 1
  say All are back.
on child spends
  usage 1000 100
  call list_files {}
then
  usage 1000 100
  call list_files {"depth": 2}
then
  usage 1000 100
  call list_files {"depth": 3}
then
  usage 1000 100
  call list_files {"depth": 4}
then
  usage 1000 100
  call list_files {"depth": 5}
then
  usage 1000 100
  say I have seen it all.
"#;

fn most(turn: Budget) -> impl Fn(Workspaces) -> Workspaces + Send + Sync + 'static {
    move |workspaces| workspaces.budgets(Budgets { turn, ..Budgets::default() })
}

async fn spending(turn: Budget, models: impl Fn() -> Models + Send + Sync + 'static) -> Scene {
    let mut scene = Scene::with_models(models, HELPER, most(turn)).await;
    scene.page.call("setPolicy", json!([{"mode": "auto", "rules": [{"tool": "delegate", "action": "allow"}]}])).await;
    scene
}

fn scripted() -> Models {
    Models::one(Scripted::new(SPENDING).unwrap())
}

async fn taken(scene: &mut Scene) -> (u64, f64) {
    let usage = scene.page.call("usage", json!([])).await;
    let tokens = |which: &str| usage["tokens"][which].as_u64().unwrap();
    (tokens("input") + tokens("output"), usage["cost"].as_f64().unwrap_or_default())
}

/// What each of those delegated to took.
fn each(parts: &[Value]) -> Vec<Value> {
    let done = results(parts, "delegate");
    done.iter().map(|done| serde_json::from_str::<Value>(done).unwrap_or_else(|_| panic!("{done}"))).collect()
}

#[tokio::test]
async fn those_at_work_side_by_side_go_beyond_the_tokens_by_one_step_and_no_more() {
    let mut scene = spending(Budget { tokens: Some(5_000), ..Budget::default() }, scripted).await;
    let parts = scene.say("begin", true).await;
    // Three steps of its own, and five of theirs, with the last of which it is used up.
    assert_eq!(taken(&mut scene).await.0, 3 * 11 + 5 * 1_100, "{parts:#?}");
    let steps: u64 = each(&parts).iter().map(|done| done["used"]["steps"].as_u64().unwrap_or(0)).sum();
    assert_eq!(steps, 5, "{parts:#?}");
    assert!(
        each(&parts).iter().all(|done| done["summary"].as_str().unwrap().contains("I stopped here: ")),
        "{parts:#?}"
    );
    assert!(text(&parts).contains("5533 of 5000 tokens"), "{parts:#?}");
}

#[tokio::test]
async fn with_enough_for_all_they_come_to_their_ends() {
    let mut scene = spending(Budget { tokens: Some(100_000), ..Budget::default() }, scripted).await;
    let parts = scene.say("begin", true).await;
    assert!(each(&parts).iter().all(|done| done["summary"] == "I have seen it all."), "{parts:#?}");
    assert_eq!((taken(&mut scene).await.0, text(&parts)), (4 * 11 + 18 * 1_100, "All are back."));
}

/// A thousand tokens of a request cost one.
struct Priced(Scripted);

impl Model for Priced {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>> {
        use futures_util::StreamExt;
        let priced = |event| match event {
            Ok(Event::Finish { reason, mut usage }) => {
                usage.cost = usage.input_tokens.map(|tokens| f64::from(u32::try_from(tokens).unwrap()) / 1000.0);
                Ok(Event::Finish { reason, usage })
            }
            other => other,
        };
        self.0.stream(request).map(priced).boxed()
    }

    fn describe(&self) -> ModelInfo {
        self.0.describe()
    }
}

#[tokio::test]
async fn those_at_work_side_by_side_go_beyond_the_money_by_one_step_and_no_more() {
    let models = || Models::one(Priced(Scripted::new(SPENDING).unwrap()));
    let mut scene = spending(Budget { cost: Some(4.5), ..Budget::default() }, models).await;
    let parts = scene.say("begin", true).await;
    assert!((taken(&mut scene).await.1 - 5.03).abs() < 1e-9, "{parts:#?}");
}

/// With a crash at the `nth` write; `false` if there are no so many.
async fn dies(point: CrashPoint, nth: u64) -> bool {
    let mut scene = spending(Budget { tokens: Some(5_000), ..Budget::default() }, scripted).await;
    scene.home.crash_at(point, nth);
    scene.ask("begin").await;
    let crashed = scene.until_crashed_or_done().await || !scene.home.call_off_crash();
    if crashed {
        scene.home.after_crash().await;
        scene.until_done("begin", "I stopped here: a turn may take no more than this (5533 of 5000 tokens).").await;
        assert_eq!(taken(&mut scene).await.0, 5_533, "a crash at write {nth}: {point:?}");
    }
    crashed
}

#[tokio::test]
async fn a_budget_that_is_shared_holds_whenever_the_server_dies() {
    let is_every = std::env::var_os("EVERY_CRASH").is_some();
    for nth in (1..).step_by(if is_every { 1 } else { 17 }) {
        let points = [CrashPoint::Committed, CrashPoint::Durable];
        for point in points.into_iter().skip(if is_every { 0 } else { nth % 2 }).take(if is_every { 2 } else { 1 }) {
            if !dies(point, nth as u64).await {
                assert!(nth > 30, "there are {nth} writes only");
                return;
            }
        }
    }
}
