//! Sabotage of the books: each kind of broken promise must be noticed.

use super::*;

fn look(born: &str, ops: &[&str]) -> Look {
    let count = ops.len() as u64;
    Look {
        born: born.to_owned(),
        count,
        last: ops.last().unwrap_or(&"").to_string(),
        entries: count,
        copies: count,
        same: count,
        sound: "ok".to_owned(),
        from: 0,
        after: ops.iter().map(|op| (*op).to_owned()).collect(),
    }
}

fn told(n: u64, op: &str, kind: Told) -> Claim {
    Claim { born: "a.1".to_owned(), n, op: op.to_owned(), kind }
}

/// Three requests sent, the first two answered, the third shown.
fn account() -> Account {
    let mut account = Account::default();
    ["a.1", "a.2", "a.3"].iter().for_each(|op| account.send(op));
    account.claim(told(1, "a.1", Told::Answered));
    account.claim(told(2, "a.2", Told::Answered));
    account.claim(told(3, "a.3", Told::Shown));
    account
}

fn faults(account: &mut Account, found: &Look) -> Faults {
    account.compare(found, |_| {})
}

#[test]
fn what_agrees_is_no_fault_and_unacknowledged_requests_may_have_happened() {
    assert!(!faults(&mut account(), &look("a.1", &["a.1", "a.2", "a.3"])).any());
    let mut account = account();
    account.send("b.1");
    assert!(!faults(&mut account, &look("a.1", &["a.1", "a.2", "a.3", "b.1"])).any());
}

#[test]
fn a_lost_answer_and_a_frame_that_was_early_are_found() {
    let found = faults(&mut account(), &look("a.1", &["a.1"]));
    assert_eq!((found.lost, found.early), (1, 1));
    let found = faults(&mut account(), &look("a.1", &["a.1", "a.2"]));
    assert_eq!((found.lost, found.early), (0, 1));
    let nothing = faults(&mut account(), &look("", &[]));
    assert!(nothing.lost > 0);
}

#[test]
fn a_request_nobody_made_and_one_that_happened_twice_are_found() {
    assert_eq!(faults(&mut account(), &look("a.1", &["a.1", "a.2", "a.3", "c.9"])).invented, 1);
    assert_eq!(faults(&mut account(), &look("a.1", &["a.1", "a.2", "a.3", "a.3"])).invented, 1);
}

#[test]
fn half_a_turn_and_an_unsound_file_are_found() {
    let whole = look("a.1", &["a.1", "a.2", "a.3"]);
    for half in [
        Look { copies: 2, ..whole.clone() },
        Look { same: 2, ..whole.clone() },
        Look { count: 4, ..whole.clone() },
        Look { last: "a.2".to_owned(), ..whole.clone() },
        Look { sound: "row 7 missing from index".to_owned(), ..whole.clone() },
    ] {
        assert!(faults(&mut account(), &half).torn == 1, "{half:?}");
    }
}

#[test]
fn requests_out_of_order_are_found() {
    let mut account = Account::default();
    ["a.1", "a.2", "a.3"].iter().for_each(|op| account.send(op));
    assert_eq!(faults(&mut account, &look("a.1", &["a.1", "a.3", "a.2"])).disordered, 1);
    let mut account = Account::default();
    ["a.1", "a.2", "a.3"].iter().for_each(|op| account.send(op));
    assert_eq!(faults(&mut account, &look("a.1", &["a.1", "a.3"])).disordered, 1, "one in the middle is missing");
}

#[test]
fn a_life_may_end_only_if_somebody_ended_it_and_then_must() {
    let mut ended = account();
    ended.send_end();
    assert!(!faults(&mut ended, &look("", &[])).any());
    let mut ended = account();
    ended.send_end();
    ended.end("a.1");
    assert!(faults(&mut ended, &look("a.1", &["a.1", "a.2", "a.3"])).lost > 0);
}

#[test]
fn what_was_found_once_must_stay() {
    let mut account = account();
    faults(&mut account, &look("a.1", &["a.1", "a.2", "a.3"]));
    assert!(!account.is_touched());
    assert!(faults(&mut account, &look("a.1", &["a.1", "a.2"])).lost > 0);
    let mut later = Account::default();
    later.send("a.1");
    faults(&mut later, &look("a.1", &["a.1"]));
    assert!(faults(&mut later, &look("", &[])).lost > 0);
}
