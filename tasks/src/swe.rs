//! Files of tasks in the form of SWE-bench: one JSON object a line, repositories from a directory of this machine.

mod envelope;
mod instance;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use hostel_workspace::{
    Limits, Workspace,
    git::{CloneOptions, DiffOptions, Git, GitOptions, Range, Repo},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

pub use self::instance::Instance;
use crate::{
    bench::{Bench, copy},
    hall::Hall,
    model::Choice,
    report::{Report, Verdict},
    run::Options,
    trial::{Found, Notes, judged},
};

/// How instances are attempted.
#[derive(Debug, Clone)]
pub struct SweOptions {
    /// What is the same for every kind of task.
    pub run: Options,
    /// Where the repositories are: `owner__name` each, as `git clone` makes them.
    pub repos: PathBuf,
    /// The command that runs tests; `{tests}` stands for their names.
    pub test: String,
    /// Where the patches are written: one line of JSON for each instance, as SWE-bench's own tools read them.
    pub predictions: Option<PathBuf>,
}

/// Attempts instances one after the other, and tells each verdict as it comes.
///
/// # Errors
/// When predictions cannot be written.
pub async fn swe(instances: &[Instance], options: &SweOptions, mut tell: impl FnMut(&Verdict)) -> Result<Report> {
    let mut verdicts = Vec::new();
    let mut file = options.predictions.as_ref().map(fs::File::create).transpose()?;
    for instance in instances {
        let mut patch = String::new();
        let kept = &mut patch;
        let attempt = |mut notes: Notes| async move {
            let found = Attempt { instance, options }.made(&mut notes, kept).await;
            (found, notes)
        };
        let verdict = judged(&instance.instance_id, attempt).await;
        if let Some(file) = &mut file {
            let model = options.run.model.name();
            let line = json!({"instance_id": instance.instance_id, "model_name_or_path": model, "model_patch": patch});
            writeln!(file, "{line}")?;
        }
        tell(&verdict);
        verdicts.push(verdict);
    }
    Ok(Report::new(options.run.model.name(), verdicts))
}

struct Attempt<'a> {
    instance: &'a Instance,
    options: &'a SweOptions,
}

impl Attempt<'_> {
    async fn made(&self, notes: &mut Notes, patch: &mut String) -> Result<Found> {
        let run = &self.options.run;
        let place = TempDir::with_prefix_in("hostel-swe-", &run.work).context("there is no place to work")?;
        let bench = Bench::new(run.helper.as_deref(), run.test_time);
        let repo = self.checked_out(&Hall::workspace(place.path())).await?;
        self.decides(&bench, place.path(), &repo).await?;
        let solution = match &run.model {
            Choice::Scripted => envelope::of(&self.instance.patch)?,
            _ => String::new(),
        };
        notes.ask(place.path(), &self.instance.problem_statement, &solution, run).await?;
        *patch = self.difference(&repo).await?;
        let after = self.fresh(&repo, &place.path().join("after")).await?;
        if !patch.is_empty() && apply(&after, patch).await.is_err() {
            return Ok(notes.failed("the patch does not apply"));
        }
        self.with_tests(&after).await?;
        let all = [&self.instance.fail_to_pass[..], &self.instance.pass_to_pass[..]].concat();
        let ran = bench.run(&after, &self.command(&all)).await?;
        Ok(if ran.is_fine { Found::Solved } else { notes.failed(&ran.said) })
    }

    /// The repository as it was, in the agent's workspace.
    async fn checked_out(&self, dir: &Path) -> Result<Repo> {
        let repo = &self.instance.repo;
        let name = repo.replace('/', "__");
        let source = [name.clone(), format!("{name}.git")].map(|name| self.options.repos.join(name));
        let Some(source) = source.into_iter().find(|path| path.exists()) else {
            let path = self.options.repos.join(&name);
            bail!("{repo} is not in the cache: git clone https://github.com/{repo} {}", path.display());
        };
        let git = Git::new(GitOptions { local: vec![self.options.repos.clone()], ..GitOptions::default() });
        let workspace = Workspace::create(dir, Limits::default())?;
        let repo = git.clone_into(&workspace, &source.to_string_lossy(), &CloneOptions::default()).await?;
        let base = &self.instance.base_commit;
        ensure!(repo.commit_id(base).await?.is_some(), "the cache has no commit {base}");
        repo.begin_branch("task", Some(base)).await?;
        Ok(repo)
    }

    /// Tests that already pass, or that cannot be run here, decide nothing.
    async fn decides(&self, bench: &Bench, place: &Path, repo: &Repo) -> Result<()> {
        let before = self.fresh(repo, &place.join("before")).await?;
        self.with_tests(&before).await?;
        for test in &self.instance.fail_to_pass {
            let ran = bench.run(&before, &self.command(std::slice::from_ref(test))).await?;
            ensure!(!ran.is_fine, "{test} passes before anything is done");
        }
        if !self.instance.pass_to_pass.is_empty() {
            let ran = bench.run(&before, &self.command(&self.instance.pass_to_pass)).await?;
            ensure!(ran.is_fine, "tests that should pass before anything is done do not run here: {}", ran.said);
        }
        Ok(())
    }

    /// The files of the base commit, without git.
    async fn fresh(&self, repo: &Repo, dir: &Path) -> Result<PathBuf> {
        let clone = dir.with_extension("clone");
        let workspace = Workspace::create(&clone, Limits::default())?;
        let from = repo.workspace().path();
        let git = Git::new(GitOptions { local: vec![from.to_owned()], ..GitOptions::default() });
        let again = git.clone_into(&workspace, &from.to_string_lossy(), &CloneOptions::default()).await?;
        again.begin_branch("fresh", Some(&self.instance.base_commit)).await?;
        copy(&clone, dir)
    }

    async fn with_tests(&self, dir: &Path) -> Result<()> {
        apply(dir, &self.instance.test_patch).await.context("the test patch does not apply")
    }

    fn command(&self, tests: &[String]) -> String {
        let quoted: Vec<String> = tests.iter().map(|test| format!("'{}'", test.replace('\'', "'\\''"))).collect();
        self.options.test.replace("{tests}", &quoted.join(" "))
    }

    async fn difference(&self, repo: &Repo) -> Result<String> {
        repo.add(&[]).await?;
        let range = Range::Since(self.instance.base_commit.clone());
        let diff = repo.diff(&DiffOptions { range, ..DiffOptions::default() }).await?;
        ensure!(!diff.more, "the patch is too large to be kept");
        Ok(diff.text)
    }
}

/// Applies a unified diff to the files of a directory that is no repository.
async fn apply(dir: &Path, patch: &str) -> Result<()> {
    if patch.trim().is_empty() {
        return Ok(());
    }
    let file = dir.with_extension("patch");
    fs::write(&file, patch)?;
    let mut git = Command::new("git");
    // Without one of these it would look for a repository further up.
    git.env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap_or(dir)).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", dir);
    let output = git.current_dir(dir).args(["apply", "--whitespace=nowarn"]).arg(&file).output().await;
    let output = output.context("git cannot be run")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
