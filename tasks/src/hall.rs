//! A server with one coding agent, for one attempt.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use hostel::{AgentId, App};
use hostel_chat::model::Models;
use hostel_coder::{CoderAgent, Workspaces};
use hostel_workspace::{
    Limits, Workspace,
    git::{Git, GitOptions, What},
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::sandbox;

/// The agent's name.
pub(crate) const AGENT: &str = "coder-agent/default";

/// A server with one coding agent; it ends when this is dropped.
pub(crate) struct Hall {
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

impl Hall {
    /// Where the agent of a hall in `dir` will work.
    pub(crate) fn workspace(dir: &Path) -> PathBuf {
        Workspaces::new(dir.join("workspaces")).directory_of(&AgentId::new("CoderAgent", "default"))
    }

    /// Starts it in `dir`. What is in the agent's workspace already is there.
    pub(crate) async fn open(dir: &Path, models: Models, helper: Option<&Path>) -> Result<Self> {
        let workspaces = Workspaces::new(dir.join("workspaces")).hide(dir).sandbox(sandbox(helper));
        let app = App::new().agent::<CoderAgent>().env(models).env(workspaces).data(dir.join("data"));
        let home = app.start().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        tokio::spawn(home.serve(listener, stop.clone()));
        Ok(Self { address, _stop: stop.drop_guard() })
    }
}

/// Makes a directory a repository with one commit.
pub(crate) async fn commit(dir: &Path) -> Result<()> {
    let workspace = Workspace::create(dir, Limits::default())?;
    let repo = Git::new(GitOptions::default()).init(&workspace, "main").await?;
    repo.commit("As it is", &What::All).await.map(drop).context("the repository cannot be made")
}
