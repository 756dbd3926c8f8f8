//! What agents order for later, in real files.

use hostel_store::{AgentDb, Options, Queued, Store, TaskRow};

fn order(id: &str, due_ms: i64, queued: Queued) -> TaskRow {
    TaskRow {
        id: id.to_owned(),
        task: "tick".to_owned(),
        args: "[]".to_owned(),
        due_ms,
        queued,
        spec: "{}".to_owned(),
        key: None,
        declared: false,
        attempts: 0,
    }
}

fn keep(agent: &mut AgentDb, rows: &[TaskRow]) {
    agent.begin().unwrap();
    rows.iter().for_each(|row| agent.put_task(row).unwrap());
    agent.commit().unwrap();
}

fn ids(rows: &[TaskRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

#[test]
fn an_agent_that_orders_nothing_has_no_tables_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let mut agent = store.agent("counter", "a").unwrap();
    agent.set_state("1").unwrap();
    agent.commit().unwrap();
    assert!(agent.tasks().unwrap().is_empty() && agent.next_tasks(1).unwrap().is_empty());
    let tables = agent.sql("select count(*) from sqlite_schema where name like 'hostel_tasks%'", &[]).unwrap();
    assert_eq!(tables.rows[0][0], hostel_store::SqlValue::Integer(0));
}

#[test]
fn orders_survive_a_restart_and_are_undone_with_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let row = TaskRow { key: Some("k".into()), declared: true, attempts: 2, ..order("one", 5, Queued::No) };
    {
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        keep(&mut agent, std::slice::from_ref(&row));
        agent.begin().unwrap();
        agent.put_task(&order("two", 1, Queued::No)).unwrap();
        agent.remove_task("one").unwrap();
        agent.rollback().unwrap();
    }
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(store.agent("counter", "a").unwrap().tasks().unwrap(), [row]);
}

#[test]
fn schedules_are_due_by_their_time_and_the_queue_one_by_one() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut agent = store.agent("counter", "a").unwrap();
    let rows = [
        order("late", 30, Queued::No),
        order("first", 10, Queued::InOrder),
        order("second", 10, Queued::InOrder),
        order("free", 11, Queued::AnyOrder),
        order("early", 5, Queued::No),
    ];
    keep(&mut agent, &rows);
    assert_eq!(ids(&agent.tasks().unwrap()), ["early", "late", "first", "second", "free"]);
    assert_eq!(ids(&agent.due_tasks(20, 9).unwrap()), ["early", "first", "free"]);
    assert_eq!(agent.next_tasks(1).unwrap(), [("early".to_owned(), 5)]);
    assert!(agent.remove_task("first").unwrap());
    assert!(!agent.remove_task("first").unwrap());
    assert_eq!(ids(&agent.due_tasks(20, 9).unwrap()), ["early", "second", "free"]);
}

#[test]
fn a_run_that_was_given_up_is_kept_with_its_reason() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut agent = store.agent("counter", "a").unwrap();
    let row = TaskRow { attempts: 3, ..order("one", 5, Queued::No) };
    keep(&mut agent, std::slice::from_ref(&row));
    agent.begin().unwrap();
    agent.bury_task(&row, "task_failed", "no answer", 77, 1_000).unwrap();
    agent.remove_task("one").unwrap();
    agent.commit().unwrap();
    let letters = agent.dead_letters(10).unwrap();
    assert_eq!(
        (&*letters[0].code, &*letters[0].reason, letters[0].attempts, letters[0].at_ms),
        ("task_failed", "no answer", 3, 77)
    );
    agent.begin().unwrap();
    assert!(agent.remove_dead_letter("one").unwrap());
    agent.commit().unwrap();
    assert!(agent.dead_letters(10).unwrap().is_empty());
    assert!(!agent.remove_dead_letter("one").unwrap());
}

#[test]
fn as_many_runs_that_were_given_up_are_kept_as_was_said_and_the_newest() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut agent = store.agent("counter", "a").unwrap();
    agent.begin().unwrap();
    let went: usize = (0..1_003)
        .map(|n| agent.bury_task(&order(&n.to_string(), n, Queued::No), "task_failed", "no answer", n, 1_000).unwrap())
        .sum();
    agent.commit().unwrap();
    let letters = agent.dead_letters(2_000).unwrap();
    assert_eq!((went, letters.len(), &*letters[0].id, &*letters[999].id), (3, 1_000, "1002", "3"));
}

#[test]
fn an_order_is_found_by_its_key_and_by_what_it_does() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut agent = store.agent("counter", "a").unwrap();
    assert_eq!((agent.count_tasks().unwrap(), agent.task_with_key("k").unwrap()), (0, None));
    let keyed = TaskRow { key: Some("k".into()), ..order("one", 5, Queued::No) };
    keep(&mut agent, &[keyed.clone(), order("two", 6, Queued::InOrder), order("three", 7, Queued::No)]);
    assert_eq!((agent.count_tasks().unwrap(), agent.task_with_key("k").unwrap()), (3, Some(keyed)));
    assert_eq!(ids(&agent.tasks_like("tick", "[]", Queued::No).unwrap()), ["one", "three"]);
    assert!(agent.tasks_like("tick", "[1]", Queued::No).unwrap().is_empty());
}
