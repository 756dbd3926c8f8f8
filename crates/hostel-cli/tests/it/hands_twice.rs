//! Two machines that are lent under one name: each command is done once, on one of them.

use std::{fs, path::PathBuf};

use super::{
    lending::{Alive, CONFIG, Hands, Scene, lines},
    run::{finish, hostel},
};

/// Lends another directory under the name of the first.
fn second(scene: &Scene, token: &str, flags: &[&str]) -> (Hands, PathBuf) {
    let (other, url) = (scene.path("other"), scene.url());
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("work.sh"), "echo elsewhere >> log").unwrap();
    let hands = scene.started(hostel(&scene.lending(&url, &other, flags)), |command| {
        command.env("HOSTEL_TOKEN", token);
    });
    (hands, other)
}

#[tokio::test]
async fn what_runs_when_another_takes_the_place_ends_and_is_not_run_again_there() {
    let scene = Scene::new("60s").await;
    let pipe = scene.pipe();
    fs::write(scene.path("lent/work.sh"), "exec 3> alive; echo begun >> log; echo begun >&3; sleep 9999").unwrap();
    let flags = ["--allow", "sh work.sh", "--allow", "pwd"];
    let mut first = scene.chosen(&flags).await;
    let chat = scene.chat("run sh work.sh");
    first.until("→ sh work.sh").await;
    let mut alive = Alive::watch(pipe);
    alive.begun().await;

    let (mut second, other) = second(&scene, "nobodys", &flags);
    second.until("the agent's commands run here").await;
    first.until("another machine called").await;
    assert_eq!(first.child.wait().await.unwrap().code(), Some(1));
    alive.gone().await;
    let ran = chat.await.unwrap();
    assert!(ran.stdout.contains("desk was started anew") && ran.stdout.contains("was not run again"), "{ran:?}");
    assert_eq!(lines(&scene.path("lent/log")), ["begun"]);
    assert_eq!(lines(&other.join("log")), [""; 0]);
    // What comes next runs on the second.
    let said = scene.said("run pwd").await;
    assert!(said.contains(&other.canonicalize().unwrap().display().to_string()), "{said}");
    second.kill().await;
}

/// A command that waits until it may go on, and notes each step.
const WORK: &str = "echo begun | tee -a log; read line < go; echo done | tee -a log";

#[tokio::test]
async fn somebody_else_is_refused_the_name_and_what_runs_goes_on_and_is_done_once() {
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    let (ann, ann_known) = super::tokens::new_token("ann", &["--operator"]).await;
    let (bob, bob_known) = super::tokens::new_token("bob", &["--operator"]).await;
    let auth = format!("{}\n[auth]\n\n{ann_known}\n{bob_known}\n", CONFIG.replace("HANDS_WAIT", "60s"));
    let scene = Scene::of(place, &auth).await;
    fs::write(scene.path("lent/work.sh"), WORK).unwrap();
    let go = scene.path("lent/go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    let flags = ["--allow", "sh work.sh", "--use"];
    let mut hers = scene
        .hands_of(&flags, |command| {
            command.env("HOSTEL_TOKEN", &ann);
        })
        .await;
    hers.until("the agent's commands run here").await;
    let url = scene.url();
    let mut chat = hostel(&["chat", "coder/default", "--url", &url, "--approve", "--message", "run sh work.sh"]);
    chat.env("HOSTEL_TOKEN", &ann);
    let chat = tokio::spawn(finish(chat, ""));
    hers.until("→ sh work.sh").await;

    let (mut his, other) = second(&scene, &bob, &flags);
    his.until("hands_taken").await;
    assert_eq!(his.child.wait().await.unwrap().code(), Some(1));
    // Whoever writes waits for whoever reads: the command is there.
    tokio::task::spawn_blocking(move || fs::write(go, "on\n")).await.unwrap().unwrap();
    let ran = chat.await.unwrap();
    assert!(ran.stdout.contains("begun\\ndone") && ran.stdout.contains("ended with code 0"), "{ran:?}");
    assert_eq!(lines(&scene.path("lent/log")), ["begun", "done"]);
    assert_eq!(lines(&other.join("log")), [""; 0]);
    hers.kill().await;
}
