//! Git: what it does, and what a hostile repository cannot make it do.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use hostel_workspace::git::{CloneOptions, DiffOptions, Git, GitOptions, Merged, Push, Range, Transport, What};
use hostel_workspace::{Error, Limits, Workspace};

use crate::Place;

/// Git as a user has it, to set the scene.
fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args([
            "-c",
            "user.name=u",
            "-c",
            "user.email=u@x",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// A bare repository with three commits, beside a workspace.
fn scene() -> (Place, String, Git) {
    let place = Place::new();
    let dir = place.dir.path();
    let work = dir.join("upstream-work");
    std::fs::create_dir(&work).unwrap();
    git(&work, &["init", "-q"]);
    for n in 1..=3 {
        std::fs::write(work.join("file.txt"), format!("version {n}\n")).unwrap();
        git(&work, &["add", "."]);
        git(&work, &["commit", "-qm", &format!("commit {n}")]);
    }
    git(dir, &["clone", "-q", "--bare", "upstream-work", "upstream.git"]);
    let url = dir.join("upstream.git").to_str().unwrap().to_owned();
    let open = Git::new(GitOptions { local: vec![dir.join("upstream.git")], ..GitOptions::default() });
    (place, url, open)
}

#[tokio::test]
async fn a_clone_is_changed_committed_and_pushed() {
    let (place, url, git_) = scene();
    let repo = git_.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    place.write("file.txt", "changed\n");
    place.write("new.txt", "new\n");
    let status = repo.status().await.unwrap();
    assert_eq!(status.branch.as_deref(), Some("main"));
    let entries: Vec<_> = status.entries.iter().map(|entry| (&*entry.path, entry.staged, entry.unstaged)).collect();
    assert_eq!(entries, [("file.txt", '.', 'M'), ("new.txt", '.', '?')]);
    assert!(repo.diff(&DiffOptions::default()).await.unwrap().text.contains("-version 3\n+changed\n"));

    repo.begin_branch("topic/one", None).await.unwrap();
    let commit = repo.commit("A change\n\nWith a body", &What::All).await.unwrap();
    let log = repo.log(None, 10, &[]).await.unwrap();
    assert_eq!((log.len(), &*log[0].id, &*log[0].subject, &*log[0].body), (4, &*commit, "A change", "With a body"));
    let push = Push { remote: "origin".into(), branch: "topic/one".into(), follow: true, with_lease: false };
    repo.push(&push).await.unwrap();
    assert_eq!(git(&place.dir.path().join("upstream.git"), &["rev-parse", "topic/one"]), commit);
    let branches = repo.branches().await.unwrap();
    let topic = branches.iter().find(|branch| branch.current).unwrap();
    assert_eq!((&*topic.name, topic.upstream.as_deref()), ("topic/one", Some("origin/topic/one")));
    // As if the push had arrived, and git had died before it noted that.
    git(place.workspace.path(), &["branch", "--unset-upstream"]);
    git(place.workspace.path(), &["update-ref", "-d", "refs/remotes/origin/topic/one"]);
    repo.follow("origin", "topic/one").await.unwrap();
    assert_eq!(repo.status().await.unwrap().upstream.as_deref(), Some("origin/topic/one"));
    assert!(repo.follow("origin", "nowhere").await.is_err());
    repo.switch("main").await.unwrap();
    assert_eq!(place.text("file.txt"), "version 3\n");
    assert_eq!(repo.show("topic/one", "file.txt").await.unwrap(), "changed\n");
    repo.fetch("origin").await.unwrap();
    let between =
        DiffOptions { range: Range::Between("main".into(), "topic/one".into()), stat: true, ..Default::default() };
    assert!(repo.diff(&between).await.unwrap().text.contains("new.txt"));
    repo.begin_branch("other", Some("main")).await.unwrap();
    place.write("file.txt", "other\n");
    repo.commit("not merged", &What::Paths(vec!["file.txt".into()])).await.unwrap();
    repo.switch("main").await.unwrap();
    assert!(repo.delete_branch("other").await.unwrap_err().to_string().contains("not fully merged"));
}

#[tokio::test]
async fn a_shallow_clone_has_as_many_commits_as_were_wanted() {
    let (place, url, git) = scene();
    let options = CloneOptions { branch: Some("main".into()), depth: Some(1) };
    let repo = git.clone_into(&place.workspace, &url, &options).await.unwrap();
    assert_eq!(repo.log(None, 10, &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_allowed_addresses_are_cloned() {
    let (place, url, _) = scene();
    let git = Git::new(GitOptions::default());
    let long = format!("file://{url}");
    for address in [
        &*url,
        &long,
        "../upstream.git",
        "ext::sh -c id",
        "http://example.test/x",
        "ssh://example.test/x",
        "git@example.test:x",
        "--upload-pack=id",
        "https://user:password@example.test/x",
        "https://-oProxyCommand=id/x",
        "fd::17",
    ] {
        let error = git.clone_into(&place.workspace, address, &CloneOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::Git { .. }), "{address}: {error}");
        assert!(!error.to_string().contains("password@"), "{error}");
    }
    assert!(!place.exists(".git"));
}

#[tokio::test]
async fn a_clone_larger_than_the_workspace_may_be_is_taken_back() {
    let (place, url, git) = scene();
    let small = Workspace::open(place.workspace.path(), Limits { workspace_bytes: 100, ..Limits::default() }).unwrap();
    let error = git.clone_into(&small, &url, &CloneOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(!place.exists(".git") && !place.exists("file.txt"));
}

#[tokio::test]
async fn a_snapshot_has_new_files_and_leaves_branches_and_the_index_alone() {
    let (place, url, git_) = scene();
    let repo = git_.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    place.write(".gitignore", "ignored\n");
    place.write("ignored", "stays\n");
    place.write("staged.txt", "staged\n");
    repo.add(&["staged.txt".into()]).await.unwrap();
    let inside = place.dir.path().join("w");
    let (refs, index) = (git(&inside, &["show-ref", "--heads"]), git(&inside, &["ls-files", "-s"]));
    place.write("sub/new.txt", "untracked\n");
    let snapshot = repo.snapshot("turn-1").await.unwrap();
    assert_eq!((git(&inside, &["show-ref", "--heads"]), git(&inside, &["ls-files", "-s"])), (refs, index.clone()));

    place.write("file.txt", "ruined\n");
    place.write("later.txt", "later\n");
    std::fs::remove_file(inside.join("sub/new.txt")).unwrap();
    let before = repo.restore(&snapshot.tree).await.unwrap();
    assert_eq!((place.text("file.txt"), place.text("sub/new.txt")), ("version 3\n".into(), "untracked\n".into()));
    assert!(!place.exists("later.txt") && place.text("ignored") == "stays\n");
    assert_eq!(git(&inside, &["ls-files", "-s"]), index);
    repo.restore(&before).await.unwrap();
    assert_eq!(place.text("file.txt"), "ruined\n");
    assert!(place.exists("later.txt") && !place.exists("sub/new.txt"));
    assert_eq!(repo.snapshots().await.unwrap(), [("turn-1".to_owned(), snapshot.tree.clone())]);
    let since = DiffOptions { range: Range::Since(snapshot.tree), ..Default::default() };
    assert!(repo.diff(&since).await.unwrap().text.contains("+ruined"));
    repo.forget_snapshot("turn-1").await.unwrap();
    assert!(repo.snapshots().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_workspace_without_git_has_snapshots_in_a_repository_outside() {
    let place = Place::new();
    place.write("a", "1");
    let git = Git::new(GitOptions::default());
    let shadow = git.shadow(&place.workspace, &place.dir.path().join("shadow")).await.unwrap();
    let one = shadow.snapshot("one").await.unwrap();
    place.write("a", "2");
    place.write("b", "2");
    shadow.restore(&one.tree).await.unwrap();
    assert_eq!(place.text("a"), "1");
    assert!(!place.exists("b") && !place.exists(".git"));
    assert!(git.open(&place.workspace).is_err());
}

#[tokio::test]
async fn work_goes_on_side_by_side_in_further_work_trees() {
    let (place, url, git) = scene();
    let repo = git.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    let path = place.dir.path().join("second");
    let second = repo.add_worktree(&path, "side", None).await.unwrap();
    std::fs::write(path.join("file.txt"), "side\n").unwrap();
    second.commit("On the side", &What::All).await.unwrap();
    assert_eq!(place.text("file.txt"), "version 3\n");
    assert_eq!(repo.worktrees().await.unwrap().len(), 2);
    assert_eq!(repo.worktree(&path).unwrap().status().await.unwrap().branch.as_deref(), Some("side"));
    assert!(repo.worktree(place.dir.path()).is_err());
    repo.remove_worktree(&path).await.unwrap();
    assert!(!path.exists());
    assert_eq!(repo.show("side", "file.txt").await.unwrap(), "side\n");
}

#[tokio::test]
async fn a_work_tree_that_was_cut_off_while_it_was_made_is_made_again() {
    let (place, url, git) = scene();
    let repo = git.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    let path = place.dir.path().join("second");
    repo.add_worktree(&path, "side", None).await.unwrap();
    repo.clear_unfinished_worktree(&path, "side").await.unwrap();
    assert!(path.join("file.txt").exists(), "a whole one stays");
    std::fs::write(place.workspace.path().join(".git/worktrees/second/locked"), "initializing").unwrap();
    std::fs::remove_file(path.join("file.txt")).unwrap();
    repo.clear_unfinished_worktree(&path, "side").await.unwrap();
    assert!(!path.exists());
    repo.add_worktree(&path, "side", None).await.unwrap();
    assert_eq!(std::fs::read_to_string(path.join("file.txt")).unwrap(), "version 3\n");
}

/// Locks the index, as a program would that was cut off then, or is at work since then.
fn lock_index(place: &Place, since: SystemTime) -> std::path::PathBuf {
    let lock = place.workspace.path().join(".git/index.lock");
    std::fs::File::create(&lock).unwrap().set_modified(since).unwrap();
    lock
}

#[tokio::test]
async fn what_a_git_program_left_locked_that_was_cut_off_before_the_server_began_is_unlocked() {
    let (place, url, git) = scene();
    git.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    place.write("new.txt", "new\n");
    lock_index(&place, SystemTime::now() - Duration::from_secs(3600));
    let next = Git::new(GitOptions::default()).open(&place.workspace).unwrap();
    next.commit("After the crash", &What::All).await.unwrap();
    assert!(next.status().await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn what_a_git_program_left_locked_that_was_stopped_here_is_unlocked() {
    let (place, url, git) = scene();
    git.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    place.write("new.txt", "new\n");
    let program = place.dir.path().join("stops-once");
    let once = place.dir.path().join("once");
    let script = format!(
        "#!/bin/sh\nif [ $1 = update-index ] && mkdir {}; then : > $GIT_DIR/index.lock; exec sleep 1000; fi\nexec git \"$@\"\n",
        once.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let repo = Git::new(GitOptions { program, ..GitOptions::default() }).open(&place.workspace).unwrap();
    tokio::select! {
        _ = repo.commit("Stopped", &What::All) => panic!("it ended"),
        () = async { while !once.exists() { tokio::task::yield_now().await } } => {}
    }
    repo.commit("Again", &What::All).await.unwrap();
}

#[tokio::test]
async fn what_somebody_has_locked_since_the_server_began_stays_locked() {
    let (place, url, git) = scene();
    let repo = git.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    repo.status().await.unwrap();
    place.write("new.txt", "new\n");
    let lock = lock_index(&place, SystemTime::now());
    assert!(repo.commit("Meanwhile", &What::All).await.is_err());
    assert!(lock.exists());
    std::fs::remove_file(lock).unwrap();
    repo.commit("Afterwards", &What::All).await.unwrap();
}

#[tokio::test]
async fn a_branch_is_merged_or_its_conflicts_are_told_and_nothing_is_changed() {
    let (place, url, git_) = scene();
    let repo = git_.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    let main = repo.status().await.unwrap().branch.unwrap();
    for (branch, file, text) in
        [("one", "one.txt", "one\n"), ("two", "file.txt", "two\n"), ("three", "file.txt", "three\n")]
    {
        repo.switch(&main).await.unwrap();
        repo.begin_branch(branch, None).await.unwrap();
        place.write(file, text);
        repo.commit(branch, &What::All).await.unwrap();
    }
    repo.switch(&main).await.unwrap();
    assert!(matches!(repo.merge("one", "Take one").await.unwrap(), Merged::Done(_)));
    let Merged::Done(head) = repo.merge("two", "Take two").await.unwrap() else { panic!("it goes together") };
    assert_eq!((place.text("one.txt").as_str(), place.text("file.txt").as_str()), ("one\n", "two\n"));
    assert_eq!(repo.log(None, 1, &[]).await.unwrap()[0].subject, "Take two");
    assert_eq!(repo.merge("three", "Take three").await.unwrap(), Merged::Conflicts(vec!["file.txt".to_owned()]));
    assert_eq!((place.text("file.txt").as_str(), repo.commit_id("HEAD").await.unwrap()), ("two\n", Some(head)));
    assert!(repo.status().await.unwrap().entries.is_empty());
    // One that a crash has left half done is given up, and no other.
    let (three, before) = (repo.commit_id("three").await.unwrap().unwrap(), place.text("file.txt"));
    let half = ["merge", "--quiet", &three];
    std::process::Command::new("git").args(half).current_dir(place.dir.path().join("w")).output().unwrap();
    repo.abort_merge(&"0".repeat(40)).await.unwrap();
    assert_ne!(place.text("file.txt"), before);
    repo.abort_merge(&three).await.unwrap();
    assert_eq!((place.text("file.txt"), repo.status().await.unwrap().entries.len()), (before, 0));
    assert!(repo.merge("nowhere", "x").await.is_err() && repo.merge("--abort", "x").await.is_err());
}

/// A repository that wants to run `touch PWNED` by every means git has.
#[tokio::test]
async fn no_hook_filter_or_setting_of_a_repository_is_run() {
    let (place, url, git_) = scene();
    let repo = git_.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    let inside = place.dir.path().join("w");
    let pwned = place.dir.path().join("PWNED");
    let run = format!("touch {}", pwned.display());
    std::fs::create_dir_all(inside.join(".git/hooks")).unwrap();
    for hook in [
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "pre-push",
        "post-index-change",
        "reference-transaction",
    ] {
        let path = inside.join(".git/hooks").join(hook);
        std::fs::write(&path, format!("#!/bin/sh\n{run}\n")).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    place.write("file.txt", "x\n");
    repo.commit("with hooks", &What::All).await.unwrap();
    repo.begin_branch("b", None).await.unwrap();
    let push = Push { remote: "origin".into(), branch: "b".into(), follow: false, with_lease: false };
    repo.push(&push).await.unwrap();
    repo.snapshot("s").await.unwrap();

    // Settings that every command overrides.
    for (name, value) in
        [("core.hooksPath", "hooks"), ("core.fsmonitor", &*run), ("core.editor", &*run), ("core.pager", &*run)]
    {
        git(&inside, &["config", name, value]);
    }
    repo.status().await.unwrap();
    // Settings that make it refused.
    std::fs::write(inside.join(".gitattributes"), "* filter=evil diff=evil merge=evil\n").unwrap();
    for name in [
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
        "diff.external",
        "core.sshCommand",
        "url.x.insteadOf",
        "include.path",
        "core.worktree",
    ] {
        let config = std::fs::read(inside.join(".git/config")).unwrap();
        git(&inside, &["config", name, &run]);
        let error = repo.status().await.unwrap_err().to_string();
        assert!(error.contains(&name.to_lowercase()), "{name}: {error}");
        assert!(repo.diff(&DiffOptions::default()).await.is_err() && repo.add(&[]).await.is_err());
        std::fs::write(inside.join(".git/config"), config).unwrap();
    }
    repo.status().await.unwrap();
    assert!(!pwned.exists(), "something of the repository was run");
}

/// Git would ask a repository within the work tree how it is, by running git in there.
#[tokio::test]
async fn a_repository_within_the_work_tree_runs_nothing() {
    let (place, url, git_) = scene();
    let repo = git_.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    let (pwned, nested) = (place.dir.path().join("PWNED"), place.dir.path().join("w/nested"));
    place.write("evil.sh", format!("#!/bin/sh\ntouch {}\n", pwned.display()));
    let evil = place.dir.path().join("w/evil.sh");
    std::fs::set_permissions(&evil, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.write("nested/a", "a\n");
    git(&nested, &["init", "-q"]);
    git(&nested, &["add", "."]);
    git(&nested, &["commit", "-qm", "x"]);
    // As a submodule of the index, which the user's own git would make of it.
    git(place.workspace.path(), &["-c", "advice.addEmbeddedRepo=false", "add", "nested"]);
    git(&nested, &["config", "core.fsmonitor", evil.to_str().unwrap()]);
    git(&nested, &["config", "filter.x.clean", evil.to_str().unwrap()]);
    place.write("nested/.gitattributes", "* filter=x\n");
    place.write("nested/a", "changed\n");
    place.write("file.txt", "changed\n");

    repo.status().await.unwrap();
    repo.diff(&DiffOptions::default()).await.unwrap();
    let snapshot = repo.snapshot("one").await.unwrap();
    repo.commit("all", &What::All).await.unwrap();
    place.write("nested/a", "again\n");
    place.write("file.txt", "again\n");
    repo.snapshot("two").await.unwrap();
    repo.restore(&snapshot.tree).await.unwrap();
    repo.begin_branch("b", None).await.unwrap();
    repo.commit("more", &What::Paths(vec!["file.txt".into()])).await.unwrap_err();
    repo.switch("main").await.unwrap();
    repo.discard(&[".".into()]).await.unwrap();
    assert!(!pwned.exists(), "something of the nested repository was run");
    git(&nested, &["status"]);
    assert!(pwned.exists(), "the trap works");
}

#[tokio::test]
async fn git_does_not_follow_what_points_out_of_its_directory() {
    let (place, url, git_) = scene();
    let repo = git_.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    let inside = place.dir.path().join("w");
    let evil = place.dir.path().join("evil");
    std::fs::create_dir_all(evil.join("refs/heads")).unwrap();

    std::fs::write(inside.join(".git/commondir"), evil.to_str().unwrap()).unwrap();
    std::fs::write(evil.join("config"), "[core]\n\tsshCommand = x\n").unwrap();
    repo.status().await.unwrap();
    std::fs::remove_file(inside.join(".git/commondir")).unwrap();

    std::fs::remove_dir_all(inside.join(".git/refs/heads")).unwrap();
    std::os::unix::fs::symlink(evil.join("refs/heads"), inside.join(".git/refs/heads")).unwrap();
    assert!(repo.begin_branch("x", None).await.unwrap_err().to_string().contains("symbolic link"));
    assert_eq!(std::fs::read_dir(evil.join("refs/heads")).unwrap().count(), 0);

    std::fs::rename(inside.join(".git"), inside.join("real")).unwrap();
    std::fs::write(inside.join(".git"), format!("gitdir: {}", evil.display())).unwrap();
    assert!(git_.open(&place.workspace).unwrap_err().to_string().contains("not a directory"));
    std::fs::remove_file(inside.join(".git")).unwrap();
    std::os::unix::fs::symlink(&evil, inside.join(".git")).unwrap();
    assert!(git_.open(&place.workspace).is_err());
}

#[tokio::test]
async fn names_and_paths_are_never_options() {
    let (place, url, git) = scene();
    let repo = git.clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap();
    assert!(repo.begin_branch("--orphan", None).await.is_err());
    assert!(repo.switch("-").await.is_err());
    assert!(repo.fetch("--upload-pack=touch x").await.is_err());
    assert!(repo.snapshot("../heads/main").await.is_err());
    assert!(repo.restore("--index-output=x").await.is_err());
    assert!(repo.log(Some("--output=x"), 1, &[]).await.is_err());
    assert!(repo.diff(&DiffOptions { paths: vec!["../x".into()], ..Default::default() }).await.is_err());
    place.write(":(glob)**", "x\n");
    repo.commit("a strange name", &What::Paths(vec![":(glob)**".into()])).await.unwrap();
    assert_eq!(repo.log(None, 1, &[":(glob)**".into()]).await.unwrap()[0].subject, "a strange name");
}

/// The server answers nothing: the time limit ends the clone and everything it started.
#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let options = GitOptions {
        transports: vec![Transport::Http],
        network_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    let place = Place::new();
    let error = Git::new(options).clone_into(&place.workspace, &url, &CloneOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::GitTimeout { .. }), "{error}");
    assert!(!place.exists(".git"));
}
