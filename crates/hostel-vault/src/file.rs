//! The sealed file: one JSON object whose `sealed` member holds every name and value.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    SecretName, VaultError,
    mask::Known,
    seal::{self, Argon2id, Key, KeyFrom, Sealed},
};

/// The version of the format.
const VERSION: u32 = 1;
/// Greatest file that is read.
const MOST_BYTES: u64 = 64 << 20;

/// What opens a sealed file.
#[non_exhaustive]
#[expect(missing_debug_implementations, reason = "so that a passphrase cannot be printed by mistake")]
pub enum KeySource {
    /// A file of random bytes that nobody else can read.
    File(PathBuf),
    /// A passphrase.
    Passphrase(Zeroizing<String>),
}

/// A sealed file that was opened.
pub(crate) struct SealedFile {
    path: PathBuf,
    from: KeyFrom,
    key: Key,
    /// What the file looked like when it was read.
    seen: Option<Stamp>,
    pub(crate) values: Known,
}

/// Tells whether a file was replaced.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

#[derive(Serialize, Deserialize)]
struct Text {
    hostel_vault: u32,
    key: KeyFrom,
    nonce: String,
    sealed: String,
}

impl SealedFile {
    /// Makes a new one, without secrets; and its key file, if it has one and that is not there.
    pub(crate) fn create(path: &Path, source: &KeySource) -> Result<Self, VaultError> {
        if path.exists() {
            return Err(VaultError::Exists(path.to_owned()));
        }
        let (from, key) = match source {
            KeySource::File(file) => (KeyFrom::KeyFile, read_or_make_key(file)?),
            KeySource::Passphrase(passphrase) => {
                let how = Argon2id::fresh().ok_or_else(|| no_randomness(path))?;
                let key = how.key(passphrase).ok_or_else(|| VaultError::WrongKey(path.to_owned()))?;
                (KeyFrom::Passphrase(how), key)
            }
        };
        let mut file = Self { path: path.to_owned(), from, key, seen: None, values: Known::new() };
        file.save()?;
        Ok(file)
    }

    /// Opens one.
    pub(crate) fn open(path: &Path, source: Option<&KeySource>) -> Result<Self, VaultError> {
        let text = read(path)?;
        let key = match (&text.key, source) {
            (KeyFrom::KeyFile, Some(KeySource::File(file))) => read_key(file)?,
            (KeyFrom::Passphrase(how), Some(KeySource::Passphrase(passphrase))) => {
                how.key(passphrase).ok_or_else(|| VaultError::WrongKey(path.to_owned()))?
            }
            (KeyFrom::KeyFile, _) => {
                let needs = "a key file; name it with key_file in [vault], or with --key-file";
                return Err(VaultError::NoKey { path: path.to_owned(), needs });
            }
            (KeyFrom::Passphrase(_), _) => {
                let needs = "a passphrase; give it in the variable HOSTEL_VAULT_PASSPHRASE, or by hand on a terminal";
                return Err(VaultError::NoKey { path: path.to_owned(), needs });
            }
        };
        let mut file =
            Self { path: path.to_owned(), from: text.key.clone(), key, seen: stamp(path), values: Known::new() };
        file.values = file.unseal(&text)?;
        Ok(file)
    }

    /// Whether a passphrase opens the file at `path`.
    pub(crate) fn needs_passphrase(path: &Path) -> Result<bool, VaultError> {
        read(path).map(|text| matches!(text.key, KeyFrom::Passphrase(_)))
    }

    /// Reads the file again if another process has replaced it. Tells whether it had.
    pub(crate) fn refresh(&mut self) -> Result<bool, VaultError> {
        let now = stamp(&self.path);
        if now.is_some() && now == self.seen {
            return Ok(false);
        }
        let text = read(&self.path)?;
        if text.key != self.from {
            return Err(VaultError::WrongKey(self.path.clone()));
        }
        self.values = self.unseal(&text)?;
        self.seen = now;
        Ok(true)
    }

    /// Changes it, against what other processes do at the same time.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut Known) -> T) -> Result<T, VaultError> {
        let lock = beside(&self.path, "lock");
        let held = options().write(true).create(true).truncate(false).open(&lock);
        let held = held.map_err(|source| VaultError::File { path: lock.clone(), source })?;
        held.lock().map_err(|source| VaultError::File { path: lock, source })?;
        self.refresh()?;
        let done = change(&mut self.values);
        self.save()?;
        Ok(done)
    }

    fn unseal(&self, text: &Text) -> Result<Known, VaultError> {
        let head = head(&text.key);
        let wrong = || VaultError::WrongKey(self.path.clone());
        let nonce = decode(&text.nonce).and_then(|nonce| nonce.try_into().ok()).ok_or_else(wrong)?;
        let sealed = Sealed { nonce, bytes: decode(&text.sealed).ok_or_else(wrong)? };
        let plain = seal::open(&self.key, &head, sealed).ok_or_else(wrong)?;
        let read: BTreeMap<String, Zeroizing<String>> =
            serde_json::from_slice(&plain).map_err(|error| self.format(&error.to_string()))?;
        read.into_iter().map(|(name, value)| Ok((name.parse::<SecretName>()?, value))).collect()
    }

    /// Replaces the file in one step: a crash leaves the old one or the new one.
    fn save(&mut self) -> Result<(), VaultError> {
        let text = self.seal()?;
        let new = beside(&self.path, "new");
        let written = (|| {
            let mut file = options().write(true).create(true).truncate(true).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)?;
            let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        })();
        written.map_err(|source| VaultError::File { path: self.path.clone(), source })?;
        self.seen = stamp(&self.path);
        Ok(())
    }

    fn seal(&self) -> Result<String, VaultError> {
        let values: BTreeMap<String, &str> =
            self.values.iter().map(|(name, value)| (name.to_string(), value.as_str())).collect();
        let plain = Zeroizing::new(serde_json::to_vec(&values).map_err(|error| self.format(&error.to_string()))?);
        let sealed = seal::seal(&self.key, &head(&self.from), plain).ok_or_else(|| no_randomness(&self.path))?;
        let text = Text {
            hostel_vault: VERSION,
            key: self.from.clone(),
            nonce: data_encoding::BASE64.encode(&sealed.nonce),
            sealed: data_encoding::BASE64.encode(&sealed.bytes),
        };
        serde_json::to_string_pretty(&text).map_err(|error| self.format(&error.to_string()))
    }

    fn format(&self, reason: &str) -> VaultError {
        VaultError::Format { path: self.path.clone(), reason: reason.to_owned() }
    }
}

/// What is in the open, as it is sealed against changes.
fn head(from: &KeyFrom) -> Vec<u8> {
    serde_json::to_vec(&(VERSION, from)).unwrap_or_default()
}

fn read(path: &Path) -> Result<Text, VaultError> {
    let text = read_some(path, MOST_BYTES).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => VaultError::Missing(path.to_owned()),
        _ => VaultError::File { path: path.to_owned(), source },
    })?;
    let wrong = |reason: String| VaultError::Format { path: path.to_owned(), reason };
    let text: Text = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if text.hostel_vault != VERSION {
        return Err(wrong(format!("it has version {}", text.hostel_vault)));
    }
    Ok(text)
}

fn read_some(path: &Path, most: u64) -> io::Result<Zeroizing<String>> {
    use io::Read as _;
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

fn read_or_make_key(path: &Path) -> Result<Key, VaultError> {
    let key = Key::new(seal::random().ok_or_else(|| no_randomness(path))?);
    let made = options().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(data_encoding::BASE64.encode(&*key).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    match made {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        Err(source) => Err(VaultError::File { path: path.to_owned(), source }),
    }
}

fn read_key(path: &Path) -> Result<Key, VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    if is_open_to_others(path).map_err(failed)? {
        return Err(VaultError::OpenKey(path.to_owned()));
    }
    let text = read_some(path, 4096).map_err(failed)?;
    let key = decode(text.trim()).and_then(|key| <[u8; 32]>::try_from(key).ok()).map(Key::new);
    key.ok_or_else(|| VaultError::Format { path: path.to_owned(), reason: "expected 32 bytes in base64".to_owned() })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

fn no_randomness(path: &Path) -> VaultError {
    VaultError::File { path: path.to_owned(), source: io::Error::other("the system has no randomness") }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Options under which only the owner can read what is made.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    std::fs::metadata(path).map(|_| false)
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&found);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp { modified: found.modified().ok(), bytes: found.len(), inode })
}
