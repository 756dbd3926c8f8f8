//! Where things are: file names that no agent name can escape, collide in or overflow.

use std::path::{Path, PathBuf};

use hostel_journal::AgentId;
use sha2::{Digest, Sha256};

use crate::AgentKey;

const READABLE: usize = 40;

/// The directories of one store.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// One directory per namespace, and in it 256 directories by hash.
    pub(crate) fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }

    /// Files that are not finished; emptied on every start.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.root.join("node.db")
    }

    /// The database file of an agent.
    pub(crate) fn database(&self, key: &AgentKey) -> PathBuf {
        self.root.join(relative(key))
    }
}

/// The write-ahead log beside a database file.
pub(crate) fn wal_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    PathBuf::from(path)
}

/// The path of an agent's database below the root. The hash decides; the readable part is for people.
/// ASCII lower case only, so no file system folds two of these names into one.
pub(crate) fn relative(key: &AgentKey) -> String {
    let hash = digest(key);
    // Of a sub-agent its own name is what people look for.
    let own = if key.is_child() { key.name().rsplit(':').next() } else { None };
    let readable = readable(own.unwrap_or(key.name()));
    format!("agents/{}/{}/{readable}-{hash}.db", key.namespace(), &hash[..2])
}

/// The agent's number in the journal: the hash that is also in its file's name.
pub(crate) fn identify(key: &AgentKey) -> AgentId {
    AgentId(u128::from_be_bytes(hash(key)))
}

fn digest(key: &AgentKey) -> String {
    data_encoding::HEXLOWER.encode(&hash(key))
}

fn hash(key: &AgentKey) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(key.namespace());
    hash.update([0]);
    hash.update(key.name());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

fn readable(name: &str) -> String {
    let mut out = String::with_capacity(READABLE);
    for c in name.chars().take(4 * READABLE) {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => out.push(c),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
        if out.len() == READABLE {
            break;
        }
    }
    let trimmed = out.trim_end_matches('-');
    if trimmed.is_empty() { "x".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readable_part_is_ascii_lower_case_and_short() {
        let check = |name: &str, expect: &str| assert_eq!(readable(name), expect, "{name:?}");
        check("default", "default");
        check("My Room #7!", "my-room-7");
        check("../../etc/passwd", "etc-passwd");
        check("Ünï", "n");
        check("", "x");
        check("\0", "x");
        check(&"a".repeat(100), &"a".repeat(40));
    }

    #[test]
    fn a_name_of_64_kb_has_a_short_path() {
        let key = AgentKey::new("n".repeat(64), "é/".repeat(32 * 1024));
        assert!(relative(&key).len() <= 200 - "-wal".len());
    }

    #[test]
    fn namespace_and_name_cannot_be_shifted_against_each_other() {
        let hash = |namespace: &str, name: &str| digest(&AgentKey::new(namespace, name));
        assert_ne!(hash("a", "b"), hash("ab", ""));
    }
}
