//! The process under test.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use hostel_client::{Options, Target, http};
use tokio::process::{Child, Command};

/// Longest time a server may take to come up, recovery included.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    base: String,
}

impl Server {
    /// Starts `program` on a free port and waits until it answers.
    pub(crate) async fn start(program: &Path, data: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let listen = format!("127.0.0.1:{port}");
        let child = Command::new(program)
            .args(["--listen", &listen, "--data"])
            .arg(data.join("data"))
            .stdout(Stdio::null())
            .stderr(log(data)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { child, base: format!("http://{listen}") };
        server.until_healthy(data).await?;
        Ok(server)
    }

    async fn until_healthy(&mut self, data: &Path) -> anyhow::Result<()> {
        let health = Target::parse(&format!("{}/healthz", self.base), &self.base)?;
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}; see {}", log_path(data).display());
            }
            if http::get(&health, &Options::default()).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("the server did not answer within {START_DEADLINE:?}")
    }

    /// The address of a counter.
    pub(crate) fn counter(&self, agent: u64) -> anyhow::Result<Target> {
        Ok(Target::parse(&format!("counter-agent/crash-{agent}"), &self.base)?)
    }

    /// SIGKILL: no handler, no flush, no goodbye.
    pub(crate) async fn kill(&mut self) {
        let _gone_already = self.child.kill().await;
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn log_path(data: &Path) -> PathBuf {
    data.join("server.log")
}

fn log(data: &Path) -> anyhow::Result<std::fs::File> {
    Ok(std::fs::File::options().create(true).append(true).open(log_path(data))?)
}
