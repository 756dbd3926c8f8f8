//! Starting it, setting it up, and looking at what was done.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use axum::Router;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    git, http,
    world::{self, Fault, Scope, World, Write},
};

/// A GitHub on a port of this machine. It ends, and its repositories go, when it is dropped.
pub struct FakeGithub {
    world: Arc<Mutex<World>>,
    address: SocketAddr,
    task: JoinHandle<()>,
    _dir: TempDir,
}

impl FakeGithub {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When no port or no directory can be had.
    pub async fn start() -> anyhow::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts one on this address.
    ///
    /// # Errors
    /// As [`FakeGithub::start`].
    pub async fn listen(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let (address, dir) = (listener.local_addr()?, tempfile::tempdir()?);
        let world = Arc::new(Mutex::new(World::new(dir.path().to_owned(), format!("http://{address}"))));
        let router = Router::new().fallback(http::serve).with_state(Arc::clone(&world));
        let task = tokio::spawn(async move {
            // It ends with the process, or when the fake is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { world, address, task, _dir: dir })
    }

    /// `http://127.0.0.1:PORT`: where people look, and git.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://127.0.0.1:PORT/api/v3`, as GitHub Enterprise has it.
    pub fn api_url(&self) -> String {
        format!("{}/api/v3", self.url())
    }

    /// Where `owner/name` is cloned from.
    pub fn clone_url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.url())
    }

    /// A new token of `login`.
    pub fn token(&self, login: &str, scope: Scope) -> String {
        let mut world = self.world.lock();
        let number = world.id();
        // As long as a real one, and of its look.
        let token = format!("ghp_{:0>36}", format!("Fake{login}{number}"));
        world.tokens.insert(token.clone(), (login.to_owned(), scope));
        token
    }

    /// This very token for `login`.
    pub fn accept(&self, token: &str, login: &str, scope: Scope) {
        self.world.lock().tokens.insert(token.to_owned(), (login.to_owned(), scope));
    }

    /// Takes a token back.
    pub fn revoke(&self, token: &str) {
        self.world.lock().tokens.remove(token);
    }

    /// A public repository with one commit of these files, or none.
    ///
    /// # Errors
    /// When `repository` is not `owner/name`, or git fails.
    pub fn repository(&self, repository: &str, files: &[(&str, &str)]) -> anyhow::Result<()> {
        let (owner, name) = repository.split_once('/').context("a repository is owner/name")?;
        let mut world = self.world.lock();
        let made = world.make(owner, name)?;
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), Some(text.as_bytes().to_vec()))).collect();
        if files.is_empty() {
            return Ok(());
        }
        made.commit("main", &files, "Initial commit", &world::author(owner)).map(drop)
    }

    /// A repository with all branches of one on this machine.
    ///
    /// # Errors
    /// As [`FakeGithub::repository`].
    pub fn repository_from(&self, repository: &str, from: &Path) -> anyhow::Result<()> {
        let (owner, name) = repository.split_once('/').context("a repository is owner/name")?;
        self.world.lock().make(owner, name)?.take(from)
    }

    /// Makes a repository private.
    pub fn hide(&self, repository: &str) {
        self.change(repository, |repository| repository.private = true);
    }

    /// The commit a branch is at.
    pub fn branch(&self, repository: &str, branch: &str) -> Option<String> {
        self.change(repository, |repository| git::resolve(&repository.dir, branch)).flatten()
    }

    /// A file as it is on a branch.
    pub fn file(&self, repository: &str, branch: &str, path: &str) -> Option<String> {
        let read = |repository: &mut world::Repository| {
            let bytes = git::run(&repository.dir, &["cat-file", "blob", &format!("refs/heads/{branch}:{path}")], b"");
            bytes.ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        self.change(repository, read).flatten()
    }

    /// Everything that changed something, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.world.lock().writes.clone()
    }

    /// How many writes have this beginning: `POST /repos/ada/engine/pulls`.
    pub fn count(&self, what: &str) -> usize {
        self.world.lock().writes.iter().filter(|write| write.what.starts_with(what)).count()
    }

    /// Every request, in order: `GET /repos/ada/engine`.
    pub fn requests(&self) -> Vec<String> {
        self.world.lock().requests.clone()
    }

    /// Makes the next request of the API fail; several are taken one by one.
    pub fn fail_next(&self, fault: Fault) {
        self.world.lock().faults.push_back(fault);
    }

    fn change<T>(&self, repository: &str, work: impl FnOnce(&mut world::Repository) -> T) -> Option<T> {
        let (owner, name) = repository.split_once('/')?;
        self.world.lock().seen(owner, name, true).map(work)
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for FakeGithub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeGithub").field("address", &self.address).finish_non_exhaustive()
    }
}
