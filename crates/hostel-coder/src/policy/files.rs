//! Files that a call is used on, by every name they have.

use std::cell::OnceCell;

use hostel_sandbox::pattern;
use hostel_workspace::Place;

use super::ways::Ways;

/// Files and directories that a call is used on.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// As the call names them, and as they are named where links on the way lead.
    names: Vec<String>,
    /// Whether nobody knows all of their names.
    is_unclear: bool,
    /// If all that is in them goes along: what that is.
    tree: Option<Tree>,
}

/// What is in a directory that is moved or deleted.
#[derive(Debug, Clone)]
struct Tree {
    from: String,
    ways: Ways,
    /// Names from there on. It is looked at when it is asked for.
    inside: OnceCell<Option<Vec<String>>>,
}

impl Files {
    /// Files that are opened, so that a link stands for what is behind it.
    pub(super) fn opened(paths: &[String], ways: &Ways) -> Self {
        Self::named(paths, ways, true)
    }

    /// What is moved or deleted with all that is in it: the first of them, and where it goes. A link goes by itself.
    pub(super) fn whole(paths: &[String], ways: &Ways) -> Self {
        let from = paths.first().map(|path| plain(path)).unwrap_or_default();
        let tree = Tree { from, ways: ways.clone(), inside: OnceCell::new() };
        Self { tree: Some(tree), ..Self::named(paths, ways, false) }
    }

    fn named(paths: &[String], ways: &Ways, opened: bool) -> Self {
        let paths = paths.iter().map(|path| plain(path));
        let mut files = Self { names: Vec::new(), is_unclear: false, tree: None };
        for path in paths {
            let other = ways.other(&path, opened);
            files.is_unclear |= other.is_err();
            files.add(path);
            other.ok().flatten().into_iter().for_each(|other| files.add(other));
        }
        files
    }

    fn add(&mut self, name: String) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// A pattern that matches them alone; nothing where none does, for several have no one pattern.
    pub(super) fn exactly(&self) -> Option<String> {
        match &self.names[..] {
            [name] if !self.is_unclear => Some(pattern::exactly(name)),
            _ => None,
        }
    }

    /// Whether a pattern covers all of them.
    pub(super) fn are_within(&self, pattern: &str) -> bool {
        !self.is_unclear && !self.names.is_empty() && self.names.iter().all(|name| pattern::matches(pattern, name))
    }

    /// Whether a pattern covers any of them, or of what is in them.
    pub(super) fn touch(&self, pattern: &str) -> bool {
        let is_named = self.is_unclear || self.names.iter().any(|name| pattern::matches(pattern, name));
        is_named || self.tree.as_ref().is_some_and(|tree| self.names.iter().any(|name| tree.touches(pattern, name)))
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        self.names.join(", ")
    }
}

impl Tree {
    /// Whether a pattern means something in the directory that has, or gets, this name. What it says by name counts also if it is not
    /// there: it is kept where it is.
    fn touches(&self, pattern: &str, name: &str) -> bool {
        let (below, beginning) = (format!("{name}/"), pattern::beginning(pattern));
        if name == "." || beginning.starts_with(&below) {
            return true;
        }
        if !pattern::is_open(pattern) || !below.starts_with(&beginning) {
            return false;
        }
        // It may mean anything in there.
        let inside = self.inside.get_or_init(|| self.ways.inside(&self.from).ok());
        inside.as_ref().is_none_or(|all| all.iter().any(|one| pattern::matches(pattern, &format!("{below}{one}"))))
    }
}

/// A path as the workspace takes it. GitHub does not mind slashes around it.
fn plain(path: &str) -> String {
    let place = Place::parse(path).or_else(|_| Place::parse(path.trim_matches('/')));
    place.map_or_else(|_| path.to_owned(), |place| place.to_string())
}
