//! A promise that is broken on purpose must be found broken.

use std::process::{Command, Output};

const SOUND: i32 = 0;
const BROKEN: i32 = 1;
const MAY_NOT: i32 = 4;

fn crash(args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_hostel-crash"))
        .args(["--server", env!("CARGO_BIN_EXE_hostel-crash-server")])
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap(), said)
}

/// As [`crash`], until something broken is found: whether an end comes at the right moment is a matter of luck.
fn until_broken(args: &[&str]) -> (i32, String) {
    let mut found = crash(args);
    for _ in 0..4 {
        if found.0 != SOUND {
            break;
        }
        found = crash(args);
    }
    found
}

/// The figure before a word in the line of faults.
fn count(said: &str, what: &str) -> u32 {
    let faults = said.lines().rfind(|line| line.contains(" shown too early")).unwrap_or_else(|| panic!("{said}"));
    let before = faults.split(what).next().unwrap().trim_end();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_sound_server_passes_and_every_point_is_come_to() {
    let (code, said) = crash(&["--kills", "3", "--points", "20"]);
    assert_eq!(code, SOUND, "{said}");
}

#[test]
fn a_gate_that_opens_before_the_turn_is_durable_is_found() {
    // The writer waits a little before each write, so that the kill comes in between more often than not.
    let (code, said) =
        until_broken(&["--kills", "8", "--longest-ms", "100", "--arm", "sabotage-gate=return;append=sleep(15)"]);
    assert_eq!(code, BROKEN, "{said}");
    assert!(count(&said, "lost") + count(&said, "shown too early") > 0, "{said}");
}

#[test]
fn ignored_checksums_are_found() {
    let (code, said) = until_broken(&["--points", "5", "--only", "tear", "--arm", "sabotage-checksum=return"]);
    assert_eq!(code, BROKEN, "{said}");
}

/// Where the power cannot be cut, the simulated disk of hostel-journal has the same test (`a_sync_that_does_nothing_is_found`).
#[test]
fn a_sync_that_is_left_out_is_found_when_the_power_goes() {
    let (code, said) = until_broken(&["--power-cuts", "5", "--arm", "sabotage-sync=return"]);
    if code == MAY_NOT {
        return assert!(said.contains("nothing was done"), "{said}");
    }
    assert_eq!(code, BROKEN, "{said}");
    assert!(count(&said, "lost") > 0, "{said}");
}

#[test]
fn a_point_that_is_never_come_to_is_no_proof() {
    let (code, said) =
        crash(&["--points", "1", "--only", "retire", "--patience", "5", "--arm", "checkpoint=return(EIO)"]);
    assert_ne!(code, SOUND, "{said}");
    assert!(said.contains("retire was armed 2 times and never come to"), "{said}");
}
