//! What a workspace does, and what it keeps away from.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "it/bundle.rs"]
mod bundle;
#[path = "it/editing.rs"]
mod editing;
#[path = "it/escapes.rs"]
mod escapes;
#[path = "it/git.rs"]
mod git;
#[path = "it/looking.rs"]
mod looking;

use hostel_workspace::{Limits, Workspace};

/// A workspace in a directory that goes with it.
struct Place {
    dir: tempfile::TempDir,
    workspace: Workspace,
}

impl Place {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::create(dir.path().join("w"), limits).unwrap();
        Self { dir, workspace }
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.path().join("w").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.path().join("w").join(path)).unwrap()
    }

    fn exists(&self, path: &str) -> bool {
        self.dir.path().join("w").join(path).symlink_metadata().is_ok()
    }
}
