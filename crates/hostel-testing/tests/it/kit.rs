//! The kit itself: time, crashes, clients.

use std::time::Duration;

use hostel::{App, Cx, Result, ScheduleId, agent};
use hostel_testing::{CrashPoint, TestHome};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Default, Serialize, Deserialize)]
struct Log {
    lines: Vec<String>,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[agent]
impl Log {
    #[callable]
    fn add(&mut self, line: String) -> usize {
        self.lines.push(line);
        self.lines.len()
    }

    #[callable]
    fn later(&self, cx: &Cx<Self>, delay: u64, line: &str) -> Result<ScheduleId> {
        cx.tasks().write(line).after(seconds(delay))
    }

    #[callable]
    fn daily(&self, cx: &Cx<Self>) -> Result<ScheduleId> {
        cx.tasks().write("day").cron("0 12 * * *")
    }

    #[callable]
    fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }

    #[callable]
    fn count(&self) -> usize {
        self.lines.len()
    }

    #[callable]
    async fn wait(cx: &Cx<Self>, delay: u64) -> Result<()> {
        cx.sleep(seconds(delay)).await;
        let at = cx.now().to_string();
        cx.update(|me| me.lines.push(at))
    }

    #[task]
    fn write(&mut self, cx: &Cx<Self>, line: &str) {
        self.lines.push(format!("{line} {}", cx.now()));
    }
}

async fn home() -> TestHome {
    TestHome::start(|| App::new().agent::<Log>()).await
}

#[tokio::test]
async fn what_falls_due_runs_at_its_own_time_and_in_order() {
    let home = home().await;
    for (delay, line) in [(3600, "third"), (60, "first"), (1800, "second"), (90_000, "never")] {
        home.ask::<Log, _>("a", move |log| log.later(delay, line)).await.unwrap();
    }
    home.advance(seconds(7200)).await;
    let lines = home.ask::<Log, _>("a", |log| log.lines()).await.unwrap();
    assert_eq!(lines, ["first 2026-01-01T00:01:00Z", "second 2026-01-01T00:30:00Z", "third 2026-01-01T01:00:00Z"]);
}

#[tokio::test]
async fn a_year_of_days_passes_and_each_has_its_run() {
    let home = home().await;
    home.ask::<Log, _>("a", |log| log.daily()).await.unwrap();
    home.advance(seconds(365 * 24 * 3600)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.count()).await.unwrap(), 365);
}

#[tokio::test]
async fn async_work_that_waits_goes_on_when_its_time_has_passed() {
    let home = home().await;
    let mut peer = home.connect("log/a").await;
    let id = r#"{"type":"rpc","id":"waiting","method":"wait","args":[86400]}"#;
    peer.send(id).await;
    // Its turn has begun once another call is answered.
    peer.call("count", json!([])).await;
    home.advance(seconds(86_399)).await;
    assert_eq!(peer.call("count", json!([])).await, json!(0));
    home.advance(seconds(1)).await;
    assert_eq!(peer.call("lines", json!([])).await, json!(["2026-01-02T00:00:00Z"]));
}

#[tokio::test]
async fn a_jump_of_the_time_of_day_makes_nobody_wait_longer() {
    let home = home().await;
    let mut peer = home.connect("log/a").await;
    peer.send(r#"{"type":"rpc","id":"waiting","method":"wait","args":[60]}"#).await;
    peer.call("count", json!([])).await;
    home.set_time("2025-01-01T00:00:00Z".parse().unwrap()).await;
    home.advance(seconds(60)).await;
    assert_eq!(peer.call("lines", json!([])).await, json!(["2025-01-01T00:01:00Z"]));
}

#[tokio::test]
async fn what_a_jump_makes_due_runs_at_once() {
    let home = home().await;
    home.ask::<Log, _>("a", |log| log.later(3600, "x")).await.unwrap();
    home.set_time("2026-01-01T02:00:00Z".parse().unwrap()).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), ["x 2026-01-01T02:00:00Z"]);
}

#[tokio::test]
async fn a_durable_write_that_nobody_heard_of_is_there_after_the_crash() {
    let mut home = home().await;
    let mut peer = home.connect("log/a").await;
    peer.call("add", json!(["heard"])).await;
    home.crash_at(CrashPoint::Durable, 1);
    assert!(peer.try_call("add", json!(["unheard"])).await.is_err());
    home.after_crash().await;
    let lines = home.ask::<Log, _>("a", |log| log.lines()).await.unwrap();
    assert_eq!(lines, ["heard", "unheard"]);
}

#[tokio::test]
async fn a_crash_before_durability_loses_at_most_what_nobody_heard_of() {
    let mut home = home().await;
    let mut peer = home.connect("log/a").await;
    peer.call("add", json!(["heard"])).await;
    home.crash_at(CrashPoint::Committed, 2);
    peer.call("add", json!(["heard too"])).await;
    assert!(peer.try_call("add", json!(["unheard"])).await.is_err());
    home.after_crash().await;
    let lines = home.ask::<Log, _>("a", |log| log.lines()).await.unwrap();
    assert_eq!(lines[..2], ["heard", "heard too"]);
}

#[tokio::test]
async fn what_was_due_while_the_host_was_down_runs_when_it_is_back() {
    let mut home = home().await;
    home.ask::<Log, _>("a", |log| log.later(60, "late")).await.unwrap();
    home.restart(seconds(3600)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), ["late 2026-01-01T01:00:00Z"]);
}

#[tokio::test]
async fn a_client_is_told_when_the_host_stops_and_cut_off_when_it_crashes() {
    let mut home = home().await;
    let mut peer = home.connect("log/a").await;
    home.restart(Duration::ZERO).await;
    assert_eq!(peer.closed().await.0, 1012);
    let mut peer = home.connect("log/a").await;
    home.crash().await;
    assert_eq!(peer.closed().await.0, 1006);
}
