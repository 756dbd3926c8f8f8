//! The set of small tasks.

use std::path::{Path, PathBuf};

use hostel_tasks::{Options, Outcome, Report, Task, Verdict, chosen, run};

/// The program is the sandbox's helper, too.
pub(crate) fn options(model: &str) -> Options {
    Options { helper: Some(PathBuf::from(env!("CARGO_BIN_EXE_hostel-tasks"))), ..Options::new(chosen(model).unwrap()) }
}

fn tasks() -> Vec<Task> {
    Task::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("set")).unwrap()
}

async fn measured(tasks: &[Task], model: &str) -> Report {
    run(tasks, &options(model), |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_fails_before_and_is_solved_by_its_solution() {
    let tasks = tasks();
    assert!(tasks.len() >= 30, "{}", tasks.len());
    let report = measured(&tasks, "scripted").await;
    assert_eq!(report.failed, 0, "{}", report.table());
    // A machine may be without Python or Node, and nothing else.
    let is_missing = |verdict: &Verdict| {
        ["python3", "node"].iter().any(|program| verdict.reason.contains(&format!("the program {program} is not")))
    };
    let excused = report.tasks.iter().filter(|verdict| verdict.outcome != Outcome::Solved);
    assert!(excused.clone().all(is_missing), "{}", report.table());
    assert!(report.solved >= 16, "what needs only a shell and Perl is solved everywhere: {}", report.table());
}

#[tokio::test]
async fn an_agent_that_does_nothing_solves_nothing() {
    let mut tasks = tasks();
    tasks.retain(|task| ["sh-leap-year", "perl-ini"].contains(&&*task.name));
    let report = measured(&tasks, "idle").await;
    assert_eq!((report.failed, report.infrastructure), (2, 0), "{}", report.table());
    assert!(report.tasks.iter().all(|verdict| verdict.reason.starts_with("the tests say: ")), "{}", report.table());
}

#[tokio::test]
async fn what_says_nothing_of_the_agent_is_an_infrastructure_error() {
    let mut task = tasks().into_iter().find(|task| task.name == "sh-leap-year").unwrap();
    task.needs = vec!["no-such-program".to_owned()];
    let passes = Task { needs: Vec::new(), test: "true".to_owned(), ..task.clone() };
    let report = measured(&[task, passes], "scripted").await;
    assert_eq!((report.solved, report.failed, report.infrastructure), (0, 0, 2));
    assert!(report.tasks[0].reason.contains("no-such-program is not on this machine"), "{}", report.table());
    assert!(report.tasks[1].reason.contains("pass before anything is done"), "{}", report.table());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["tasks"][0]["outcome"], "infrastructure");
}
