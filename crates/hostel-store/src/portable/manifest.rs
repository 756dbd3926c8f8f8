//! The first member of an export: whose it is, of which moment, and what follows with its sums.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sums;
use crate::{Error, ErrorKind};

/// The names of the members, in their order. No other name is ever read.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const DATABASE: &str = "agent.db";
pub(super) const HISTORY: &str = "history.hist";

/// Where attachments are, and how their names end.
const ATTACHMENTS: (&str, &str) = ("attachments/", ".tar");
const MOST_ATTACHMENTS: usize = 16;

/// A manifest is never longer.
pub(super) const LONGEST: u64 = 1 << 20;
const FORMAT: &str = "hostel-export";
const VERSION: u32 = 1;

/// What the manifest says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    /// The version of Hostel that wrote it; for people.
    hostel: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// The last turn that is in the database, in the numbers of the node that it comes from; 0 if that is not known.
    pub(super) turn: i64,
    /// When that turn was.
    pub(super) time_ms: i64,
    /// The version of the database's schema.
    pub(super) schema: u32,
    /// The files that follow.
    pub(super) members: Vec<Member>,
    /// Files that belong to the agent and are not in its database, in their order, after the members.
    pub(super) attachments: Vec<Member>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// How many turns a history has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turns: Option<u64>,
}

impl Member {
    pub(super) fn of(name: &str, file: &Path) -> std::io::Result<Self> {
        let (bytes, sha256) = sums::of_file(file)?;
        Ok(Self { path: name.to_owned(), bytes, sha256, turns: None })
    }
}

/// The path of the attachment `name`.
pub(super) fn attachment_path(name: &str) -> String {
    format!("{}{name}{}", ATTACHMENTS.0, ATTACHMENTS.1)
}

/// The name of the attachment at this path: small letters, digits and hyphens.
pub(super) fn attachment(path: &str) -> Option<&str> {
    let name = path.strip_prefix(ATTACHMENTS.0)?.strip_suffix(ATTACHMENTS.1)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=40).contains(&name.len()) && name.bytes().all(plain)).then_some(name)
}

fn shown(path: &str) -> String {
    path.chars().take(60).collect()
}

impl Manifest {
    pub(super) fn new(namespace: &str, name: &str, schema: u32) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            hostel: env!("CARGO_PKG_VERSION").to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            turn: 0,
            time_ms: 0,
            schema,
            members: Vec::new(),
            attachments: Vec::new(),
        }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(self).map_err(|e| Error::new(ErrorKind::Failed, format!("writing a manifest: {e}")))
    }

    /// Reads a manifest and refuses what this version could not take in.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|e| invalid(format!("its manifest cannot be read: {e}")))?;
        if manifest.format != FORMAT {
            return Err(invalid("it is not an export of an agent"));
        }
        if manifest.version != VERSION {
            let version = manifest.version;
            return Err(invalid(format!("it has format {version}, this build knows format {VERSION}")));
        }
        let attached = &manifest.attachments;
        if attached.len() > MOST_ATTACHMENTS {
            return Err(invalid(format!("it lists {} attachments", attached.len())));
        }
        if let Some(odd) = attached.iter().find(|member| attachment(&member.path).is_none()) {
            return Err(invalid(format!("its manifest lists {:?} among the attachments", shown(&odd.path))));
        }
        let names: Vec<&str> = manifest.members.iter().map(|member| &*member.path).collect();
        if names != [DATABASE] && names != [DATABASE, HISTORY] {
            return Err(invalid("its manifest does not list agent.db, then history.hist or nothing"));
        }
        Ok(manifest)
    }
}

/// A file that is not a whole export.
pub(super) fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ExportInvalid, format!("the file cannot be imported: {why}; export the agent again"))
}
