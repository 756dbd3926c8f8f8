//! Durable runs, their steps and events, in real files.

use hostel_store::{
    AgentDb, AgentKey, Author, Cause, Moment, Queued, RunFilter, RunRow, StepRow, TaskRow, make_durable,
};

use super::Disk;

const FORK: Cause<'static> = Cause { event: "fork", what: "", author: Author::Operator };

fn run(id: &str, status: &str) -> RunRow {
    RunRow {
        id: id.to_owned(),
        task: "order".to_owned(),
        args: "[1]".to_owned(),
        spec: "{}".to_owned(),
        status: status.to_owned(),
        ..RunRow::default()
    }
}

fn step(run: &str, position: u32, state: &str) -> StepRow {
    StepRow { run: run.to_owned(), position, name: "s".to_owned(), state: state.to_owned(), ..StepRow::default() }
}

fn order(id: &str) -> TaskRow {
    TaskRow {
        id: id.to_owned(),
        task: "order".to_owned(),
        args: "[1]".to_owned(),
        due_ms: 7,
        queued: Queued::AnyOrder,
        spec: "{}".to_owned(),
        key: None,
        declared: false,
        attempts: 0,
    }
}

fn turn<T>(agent: &mut AgentDb, work: impl FnOnce(&mut AgentDb) -> T) -> T {
    agent.begin().unwrap();
    let done = work(agent);
    make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    done
}

fn ids(agent: &AgentDb, filter: &RunFilter) -> Vec<String> {
    agent.runs(filter).unwrap().into_iter().map(|run| run.id).collect()
}

#[test]
fn runs_steps_and_events_survive_a_restart_and_go_together() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    assert!(a.runs(&RunFilter { limit: 9, ..RunFilter::default() }).unwrap().is_empty());
    let first = RunRow { key: Some("k".into()), wake_ms: Some(5), stash: Some("{}".into()), ..run("one", "waiting") };
    turn(&mut a, |a| {
        a.put_run(&first).unwrap();
        a.put_step(&step("one", 0, "done")).unwrap();
        a.put_step(&step("one", 1, "waiting")).unwrap();
        a.push_run_event("one", "paid", "1", 1).unwrap();
        a.push_run_event("one", "paid", "2", 1).unwrap();
    });
    drop(a);
    let disk = disk.reopen();
    let mut a = disk.agent("a");
    assert_eq!(a.run_by_key("k").unwrap().unwrap(), RunRow { seq: 1, ..first });
    assert_eq!((a.step_count("one").unwrap(), a.steps_in("one", "waiting").unwrap().len()), (2, 1));
    assert_eq!(a.step("one", "", 1).unwrap(), Some(step("one", 1, "waiting")));
    let events = turn(&mut a, |a| {
        let mut take = || a.take_run_event("one", "paid").unwrap();
        [take(), take(), take()]
    });
    assert_eq!(events, [Some("1".to_owned()), Some("2".to_owned()), None]);
    turn(&mut a, |a| a.remove_run("one").unwrap());
    assert_eq!((a.run("one").unwrap(), a.step_count("one").unwrap()), (None, 0));
}

#[test]
fn runs_are_listed_newest_first_page_by_page() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    turn(&mut a, |a| {
        for (n, status) in ["completed", "failed", "completed"].into_iter().enumerate() {
            a.put_run(&RunRow { ended_ms: Some(n as i64), ..run(&n.to_string(), status) }).unwrap();
        }
        a.put_run(&run("3", "waiting")).unwrap();
    });
    let page = RunFilter { limit: 3, ..RunFilter::default() };
    assert_eq!(ids(&a, &page), ["3", "2", "1"]);
    assert_eq!(ids(&a, &RunFilter { before: Some(2), ..page.clone() }), ["0"]);
    assert_eq!(ids(&a, &RunFilter { status: Some("completed".into()), ..page }), ["2", "0"]);
    assert_eq!(a.stale_runs(1, 9, 9).unwrap(), ["0"], "by age");
    assert_eq!(a.stale_runs(0, 2, 9).unwrap(), ["0"], "by number");
}

#[test]
fn a_fork_keeps_what_ended_and_pauses_what_did_not() {
    let disk = Disk::new();
    let mut a = disk.agent("a");
    turn(&mut a, |a| {
        a.set_state("1").unwrap();
        a.put_run(&RunRow { wake_ms: Some(7), ..run("waits", "waiting") }).unwrap();
        a.put_run(&RunRow { ended_ms: Some(3), ..run("ended", "completed") }).unwrap();
        a.put_task(&order("waits")).unwrap();
        a.put_task(&order("other")).unwrap();
    });
    let mut image = disk.store.image(&AgentKey::new("counter", "a"), Moment::Now).unwrap();
    image.rename_to(&AgentKey::new("counter", "b")).unwrap();
    let mut b = disk.agent("b");
    b.replace(image, FORK).unwrap();
    let paused = b.run("waits").unwrap().unwrap();
    assert_eq!(
        (paused.status.as_str(), paused.wake_ms, paused.code.as_deref()),
        ("paused", None, Some("run_put_back"))
    );
    assert_eq!(b.run("ended").unwrap().unwrap().status, "completed");
    assert!(b.task("waits").unwrap().is_none(), "it would be run twice");
    assert_eq!(
        (a.run("waits").unwrap().unwrap().status.as_str(), a.task("waits").unwrap().is_some()),
        ("waiting", true)
    );
}
