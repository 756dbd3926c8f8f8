//! Git, on the bare repositories.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// In whose name it is committed, and when.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) email: String,
    /// As git takes it.
    pub(crate) date: String,
}

/// A git command in `repo` that no configuration of this machine changes.
pub(crate) fn command(repo: &Path) -> Command {
    let mut command = Command::new("git");
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("GIT_DIR", repo).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command
}

/// What git says to `args`, given `input`.
pub(crate) fn run(repo: &Path, args: &[&str], input: &[u8]) -> anyhow::Result<Vec<u8>> {
    answered(command(repo).args(args), input).with_context(|| format!("git {}", args.join(" ")))
}

/// One line of it.
pub(crate) fn line(repo: &Path, args: &[&str]) -> anyhow::Result<String> {
    Ok(String::from_utf8_lossy(&run(repo, args, b"")?).trim_end().to_owned())
}

/// Makes a commit.
pub(crate) fn commit(
    repo: &Path,
    tree: &str,
    parents: &[String],
    message: &str,
    author: &Author,
) -> anyhow::Result<String> {
    let mut command = command(repo);
    command.args(["commit-tree", "-F", "-"]);
    for parent in parents {
        command.args(["-p", parent]);
    }
    command.arg(tree);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), &author.name).env(format!("GIT_{role}_EMAIL"), &author.email);
        command.env(format!("GIT_{role}_DATE"), &author.date);
    }
    Ok(String::from_utf8_lossy(&answered(&mut command, message.as_bytes())?).trim_end().to_owned())
}

fn answered(command: &mut Command, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("git has an input")?;
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    // A git that does not read its input says so by how it ends.
    let _ = writing.join();
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// Makes a bare repository.
pub(crate) fn init(repo: &Path, branch: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(repo)?;
    run(repo, &["init", "--quiet", "--bare", "--template=", &format!("--initial-branch={branch}")], b"")?;
    for (name, value) in [("http.receivepack", "true"), ("uploadpack.allowAnySHA1InWant", "true")] {
        run(repo, &["config", name, value], b"")?;
    }
    Ok(())
}

/// The commit a branch, tag or commit stands for.
pub(crate) fn resolve(repo: &Path, revision: &str) -> Option<String> {
    if revision.is_empty() || revision.starts_with('-') {
        return None;
    }
    let names = [format!("refs/heads/{revision}"), format!("refs/tags/{revision}"), revision.to_owned()];
    names.iter().find_map(|name| line(repo, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).ok())
}

/// A tree: that of `base`, with these files instead. No content takes a file out.
pub(crate) fn tree(repo: &Path, base: Option<&str>, files: &[(String, Option<Vec<u8>>)]) -> anyhow::Result<String> {
    let dir = tempfile::tempdir()?;
    let index = dir.path().join("index");
    let with_index =
        |args: &[&str], input: &[u8]| answered(command(repo).env("GIT_INDEX_FILE", &index).args(args), input);
    if let Some(base) = base {
        with_index(&["read-tree", base], b"")?;
    }
    let mut changes = String::new();
    for (path, content) in files {
        changes += &match content {
            Some(content) => {
                let blob = run(repo, &["hash-object", "-w", "--stdin"], content)?;
                format!("100644 {}\t{path}\n", String::from_utf8_lossy(&blob).trim_end())
            }
            None => format!("0 {}\t{path}\n", "0".repeat(40)),
        };
    }
    with_index(&["update-index", "--index-info"], changes.as_bytes())?;
    Ok(String::from_utf8_lossy(&with_index(&["write-tree"], b"")?).trim_end().to_owned())
}

/// Every branch and where it is.
pub(crate) fn branches(repo: &Path) -> Vec<(String, String)> {
    let listed = line(repo, &["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/"]).unwrap_or_default();
    listed.lines().filter_map(|line| line.split_once(' ')).map(|(name, at)| (name.into(), at.into())).collect()
}
