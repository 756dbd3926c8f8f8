//! Walking through a workspace: in order, beneath its root at every step, with the rules of `.gitignore` files.

use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, Dir, FileType, OFlags, statat};
use rustix::io::Errno;

use crate::{Error, Kind, Place, Result, Workspace, beneath};

/// What is walked into and what is told.
#[derive(Debug, Clone)]
pub(crate) struct WalkOptions {
    /// Names that begin with a dot, too.
    pub(crate) hidden: bool,
    /// What `.gitignore` and `.ignore` files leave out, too.
    pub(crate) ignored: bool,
    /// Git's own directories, too.
    pub(crate) git: bool,
    /// How many levels; one is the directory's own entries.
    pub(crate) depth: usize,
    /// Whether sizes are wanted.
    pub(crate) stat: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { hidden: true, ignored: false, git: false, depth: DEEPEST, stat: false }
    }
}

/// One thing that was found.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    /// Nothing unless sizes were wanted.
    pub(crate) bytes: u64,
}

/// Deeper is not walked: nobody keeps files there, but a hostile command may.
const DEEPEST: usize = 200;

/// The largest `.gitignore` that is read.
const RULES: u64 = 1 << 20;

/// Tells `visit` of everything below `at`, in the order of names, until it breaks off. Answers whether everything was told.
pub(crate) fn walk(
    workspace: &Workspace,
    at: &Place,
    options: &WalkOptions,
    visit: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<bool> {
    let dir = workspace.dir(at)?;
    let mut walker =
        Walker { workspace, options, visit, rules: Vec::new(), left: workspace.limits().visited, whole: true };
    walker.rules_around(at);
    let _ = walker.enter(at, &dir, 1)?;
    Ok(walker.whole)
}

/// The names in a directory, in order.
pub(crate) fn names(dir: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

struct Walker<'a> {
    workspace: &'a Workspace,
    options: &'a WalkOptions,
    visit: &'a mut dyn FnMut(Item) -> ControlFlow<()>,
    /// The rules of each directory on the way, outermost first, and how much of a path is theirs.
    rules: Vec<(usize, Gitignore)>,
    left: usize,
    whole: bool,
}

impl Walker<'_> {
    fn enter(&mut self, at: &Place, dir: &OwnedFd, depth: usize) -> Result<ControlFlow<()>> {
        let rules = self.rules.len();
        self.add_rules(at);
        let names = names(dir).map_err(|error| Error::of(at.as_str(), error))?;
        for name in names {
            if self.left == 0 {
                self.whole = false;
                return Ok(ControlFlow::Break(()));
            }
            self.left -= 1;
            if self.tell(at, dir, &name, depth)?.is_break() {
                self.whole = false;
                return Ok(ControlFlow::Break(()));
            }
        }
        self.rules.truncate(rules);
        Ok(ControlFlow::Continue(()))
    }

    fn tell(&mut self, at: &Place, dir: &OwnedFd, name: &str, depth: usize) -> Result<ControlFlow<()>> {
        let go_on = Ok(ControlFlow::Continue(()));
        if (name == ".git" && !self.options.git) || (name.starts_with('.') && !self.options.hidden) {
            return go_on;
        }
        // What is gone by now, or has a name that is no text, is not told.
        let Ok(stat) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { return go_on };
        let kind = Kind::of(FileType::from_raw_mode(stat.st_mode));
        let place = at.join(name);
        if !self.options.ignored && self.is_ignored(&place, kind == Kind::Directory) {
            return go_on;
        }
        let bytes = if self.options.stat && kind != Kind::Directory { stat.st_size.unsigned_abs() } else { 0 };
        if (self.visit)(Item { place: place.clone(), kind, bytes }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if kind != Kind::Directory || depth >= self.options.depth {
            self.whole &= kind != Kind::Directory || depth < DEEPEST;
            return go_on;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        match beneath::open(self.workspace.root(), place.as_str(), flags) {
            Ok(inner) => self.enter(&place, &inner, depth + 1),
            Err(_) => go_on,
        }
    }

    fn is_ignored(&self, place: &Place, is_dir: bool) -> bool {
        for (own, rules) in self.rules.iter().rev() {
            match rules.matched(&place.as_str()[*own..], is_dir) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    /// The rules of the directories around `at`, from the workspace down.
    fn rules_around(&mut self, at: &Place) {
        let mut around = Vec::new();
        let mut place = at.clone();
        while let Some((parent, _)) = place.split() {
            around.push(parent.clone());
            place = parent;
        }
        for place in around.iter().rev() {
            self.add_rules(place);
        }
    }

    fn add_rules(&mut self, at: &Place) {
        if self.options.ignored {
            return;
        }
        let mut builder = GitignoreBuilder::new("");
        let exclude = at.is_root().then_some(".git/info/exclude");
        for name in exclude.into_iter().chain([".gitignore", ".ignore"]) {
            for line in self.text_of(&at.join(name)).lines() {
                let _ = builder.add_line(None, line);
            }
        }
        if let Ok(rules) = builder.build()
            && !rules.is_empty()
        {
            let own = if at.is_root() { 0 } else { at.as_str().len() + 1 };
            self.rules.push((own, rules));
        }
    }

    fn text_of(&self, place: &Place) -> String {
        let mut bytes = Vec::new();
        if let Ok((file, _, _)) = self.workspace.file(place) {
            let _ = file.take(RULES).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
