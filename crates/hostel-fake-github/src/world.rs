//! Everything there is: tokens, repositories, issues, and what was done to them.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::Timestamp;

use crate::git::{self, Author};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read, and see what is private.
    Read,
    /// Everything.
    Write,
}

/// Something that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// `POST /repos/ada/engine/pulls`, or `PUSH /ada/engine refs/heads/main`.
    pub what: String,
    /// Who did it.
    pub by: String,
}

/// How a request is made to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The hour's requests are used up; there are more from this second on.
    RateLimit {
        /// Seconds since 1970.
        reset: i64,
    },
    /// Too many at once, with the seconds to wait.
    Secondary {
        /// As GitHub says them.
        retry_after: u64,
    },
    /// This status, with nothing done.
    Status(u16),
    /// It is done, and the answer is lost.
    Lost,
}

pub(crate) struct World {
    pub(crate) root: PathBuf,
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    pub(crate) tokens: BTreeMap<String, (String, Scope)>,
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) writes: Vec<Write>,
    pub(crate) requests: Vec<String>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) last_id: u64,
}

pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) private: bool,
    pub(crate) description: Option<String>,
    pub(crate) default_branch: String,
    pub(crate) created: Timestamp,
    pub(crate) issues: Vec<Issue>,
}

/// An issue, or a pull request, which has a number among them.
pub(crate) struct Issue {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) open: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) assignees: Vec<String>,
    pub(crate) by: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) comments: Vec<Comment>,
    pub(crate) pull: Option<Pull>,
}

pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) body: String,
    pub(crate) by: String,
    pub(crate) created: Timestamp,
}

pub(crate) struct Pull {
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) draft: bool,
}

/// Now, as GitHub tells time: in whole seconds.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

impl World {
    pub(crate) fn new(root: PathBuf, base: String) -> Self {
        Self {
            root,
            base,
            tokens: BTreeMap::new(),
            repositories: BTreeMap::new(),
            writes: Vec::new(),
            requests: Vec::new(),
            faults: VecDeque::new(),
            last_id: 1000,
        }
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Who a token belongs to.
    pub(crate) fn whose(&self, token: &str) -> Option<(String, Scope)> {
        self.tokens.get(token).cloned()
    }

    /// A repository, if it may be seen.
    pub(crate) fn seen(&mut self, owner: &str, name: &str, known: bool) -> Option<&mut Repository> {
        let repository = self.repositories.get_mut(&key(owner, name))?;
        (known || !repository.private).then_some(repository)
    }

    /// Makes an empty repository.
    pub(crate) fn make(&mut self, owner: &str, name: &str) -> anyhow::Result<&mut Repository> {
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        anyhow::ensure!(
            plain(owner) && plain(name) && !name.starts_with('.'),
            "{owner}/{name} is no name of a repository"
        );
        let dir = self.root.join(owner.to_lowercase()).join(format!("{}.git", name.to_lowercase()));
        git::init(&dir, "main")?;
        let made = Repository {
            id: self.id(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            dir,
            private: false,
            description: None,
            default_branch: "main".to_owned(),
            created: now(),
            issues: Vec::new(),
        };
        let place = key(owner, name);
        self.repositories.insert(place.clone(), made);
        self.repositories.get_mut(&place).context("it was just made")
    }
}

/// GitHub's names have no case.
fn key(owner: &str, name: &str) -> String {
    format!("{}/{}", owner.to_lowercase(), name.to_lowercase())
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Commits files to a branch, which is begun at `from` or with this commit.
    pub(crate) fn commit(
        &self,
        branch: &str,
        files: &[(String, Option<Vec<u8>>)],
        message: &str,
        author: &Author,
    ) -> anyhow::Result<String> {
        let head = git::resolve(&self.dir, branch);
        let tree = git::tree(&self.dir, head.as_deref(), files)?;
        let commit = git::commit(&self.dir, &tree, head.as_slice(), message, author)?;
        git::run(&self.dir, &["update-ref", &format!("refs/heads/{branch}"), &commit], b"")?;
        Ok(commit)
    }

    /// Takes over all branches of a repository on this machine.
    pub(crate) fn take(&mut self, from: &Path) -> anyhow::Result<()> {
        let from = from.to_str().context("the directory's name is text")?;
        git::run(
            &self.dir,
            &["fetch", "--quiet", from, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
            b"",
        )?;
        if let Ok(head) = git::line(Path::new(from), &["symbolic-ref", "--short", "HEAD"]) {
            self.default_branch = head;
        } else if let Ok(head) = git::line(&Path::new(from).join(".git"), &["symbolic-ref", "--short", "HEAD"]) {
            self.default_branch = head;
        }
        git::run(&self.dir, &["symbolic-ref", "HEAD", &format!("refs/heads/{}", self.default_branch)], b"").map(drop)
    }

    /// An issue or pull request by its number.
    pub(crate) fn issue(&mut self, number: &str) -> Option<(usize, &mut Issue)> {
        let number: usize = number.parse().ok()?;
        self.issues.get_mut(number.checked_sub(1)?).map(|issue| (number, issue))
    }
}

/// Whoever a login stands for, in a commit.
pub(crate) fn author(login: &str) -> Author {
    Author {
        name: login.to_owned(),
        email: format!("{login}@users.noreply.github.com"),
        date: format!("{} +0000", now().as_second()),
    }
}
