//! `hostel hands` with a real server: where commands run, what is allowed there, and what becomes of them when either dies.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Stdio,
};

use tokio::process::Command;

use super::{
    lending::{Alive, CONFIG, Scene, decided, lines},
    pty::Pty,
    run::{finish, hostel},
};

#[tokio::test]
async fn commands_run_where_somebody_has_chosen_and_only_what_is_allowed_there() {
    let scene = Scene::new("1s").await;
    let nobody = scene.call("setHands", &[r#"{"where":"hands"}"#]).await;
    assert!(nobody.code == 1 && nobody.stderr.contains("hands_unknown"), "{nobody:?}");
    let allowed = [
        "--allow",
        "pwd",
        "--allow",
        "env",
        "--allow",
        "sleep *",
        "--allow",
        "cat *",
        "--deny",
        "cat secret*",
        "--env",
        "KEPT",
    ];
    let hands = scene.chosen(&allowed).await;
    let view = scene.call("getHands", &[]).await.stdout;
    for word in [r#""where":"hands""#, r#""name":"desk""#, r#""sandboxed":false"#, r#""pwd""#] {
        assert!(view.contains(word), "{word}: {view}");
    }
    let lent = scene.path("lent").canonicalize().unwrap().display().to_string();
    let said = scene.said("run pwd").await;
    assert!(said.contains(&lent) && said.contains("ended with code 0") && said.contains(r#""on":"desk""#), "{said}");
    let said = scene.said("in below run pwd").await;
    assert!(said.contains("has not allowed it"), "a line alone is for its own directory: {said}");
    let said = scene.said("in below run cat ../x").await;
    assert!(said.contains("ended with code 1"), "{said}");
    let said = scene.said("run env").await;
    assert!(said.contains("KEPT=kept") && said.contains("HOME="), "{said}");
    assert!(!said.contains("canary"), "{said}");
    for (line, why) in [
        ("run touch made", "has not allowed it"),
        ("run cat x; touch made", "has not allowed it"),
        ("run cat secret", "denies"),
        ("in out run cat hosts", "is not a directory below"),
        ("in .. run cat x", "is not below the directory"),
        ("begin touch made", "has not allowed it"),
    ] {
        let said = scene.said(line).await;
        assert!(said.contains(why), "{line}: {said}");
    }
    assert!(!scene.path("lent/made").exists());
    // A machine that is gone is said to be gone, and nothing runs instead of it.
    hands.kill().await;
    while scene.call("getHands", &[]).await.stdout.contains("platform") {}
    let said = scene.said("run pwd").await;
    assert!(said.contains("which is not connected") && said.contains("Nothing was run"), "{said}");
    assert!(scene.call("setHands", &[r#"{"where":"sandbox"}"#]).await.stdout.contains(r#""where":"sandbox""#));
    let said = scene.said("run pwd").await;
    assert!(said.contains("workspaces/"), "{said}");
}

/// A command that says that it has begun, waits until it may go on, and says that it is done; each once.
const WORK: &str = "echo begun | tee -a log; read line < go; echo done | tee -a log; echo finished";

#[tokio::test]
async fn a_command_under_way_outlives_the_server_and_is_told_once() {
    let mut scene = Scene::new("60s").await;
    fs::write(scene.path("lent/work.sh"), WORK).unwrap();
    let go = scene.path("lent/go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    let mut hands = scene.chosen(&["--allow", "sh work.sh"]).await;
    let chat = scene.chat("run sh work.sh");
    hands.until("→ sh work.sh").await;
    scene.kill_server().await;
    hands.until("trying again").await;
    scene.serve().await;
    hands.until("connected again").await;
    // Whoever writes waits for whoever reads: the command is there.
    tokio::task::spawn_blocking(move || fs::write(go, "on\n")).await.unwrap().unwrap();
    let ran = chat.await.unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("begun\\ndone\\nfinished") && ran.stdout.contains("ended with code 0"), "{ran:?}");
    assert_eq!(lines(&scene.path("lent/log")), ["begun", "done"]);
    hands.kill().await;
}

#[tokio::test]
async fn a_command_ends_with_the_machine_that_lent_it_and_is_not_run_again() {
    let scene = Scene::new("60s").await;
    let pipe = scene.pipe();
    fs::write(scene.path("lent/work.sh"), "exec 3> alive; echo begun >> log; echo begun >&3; sleep 9999 & sleep 9999")
        .unwrap();
    let mut hands = scene.chosen(&["--allow", "sh work.sh"]).await;
    let chat = scene.chat("run sh work.sh");
    hands.until("→ sh work.sh").await;
    let mut alive = Alive::watch(pipe);
    alive.begun().await;
    hands.kill().await;
    alive.gone().await;
    let again = scene.chosen(&["--allow", "sh work.sh"]).await;
    let ran = chat.await.unwrap();
    assert!(ran.stdout.contains("desk was started anew") && ran.stdout.contains("was not run again"), "{ran:?}");
    assert_eq!(lines(&scene.path("lent/log")), ["begun"]);
    again.kill().await;
}

#[tokio::test]
async fn the_newest_of_a_name_is_the_one_and_an_answer_that_is_stopped_ends_its_command() {
    let scene = Scene::new("60s").await;
    let mut old = scene.chosen(&[]).await;
    let mut hands = scene.chosen(&["--allow", "sh work.sh"]).await;
    old.until("another machine called").await;
    assert_eq!(old.child.wait().await.unwrap().code(), Some(1));
    let pipe = scene.pipe();
    fs::write(scene.path("lent/work.sh"), "exec 3> alive; echo begun >&3; sleep 9999").unwrap();
    let url = scene.url();
    let mut chat = hostel(&["chat", "coder/default", "--url", &url, "--approve", "--message", "run sh work.sh"]);
    let mut chat = chat.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    hands.until("→ sh work.sh").await;
    let mut alive = Alive::watch(pipe);
    alive.begun().await;
    let stop = std::process::Command::new("kill").args(["-INT", &chat.id().unwrap().to_string()]).status().unwrap();
    assert!(stop.success());
    alive.gone().await;
    hands.until("was cancelled").await;
    assert_eq!(chat.wait().await.unwrap().code(), Some(130));
    hands.kill().await;
}

#[tokio::test]
async fn whoever_is_asked_sees_the_machine_and_a_yes_is_for_it_alone() {
    let scene = Scene::new("60s").await;
    let hands = scene.chosen(&["--allow", "touch made"]).await;
    let policy = r#"{"mode":"auto","rules":[{"tool":"command","pattern":"touch *","action":"allow"}]}"#;
    assert_eq!(scene.call("setPolicy", &[policy]).await.code, 0);
    let url = scene.url();
    let args = ["chat", "coder/default", "--url", &url, "--message", "run touch made"];
    assert_eq!(super::run::run(&args).await.code, 3, "what was allowed for the sandbox is not for it");
    let asked = super::run::run(&["approvals", "coder/default", "--url", &url, "--json"]).await.stdout;
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
    let (id, shown) = (&asked["approvals"][0]["id"], asked["approvals"][0].to_string());
    assert!(shown.contains("ON THE MACHINE") && shown.contains("desk") && shown.contains("lent"), "{asked}");
    assert_eq!(scene.call("setHands", &[r#"{"where":"sandbox"}"#]).await.code, 0);
    let ran = super::run::run(&["approvals", "coder/default", "approve", id.as_str().unwrap(), "--url", &url]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    scene.tells("has changed since this was shown").await;
    assert!(!scene.path("lent/made").exists());
    hands.kill().await;
}

/// A user without any rights, if there are rights to be given up.
const NOBODY: u32 = 65534;

#[tokio::test]
async fn what_runs_here_cannot_read_the_token_of_the_program_that_runs_it() {
    let scene = Scene::new("60s").await;
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    fs::set_permissions(scene.place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(scene.path("lent"), is_root.then_some(NOBODY), is_root.then_some(NOBODY)).unwrap();
    // Root may read everything there is: somebody else lends the machine.
    let as_somebody = |command: &mut Command| {
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.env("HOSTEL_TOKEN", "canary-of-hostel");
    };
    // Where it was built nobody else may be let in.
    let (built, binary) = (Path::new(env!("CARGO_BIN_EXE_hostel")), scene.path("hostel"));
    fs::hard_link(built, &binary).or_else(|_| fs::copy(built, &binary).map(drop)).unwrap();
    let mut command = Command::new(binary);
    let (lent, url) = (scene.path("lent"), scene.url());
    command.args(scene.lending(&url, &lent, &["--use", "--allow", "cat *"])).kill_on_drop(true);
    let mut hands = scene.started(command, as_somebody);
    hands.until("the agent's commands run here").await;
    let own = scene.said("run cat /proc/self/environ").await;
    assert!(own.contains("HOME=") || own.contains("PATH="), "{own}");
    for of in ["environ", "mem", "maps"] {
        let said = scene.said(&format!("run cat /proc/{}/{of}", hands.child.id().unwrap())).await;
        assert!(said.contains("Permission denied") && !said.contains("canary"), "{said}");
    }
    hands.kill().await;
}

#[tokio::test]
async fn somebody_at_the_terminal_is_asked_and_decides() {
    let scene = Scene::new("60s").await;
    let (lent, url) = (scene.path("lent"), scene.url());
    let mut terminal = Pty::start(scene.place.path(), &scene.lending(&url, &lent, &["--use"])).await;
    terminal.sees("the agent's commands run here").await;
    let made = |name: &str| lent.join(name).exists();
    let chat = scene.chat("run touch one");
    let screen = terminal.sees("run it? [y/n/always]").await;
    assert!(screen.contains("touch one") && !made("one"), "{screen}");
    assert!(decided(&mut terminal, "y", chat).await.contains("ended with code 0") && made("one"));
    let chat = scene.chat("run touch two");
    terminal.sees("touch two").await;
    terminal.prompts("run it? [y/n/always]").await;
    let said = decided(&mut terminal, "no, not today", chat).await;
    assert!(said.contains("said no: not today") && !made("two"), "{said}");
    let chat = scene.chat("run touch three");
    terminal.sees("touch three").await;
    terminal.prompts("run it? [y/n/always]").await;
    assert!(decided(&mut terminal, "always", chat).await.contains("ended with code 0") && made("three"));
    fs::remove_file(lent.join("three")).unwrap();
    // Nobody is asked again.
    assert!(scene.said("run touch three").await.contains("ended with code 0") && made("three"));
    terminal.keys("\x03").await;
    let (code, screen) = terminal.left().await;
    assert_eq!(code, Some(0), "{screen}");
}

#[tokio::test]
async fn in_a_sandbox_a_command_sees_the_lent_directory_and_nothing_else_of_whoever_lends_it() {
    let scene = Scene::new("60s").await;
    fs::write(scene.path("secret"), "canary").unwrap();
    fs::write(scene.path("lent/mine"), "of the project").unwrap();
    let hands = scene.chosen(&["--sandbox", "--allow", "cat *", "--allow", "touch *"]).await;
    assert!(scene.call("getHands", &[]).await.stdout.contains(r#""sandboxed":true"#));
    assert!(scene.said("run cat mine").await.contains("of the project"));
    for name in [scene.path("secret").display().to_string(), "../secret".to_owned()] {
        let said = scene.said(&format!("run cat {name}")).await;
        assert!(said.contains("No such file") && !said.contains("canary"), "{said}");
    }
    assert!(scene.said("run touch made").await.contains("ended with code 0"));
    assert!(scene.path("lent/made").exists());
    hands.kill().await;
}

#[tokio::test]
async fn a_command_that_nobody_follows_any_more_is_ended_and_that_is_told_later() {
    let mut scene = Scene::new("60s").await;
    let pipe = scene.pipe();
    fs::write(scene.path("lent/work.sh"), "exec 3> alive; echo begun >> log; echo begun >&3; sleep 9999").unwrap();
    let mut hands = scene.chosen(&["--allow", "sh work.sh", "--grace", "1"]).await;
    let chat = scene.chat("run sh work.sh");
    hands.until("→ sh work.sh").await;
    let mut alive = Alive::watch(pipe);
    alive.begun().await;
    scene.kill_server().await;
    alive.gone().await;
    scene.serve().await;
    hands.until("connected again").await;
    let ran = chat.await.unwrap();
    assert!(ran.code == 0 && ran.stdout.contains("was cancelled"), "{ran:?}");
    assert_eq!(lines(&scene.path("lent/log")), ["begun"]);
    hands.kill().await;
}

#[tokio::test]
async fn another_persons_machine_is_not_used_although_it_has_the_name_that_was_chosen() {
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    let (ann, ann_known) = super::tokens::new_token("ann", &["--operator"]).await;
    let (bob, bob_known) = super::tokens::new_token("bob", &["--operator"]).await;
    let auth = format!("{}\n[auth]\n\n{ann_known}\n{bob_known}\n", CONFIG.replace("HANDS_WAIT", "1s"));
    let scene = Scene::of(place, &auth).await;
    let by = |token: &str| {
        let token = token.to_owned();
        move |command: &mut Command| {
            command.env("HOSTEL_TOKEN", token);
        }
    };
    let as_ann = async |args: &[&str]| {
        let url = scene.url();
        let mut command = hostel(&[args, &["--url", &url]].concat());
        by(&ann)(&mut command);
        finish(command, "").await
    };
    let lend = async |token: &str, flags: &[&str]| {
        scene.hands_of(&[&["--allow", "touch made"], flags].concat(), by(token)).await
    };
    let mut hers = lend(&ann, &["--use"]).await;
    hers.until("the agent's commands run here").await;
    // While hers is there nobody else takes the name.
    let mut his = lend(&bob, &[]).await;
    his.until("hands_taken").await;
    assert_eq!(his.child.wait().await.unwrap().code(), Some(1));
    hers.kill().await;
    while as_ann(&["call", "coder/default", "getHands"]).await.stdout.contains("platform") {}
    let mut his = lend(&bob, &[]).await;
    his.until("desk is lent to").await;
    let ran = as_ann(&["chat", "coder/default", "--approve", "--message", "run touch made"]).await;
    assert!(ran.stdout.contains("is another person's") && ran.stdout.contains("Nothing was run"), "{ran:?}");
    assert!(!scene.path("lent/made").exists());
    his.kill().await;
}
