//! The process under test.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use hostel_client::{Options, Target, http};
use tokio::process::{Child, Command};

use crate::ledger::Who;

/// Longest time a server may take to come up, recovery included.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// How to start servers: which program, where its data and its log are, and what is armed in all of them.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    /// Further arguments.
    pub(crate) args: Vec<String>,
    /// Fail points in the words of the crate `fail`.
    pub(crate) armed: String,
}

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    base: String,
}

/// What became of a start.
#[derive(Debug)]
pub(crate) enum Started {
    Up(Server),
    /// It ended, or stopped, before it answered.
    Not(Server),
}

impl Plan {
    /// As this plan, with something more armed.
    pub(crate) fn armed(&self, points: &str) -> Self {
        let parts: Vec<&str> = [self.armed.as_str(), points].into_iter().filter(|part| !part.is_empty()).collect();
        Self { armed: parts.join(";"), ..self.clone() }
    }

    /// Starts the program on a free port, and does not wait.
    pub(crate) fn spawn(&self) -> anyhow::Result<Server> {
        let listen = free_address()?.to_string();
        let log = fs::File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.program)
            .args(["--listen", &listen, "--data"])
            .arg(&self.data)
            .args(&self.args)
            .env("FAILPOINTS", &self.armed)
            .env("RUST_LOG", "warn")
            .env("RUST_BACKTRACE", "0")
            .env("RUST_LIB_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Server { child, base: format!("http://{listen}") })
    }

    /// Starts the program and waits until it answers.
    pub(crate) async fn start(&self) -> anyhow::Result<Server> {
        match self.try_start().await? {
            Started::Up(server) => Ok(server),
            Started::Not(_) => bail!("the server ended instead of answering: {}", self.last_words()),
        }
    }

    /// Starts the program; it may end or stop before it answers.
    pub(crate) async fn try_start(&self) -> anyhow::Result<Started> {
        let mut server = self.spawn()?;
        let (health, options) = (server.target("/healthz")?, Options::default());
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            if server.ended()?.is_some() || server.is_stopped() {
                return Ok(Started::Not(server));
            }
            // A server that is stopped in the middle of this would not answer for long.
            let asked = tokio::time::timeout(Duration::from_millis(200), http::get(&health, &options)).await;
            if asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 200)) {
                return Ok(Started::Up(server));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("the server did not answer within {START_DEADLINE:?}: {}", self.last_words())
    }

    /// Whether the program was built with fail points.
    pub(crate) async fn has_points(&self) -> anyhow::Result<bool> {
        let mut server = self.start().await?;
        let answer = http::get(&server.target("/healthz")?, &Options::default()).await?.text() == "points";
        // The next one wants the same directory, which this one holds until it is gone.
        server.kill().await;
        Ok(answer)
    }

    /// Everything that servers have said.
    pub(crate) fn words(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of the log.
    pub(crate) fn last_words(&self) -> String {
        let log = self.words();
        // What is indented is a stack.
        let lines: Vec<&str> = log.lines().rev().filter(|line| !line.starts_with(' ')).take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Server {
    /// The address that makes a fork of an agent, and that of the fork.
    pub(crate) fn fork(&self, at: usize, name: &str) -> anyhow::Result<(Target, Target)> {
        Ok((self.target(&format!("/fork/crash-{at}/{name}"))?, self.forked(name)?))
    }

    /// The address of a fork.
    pub(crate) fn forked(&self, name: &str) -> anyhow::Result<Target> {
        Ok(Target::parse(&format!("ledger-agent/{name}"), &self.base)?)
    }

    fn target(&self, path: &str) -> anyhow::Result<Target> {
        Ok(Target::parse(&format!("{}{path}", self.base), &self.base)?)
    }

    /// The address of an agent.
    pub(crate) fn agent(&self, who: Who) -> anyhow::Result<Target> {
        let path = match who {
            Who::Ledger(at) => format!("ledger-agent/crash-{at}"),
            Who::Note(at) => format!("note-agent/crash-{at}"),
            Who::Talk(at, part) => format!("talk-agent/crash-{at}-{part}"),
        };
        Ok(Target::parse(&path, &self.base)?)
    }

    /// The number of its process, as long as it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it answers.
    pub(crate) async fn is_healthy(&self) -> bool {
        let Ok(health) = self.target("/healthz") else { return false };
        http::get(&health, &Options::default()).await.is_ok_and(|answer| answer.status == 200)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Whether all of it stands still.
    pub(crate) fn is_stopped(&self) -> bool {
        let Some(id) = self.child.id() else { return false };
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// SIGKILL: no handler, no flush, no goodbye.
    pub(crate) async fn kill(&mut self) {
        let _gone_already = self.child.kill().await;
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        let id = self.child.id().context("it has ended already")?;
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        Ok(tokio::time::timeout(START_DEADLINE, self.child.wait()).await.context("it does not end")??)
    }
}

/// A port on a loopback address of this process alone: another harness on the same machine must not get hold of a port in
/// the moment between a server's end and its clients' noticing it.
fn free_address() -> anyhow::Result<SocketAddr> {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 1 + high, middle, low.clamp(1, 254));
    Ok(TcpListener::bind((address, 0))?.local_addr()?)
}
