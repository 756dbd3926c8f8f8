//! Whether a repository's own configuration and directory are harmless.

use std::fs;
use std::path::Path;

use super::Repo;
use crate::{Error, Result};

/// Settings that are plain facts or preferences, or that every command overrides. `*` is any one name.
const HARMLESS: &[&str] = &[
    "core.repositoryformatversion",
    "core.filemode",
    "core.bare",
    "core.logallrefupdates",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.symlinks",
    "core.autocrlf",
    "core.eol",
    "core.safecrlf",
    "core.quotepath",
    "core.abbrev",
    "core.compression",
    "core.bigfilethreshold",
    "core.sharedrepository",
    "core.trustctime",
    "core.checkstat",
    "core.untrackedcache",
    "core.longpaths",
    "core.whitespace",
    "core.commentchar",
    "core.hookspath",
    "core.fsmonitor",
    "core.editor",
    "core.pager",
    "extensions.objectformat",
    "extensions.refstorage",
    "extensions.partialclone",
    "extensions.worktreeconfig",
    "extensions.noop",
    "remote.*.url",
    "remote.*.pushurl",
    "remote.*.fetch",
    "remote.*.push",
    "remote.*.tagopt",
    "remote.*.prune",
    "remote.*.promisor",
    "remote.*.partialclonefilter",
    "branch.*.remote",
    "branch.*.merge",
    "branch.*.rebase",
    "branch.*.pushremote",
    "branch.*.description",
    "branch.autosetuprebase",
    "branch.autosetupmerge",
    "user.name",
    "user.email",
    "pull.rebase",
    "pull.ff",
    "push.default",
    "push.autosetupremote",
    "push.followtags",
    "fetch.prune",
    "fetch.prunetags",
    "init.defaultbranch",
    "merge.conflictstyle",
    "merge.ff",
    "merge.renames",
    "rebase.autosquash",
    "rebase.autostash",
    "diff.algorithm",
    "diff.renames",
    "rerere.enabled",
    "commit.gpgsign",
    "tag.gpgsign",
    "color.*",
    "log.date",
    "gc.auto",
    "gc.autodetach",
    "index.version",
    "maintenance.auto",
    "maintenance.strategy",
    "submodule.active",
    "submodule.*.url",
    "submodule.*.active",
    "lfs.repositoryformatversion",
];

/// Refuses a repository in which git could be led outside, or to run something.
pub(crate) async fn check(repo: &Repo, command: &str) -> Result<()> {
    for dir in [&repo.common, &repo.dir] {
        no_links(dir, command)?;
        for name in ["config", "config.worktree"] {
            let file = dir.join(name);
            if file.is_file() {
                settings(repo, command, &file).await?;
            }
        }
    }
    Ok(())
}

async fn settings(repo: &Repo, command: &str, file: &Path) -> Result<()> {
    let file = file.to_string_lossy();
    let listed = repo.git.command("config").args(["--file", &file, "--no-includes", "--list", "--null", "--name-only"]);
    for name in listed.run().await?.text().split('\0').filter(|name| !name.is_empty()) {
        if !is_harmless(name) {
            let why = format!(
                "the repository's own configuration has `{name}`, which may run programs or lead elsewhere: take it out"
            );
            return Err(Error::Git { command: command.to_owned(), why });
        }
    }
    Ok(())
}

/// Sections and settings have no case; what is between them, a name, may have dots.
fn is_harmless(name: &str) -> bool {
    let Some((section, rest)) = name.split_once('.') else { return false };
    let section = section.to_lowercase();
    let plain = match rest.rsplit_once('.') {
        Some((_, setting)) => format!("{section}.*.{}", setting.to_lowercase()),
        None => format!("{section}.{}", rest.to_lowercase()),
    };
    HARMLESS.contains(&&*plain) || (!plain.contains('*') && HARMLESS.contains(&&*format!("{section}.*")))
}

/// Git writes through links in its directory, so that there must be none.
fn no_links(dir: &Path, command: &str) -> Result<()> {
    let mut left = 20_000;
    for (name, depth) in [("", 0), ("refs", 8), ("logs", 8), ("objects", 0), ("info", 0), ("worktrees", 1)] {
        no_links_in(&dir.join(name), depth, &mut left, command)?;
    }
    Ok(())
}

fn no_links_in(dir: &Path, depth: usize, left: &mut usize, command: &str) -> Result<()> {
    let refused = |why: &str| Err(Error::Git { command: command.to_owned(), why: why.to_owned() });
    let is_link = fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_symlink());
    if is_link {
        return refused("there is a symbolic link in git's own directory: git would follow it outside");
    }
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return refused(
                "there are too many loose files in git's own directory to look through: run `git pack-refs --all`",
            );
        }
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink() {
            return refused("there is a symbolic link in git's own directory: git would follow it outside");
        }
        if kind.is_dir() && depth > 0 {
            no_links_in(&entry.path(), depth - 1, left, command)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn facts_are_harmless_and_whatever_runs_or_leads_is_not() {
        for name in ["core.bare", "remote.origin.url", "branch.a.b.merge", "user.name", "Core.FileMode", "color.ui"] {
            assert!(is_harmless(name), "{name}");
        }
        for name in [
            "core.sshcommand",
            "core.worktree",
            "core.gitproxy",
            "filter.x.clean",
            "filter.x.smudge",
            "diff.x.textconv",
            "diff.external",
            "merge.x.driver",
            "include.path",
            "includeif.gitdir:/.path",
            "url.x.insteadof",
            "alias.x",
            "credential.helper",
            "remote.x.uploadpack",
            "remote.x.receivepack",
            "remote.x.vcs",
            "submodule.x.update",
            "http.proxy",
            "gpg.program",
            "protocol.ext.allow",
            "core.attributesfile",
            "core.askpass",
        ] {
            assert!(!is_harmless(name), "{name}");
        }
    }
}
