//! Looking: what changed, how, and what was.

use super::{Repo, branch::check_revision, program::Command};
use crate::{Place, Result};

/// How the work tree stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The branch; nothing if the head is at a commit of its own.
    pub branch: Option<String>,
    /// The commit; nothing before the first.
    pub commit: Option<String>,
    /// The branch elsewhere that is followed.
    pub upstream: Option<String>,
    /// Commits that it has not.
    pub ahead: usize,
    /// Commits that this one has not.
    pub behind: usize,
    /// What is changed.
    pub entries: Vec<StatusEntry>,
    /// Whether there is more than was told.
    pub more: bool,
}

/// One file that is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    /// The file.
    pub path: String,
    /// What it was called before.
    pub from: Option<String>,
    /// The change that is staged, in git's letter: `M`, `A`, `D`, `R`; `?` for a new file, `U` for a conflict, `.` for none.
    pub staged: char,
    /// The change that is not.
    pub unstaged: char,
}

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiffOptions {
    /// What with what.
    pub range: Range,
    /// Only these files and directories; none means all.
    pub paths: Vec<String>,
    /// Without these files.
    pub without: Vec<String>,
    /// Whether only counts of lines are wanted.
    pub stat: bool,
}

/// What with what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Range {
    /// The last commit with the work tree. New files are not in it until they are staged.
    #[default]
    Head,
    /// What is staged with the work tree.
    Unstaged,
    /// The last commit with what is staged.
    Staged,
    /// A commit or snapshot with the work tree.
    Since(String),
    /// Two commits or snapshots.
    Between(String, String),
}

/// A difference as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The unified diff.
    pub text: String,
    /// Whether there is more than was told.
    pub more: bool,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: String,
    /// Those before it.
    pub parents: Vec<String>,
    /// Who made it.
    pub author: String,
    /// Their address.
    pub email: String,
    /// When, in seconds since 1970.
    pub seconds: i64,
    /// The first line of its message.
    pub subject: String,
    /// The rest.
    pub body: String,
}

impl Repo {
    /// How the work tree stands.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn status(&self) -> Result<Status> {
        let args = [
            "--porcelain=v2",
            "--branch",
            "-z",
            "--untracked-files=all",
            "--ignore-submodules=dirty",
            "--find-renames",
        ];
        let output = self.command("status").await?.args(args).env("GIT_OPTIONAL_LOCKS", "0").run().await?;
        let mut status = Status { more: output.cut, ..Status::default() };
        let text = output.text();
        let mut records = text.split('\0');
        while let Some(record) = records.next() {
            if let Some(head) = record.strip_prefix("# ") {
                status.head(head);
            } else if let Some(mut entry) = entry(record) {
                entry.from = record.starts_with("2 ").then(|| records.next().unwrap_or_default().to_owned());
                status.entries.push(entry);
            }
        }
        let limit = self.workspace.limits().entries;
        status.more |= status.entries.len() > limit;
        status.entries.truncate(limit);
        Ok(status)
    }

    /// A difference.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git), also for a revision that is not there.
    pub async fn diff(&self, options: &DiffOptions) -> Result<Diff> {
        let how: &[&str] = if options.stat { &["--find-renames", "--stat=100"] } else { &["--find-renames"] };
        let output = self.differ(options, how).await?.run().await?;
        Ok(Diff { more: output.cut, text: output.text() })
    }

    /// The files that differ, those that are gone included; of one that was renamed both names. Whether there are more than these.
    ///
    /// # Errors
    /// As for [`diff`](Self::diff).
    pub async fn differing(&self, options: &DiffOptions) -> Result<(Vec<String>, bool)> {
        let output = self.differ(options, &["--no-renames", "--name-only", "-z"]).await?.run().await?;
        let text = output.text();
        let mut names: Vec<String> = text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.dedup();
        Ok((names, output.cut))
    }

    async fn differ(&self, options: &DiffOptions, how: &[&str]) -> Result<Command<'_>> {
        let fixed = ["--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty"];
        let command = self.command("diff").await?.args(fixed).args(how.iter().copied()).env("GIT_OPTIONAL_LOCKS", "0");
        let command = match &options.range {
            Range::Head if self.commit_id("HEAD").await?.is_some() => command.arg("HEAD"),
            Range::Head | Range::Staged => command.arg("--cached"),
            Range::Unstaged => command,
            Range::Since(revision) => {
                check_revision(revision)?;
                command.arg(revision)
            }
            Range::Between(old, new) => {
                check_revision(old)?;
                check_revision(new)?;
                command.args([old, new])
            }
        };
        let command = command.arg("--");
        if options.without.is_empty() {
            return Ok(command.args(places(&options.paths)?));
        }
        // Leaving out is one of those meanings of paths that all other commands are kept from.
        let marked = |mark: &'static str| move |path: String| format!(":({mark}){path}");
        let without = places(&options.without)?.into_iter().map(marked("top,literal,exclude"));
        let paths = places(&options.paths)?.into_iter().map(marked("top,literal"));
        Ok(command.env("GIT_LITERAL_PATHSPECS", "0").args(paths).args(without))
    }

    /// The latest `count` commits up to `revision` (or the head), newest first, of all files or of `paths`.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn log(&self, revision: Option<&str>, count: usize, paths: &[String]) -> Result<Vec<Commit>> {
        let revision = revision.unwrap_or("HEAD");
        check_revision(revision)?;
        if revision == "HEAD" && self.commit_id("HEAD").await?.is_none() {
            return Ok(Vec::new());
        }
        let count = format!("--max-count={}", count.min(self.workspace.limits().entries));
        let format = "--format=%H%x00%P%x00%an%x00%ae%x00%at%x00%s%x00%b%x1e";
        let command =
            self.command("log").await?.args([&count, format, "--no-show-signature", "--no-color", revision, "--"]);
        let output = command.args(places(paths)?).run().await?;
        Ok(output.text().split('\x1e').filter_map(commit).collect())
    }

    /// The text of `path` as it was in `revision`, within the bounds of what is kept of an output.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn show(&self, revision: &str, path: &str) -> Result<String> {
        check_revision(revision)?;
        let object = format!("{revision}:{}", Place::parse(path)?.as_str());
        Ok(self.command("cat-file").await?.args(["blob", &object]).run().await?.text())
    }

    /// The commit that `revision` stands for; nothing if it is not there.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn commit_id(&self, revision: &str) -> Result<Option<String>> {
        check_revision(revision)?;
        let object = format!("{revision}^{{commit}}");
        let args = ["--verify", "--quiet", "--end-of-options", &object];
        let output = self.command("rev-parse").await?.args(args).may_fail_with(&[1, 128]).run().await?;
        Ok((output.code == 0).then(|| output.line()))
    }
}

/// Paths as git takes them: relative to the top of the work tree, where it runs.
pub(crate) fn places(paths: &[String]) -> Result<Vec<String>> {
    paths.iter().map(|path| Ok(Place::parse(path)?.to_string())).collect()
}

impl Status {
    fn head(&mut self, head: &str) {
        let Some((name, value)) = head.split_once(' ') else { return };
        match name {
            "branch.head" => self.branch = (value != "(detached)").then(|| value.to_owned()),
            "branch.oid" => self.commit = (value != "(initial)").then(|| value.to_owned()),
            "branch.upstream" => self.upstream = Some(value.to_owned()),
            "branch.ab" => {
                let mut counts = value.split(' ').map(|count| count[1..].parse().unwrap_or(0));
                self.ahead = counts.next().unwrap_or(0);
                self.behind = counts.next().unwrap_or(0);
            }
            _ => {}
        }
    }
}

/// A record of `git status --porcelain=v2`.
fn entry(record: &str) -> Option<StatusEntry> {
    let fields = match record.get(..2)? {
        "1 " => 9,
        "2 " => 10,
        "u " => 11,
        "? " => {
            return Some(StatusEntry { path: record[2..].to_owned(), from: None, staged: '.', unstaged: '?' });
        }
        _ => return None,
    };
    let mut parts = record.splitn(fields, ' ');
    let mut letters = parts.nth(1)?.chars();
    let (staged, unstaged) = (letters.next()?, letters.next()?);
    let path = parts.last()?.to_owned();
    let conflict = fields == 11;
    Some(StatusEntry {
        path,
        from: None,
        staged: if conflict { 'U' } else { staged },
        unstaged: if conflict { 'U' } else { unstaged },
    })
}

fn commit(record: &str) -> Option<Commit> {
    let mut fields = record.trim_start_matches('\n').split('\0');
    let id = fields.next().filter(|id| !id.is_empty())?.to_owned();
    let parents = fields.next()?.split_whitespace().map(str::to_owned).collect();
    let mut next = || fields.next().map(str::to_owned);
    let (author, email, seconds, subject, body) = (next()?, next()?, next()?, next()?, next()?);
    Some(Commit {
        id,
        parents,
        author,
        email,
        seconds: seconds.parse().ok()?,
        subject,
        body: body.trim_end().to_owned(),
    })
}
