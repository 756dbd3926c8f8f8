//! Sealing of what MCP servers gave us: nobody reads it in a database, its history or an export.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    sync::OnceLock,
};

use hostel_core::{Error, Result};
use hostel_protocol::refusal::Code;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};

const KEY_LEN: usize = 32;

/// Seals under a key of this node. The key is made when something is sealed first.
pub(super) struct Sealer {
    /// Where the key is kept; without it, it ends with the process.
    file: Option<PathBuf>,
    key: OnceLock<LessSafeKey>,
}

impl Sealer {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, key: OnceLock::new() }
    }

    /// Seals `plain`; `beside` must be the same when it is opened.
    pub(super) fn seal(&self, beside: &str, plain: Vec<u8>) -> Result<Vec<u8>> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = plain;
        let with = Nonce::assume_unique_for_key(nonce);
        let done = self.key()?.seal_in_place_append_tag(with, Aad::from(beside.as_bytes()), &mut sealed);
        done.map_err(|_| broken("it could not be sealed"))?;
        sealed.extend_from_slice(&nonce);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] made; `None` if it was sealed elsewhere, for somebody else, or changed.
    pub(super) fn open(&self, beside: &str, mut sealed: Vec<u8>) -> Result<Option<Vec<u8>>> {
        let Some(at) = sealed.len().checked_sub(NONCE_LEN) else { return Ok(None) };
        let nonce = sealed.split_off(at);
        let Ok(nonce) = Nonce::try_assume_unique_for_key(&nonce) else { return Ok(None) };
        let opened = self.key()?.open_in_place(nonce, Aad::from(beside.as_bytes()), &mut sealed);
        Ok(opened.ok().map(|plain| plain.to_vec()))
    }

    fn key(&self) -> Result<&LessSafeKey> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let bytes = match &self.file {
            Some(file) => kept(file).map_err(|error| broken(&format!("{}: {error}", file.display())))?,
            None => random()?,
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| broken("there is no key"))?;
        Ok(self.key.get_or_init(|| LessSafeKey::new(key)))
    }
}

/// The key in the file; the first who asks makes it.
fn kept(file: &PathBuf) -> io::Result<[u8; KEY_LEN]> {
    let read = || -> io::Result<[u8; KEY_LEN]> {
        let bytes = fs::read(file)?;
        bytes.try_into().map_err(|_| io::Error::other("the file is no key of 32 bytes; remove it, and sign in again"))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let key = random::<KEY_LEN>().map_err(|_| io::Error::other("the system has no randomness"))?;
    // Whole or not at all, and never over another's: a link does not replace.
    let unfinished = file.with_extension("key.new");
    let _left_by_a_crash = fs::remove_file(&unfinished);
    private(&unfinished)?.write_all(&key)?;
    fs::File::open(&unfinished)?.sync_all()?;
    let linked = fs::hard_link(&unfinished, file);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(),
        linked => linked.map(|()| key),
    }
}

fn private(path: &PathBuf) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| broken("the system has no randomness"))?;
    Ok(bytes)
}

fn broken(why: &str) -> Error {
    Error::coded(Code::Internal, format!("The key for tokens of MCP servers cannot be used: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_the_same_owner_after_a_restart_and_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = || Some(directory.path().join("mcp.key"));
        let sealed = Sealer::new(file()).seal("ada/files", b"token".to_vec()).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        let later = Sealer::new(file());
        assert_eq!(later.open("ada/files", sealed.clone()).unwrap().as_deref(), Some(&b"token"[..]));
        assert_eq!(later.open("eve/files", sealed.clone()).unwrap(), None);
        assert_eq!(Sealer::new(None).open("ada/files", sealed).unwrap(), None);
        assert_eq!(later.open("ada/files", Vec::new()).unwrap(), None);
    }
}
