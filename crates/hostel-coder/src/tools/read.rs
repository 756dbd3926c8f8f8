//! Reading files.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_workspace::{Lines, Workspace};
use serde::Deserialize;

use super::{Call, within};
use crate::{CoderAgent, workspaces::said};

/// How many lines are read if nobody says: as many as a model sees of one answer.
const LINES: usize = 300;

#[derive(Deserialize, JsonSchema)]
struct Read {
    /// The file, relative to the workspace.
    path: String,
    /// The first line wanted, from 1.
    #[serde(default)]
    first: Option<usize>,
    /// How many lines; 300 without.
    #[serde(default)]
    count: Option<usize>,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about =
        "Reads lines of a text file, each with its number, and says what follows. What is not text is named only.";
    let read = Tool::new("read_file", about, |cx: Call, read: Read| async move {
        let lines = Lines { first: read.first.unwrap_or(1), count: Some(read.count.unwrap_or(LINES)) };
        numbered(&cx, read.path, lines).await
    });
    let read = read.preview(|cx: Call, Read { path, .. }: Read| async move { would_read(&cx, path).await });
    vec![read.repeatable()]
}

/// The lines of a file with their numbers.
pub(super) async fn numbered(cx: &Call, path: String, lines: Lines) -> Result<String> {
    let call = cx.clone();
    within(cx, move |workspace| {
        call.check_preview(&real(workspace, &path))?;
        Ok(workspace.read(&path, lines).map_err(said)?.numbered())
    })
    .await
}

/// Where a rule asks: the file by the name that it really has.
async fn would_read(cx: &Call, path: String) -> Result<Preview> {
    within(cx, move |workspace| {
        let real = real(workspace, &path);
        Ok(Preview::text(format!("Reads {real}.")).with_fingerprint(real))
    })
    .await
}

fn real(workspace: &Workspace, path: &str) -> String {
    workspace.real_path(path).map_or_else(|_| path.to_owned(), |place| place.to_string())
}
