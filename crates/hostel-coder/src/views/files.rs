//! Directories and files, as a tree and a viewer show them.

use hostel::{Code, Cx, Error, JsonSchema, Result};
use hostel_workspace::{Content, Kind, Lines, ListOptions, Place, Workspace};
use serde::{Deserialize, Serialize};

use super::look;
use crate::{CoderAgent, kept_back::KeptBack};

/// The largest picture that is shown, in bytes.
const PICTURE: u64 = 2 << 20;

/// What is in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilesView {
    /// The directory; empty for the whole workspace.
    pub path: String,
    /// Directories first, each sort by name.
    pub entries: Vec<EntryView>,
    /// Whether there is more than was told.
    pub more: bool,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryView {
    /// Its name.
    pub name: String,
    /// Its path in the workspace.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes; 0 for directories.
    pub size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A symbolic link.
    Link,
}

/// Which lines of which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhichLines {
    /// The file.
    pub path: String,
    /// The first line, from 1.
    #[serde(default)]
    pub from: Option<usize>,
    /// How many lines.
    #[serde(default)]
    pub lines: Option<usize>,
}

/// A file, or some of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileView {
    /// The file.
    pub path: String,
    /// The lines; empty if it is not text.
    pub text: String,
    /// The number of the first of them, from 1.
    pub from: usize,
    /// How many lines these are.
    pub lines: usize,
    /// How many the file has; `null` if it was not read to its end.
    pub total: Option<usize>,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is something else than text.
    pub binary: bool,
    /// What it is, if it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// If it is a picture of moderate size: as a data URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// Lists a directory: hidden and ignored files too, git's own not.
pub(crate) async fn list(cx: &Cx<CoderAgent>, path: Option<String>) -> Result<FilesView> {
    let path = path.unwrap_or_default();
    let (asked, options) = (path.clone(), ListOptions { depth: 1, hidden: true, ignored: true });
    let Some((place, listing)) =
        look(cx, move |workspace| Ok((Place::parse(&asked)?, workspace.list(&asked, &options)?))).await?
    else {
        return if path.is_empty() { Ok(FilesView::default()) } else { Err(nothing_yet(&path)) };
    };
    let mut entries: Vec<EntryView> = listing.entries.into_iter().filter_map(entry).collect();
    entries.sort_by(|one, two| {
        (one.kind != EntryKind::Directory, &one.name).cmp(&(two.kind != EntryKind::Directory, &two.name))
    });
    let path = if place.is_root() { String::new() } else { place.to_string() };
    Ok(FilesView { path, entries, more: listing.more })
}

fn entry(entry: hostel_workspace::Entry) -> Option<EntryView> {
    let kind = match entry.kind {
        Kind::Directory => EntryKind::Directory,
        Kind::File => EntryKind::File,
        Kind::Link => EntryKind::Link,
        Kind::Other => return None,
    };
    let name = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
    Some(EntryView { name, path: entry.path, kind, size: entry.bytes })
}

/// Reads lines of a file, within the bounds of an answer.
pub(crate) async fn read(cx: &Cx<CoderAgent>, which: WhichLines) -> Result<FileView> {
    let path = which.path.clone();
    let lines = Lines { first: which.from.unwrap_or(1), count: which.lines };
    let kept = KeptBack::from_people(cx)?;
    let look_at = move |workspace: &Workspace| {
        kept.check(workspace, &path)?;
        shown(workspace, &path, lines)
    };
    look(cx, look_at).await?.ok_or_else(|| nothing_yet(&which.path))
}

fn shown(workspace: &Workspace, path: &str, lines: Lines) -> hostel_workspace::Result<FileView> {
    let page = workspace.read(path, lines)?;
    let view = FileView { path: page.path, size: page.bytes, ..FileView::default() };
    Ok(match page.content {
        Content::Text { text, first, total, .. } => {
            FileView { from: first, lines: text.lines().count(), total, text, ..view }
        }
        Content::Binary { kind } => {
            let image = picture(workspace, path, page.bytes)?;
            FileView { binary: true, about: Some(kind.to_owned()), image, ..view }
        }
    })
}

/// The file as a data URL, if it is a picture that browsers show.
fn picture(workspace: &Workspace, path: &str, size: u64) -> hostel_workspace::Result<Option<String>> {
    if size > PICTURE {
        return Ok(None);
    }
    let bytes = workspace.read_bytes(path, PICTURE)?;
    let url = |media: &str| format!("data:{media};base64,{}", data_encoding::BASE64.encode(&bytes));
    Ok(media_type(&bytes).map(url))
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"RIFF", "image/webp"),
    ];
    let (_, media) = kinds.iter().find(|(mark, _)| bytes.starts_with(mark))?;
    (*media != "image/webp" || bytes.get(8..12) == Some(b"WEBP")).then_some(media)
}

fn nothing_yet(path: &str) -> Error {
    let shown: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
    Error::coded(Code::FileUnknown, format!("There is no {shown:?}: nothing was put into this workspace yet."))
        .with_fix("clone a repository, or have a file written")
}
