//! Running the git program: with an environment of our own, a time limit, and an end for all that it started.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command as Process;

use super::{Git, Repo, locks::Midway};
use crate::{Error, Result};

/// A git command that is being put together.
pub(crate) struct Command<'a> {
    git: &'a Git,
    name: String,
    args: Vec<String>,
    repo: Option<&'a Repo>,
    env: Vec<(&'static str, String)>,
    input: Option<Vec<u8>>,
    keep: usize,
    protocols: Option<String>,
    fails_with: &'static [i32],
}

/// What git answered.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) errors: String,
    /// Whether there was more output than is kept.
    pub(crate) cut: bool,
}

impl Output {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn line(&self) -> String {
        self.text().trim_end().to_owned()
    }
}

/// Settings that no repository can change: the command's own come before all others.
const SETTINGS: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("core.editor", "false"),
    ("core.askPass", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.alternateRefsCommand", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.quotePath", "false"),
    ("credential.helper", ""),
    ("credential.interactive", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("push.gpgSign", "false"),
    ("gpg.program", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("push.recurseSubmodules", "no"),
    ("transfer.fsckObjects", "true"),
    ("transfer.credentialsInUrl", "die"),
    ("http.followRedirects", "initial"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.addEmbeddedRepo", "false"),
    ("diff.noprefix", "false"),
    ("diff.mnemonicPrefix", "false"),
    ("safe.directory", "*"),
    ("color.ui", "false"),
];

impl Git {
    pub(crate) fn command(&self, name: &str) -> Command<'_> {
        Command {
            git: self,
            name: name.to_owned(),
            args: Vec::new(),
            repo: None,
            env: Vec::new(),
            input: None,
            keep: self.options.output_bytes,
            protocols: None,
            fails_with: &[],
        }
    }
}

impl<'a> Command<'a> {
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs in this repository.
    pub(crate) fn of(mut self, repo: &'a Repo) -> Self {
        self.repo = Some(repo);
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    pub(crate) fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Keeps up to so much of the output.
    pub(crate) fn keep(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    /// May use these transports, the credentials, and the time for them.
    pub(crate) fn network(mut self, protocols: String) -> Self {
        self.protocols = Some(protocols);
        self
    }

    /// Exit codes besides 0 that are answers.
    pub(crate) fn may_fail_with(mut self, codes: &'static [i32]) -> Self {
        self.fails_with = codes;
        self
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<Output> {
        let limit = self.limit();
        match tokio::time::timeout(limit, self.wait()).await {
            Err(_) => Err(Error::GitTimeout { command: self.name, limit }),
            Ok(Err(error)) => {
                Err(Error::Git { command: self.name, why: format!("the git program does not run: {error}") })
            }
            Ok(Ok(output)) if output.code == 0 || self.fails_with.contains(&output.code) => Ok(output),
            Ok(Ok(output)) => Err(Error::Git { why: said(&output), command: self.name }),
        }
    }

    fn limit(&self) -> Duration {
        let options = &self.git.options;
        if self.protocols.is_some() { options.network_timeout } else { options.timeout }
    }

    async fn wait(&self) -> std::io::Result<Output> {
        let mut child = self.process().spawn()?;
        let (_group, midway) = (Group(child.id()), Midway::new(self.git, self.repo.filter(|_| self.locks())));
        let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let (Some(stdin), Some(text)) = (&mut stdin, &self.input) {
                // A program that does not read its input says so by its exit code.
                let _ = stdin.write_all(text).await;
            }
            drop(stdin.take());
        };
        let keep = self.keep;
        let (status, (bytes, cut), (errors, _), ()) =
            tokio::join!(child.wait(), drain(stdout, keep), drain(stderr, 16 << 10), write);
        let status = status?;
        // One that a signal ended was cut off as well; a confining program says so by its code.
        if status.code().is_some_and(|code| code <= 128) {
            midway.ended();
        }
        let code = status.code().unwrap_or(-1);
        Ok(Output { code, bytes, errors: String::from_utf8_lossy(&errors).into_owned(), cut })
    }

    /// Whether it may lock something.
    fn locks(&self) -> bool {
        !self.env.iter().any(|(name, value)| (*name, &**value) == ("GIT_OPTIONAL_LOCKS", "0"))
    }

    fn process(&self) -> Process {
        let options = &self.git.options;
        let confine = match (&options.confine, self.repo) {
            (Some(confine), Some(repo)) => confine(repo.workspace.path(), &repo.common),
            _ => Vec::new(),
        };
        let mut words = confine.into_iter().chain([options.program.clone().into_os_string()]);
        let mut process = Process::new(words.next().unwrap_or_default());
        process.args(words).arg(&self.name).args(&self.args).env_clear();
        for (name, value) in self.environment() {
            process.env(name, value);
        }
        process.current_dir(self.repo.map_or(Path::new("/"), |repo| repo.workspace.path()));
        process.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        process.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        process
    }

    fn environment(&self) -> Vec<(String, String)> {
        let fixed = [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "false"),
            ("SSH_ASKPASS", "false"),
            ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oForwardAgent=no"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_PAGER", "cat"),
            ("GIT_EDITOR", "false"),
            ("GIT_MERGE_AUTOEDIT", "no"),
            ("GIT_NO_LAZY_FETCH", if self.protocols.is_some() { "0" } else { "1" }),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
        ];
        let mut env: Vec<(String, String)> = fixed.map(|(name, value)| (name.into(), value.into())).into();
        env.push(("GIT_ALLOW_PROTOCOL".into(), self.protocols.clone().unwrap_or_else(|| "none".into())));
        env.extend(["PATH"].into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))));
        let ssh = self.protocols.as_ref().is_some_and(|open| open.split(':').any(|open| open == "ssh"));
        // Only ssh has to find keys at home.
        let home = if ssh { std::env::var("HOME").ok() } else { None };
        env.push(("HOME".into(), home.unwrap_or_else(|| "/nonexistent".into())));
        env.extend(self.places());
        env.extend(self.settings());
        env.extend(self.env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        env
    }

    /// Where the repository is, so that git does not look for it and follows no `.git` file or `commondir`.
    fn places(&self) -> Vec<(String, String)> {
        let Some(repo) = self.repo.filter(|_| self.name != "clone") else { return Vec::new() };
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let author = &self.git.options.author;
        let mut places = vec![
            ("GIT_DIR".to_owned(), path(&repo.dir)),
            ("GIT_COMMON_DIR".to_owned(), path(&repo.common)),
            ("GIT_WORK_TREE".to_owned(), path(repo.workspace.path())),
        ];
        if self.name == "init" {
            // It would write the place of the work tree into the configuration.
            places.truncate(1);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            places.push((format!("GIT_{role}_NAME"), author.name.clone()));
            places.push((format!("GIT_{role}_EMAIL"), author.email.clone()));
        }
        places
    }

    /// Settings as variables: arguments can be seen by everybody on the machine.
    fn settings(&self) -> Vec<(String, String)> {
        let fixed = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut settings: Vec<(String, String)> = fixed.collect();
        if self.protocols.is_some() {
            let headers = &self.git.options.credentials;
            settings.extend(headers.iter().map(|own| (format!("http.{}.extraHeader", own.url), own.header.clone())));
        }
        let mut env = vec![("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string())];
        for (at, (name, value)) in settings.into_iter().enumerate() {
            env.push((format!("GIT_CONFIG_KEY_{at}"), name));
            env.push((format!("GIT_CONFIG_VALUE_{at}"), value));
        }
        env
    }
}

/// Reads all of it and keeps the beginning, so that the writer never waits.
async fn drain(from: Option<impl AsyncRead + Unpin>, keep: usize) -> (Vec<u8>, bool) {
    let Some(mut from) = from else { return (Vec::new(), false) };
    let (mut kept, mut cut, mut piece) = (Vec::new(), false, vec![0; 16 << 10]);
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let room = keep.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(&piece[..room]);
        cut |= room < read;
    }
    (kept, cut)
}

/// What git said went wrong, without what may be secret in an address.
fn said(output: &Output) -> String {
    let text = if output.errors.trim().is_empty() { output.text() } else { output.errors.clone() };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(12).collect();
    let text = lines.join("; ");
    if text.is_empty() { format!("it ended with code {}", output.code) } else { without_passwords(&text) }
}

fn without_passwords(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/'\"".contains(c)).unwrap_or(after.len());
        let host = after[..end].rsplit_once('@').map_or(0, |(user, _)| user.len() + 1);
        rest = &after[host..];
    }
    out.push_str(rest);
    out
}

/// Ends a process and all that it started in its group, when nobody waits for it any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_passwords;

    #[test]
    fn what_stands_before_the_host_of_an_address_is_not_repeated() {
        let text = "unable to access 'https://me:tok@host/x': and ssh://git@h/y";
        assert_eq!(without_passwords(text), "unable to access 'https://host/x': and ssh://h/y");
        assert_eq!(without_passwords("no address"), "no address");
    }
}
