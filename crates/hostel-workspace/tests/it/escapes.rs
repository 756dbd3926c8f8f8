//! Ways out of a workspace, each tried, each refused.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use hostel_workspace::{Error, Limits, Lines, ListOptions, Occurrence, Pattern, SearchOptions, Workspace};

use crate::Place;

/// A workspace with a secret beside it, and links to that in every form.
fn place() -> Place {
    let place = Place::new();
    let outside = place.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "SECRET").unwrap();
    let inside = place.dir.path().join("w");
    symlink(outside.join("secret"), inside.join("absolute")).unwrap();
    symlink("../outside/secret", inside.join("relative")).unwrap();
    symlink(&outside, inside.join("dir")).unwrap();
    symlink("dir", inside.join("chain")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    symlink("/proc/self/root", inside.join("proc")).unwrap();
    symlink("/proc/self/cwd", inside.join("cwd")).unwrap();
    place
}

const WAYS: &[&str] = &[
    "../outside/secret",
    "a/../../outside/secret",
    "./../outside/secret",
    "/etc/passwd",
    "//etc/passwd",
    "~/x",
    "absolute",
    "relative",
    "dir/secret",
    "chain/secret",
    "loop",
    "proc/etc/passwd",
    "cwd/Cargo.toml",
    "x\0y",
];

#[test]
fn no_way_out_can_be_read_or_listed_or_searched() {
    let place = place();
    for way in WAYS {
        let read = place.workspace.read(way, Lines::default());
        assert!(read.is_err(), "{way} was read: {read:?}");
        assert!(place.workspace.list(way, &ListOptions::default()).is_err(), "{way} was listed");
        let options = SearchOptions { path: (*way).into(), ..SearchOptions::default() };
        let found = place.workspace.search(&Pattern::Text("SECRET".into()), &options);
        assert!(found.is_err() || found.unwrap().files.is_empty(), "{way} was searched");
    }
    let all = place.workspace.search(&Pattern::Text("SECRET".into()), &SearchOptions::default()).unwrap();
    assert!(all.files.is_empty(), "{all:?}");
}

#[test]
fn no_way_out_can_be_written_or_moved_or_deleted() {
    let place = place();
    let before = std::fs::metadata(place.dir.path().join("outside/secret")).unwrap().modified().unwrap();
    for way in WAYS {
        let planned = place.workspace.plan_write(way, "x").and_then(|plan| place.workspace.apply(&plan));
        assert!(planned.is_err(), "{way} was written");
        assert!(place.workspace.plan_replace(way, "SECRET", "x", Occurrence::All).is_err(), "{way} was edited");
        assert!(place.workspace.plan_delete(way).is_err(), "{way} was deleted");
        for patch in [format!("*** Add File: {way}/n\n+x"), format!("*** Update File: {way}\n@@\n-SECRET\n+x")] {
            let patch = format!("*** Begin Patch\n{patch}\n*** End Patch\n");
            let patched = place.workspace.plan_patch(&patch).and_then(|plan| place.workspace.apply(&plan));
            assert!(patched.is_err(), "{way} was patched");
        }
        let diff = format!("--- a/{way}\n+++ b/{way}\n@@ -1 +1 @@\n-SECRET\n+x\n");
        assert!(place.workspace.plan_diff(&diff).is_err(), "{way} was patched by a diff");
        assert!(place.workspace.move_to("file", way).is_err(), "something was moved to {way}");
        assert!(place.workspace.make_dir(&format!("{way}/new")).is_err(), "a directory was made in {way}");
    }
    assert_eq!(std::fs::read_to_string(place.dir.path().join("outside/secret")).unwrap(), "SECRET");
    let after = std::fs::metadata(place.dir.path().join("outside/secret")).unwrap().modified().unwrap();
    assert_eq!(before, after);
    assert_eq!(std::fs::read_dir(place.dir.path().join("outside")).unwrap().count(), 1);
}

#[test]
fn deleting_a_link_deletes_the_link_and_a_directory_only_what_is_in_it() {
    let place = place();
    place.write("d/file", "x");
    symlink(place.dir.path().join("outside"), place.dir.path().join("w/d/link")).unwrap();
    place.workspace.delete_all("d").unwrap();
    place.workspace.delete_all("dir").unwrap();
    assert!(!place.exists("d") && !place.exists("dir"));
    assert!(place.dir.path().join("outside/secret").exists());
}

#[test]
fn links_that_stay_inside_can_be_read_through() {
    let place = place();
    place.write("real/file", "inside");
    symlink("real", place.dir.path().join("w/alias")).unwrap();
    assert_eq!(place.workspace.read("alias/file", Lines::default()).unwrap().text(), Some("inside"));
}

#[test]
fn what_is_no_file_is_not_opened() {
    let place = place();
    rustix_mkfifo(&place);
    let _socket = std::os::unix::net::UnixListener::bind(place.dir.path().join("w/socket")).unwrap();
    for name in ["pipe", "socket"] {
        assert!(matches!(place.workspace.read(name, Lines::default()), Err(Error::WrongKind { .. })), "{name}");
        assert!(place.workspace.plan_write(name, "x").is_err());
    }
}

fn rustix_mkfifo(place: &Place) {
    let made = std::process::Command::new("mkfifo").arg(place.dir.path().join("w/pipe")).status().unwrap();
    assert!(made.success());
}

#[test]
fn gits_own_files_are_not_written() {
    let place = place();
    place.write(".git/config", "[core]\n");
    for path in [".git/config", ".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", ".git"] {
        assert!(matches!(place.workspace.plan_write(path, "x"), Err(Error::GitsOwn { .. })), "{path}");
    }
    assert!(place.workspace.delete_all(".git").is_err());
    assert!(place.workspace.move_to(".git", "g").is_err());
}

/// A directory is swapped for a link to the outside again and again while files in it are read, written and searched.
#[test]
fn swapping_a_directory_for_a_link_never_leads_outside() {
    let place = place();
    place.write("swap/secret", "inside");
    place.write("swap2/x", "x");
    let (inside, stop) = (place.dir.path().join("w"), AtomicBool::new(false));
    symlink(place.dir.path().join("outside"), inside.join("evil")).unwrap();
    let (mut read, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (from, to) in [("swap", "away"), ("evil", "swap"), ("swap", "evil"), ("away", "swap")] {
                    std::fs::rename(inside.join(from), inside.join(to)).unwrap();
                }
            }
        });
        for _ in 0..500 {
            match place.workspace.read("swap/secret", Lines::default()) {
                Ok(page) => {
                    assert_eq!(page.text(), Some("inside"));
                    read += 1;
                }
                Err(_) => refused += 1,
            }
            if let Ok(plan) = place.workspace.plan_write("swap/secret", "inside")
                && plan.changes[0].before.is_some()
            {
                let _ = place.workspace.apply(&plan);
            }
            let options = SearchOptions::default();
            if let Ok(found) = place.workspace.search(&Pattern::Text("SECRET".into()), &options) {
                assert!(found.files.is_empty());
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(read > 0 && refused > 0, "the swap was never seen: {read} read, {refused} refused");
    assert_eq!(
        std::fs::read_dir(place.dir.path().join("outside")).unwrap().count(),
        1,
        "something was written outside"
    );
    assert_eq!(std::fs::read_to_string(place.dir.path().join("outside/secret")).unwrap(), "SECRET");
}

#[test]
fn a_workspace_that_was_moved_is_still_the_same_directory() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::create(dir.path().join("a"), Limits::default()).unwrap();
    std::fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
    std::fs::create_dir(dir.path().join("a")).unwrap();
    workspace.apply(&workspace.plan_write("f", "x").unwrap()).unwrap();
    assert!(dir.path().join("b/f").exists() && !dir.path().join("a/f").exists());
}
