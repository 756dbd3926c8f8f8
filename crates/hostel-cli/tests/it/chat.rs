//! `hostel chat`: at a terminal, and for scripts.

use std::path::{Path, PathBuf};

use super::pty::Pty;
use super::run::{fed, hostel, run};
use super::server::{Server, steady_port};

const CONFIG: &str = r#"
[models.main]
provider = "scripted"
script = """
on hello
  say Hello from the script.
on edit *
  call write_file {"path": "$1", "content": "one\\ntwo\\n"}
then
  say Written, said the script.
on *
  say You said: $text
"""

[coder.policy]
rules = [{ tool = "edit", pattern = "each/*", action = "ask" }]
"#;

/// A server, and a home for the terminals.
struct Scene {
    server: Server,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        // Not below /tmp, which is another in the sandbox.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        std::fs::write(dir.path().join("hostel.toml"), CONFIG).unwrap();
        let server = Self::serve(dir.path(), steady_port()).await;
        Self { server, dir }
    }

    async fn serve(dir: &Path, port: u16) -> Server {
        let (config, data, listen) = (dir.join("hostel.toml"), dir.join("data"), format!("127.0.0.1:{port}"));
        let [config, data] = [&config, &data].map(|path| path.to_str().unwrap());
        let mut command = hostel(&["serve", "--config", config, "--listen", &listen, "--data", data]);
        command.stderr(std::process::Stdio::null());
        Server::of(command).await
    }

    async fn terminal(&self, agent: &str) -> Pty {
        let mut pty = Pty::start(&self.dir.path().join("home"), &["chat", agent, "--url", &self.server.url()]).await;
        pty.prompts(">").await;
        pty
    }

    /// The file of the agent's workspace.
    fn file(&self, agent: &str, name: &str) -> PathBuf {
        let all = std::fs::read_dir(self.dir.path().join("data/workspaces")).unwrap().flatten();
        let is_its = |found: &std::fs::DirEntry| found.file_name().to_str().unwrap().starts_with(&format!("{agent}-"));
        // What is kept beside a workspace has a longer name.
        all.filter(is_its).map(|found| found.path()).min_by_key(|path| path.as_os_str().len()).unwrap().join(name)
    }
}

#[tokio::test]
async fn an_edit_is_shown_before_it_is_made_and_a_key_allows_it() {
    let scene = Scene::start().await;
    let mut terminal = scene.terminal("coder/edits").await;
    terminal.line("hello").await;
    terminal.sees("Hello from the script.").await;
    terminal.prompts(">").await;
    terminal.line("edit a.txt").await;
    let asked = terminal.prompts("?").await;
    assert!(asked.contains("+one") && asked.contains("write_file asks to run with"), "{asked}");
    assert!(asked.contains("y yes   n no   r no, and why   a always"), "{asked}");
    assert!(terminal.raw().contains("\u{1b}[32m+one"), "what is added is green");
    assert!(!scene.file("edits", "a.txt").exists());
    terminal.keys("y").await;
    terminal.sees("Written, said the script.").await;
    assert_eq!(std::fs::read_to_string(scene.file("edits", "a.txt")).unwrap(), "one\ntwo\n");
    terminal.prompts(">").await;
    terminal.line("edit b.txt").await;
    terminal.prompts("?").await;
    terminal.keys("r").await;
    terminal.prompts("why?").await;
    terminal.line("it is too late").await;
    terminal.sees("denied").await;
    terminal.prompts(">").await;
    assert!(!scene.file("edits", "b.txt").exists());
    terminal.keys("\u{4}").await;
    let (code, end) = terminal.left().await;
    assert_eq!(code, Some(0), "{end}");
}

#[tokio::test]
async fn always_is_neither_offered_nor_taken_where_each_time_is_asked() {
    let scene = Scene::start().await;
    let mut terminal = scene.terminal("coder/each").await;
    terminal.line("edit each/a.txt").await;
    let asked = terminal.prompts("?").await;
    assert!(asked.contains("y yes   n no   r no, and why") && !asked.contains("a always"), "{asked}");
    terminal.keys("a").await;
    terminal.sees("this is asked each time: y or n").await;
    terminal.prompts("?").await;
    assert!(!scene.file("each", "each/a.txt").exists());
    terminal.keys("y").await;
    terminal.sees("Written, said the script.").await;
    assert!(scene.file("each", "each/a.txt").exists());
}

#[tokio::test]
async fn what_a_command_says_comes_as_it_is_said_and_a_key_ends_it() {
    let scene = Scene::start().await;
    let mut terminal = scene.terminal("coder/runs").await;
    terminal.line("/run echo begun; sleep 290; echo over").await;
    terminal.prompts("?").await;
    terminal.keys("y").await;
    terminal.until("begun", |screen| screen.lines().any(|line| line.trim_end() == "begun")).await;
    terminal.keys("\u{3}").await;
    terminal.until("cancelled", |screen| screen.lines().any(|line| line.trim_end() == "cancelled")).await;
    terminal.prompts(">").await;
    terminal.keys("\u{3}").await;
    terminal.sees("Ctrl-D leaves").await;
    terminal.line("/run echo three | tr a-z A-Z").await;
    terminal.prompts("?").await;
    terminal.keys("y").await;
    terminal.sees("THREE").await;
    terminal.prompts(">").await;
}

#[tokio::test]
async fn commands_and_files_are_completed_and_what_was_typed_before_comes_back() {
    let scene = Scene::start().await;
    let mut terminal = scene.terminal("coder/types").await;
    terminal.line("/write notes.md\\").await;
    terminal.line("All is well.").await;
    terminal.prompts("?").await;
    terminal.keys("y").await;
    terminal.sees("added notes.md (+1)").await;
    terminal.prompts(">").await;
    terminal.keys("/stat\t").await;
    terminal.prompts("> /status").await;
    terminal.keys("\u{15}/open no\t").await;
    terminal.prompts("> /open notes.md").await;
    terminal.line("").await;
    terminal.sees("All is well.").await;
    terminal.prompts(">").await;
    terminal.keys("\u{4}").await;
    assert_eq!(terminal.left().await.0, Some(0));
    let mut terminal = scene.terminal("coder/types").await;
    terminal.keys("\u{1b}[A").await;
    terminal.prompts("> /open notes.md").await;
    terminal.keys("\u{15}/help").await;
    terminal.line("").await;
    terminal.sees("/undo").await;
}

#[tokio::test]
async fn two_terminals_see_the_same_and_the_first_answer_counts() {
    let scene = Scene::start().await;
    let (mut one, mut two) = (scene.terminal("coder/both").await, scene.terminal("coder/both").await);
    one.line("edit a.txt").await;
    one.prompts("?").await;
    let asked = two.sees("y yes   n no   r no, and why   a always, and Enter").await;
    assert!(asked.contains("> edit a.txt") && asked.contains("+one"), "{asked}");
    // A letter alone answers nothing where somebody may have been typing.
    two.keys("y").await;
    two.prompts("? y").await;
    assert!(!scene.file("both", "a.txt").exists());
    two.line("").await;
    two.sees("Written, said the script.").await;
    one.sees("it was answered elsewhere").await;
    one.sees("Written, said the script.").await;
    one.prompts(">").await;
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_is_found_again() {
    let Scene { server, dir } = Scene::start().await;
    let port = server.port;
    let scene = Scene { server, dir };
    let mut terminal = scene.terminal("coder/back").await;
    terminal.line("hello").await;
    terminal.sees("Hello from the script.").await;
    terminal.prompts(">").await;
    let Scene { server, dir } = scene;
    server.kill().await;
    terminal.sees("trying again").await;
    terminal.prompts("…").await;
    let _server = Scene::serve(dir.path(), port).await;
    terminal.sees("connected again").await;
    terminal.prompts(">").await;
    terminal.line("here again").await;
    terminal.sees("You said: here again").await;
}

#[tokio::test]
async fn what_is_typed_before_the_prompt_is_shown_leaves_no_prompt_before_what_comes() {
    let scene = Scene::start().await;
    let (home, url) = (scene.dir.path().join("home"), scene.server.url());
    let mut terminal = Pty::start_as("dumb", &home, &["chat", "coder/ahead", "--url", &url]).await;
    // Before it has connected, and before it asks.
    terminal.line("edit a.txt").await;
    let asked = terminal.sees("write_file asks to run with").await;
    assert!(asked.lines().any(|line| line.starts_with("⚙ write_file {")), "{asked}");
    terminal.line("y").await;
    let end = terminal.sees("Written, said the script.").await;
    assert!(end.lines().any(|line| line.starts_with("  → added a.txt")), "{end}");
    assert!(end.lines().any(|line| line.trim_end() == "Written, said the script."), "{end}");
    terminal.keys("\u{4}").await;
    let (code, end) = terminal.left().await;
    assert_eq!(code, Some(0), "{end}");
}

#[tokio::test]
async fn scripts_say_one_thing_hear_the_answer_and_are_told_what_waits() {
    let scene = Scene::start().await;
    let url = scene.server.url();
    let ran = run(&["chat", "coder/script", "--message", "hello", "--url", &url]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, "Hello from the script."), "{ran:?}");
    let ran = fed(&["chat", "coder/script", "--url", &url], "what now\n").await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, "You said: what now"), "{ran:?}");
    let ran = run(&["chat", "coder/script", "--message", "edit a.txt", "--url", &url]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("waiting for a yes: write_file"), "{ran:?}");
    let ran = run(&["chat", "coder/other", "--message", "edit a.txt", "--approve", "--url", &url]).await;
    assert!(ran.code == 0 && ran.stdout.contains("Written, said the script."), "{ran:?}");
    let ran = fed(&["chat", "coder/script", "--url", &url], " \n").await;
    assert_eq!(ran.code, 2, "{ran:?}");
}
