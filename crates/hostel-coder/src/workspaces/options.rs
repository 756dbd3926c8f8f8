//! What the operator sets: where may be cloned from, what commands may do, what agents may take.

use std::path::PathBuf;

use hostel_sandbox::Sandbox;
use hostel_workspace::{
    Limits,
    git::{Git, GitOptions},
};

use super::Workspaces;
use crate::{
    Budgets, CommandOptions,
    github::{Access, GithubOptions},
    policy::PolicyDefaults,
};

impl Workspaces {
    /// Keeps `dir` from being seen by commands, with the exception of the workspace a command runs in.
    #[must_use]
    pub fn hide(mut self, dir: impl Into<PathBuf>) -> Self {
        self.hide.push(dir.into());
        self
    }

    /// The hosts from which may be cloned, instead of the four great public ones.
    #[must_use]
    pub fn hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// How git is run, and which directories of this machine may be cloned.
    #[must_use]
    pub fn git(mut self, options: GitOptions) -> Self {
        self.git = Git::new(options);
        self
    }

    /// Another GitHub than the public one, or a token for everybody who has none.
    #[must_use]
    pub fn github(mut self, options: GithubOptions) -> Self {
        self.github = Access::new(options);
        self
    }

    /// Whether the model is told of tools that only have another, older name. They work when they are called in any case.
    #[must_use]
    pub fn old_tools(mut self, offered: bool) -> Self {
        self.old_tools = offered;
        self
    }

    /// Bounds of each workspace.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another sandbox.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// How all agents work unless somebody sets one otherwise, and rules for all of them.
    #[must_use]
    pub fn policy_for_all(mut self, policy: PolicyDefaults) -> Self {
        self.policy = policy;
        self
    }

    /// Where commands cannot be sandboxed, none is run. Without this every single one is asked for, and then runs unprotected.
    #[must_use]
    pub fn only_sandboxed(mut self) -> Self {
        self.commands.only_sandboxed = true;
        self
    }

    /// What commands see, reach and take.
    #[must_use]
    pub fn commands(mut self, options: CommandOptions) -> Self {
        self.commands = options;
        self
    }

    /// What turns and autonomous runs may take at most.
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
    }
}
