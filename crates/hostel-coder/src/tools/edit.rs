//! Changing what is in files. Whoever is asked sees the diff, which is then what is done.

use hostel::JsonSchema;
use hostel_chat::Tool;
use hostel_workspace::Occurrence;
use serde::Deserialize;

use super::preview::editing;
use crate::CoderAgent;

#[derive(Deserialize, JsonSchema)]
struct Replace {
    /// The file.
    path: String,
    /// The exact text that is there, with enough lines around it to be the only one.
    old: String,
    /// What stands there afterwards.
    new: String,
    /// Whether every such text is replaced.
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Patch {
    /// From `*** Begin Patch` to `*** End Patch`, or as `git diff` writes it.
    patch: String,
}

#[derive(Deserialize, JsonSchema)]
struct Write {
    /// The file. Directories around it are made.
    path: String,
    /// All that is in it afterwards.
    content: String,
}

const PATCH: &str = "Changes several files at once, or none if anything does not fit. The patch is `*** Begin Patch`, then for \
each file `*** Update File: path` with hunks that begin with `@@` (and perhaps a line above the change) and have lines that \
begin with a space, - or +; or `*** Add File: path` with lines that begin with +; or `*** Delete File: path`; then `*** End \
Patch`. A unified diff is understood, too.";

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "Replaces an exact text in a file. It is refused if the text is not there, or there more than once.";
    let replace = editing("replace", about, |workspace, replace: Replace| {
        let which = if replace.all { Occurrence::All } else { Occurrence::Unique };
        workspace.plan_replace(&replace.path, &replace.old, &replace.new, which)
    });
    let about = "Writes a whole file, new or not. To change a part of one, use replace or apply_patch.";
    let write =
        editing("write_file", about, |workspace, write: Write| workspace.plan_write(&write.path, &write.content));
    let patch = editing("apply_patch", PATCH, |workspace, Patch { patch }: Patch| workspace.plan_any_patch(&patch));
    vec![replace, patch, write]
}
