//! `hostel serve` itself, to be asked.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::run::{Ran, hostel, run};

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    pub(crate) async fn start_with(data: &Path, flags: &[&str]) -> Self {
        Self::start_at(0, data, flags).await
    }

    /// A server at a port of its choice, or at that of one before it. One that is to come back takes a [`steady_port`].
    pub(crate) async fn start_at(port: u16, data: &Path, flags: &[&str]) -> Self {
        let (data, listen) = (data.to_str().expect("text"), format!("127.0.0.1:{port}"));
        let mut command = hostel(&[&["serve", "--listen", &listen, "--data", data], flags].concat());
        command.stderr(Stdio::null());
        Self::of(command).await
    }

    /// A server that is started by `command`.
    pub(crate) async fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = lines.next_line().await.expect("text").expect("a banner");
        let port = first.rsplit(':').next().and_then(|port| port.trim().parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {first:?}"));
        // The rest of the banner must have a reader, or the server would find its pipe closed.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn ws(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        run(&[args, &["--url", &self.url()]].concat()).await
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it is running")
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(mut self) -> std::process::ExitStatus {
        self.child.wait().await.expect("it was running")
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().expect("it is running").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill exists");
        assert!(sent.success());
        self.child.wait().await.expect("it ends").code()
    }
}

/// A port that is still free when a server that was killed comes back: no connection is given one below 32768, and each test takes
/// another.
pub(crate) fn steady_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 15_000).expect("below 15,000");
    loop {
        let port = 16_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 15_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
