//! The kit itself: time, crashes, clients.

use std::time::Duration;

use hostel::{App, Cx, Result, Retry, ScheduleId, agent};
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

    #[callable]
    fn start(&self, cx: &Cx<Self>) -> Result<()> {
        cx.tasks().rest().start()?;
        cx.tasks().hear().start()?;
        cx.tasks().meet().start()?;
        Ok(())
    }

    /// Durable runs: one that rests for an hour, one that waits for somebody that long, and one with an appointment.
    #[task]
    async fn rest(cx: &Cx<Self>) -> Result<()> {
        cx.pause("rest", seconds(3600)).await?;
        cx.step_turn("write", |me| me.lines.push(format!("rested {}", cx.now())))
    }

    #[task]
    async fn hear(cx: &Cx<Self>) -> Result<()> {
        let heard: Option<u64> = cx.wait_for("word", seconds(3600)).await?;
        cx.step_turn("write", |me| me.lines.push(format!("heard {heard:?} {}", cx.now())))
    }

    #[task]
    async fn meet(cx: &Cx<Self>) -> Result<()> {
        cx.sleep_until("meet", "2026-01-01T01:00:00Z".parse()?).await?;
        cx.step_turn("write", |me| me.lines.push(format!("met {}", cx.now())))
    }

    /// Queued, and tried again.
    #[callable]
    fn try_often(&self, cx: &Cx<Self>) -> Result<ScheduleId> {
        cx.tasks().fail().retry(Retry { attempts: 2, first: seconds(60), longest: seconds(60) }).now()
    }

    #[task]
    fn fail(&mut self) -> Result<()> {
        Err(hostel::Error::msg("on purpose"))
    }

    #[callable]
    fn given_up(&self, cx: &Cx<Self>) -> Result<usize> {
        Ok(cx.dead_letters()?.len())
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
async fn when_the_clock_goes_back_a_delay_takes_no_longer_than_it_is_long() {
    let mut home = home().await;
    home.ask::<Log, _>("a", |log| log.later(3600, "x")).await.unwrap();
    home.ask::<Log, _>("b", |log| log.daily()).await.unwrap();
    home.set_time("2025-12-01T00:00:00Z".parse().unwrap()).await;
    home.advance(seconds(3599)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), [""; 0]);
    home.advance(seconds(1)).await;
    let once = ["x 2025-12-01T01:00:00Z"];
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), once);
    home.restart(seconds(3600)).await;
    home.set_time("2025-11-30T00:00:00Z".parse().unwrap()).await;
    home.advance(seconds(7200)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), once, "what was done is not repeated");
    // What goes by the clock on the wall waits until that shows its time.
    assert_eq!(home.ask::<Log, _>("b", |log| log.lines()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn when_the_clock_is_set_back_while_the_host_is_down_a_delay_takes_no_longer_than_it_is_long() {
    let mut home = home().await;
    home.ask::<Log, _>("a", |log| log.later(3600, "x")).await.unwrap();
    home.ask::<Log, _>("b", |log| log.daily()).await.unwrap();
    home.advance(seconds(600)).await;
    home.restart_at("2025-12-01T00:00:00Z".parse().unwrap()).await;
    home.advance(seconds(1800)).await;
    home.restart(Duration::ZERO).await;
    home.advance(seconds(1799)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), [""; 0]);
    home.advance(seconds(1)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), ["x 2025-12-01T01:00:00Z"]);
    assert_eq!(home.ask::<Log, _>("b", |log| log.lines()).await.unwrap(), [""; 0], "a day on the calendar is that day");
}

/// Runs of an hour that have begun at midnight.
async fn resting() -> TestHome {
    let home = home().await;
    home.ask::<Log, _>("a", |log| log.start()).await.unwrap();
    home.settle().await;
    home
}

/// What runs of an hour that began at midnight have written by 02:00 of a clock that was set back to `day` meanwhile.
async fn rested(home: &TestHome, day: &str) -> hostel::Result<()> {
    home.advance(seconds(3599)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await?, [""; 0]);
    home.advance(seconds(1)).await;
    let mut lines = home.ask::<Log, _>("a", |log| log.lines()).await?;
    lines.sort();
    assert_eq!(lines, [format!("heard None {day}T01:00:00Z"), format!("rested {day}T01:00:00Z")]);
    home.advance(seconds(86_400)).await;
    let lines = home.ask::<Log, _>("a", |log| log.lines()).await?;
    assert_eq!(lines[2..], ["met 2026-01-01T01:00:00Z"], "an appointment is kept when the clock shows its time");
    Ok(())
}

#[tokio::test]
async fn when_the_clock_goes_back_waits_of_durable_runs_take_no_longer_than_they_are_long() {
    let home = resting().await;
    home.set_time("2025-12-31T00:00:00Z".parse().unwrap()).await;
    rested(&home, "2025-12-31").await.unwrap();
}

#[tokio::test]
async fn so_do_they_when_it_is_set_back_while_the_host_is_down_and_set_back_twice() {
    let mut home = resting().await;
    home.set_time("2025-12-31T12:00:00Z".parse().unwrap()).await;
    home.restart_at("2025-12-31T00:00:00Z".parse().unwrap()).await;
    rested(&home, "2025-12-31").await.unwrap();
}

#[tokio::test]
async fn threat_33_a_machine_that_starts_with_its_clock_in_1970_neither_shortens_nor_lengthens_what_waits() {
    let mut home = home().await;
    home.ask::<Log, _>("a", |log| log.later(3600, "x")).await.unwrap();
    home.ask::<Log, _>("b", |log| log.start()).await.unwrap();
    home.advance(seconds(600)).await;
    home.restart_at("1970-01-01T00:00:07Z".parse().unwrap()).await;
    home.advance(seconds(1200)).await;
    // The machine was off for ten minutes, which a time server says now.
    home.set_time("2026-01-01T00:40:00Z".parse().unwrap()).await;
    home.advance(seconds(1199)).await;
    for name in ["a", "b"] {
        assert_eq!(home.ask::<Log, _>(name, |log| log.lines()).await.unwrap(), [""; 0], "{name}");
    }
    home.advance(seconds(1)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), ["x 2026-01-01T01:00:00Z"]);
    assert_eq!(home.ask::<Log, _>("b", |log| log.count()).await.unwrap(), 3);
}

#[tokio::test]
async fn threat_33_nor_does_one_whose_clock_is_never_set() {
    let mut home = home().await;
    home.ask::<Log, _>("a", |log| log.later(3600, "x")).await.unwrap();
    for _ in 0..2 {
        home.restart_at("1970-01-01T00:00:07Z".parse().unwrap()).await;
        home.advance(seconds(1799)).await;
    }
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), [""; 0]);
    home.advance(seconds(2)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.lines()).await.unwrap(), ["x 2026-01-01T01:00:00Z"]);
}

#[tokio::test]
async fn when_the_clock_goes_back_an_attempt_is_not_put_off_longer_than_its_pause() {
    let mut home = home().await;
    home.ask::<Log, _>("a", |log| log.try_often()).await.unwrap();
    home.settle().await;
    home.restart_at("2025-12-31T00:00:00Z".parse().unwrap()).await;
    home.advance(seconds(60)).await;
    assert_eq!(home.ask::<Log, _>("a", |log| log.given_up()).await.unwrap(), 1);
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
async fn threat_28_a_call_with_a_key_that_is_sent_again_after_a_crash_has_one_effect() {
    let frame = r#"{"type":"rpc","id":"1","method":"add","args":["once"],"idempotencyKey":"k"}"#;
    for point in [CrashPoint::Committed, CrashPoint::Durable] {
        let mut home = home().await;
        let mut peer = home.connect("log/a").await;
        home.crash_at(point, 1);
        peer.send(frame).await;
        home.after_crash().await;
        let mut peer = home.connect("log/a").await;
        for _ in 0..2 {
            peer.send(frame).await;
            assert_eq!(peer.call("count", json!([])).await, json!(1), "{point:?}");
        }
    }
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
