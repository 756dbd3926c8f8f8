//! The program `hostel-fake-github`: the same as a process, for tests of processes.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Parser;
use hostel_fake_github::{FakeGithub, Scope};

/// A GitHub on this machine, for tests. It prints one line of JSON with its addresses, and runs until it is ended.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A repository, with the branches of one on this machine: OWNER/NAME=DIRECTORY; without a directory it is empty.
    #[arg(long = "repository", value_name = "OWNER/NAME[=DIR]")]
    repositories: Vec<String>,
    /// A token and whose it is; with :read behind it, it may not write.
    #[arg(long = "token", value_name = "TOKEN=LOGIN[:read]")]
    tokens: Vec<String>,
    /// A repository that only those with a token see.
    #[arg(long, value_name = "OWNER/NAME")]
    private: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let github = FakeGithub::listen(options.listen).await?;
    for token in &options.tokens {
        let (token, login) = token.split_once('=').context("a token is TOKEN=LOGIN")?;
        let read = login.strip_suffix(":read");
        github.accept(token, read.unwrap_or(login), if read.is_some() { Scope::Read } else { Scope::Write });
    }
    for repository in &options.repositories {
        match repository.split_once('=') {
            Some((name, from)) => github.repository_from(name, &absolute(Path::new(from))?)?,
            None => github.repository(repository, &[])?,
        }
    }
    options.private.iter().for_each(|name| github.hide(name));
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::json!({"url": github.url(), "api": github.api_url()}))?;
    out.flush()?;
    std::future::pending().await
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{} cannot be found", path.display()))
}
