//! A small file in the form of SWE-bench, with a repository of this machine.

use std::{fs, path::Path, process::Command};

use hostel_tasks::{Instance, SweOptions, swe};
use serde_json::{Value, json};

use super::set::options;

fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(dir);
    let output = command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A cache with one repository, and the commit to begin at.
fn cache(dir: &Path) -> String {
    let repo = dir.join("acme__calc");
    fs::create_dir_all(&repo).unwrap();
    fs::write(repo.join("calc.sh"), "add() { echo $(($1 + $2)); }\nsub() { echo $(($1 + $2)); }\n").unwrap();
    fs::write(repo.join("test.sh"), "#!/bin/sh\n. ./calc.sh\nfor t; do . ./tests/\"$t\"; done\n").unwrap();
    fs::create_dir(repo.join("tests")).unwrap();
    fs::write(repo.join("tests/add"), "[ \"$(add 2 3)\" = 5 ] || exit 1\n").unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    git(&repo, &["add", "-A"]);
    git(&repo, &["commit", "-q", "-m", "calc"]);
    let base = git(&repo, &["rev-parse", "HEAD"]);
    fs::write(repo.join("later"), "not in the base\n").unwrap();
    git(&repo, &["add", "-A"]);
    git(&repo, &["commit", "-q", "-m", "later"]);
    base
}

const PATCH: &str = "diff --git a/calc.sh b/calc.sh\n--- a/calc.sh\n+++ b/calc.sh\n@@ -1,2 +1,2 @@\n add() { echo $(($1 + $2)); }\n\
-sub() { echo $(($1 + $2)); }\n+sub() { echo $(($1 - $2)); }\n\
diff --git a/NEWS b/NEWS\nnew file mode 100644\n--- /dev/null\n+++ b/NEWS\n@@ -0,0 +1 @@\n+sub subtracts\n";
const TESTS: &str = "diff --git a/tests/sub b/tests/sub\nnew file mode 100644\n--- /dev/null\n+++ b/tests/sub\n@@ -0,0 +1 @@\n\
+[ \"$(sub 5 3)\" = 2 ] || exit 1\n";

fn instance(id: &str, base: &str) -> Value {
    json!({"instance_id": id, "repo": "acme/calc", "base_commit": base, "problem_statement": "sub adds. Mend it.",
        "patch": PATCH, "test_patch": TESTS, "FAIL_TO_PASS": "[\"sub\"]", "PASS_TO_PASS": ["add"], "version": "1"})
}

#[tokio::test]
async fn a_file_is_attempted_and_solved_failed_and_infrastructure_are_told_apart() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let base = cache(dir.path());
    let mut wrong = instance("wrong", &base);
    wrong["patch"] = json!(PATCH.replace("$1 - $2", "$1 * $2"));
    let (mut unknown, mut easy, mut broken) =
        (instance("unknown", &base), instance("easy", &base), instance("broken", &base));
    unknown["repo"] = json!("acme/other");
    easy["FAIL_TO_PASS"] = json!(["add"]);
    broken["PASS_TO_PASS"] = json!(["nowhere"]);
    let lines = [instance("right", &base), wrong, unknown, easy, broken].map(|line| line.to_string()).join("\n");
    let file = dir.path().join("dataset.jsonl");
    fs::write(&file, lines).unwrap();
    let predictions = dir.path().join("predictions.jsonl");
    let options = SweOptions {
        run: options("scripted"),
        repos: dir.path().canonicalize().unwrap(),
        test: "sh test.sh {tests}".to_owned(),
        predictions: Some(predictions.clone()),
    };
    let report = swe(&Instance::all(&file).unwrap(), &options, |_| {}).await.unwrap();
    assert_eq!((report.solved, report.failed, report.infrastructure), (1, 1, 3), "{}", report.table());
    let why = |at: usize| report.tasks[at].reason.as_str();
    assert!(why(2).contains("git clone https://github.com/acme/other"), "{}", why(2));
    assert!(why(3).contains("add passes before anything is done"), "{}", why(3));
    assert!(why(4).contains("do not run here"), "{}", why(4));
    let written = fs::read_to_string(predictions).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written.len(), 5);
    let patch = written[0]["model_patch"].as_str().unwrap();
    assert!(patch.contains("+sub() { echo $(($1 - $2)); }") && patch.contains("+++ b/NEWS"), "{patch}");
    assert!(!patch.contains("later"));
    assert_eq!((written[0]["instance_id"].as_str(), written[2]["model_patch"].as_str()), (Some("right"), Some("")));
}
