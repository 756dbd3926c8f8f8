//! `kill -9` at every step of a run of ten: real processes, and a world outside that remembers every deed.
//!
//! `HOSTEL_STEP_ROUNDS=100 cargo test -p hostel-runtime --test it run_kills` kills a hundred times at each.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use hostel::{
    AgentId, Cx, Result, RunInfo, RunStatus, Started, StepState, Verdict,
    run::{RunAnswer, RunAsk},
};
use hostel_macros::agent;
use hostel_runtime::Node;
use serde::{Deserialize, Serialize};

const DIR: &str = "HOSTEL_RUN_KILL_DIR";
const AT: &str = "HOSTEL_RUN_KILL_AT";
const ROUNDS: &str = "HOSTEL_STEP_ROUNDS";
const STEPS: u32 = 10;

/// Where in a step the process dies.
const PHASES: [&str; 3] = ["before the deed", "after the deed", "after the step"];

#[derive(Default, Serialize, Deserialize)]
struct Worker {
    counted: Vec<u32>,
}

/// Dies here, if this is where it is to die, and has not yet.
async fn here(step: u32, phase: &str) {
    // Without a directory nobody is to die.
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    if std::env::var(AT).is_ok_and(|at| at == format!("{step} {phase}")) && !dir.join("died").exists() {
        fs::write(dir.join("died"), "").unwrap();
        Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
        std::future::pending::<()>().await;
    }
}

fn do_it(step: u32) {
    let path = PathBuf::from(std::env::var_os(DIR).unwrap()).join("deeds");
    let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
    writeln!(file, "{step}").unwrap();
}

#[agent]
impl Worker {
    /// Each step does something outside once, and dies where it is told to.
    #[task]
    async fn work(cx: &Cx<Self>, kind: String) -> Result<Vec<u32>> {
        let mut done = Vec::new();
        for step in 0..STEPS {
            let deed = || async move {
                here(step, PHASES[0]).await;
                do_it(step);
                here(step, PHASES[1]).await;
                Ok(step)
            };
            done.push(match kind.as_str() {
                "turn" => {
                    here(step, PHASES[0]).await;
                    let counted = cx.step_turn("deed", |me| {
                        me.counted.push(step);
                        step
                    })?;
                    here(step, PHASES[1]).await;
                    counted
                }
                "repeatable" => cx.step("deed", deed).repeatable().await?,
                _ => cx.step("deed", deed).await?,
            });
            here(step, PHASES[2]).await;
        }
        Ok(done)
    }

    #[callable]
    fn begin(&self, cx: &Cx<Self>, kind: String) -> Result<Started> {
        cx.tasks().work(kind).key("the one").start()
    }

    #[callable]
    fn counted(&self) -> Vec<u32> {
        self.counted.clone()
    }
}

fn worker() -> AgentId {
    AgentId::new("Worker", "a")
}

async fn the_run(node: &Node) -> RunInfo {
    match node.runs(&worker(), RunAsk::ByKey("the one".to_owned())).await.unwrap() {
        RunAnswer::Run(Some(run)) => *run,
        other => panic!("{other:?}"),
    }
}

/// Starts the run, or goes on with it, until it is over. Whoever is asked about a step looks whether it was done.
async fn work_until_the_end(dir: &Path, kind: &str) {
    let data = fs::canonicalize(dir).unwrap().join("data");
    let store = hostel_store::Store::open(&data, hostel_store::Options::default()).unwrap();
    let node = Node::builder(store).agent::<Worker>().unwrap().start().await.unwrap();
    node.agent::<Worker>("a").begin(kind.to_owned()).await.unwrap();
    loop {
        let run = the_run(&node).await;
        match run.status {
            RunStatus::Completed => break,
            RunStatus::Uncertain => {
                let asked = run.steps.iter().find(|step| step.state == StepState::Uncertain).unwrap();
                let was_done = deeds(dir).contains(&asked.occurrence);
                let verdict = if was_done { Verdict::done(&asked.occurrence).unwrap() } else { Verdict::Again };
                fs::File::options().create(true).append(true).open(dir.join("asked")).unwrap().write_all(b"?").unwrap();
                node.runs(&worker(), RunAsk::Resolve(run.id, verdict)).await.unwrap();
            }
            RunStatus::Failed | RunStatus::Cancelled | RunStatus::Paused => panic!("{run:?}"),
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    let counted = node.agent::<Worker>("a").counted().await.unwrap();
    fs::write(dir.join("counted"), serde_json::to_string(&counted).unwrap()).unwrap();
    node.shutdown(Duration::from_secs(5)).await;
}

fn deeds(dir: &Path) -> Vec<u32> {
    let text = fs::read_to_string(dir.join("deeds")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// On its own: a run of ten steps in one go. As a child of the tests below: until it is killed, or the run is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_ten_steps_does_each_once() {
    if let Some(dir) = std::env::var_os(DIR) {
        let dir = PathBuf::from(dir);
        let kind = fs::read_to_string(dir.join("kind")).unwrap();
        return work_until_the_end(&dir, &kind).await;
    }
    let dir = tempfile::tempdir().unwrap();
    work_until_the_end(dir.path(), "turn").await;
    assert_eq!(fs::read_to_string(dir.path().join("counted")).unwrap(), serde_json::to_string(&once_each()).unwrap());
}

/// Runs it in processes of its own until it is over, and says how often one was killed.
fn through_a_kill(kind: &str, step: u32, phase: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("kind"), kind).unwrap();
    let mut kills = 0;
    loop {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "it::run_kills::a_run_of_ten_steps_does_each_once", "--nocapture"])
            .env(DIR, dir.path())
            .env(AT, format!("{step} {phase}"))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        if status.success() {
            break;
        }
        assert!(status.code().is_none(), "it was to be killed, and ended by itself: {status}");
        kills += 1;
        assert!(kills < 3, "it does not come further");
    }
    assert_eq!(kills, 1, "{kind} {step} {phase}");
    dir
}

fn rounds() -> u32 {
    std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

fn each_step(check: impl Fn(u32, &str)) {
    for round in 0..rounds() {
        for step in 0..STEPS {
            // Every phase of every step within three rounds; one of each step in the first.
            let many = rounds() > 1;
            let phases = PHASES.iter().enumerate().filter(|(n, _)| many || *n as u32 == (step + round) % 3);
            phases.for_each(|(_, phase)| check(step, phase));
        }
    }
}

fn once_each() -> Vec<u32> {
    (0..STEPS).collect()
}

#[test]
fn kill_9_at_every_step_leaves_each_done_once_when_whoever_is_asked_looks() {
    each_step(|step, phase| {
        let dir = through_a_kill("asking", step, phase);
        assert_eq!(deeds(dir.path()), once_each(), "{step} {phase}");
        let asked = dir.path().join("asked").exists();
        // After the step its result need not have been durable yet.
        assert!(asked || phase == PHASES[2], "a step that was under way is asked about: {step} {phase}");
    });
}

#[test]
fn kill_9_at_every_step_that_is_a_turn_leaves_each_done_once() {
    each_step(|step, phase| {
        let dir = through_a_kill("turn", step, phase);
        let counted: Vec<u32> = serde_json::from_slice(&fs::read(dir.path().join("counted")).unwrap()).unwrap();
        assert_eq!(counted, once_each(), "{step} {phase}");
    });
}

#[test]
fn kill_9_at_every_repeatable_step_has_only_the_one_under_way_done_again() {
    each_step(|step, phase| {
        let dir = through_a_kill("repeatable", step, phase);
        let mut deeds = deeds(dir.path());
        let mut expected = once_each();
        if phase == PHASES[1] {
            expected.insert(step as usize, step);
        } else if phase == PHASES[2] && deeds.len() > expected.len() {
            // Its result need not have been durable yet: it may be done again.
            expected.insert(step as usize, step);
        }
        deeds.sort_unstable();
        assert_eq!(deeds, expected, "{step} {phase}");
    });
}
