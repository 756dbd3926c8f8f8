//! Changes: planned, shown, made, or refused as a whole.

use std::os::unix::fs::PermissionsExt;

use hostel_workspace::{Action, Error, Limits, Occurrence, Progress};

use crate::Place;

#[test]
fn a_change_is_shown_before_it_is_made() {
    let place = Place::new();
    place.write("f.txt", "one\ntwo\nthree\n");
    let plan = place.workspace.plan_replace("f.txt", "two", "2", Occurrence::Unique).unwrap();
    assert_eq!(
        plan.diff(),
        "diff --git a/f.txt b/f.txt\n--- a/f.txt\n+++ b/f.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    );
    assert_eq!(plan.summary(), "changed f.txt (+1 -1)\n");
    assert_eq!(place.text("f.txt"), "one\ntwo\nthree\n");
    place.workspace.apply(&plan).unwrap();
    assert_eq!(place.text("f.txt"), "one\n2\nthree\n");
}

#[test]
fn a_file_that_changed_since_is_not_overwritten() {
    let place = Place::new();
    place.write("f", "a");
    let plan = place.workspace.plan_write("f", "b").unwrap();
    place.write("f", "somebody else's");
    assert!(matches!(place.workspace.apply(&plan), Err(Error::Changed { .. })));
    assert_eq!(place.text("f"), "somebody else's");
    assert_eq!(place.workspace.progress(&plan).unwrap(), Progress::Otherwise);
}

#[test]
fn line_ends_encodings_and_modes_are_kept() {
    let place = Place::new();
    place.write("dos.txt", "one\r\ntwo\r\n");
    place.write("latin.txt", b"caf\xe9 one\n");
    place.write("run.sh", "#!/bin/sh\necho one\n");
    let script = place.dir.path().join("w/run.sh");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    for file in ["dos.txt", "latin.txt", "run.sh"] {
        let plan = place.workspace.plan_replace(file, "one\n", "1\nnext\n", Occurrence::Unique).unwrap();
        place.workspace.apply(&plan).unwrap();
    }
    assert_eq!(place.text("dos.txt"), "1\r\nnext\r\ntwo\r\n");
    assert_eq!(std::fs::read(place.dir.path().join("w/latin.txt")).unwrap(), b"caf\xe9 1\nnext\n");
    assert_eq!(std::fs::metadata(script).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn a_text_that_is_not_there_is_refused_with_the_nearest_place() {
    let place = Place::new();
    place.write("f.rs", "fn a() {\n    let total = price * count;\n}\n");
    let error = place.workspace.plan_replace("f.rs", "let total = price*count;", "x", Occurrence::Unique).unwrap_err();
    assert!(error.to_string().contains("the nearest is at line 2"), "{error}");
}

const PATCH: &str = "\
*** Begin Patch
*** Update File: src/a.rs
@@ fn two
-    2
+    22
*** Update File: old/name.rs
*** Move to: new/name.rs
@@
-x
+y
*** Add File: added/file.txt
+hello
*** Delete File: gone.txt
*** End Patch
";

fn patched() -> Place {
    let place = Place::new();
    place.write("src/a.rs", "fn one\n    2\nfn two\n    2\n");
    place.write("old/name.rs", "x\n");
    place.write("gone.txt", "bye\n");
    place
}

#[test]
fn a_patch_changes_moves_adds_and_deletes_in_one() {
    let place = patched();
    let plan = place.workspace.plan_patch(PATCH).unwrap();
    let actions: Vec<Action> = plan.changes.iter().map(hostel_workspace::FileChange::action).collect();
    assert_eq!(actions, [Action::Update, Action::Move, Action::Delete, Action::Add, Action::Delete]);
    let diff = plan.diff();
    assert!(
        diff.contains("rename from old/name.rs\nrename to new/name.rs\n--- a/old/name.rs\n+++ b/new/name.rs\n"),
        "{diff}"
    );
    assert_eq!(plan.summary().lines().count(), 4);
    assert_eq!(place.workspace.progress(&plan).unwrap(), Progress::NotMade);
    place.workspace.apply(&plan).unwrap();
    assert_eq!(place.workspace.progress(&plan).unwrap(), Progress::Made);
    assert_eq!(place.text("src/a.rs"), "fn one\n    2\nfn two\n    22\n");
    assert_eq!(place.text("new/name.rs"), "y\n");
    assert_eq!(place.text("added/file.txt"), "hello\n");
    assert!(!place.exists("old/name.rs") && !place.exists("gone.txt"));
}

#[test]
fn a_patch_of_which_one_part_does_not_fit_changes_nothing() {
    let place = patched();
    place.write("gone.txt", "other\n");
    std::fs::remove_file(place.dir.path().join("w/gone.txt")).unwrap();
    assert!(matches!(place.workspace.plan_patch(PATCH), Err(Error::NotFound { .. })));
    assert_eq!(place.text("src/a.rs"), "fn one\n    2\nfn two\n    2\n");
    assert!(!place.exists("added") && !place.exists("new"));
}

/// The last of several files cannot be put in place: those before it are put back.
#[test]
fn a_change_that_fails_half_way_is_taken_back() {
    let place = patched();
    let plan = place.workspace.plan_patch(PATCH).unwrap();
    let mut broken = plan.clone();
    let position = broken.changes.iter().position(|change| change.path == "gone.txt").unwrap();
    let mut impossible = broken.changes.remove(position);
    // A directory in the way of a deletion: planned by hand, as no plan of ours would be.
    place.write("dir/x", "");
    impossible.path = "src/a.rs/under".into();
    impossible.before = None;
    broken.changes.push(impossible);
    assert!(place.workspace.apply(&broken).is_err());
    assert_eq!(place.text("src/a.rs"), "fn one\n    2\nfn two\n    2\n");
    assert!(place.exists("old/name.rs") && !place.exists("new/name.rs") && !place.exists("added/file.txt"));
    let left: Vec<_> = place.workspace.glob("*hostel-new").unwrap().paths;
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_was_done_in_part_is_found_out() {
    let place = patched();
    let plan = place.workspace.plan_patch(PATCH).unwrap();
    std::fs::remove_file(place.dir.path().join("w/gone.txt")).unwrap();
    assert_eq!(place.workspace.progress(&plan).unwrap(), Progress::Partly);
}

#[test]
fn a_file_named_twice_in_one_patch_is_refused() {
    let place = patched();
    let patch = "*** Begin Patch\n*** Delete File: gone.txt\n*** Add File: ./gone.txt\n+x\n*** End Patch\n";
    let error = place.workspace.plan_patch(patch).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("twice"), "{error}");
}

#[test]
fn a_unified_diff_of_several_files_is_made() {
    let place = patched();
    let diff = "\
diff --git a/src/a.rs b/src/a.rs
--- a/src/a.rs
+++ b/src/a.rs
@@ -2,3 +2,3 @@
     2
 fn two
-    2
+    3
diff --git a/old/name.rs b/other.rs
similarity index 100%
rename from old/name.rs
rename to other.rs
diff --git a/n.txt b/n.txt
new file mode 100644
--- /dev/null
+++ b/n.txt
@@ -0,0 +1,2 @@
+one
+--- two
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
";
    place.workspace.apply(&place.workspace.plan_diff(diff).unwrap()).unwrap();
    assert_eq!(place.text("src/a.rs"), "fn one\n    2\nfn two\n    3\n");
    assert_eq!(place.text("other.rs"), "x\n");
    assert_eq!(place.text("n.txt"), "one\n--- two\n");
    assert!(!place.exists("gone.txt") && !place.exists("old/name.rs"));
}

#[test]
fn a_directory_that_is_called_as_a_side_of_a_diff_is_that_directory() {
    let place = Place::new();
    for file in ["a/x", "b/x", "x", "a/gone", "gone"] {
        place.write(file, "1\n");
    }
    let change = "@@ -1 +1 @@\n-1\n+2\n";
    let (new, gone) = ("@@ -0,0 +1 @@\n+2\n", "@@ -1 +0,0 @@\n-1\n");
    for (diff, changed) in [
        // Without sides, as diff -u and git diff --no-prefix write it.
        (format!("--- a/x\n+++ a/x\n{change}"), "a/x"),
        (format!("diff --git b/x b/x\n--- b/x\n+++ b/x\n{change}"), "b/x"),
        (format!("diff --git b/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n{new}"), "b/new"),
        (format!("diff --git a/gone a/gone\n--- a/gone\n+++ /dev/null\n{gone}"), "a/gone"),
        // With them.
        (format!("--- a/x\n+++ b/x\n{change}"), "x"),
        (format!("diff --git a/a/x b/a/x\n--- a/a/x\n+++ b/a/x\n{}", change.replace("1\n+2", "2\n+3")), "a/x"),
        (format!("--- /dev/null\n+++ b/new\n{new}"), "new"),
        (format!("--- a/gone\n+++ /dev/null\n{gone}"), "gone"),
    ] {
        let plan = place.workspace.plan_any_patch(&diff).unwrap();
        let paths: Vec<&str> = plan.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, [changed], "{diff}");
        assert_eq!(hostel_workspace::files_of_patch(&diff).unwrap(), [changed], "{diff}");
        place.workspace.apply(&plan).unwrap();
    }
    assert_eq!((place.text("a/x"), place.text("b/x"), place.text("x")), ("3\n".into(), "2\n".into(), "2\n".into()));
}

#[test]
fn our_own_diffs_can_be_made_again() {
    let place = patched();
    let plan = place.workspace.plan_patch(PATCH).unwrap();
    let other = patched();
    other.workspace.apply(&other.workspace.plan_diff(&plan.diff()).unwrap()).unwrap();
    assert_eq!(other.workspace.progress(&plan).unwrap(), Progress::Made);
}

#[test]
fn diffs_that_cannot_be_read_or_do_not_fit_are_refused() {
    let place = patched();
    let plan = |diff: &str| place.workspace.plan_diff(diff).unwrap_err().to_string();
    assert!(plan("hello").contains("it has no"));
    assert!(plan("--- a/gone.txt\n+++ b/gone.txt\n@@ -1 +1 @@\n-no\n+x\n").contains("gone.txt"));
    assert!(plan("--- a/gone.txt\n+++ b/gone.txt\n@@ -1,2 +1,2 @@\n-bye\n+x\n*** y\n").contains("fewer lines"));
    assert!(plan("diff --git a/p b/p\nGIT binary patch\n").contains("not text"));
}

#[test]
fn files_move_and_are_deleted_and_limits_hold() {
    let place = Place::with(Limits { file_bytes: 10, ..Limits::default() });
    place.write("a", "x");
    place.write("b", "y");
    assert!(matches!(place.workspace.move_to("a", "b"), Err(Error::Exists { .. })));
    place.workspace.move_to("a", "dir/deep/a").unwrap();
    assert_eq!(place.text("dir/deep/a"), "x");
    assert!(place.workspace.move_to("dir", "dir/inside").is_err());
    place.workspace.apply(&place.workspace.plan_delete("b").unwrap()).unwrap();
    assert!(!place.exists("b"));
    assert!(matches!(place.workspace.plan_write("big", &"x".repeat(11)), Err(Error::TooLarge { .. })));
}
