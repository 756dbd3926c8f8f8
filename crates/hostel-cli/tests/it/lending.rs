//! A real server, and a directory that is lent to its agent by `hostel hands`.

use std::{
    fs,
    io::{BufRead as _, Read as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use super::{
    pty::Pty,
    run::{Ran, hostel},
    server::{Server, steady_port},
};

pub(crate) const CONFIG: &str = r#"
[models.main]
provider = "scripted"
script = """
on run *
  call run_command {"command": "$1"}
then
  say $result
on in * run *
  call run_command {"command": "$2", "directory": "$1"}
then
  say $result
on hello
  say hello
on begin *
  call start_command {"command": "$1"}
then
  say $result
on output *
  call command_output {"id": 1, "from": $1, "wait": 60}
then
  say $result
on type *
  call send_input {"id": 1, "text": "$1\\n"}
then
  say $result
on no more
  call send_input {"id": 1, "end": true}
then
  say $result
on stop
  call stop_command {"id": 1}
then
  say $result
on list
  call list_commands {}
then
  say $result
"""
[coder.commands]
hands_wait = "HANDS_WAIT"
"#;

/// A server, and a directory that is lent to its agent.
pub(crate) struct Scene {
    pub(crate) place: tempfile::TempDir,
    pub(crate) server: Option<Server>,
    pub(crate) port: u16,
}

/// `hostel hands`, and what it says.
pub(crate) struct Hands {
    pub(crate) child: Child,
    pub(crate) notes: Lines<BufReader<ChildStderr>>,
}

impl Scene {
    pub(crate) async fn new(wait: &str) -> Self {
        // Not below /tmp, which is another in the sandbox.
        Self::of(tempfile::tempdir_in("/var/tmp").unwrap(), &CONFIG.replace("HANDS_WAIT", wait)).await
    }

    pub(crate) async fn of(place: tempfile::TempDir, config: &str) -> Self {
        fs::create_dir_all(place.path().join("lent/below")).unwrap();
        std::os::unix::fs::symlink("/etc", place.path().join("lent/out")).unwrap();
        fs::write(place.path().join("hostel.toml"), config).unwrap();
        let mut scene = Self { place, server: None, port: steady_port() };
        scene.serve().await;
        scene
    }

    /// Starts the server, again where it was.
    pub(crate) async fn serve(&mut self) {
        let config = self.path("hostel.toml");
        let flags = ["--config", config.to_str().unwrap()];
        let server = Server::start_at(self.port, &self.path("data"), &flags).await;
        self.port = server.port;
        self.server = Some(server);
    }

    /// Waits until the conversation has this in it.
    pub(crate) async fn tells(&self, text: &str) {
        let told = async { while !self.call("getMessages", &[]).await.stdout.contains(text) {} };
        let told = tokio::time::timeout(Duration::from_secs(60), told).await;
        assert!(told.is_ok(), "no {text:?} in {}", self.call("getMessages", &[]).await.stdout);
    }

    pub(crate) async fn kill_server(&mut self) {
        self.server.take().unwrap().kill().await;
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it takes to lend the directory.
    pub(crate) fn lending<'a>(&self, url: &'a str, lent: &'a Path, flags: &[&'a str]) -> Vec<&'a str> {
        let usual = ["hands", "coder/default", "--url", url, "--directory", lent.to_str().unwrap(), "--name", "desk"];
        [&usual, flags].concat()
    }

    /// Lends the directory.
    pub(crate) async fn hands(&self, flags: &[&str]) -> Hands {
        let set = |command: &mut Command| {
            command.env("HOSTEL_TOKEN", "canary-of-hostel");
        };
        self.hands_of(flags, set).await
    }

    /// The same, by a program that is started a little differently.
    pub(crate) async fn hands_of(&self, flags: &[&str], set: impl FnOnce(&mut Command)) -> Hands {
        let (lent, url) = (self.path("lent"), self.url());
        self.started(hostel(&self.lending(&url, &lent, flags)), set)
    }

    pub(crate) fn started(&self, mut command: Command, set: impl FnOnce(&mut Command)) -> Hands {
        set(command.env("KEPT", "kept").env("SECRET", "canary-of-the-user"));
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let notes = BufReader::new(child.stderr.take().unwrap()).lines();
        Hands { child, notes }
    }

    /// The same, once the agent's commands run there.
    pub(crate) async fn chosen(&self, flags: &[&str]) -> Hands {
        let mut hands = self.hands(&[flags, &["--use"]].concat()).await;
        hands.until("the agent's commands run here").await;
        hands
    }

    /// Says something to the agent, with a yes to what it asks, until it has answered.
    pub(crate) fn chat(&self, text: &str) -> tokio::task::JoinHandle<Ran> {
        let url = self.url();
        let text = text.to_owned();
        tokio::spawn(async move {
            super::run::run(&["chat", "coder/default", "--url", &url, "--approve", "--message", &text]).await
        })
    }

    /// What the agent answers.
    pub(crate) async fn said(&self, text: &str) -> String {
        let ran = self.chat(text).await.unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    }

    pub(crate) async fn call(&self, method: &str, arguments: &[&str]) -> Ran {
        let url = self.url();
        super::run::run(&[&["call", "coder/default", method], arguments, &["--url", &url]].concat()).await
    }

    /// A pipe with a name that a command holds open for as long as it, or something it started, lives.
    pub(crate) fn pipe(&self) -> PathBuf {
        let pipe = self.path("lent/alive");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        pipe
    }
}

impl Hands {
    /// Reads what it says until a line has this.
    pub(crate) async fn until(&mut self, text: &str) {
        let mut seen = Vec::new();
        while let Some(line) = self.notes.next_line().await.unwrap() {
            let is_it = line.contains(text);
            seen.push(line);
            if is_it {
                return;
            }
        }
        panic!("it ended without {text:?}: {seen:#?}");
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A command that holds a pipe open, with all that it started.
pub(crate) struct Alive {
    begun: tokio::sync::oneshot::Receiver<String>,
    gone: tokio::sync::oneshot::Receiver<String>,
}

impl Alive {
    /// Reads the pipe: its first line is told at once, and then its end. If that never comes, nobody waits for the thread.
    pub(crate) fn watch(pipe: PathBuf) -> Self {
        let ((tell, begun), (end, gone)) = (tokio::sync::oneshot::channel(), tokio::sync::oneshot::channel());
        std::thread::spawn(move || {
            let mut pipe = std::io::BufReader::new(fs::File::open(pipe).unwrap());
            let (mut first, mut rest) = (String::new(), String::new());
            pipe.read_line(&mut first).unwrap();
            let _ = tell.send(first);
            pipe.read_to_string(&mut rest).unwrap();
            let _ = end.send(rest);
        });
        Self { begun, gone }
    }

    pub(crate) async fn begun(&mut self) {
        assert_eq!((&mut self.begun).await.unwrap(), "begun\n");
    }

    /// Waits until nobody holds the pipe open: everything that was started is gone.
    pub(crate) async fn gone(self) {
        let rest = tokio::time::timeout(Duration::from_secs(120), self.gone).await.expect("everything ends").unwrap();
        assert_eq!(rest, "");
    }
}

pub(crate) fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Types an answer, again if the question had come too short a time ago for anybody to have read it, and waits for what becomes of it.
pub(crate) async fn decided(terminal: &mut Pty, answer: &str, mut chat: tokio::task::JoinHandle<Ran>) -> String {
    let refusals = |terminal: &Pty| terminal.raw().matches("look again").count();
    loop {
        let before = refusals(terminal);
        terminal.line(answer).await;
        while refusals(terminal) == before {
            tokio::select! {
                ran = &mut chat => return ran.unwrap().stdout,
                () = terminal.more() => {}
            }
        }
    }
}
