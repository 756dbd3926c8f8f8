//! Where paths really lead: what a rule means is meant by every name it has.

use hostel::Cx;
use hostel_workspace::{Error, Kind, ListOptions, Place, Workspace};

use crate::{CoderAgent, workspaces::Workspaces};

/// Where paths lead.
#[derive(Debug, Clone)]
pub(crate) enum Ways {
    /// Nowhere else: there is no workspace, and so there are no links.
    Straight,
    /// Where the links of this workspace lead.
    In(Workspace),
    /// Nobody knows: the workspace is there, and cannot be asked.
    Unknown,
}

/// What cannot be found out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclear;

impl Ways {
    /// In the workspace of this agent. Looks at the disk, as far as opening a directory does.
    pub(crate) fn of(cx: &Cx<CoderAgent>) -> Self {
        let Ok(workspaces) = cx.env::<Workspaces>() else { return Self::Straight };
        match workspaces.there(cx.id()) {
            Ok(workspace) => Self::In(workspace),
            Err(Error::NotFound { .. }) => Self::Straight,
            Err(_) => Self::Unknown,
        }
    }

    /// The other name of what is at `path`, if it has one: every link on the way is followed, the one at the end if it is `opened`.
    pub(super) fn other(&self, path: &str, opened: bool) -> Result<Option<String>, Unclear> {
        let workspace = match self {
            Self::Straight => return Ok(None),
            Self::Unknown => return Err(Unclear),
            Self::In(workspace) => workspace,
        };
        let real = if opened { workspace.real_path(path) } else { workspace.real_entry(path) };
        match real {
            Ok(real) => Ok(Some(real).filter(|real| !is_named(real, path)).map(|real| real.to_string())),
            // Nothing is opened by such a path.
            Err(Error::Outside { .. }) => Ok(None),
            Err(_) => Err(Unclear),
        }
    }

    /// The names of all that is in the directory `path`, from there on; none if it is no directory.
    pub(super) fn inside(&self, path: &str) -> Result<Vec<String>, Unclear> {
        let Self::In(workspace) = self else { return Ok(Vec::new()) };
        match workspace.kind(path) {
            Ok(Kind::Directory) => {}
            Err(Error::Io { .. }) => return Err(Unclear),
            _ => return Ok(Vec::new()),
        }
        let all = ListOptions { depth: usize::MAX, hidden: true, ignored: true };
        let listing = workspace.list(path, &all).map_err(|_| Unclear)?;
        let from = Place::parse(path).map_or(0, |place| place.as_str().len());
        let names = listing.entries.iter().map(|entry| entry.path[from..].trim_start_matches('/').to_owned());
        if listing.more { Err(Unclear) } else { Ok(names.collect()) }
    }
}

fn is_named(place: &Place, path: &str) -> bool {
    Place::parse(path).is_ok_and(|plain| plain == *place)
}
