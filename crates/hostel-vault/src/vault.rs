//! The vault: where secrets come from, who may have them, and what is looked for in what leaves.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use hostel_core::{AgentId, Masked, Scrub};
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use crate::{
    Revealed, SecretName, VaultError, command,
    environment::Environment,
    file::{KeySource, SealedFile},
    mask::{Known, Mask, SHORTEST},
    shapes::{SHAPES, Shapes},
};

/// Greatest value of a secret.
pub(crate) const MOST_BYTES: usize = 64 << 10;

/// How a vault is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Commands that know secrets, by the names of those.
    pub commands: BTreeMap<SecretName, Vec<String>>,
    /// How long such a command may take. Default 10 s.
    pub command_timeout: Duration,
    /// How long what it printed is used. Default 5 minutes.
    pub command_ttl: Duration,
    /// Kinds of tokens that are masked although the vault does not know them: see [`Options::SHAPES`]. Default all.
    pub shapes: Vec<String>,
}

impl Options {
    /// Every kind of token that can be told by its look.
    pub const SHAPES: [&'static str; SHAPES.len()] = {
        let mut names = [""; SHAPES.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = SHAPES[at].kind;
            at += 1;
        }
        names
    };
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commands: BTreeMap::new(),
            command_timeout: Duration::from_secs(10),
            command_ttl: Duration::from_secs(300),
            shapes: Self::SHAPES.map(str::to_owned).to_vec(),
        }
    }
}

/// Secrets by name. Agents name them; code that talks to the outside has them revealed at the last moment, and keeps no
/// copy. Cheap to clone.
///
/// A name is looked for in the environment, then in the sealed file, then among the commands. Whatever value the vault
/// knows is masked wherever it is about to be stored, sent or logged: the vault is a [`Scrub`].
///
/// ```
/// use hostel_vault::{Environment, KeySource, Options, SecretName, Vault};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let (path, key) = (place.path().join("hostel.vault"), KeySource::File(place.path().join("key")));
/// Vault::create(&path, &key)?;
/// let vault = Vault::open(Some((&path, Some(&key))), &Environment::default(), Options::default())?;
/// let name = SecretName::node("GITHUB_TOKEN")?;
/// vault.set(&name, "correct horse battery staple")?;
/// assert_eq!(vault.reveal_blocking(&name)?.expose(), "correct horse battery staple");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    path: Option<PathBuf>,
    environment: Known,
    file: Mutex<Option<SealedFile>>,
    fetched: Mutex<BTreeMap<SecretName, Fetched>>,
    options: Options,
    mask: RwLock<Arc<Mask>>,
}

struct Fetched {
    at: Instant,
    value: Zeroizing<String>,
}

impl Vault {
    /// Makes a sealed file without secrets, and its key file if it is to have one that is not there.
    ///
    /// # Errors
    /// When there is a vault already, or it cannot be written.
    pub fn create(path: &Path, key: &KeySource) -> Result<(), VaultError> {
        SealedFile::create(path, key).map(drop)
    }

    /// Whether a passphrase opens the sealed file, rather than a key file.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn needs_passphrase(path: &Path) -> Result<bool, VaultError> {
        SealedFile::needs_passphrase(path)
    }

    /// Opens a vault: a sealed file with what opens it, the secrets of the environment, and commands.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(
        file: Option<(&Path, Option<&KeySource>)>,
        environment: &Environment,
        options: Options,
    ) -> Result<Self, VaultError> {
        let path = file.map(|(path, _)| path.to_owned());
        let file = file.map(|(path, key)| SealedFile::open(path, key)).transpose()?;
        let mask = Mask::new(&[], Shapes::of(&options.shapes))?;
        let vault = Self(Arc::new(Inner {
            path,
            environment: environment.values(),
            file: Mutex::new(file),
            fetched: Mutex::default(),
            options,
            mask: RwLock::new(Arc::new(mask)),
        }));
        vault.look_for_all()?;
        Ok(vault)
    }

    /// A secret's value. Ask each time it is needed: it may be replaced while the server runs.
    ///
    /// # Errors
    /// When there is no such secret, or where it comes from cannot be asked.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing; a command that was started goes on to its end.
    pub async fn reveal(&self, name: &SecretName) -> Result<Revealed, VaultError> {
        if let Some(found) = self.at_hand(name)? {
            return Ok(found);
        }
        let (vault, name) = (self.clone(), name.clone());
        let asked = tokio::task::spawn_blocking(move || vault.ask(&name)).await;
        asked.unwrap_or_else(|error| Err(VaultError::TooMuch(error.to_string())))
    }

    /// [`Vault::reveal`] for code that may wait.
    ///
    /// # Errors
    /// As [`Vault::reveal`].
    pub fn reveal_blocking(&self, name: &SecretName) -> Result<Revealed, VaultError> {
        match self.at_hand(name)? {
            Some(found) => Ok(found),
            None => self.ask(name),
        }
    }

    /// The first of an agent's own secret, the user's if one is named, and the node's that there is under a name.
    pub fn find(&self, agent: &AgentId, user: Option<&str>, name: &str) -> Option<SecretName> {
        let own = SecretName::agent(agent, name).ok();
        let of_user = user.and_then(|subject| SecretName::user(subject, name).ok());
        let of_node = SecretName::node(name).ok();
        let names = [own, of_user, of_node].into_iter().flatten();
        let known = self.names();
        names.into_iter().find(|name| known.contains(name))
    }

    /// Keeps a secret in the sealed file, for good when this returns. It is masked from now on.
    ///
    /// # Errors
    /// When there is no sealed file, it cannot be written, or the value is empty or greater than 64 KiB.
    pub fn set(&self, name: &SecretName, value: &str) -> Result<(), VaultError> {
        if value.is_empty() || value.len() > MOST_BYTES {
            return Err(VaultError::Size { name: name.clone(), bytes: value.len(), most: MOST_BYTES });
        }
        let value = Zeroizing::new(value.to_owned());
        self.change(|values| drop(values.insert(name.clone(), value)))
    }

    /// Removes a secret from the sealed file. `false` if it was not there.
    ///
    /// # Errors
    /// As [`Vault::set`].
    pub fn remove(&self, name: &SecretName) -> Result<bool, VaultError> {
        self.change(|values| values.remove(name).is_some())
    }

    /// Every name there is, in order.
    pub fn names(&self) -> Vec<SecretName> {
        let file = self.0.file.lock();
        let of_file = file.iter().flat_map(|file| file.values.keys());
        let mut names: Vec<_> =
            self.0.environment.keys().chain(of_file).chain(self.0.options.commands.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether there is a secret of this name, as far as is known without asking anybody.
    pub fn has(&self, name: &SecretName) -> bool {
        let of_file = || self.0.file.lock().as_ref().is_some_and(|file| file.values.contains_key(name));
        self.0.environment.contains_key(name) || of_file() || self.0.options.commands.contains_key(name)
    }

    /// Names whose values are too short to be masked.
    pub fn too_short_to_mask(&self) -> Vec<SecretName> {
        let short = |(name, value): (SecretName, Zeroizing<String>)| (value.len() < SHORTEST).then_some(name);
        self.known().into_iter().filter_map(short).collect()
    }

    /// Reads the sealed file again if another process has replaced it, as `hostel secret set` does. The server does this
    /// every few seconds, so that what is new is masked.
    ///
    /// # Errors
    /// When it cannot be read; what was known before stays.
    pub fn refresh(&self) -> Result<(), VaultError> {
        let changed = self.0.file.lock().as_mut().map_or(Ok(false), SealedFile::refresh)?;
        if changed { self.look_for_all() } else { Ok(()) }
    }

    fn at_hand(&self, name: &SecretName) -> Result<Option<Revealed>, VaultError> {
        if let Some(value) = self.0.environment.get(name) {
            return Ok(Some(Revealed::new(value.clone())));
        }
        self.refresh()?;
        let of_file = self.0.file.lock().as_ref().and_then(|file| file.values.get(name).cloned());
        let fetched = || {
            let fetched = self.0.fetched.lock();
            let fresh = fetched.get(name).filter(|fetched| fetched.at.elapsed() < self.0.options.command_ttl);
            fresh.map(|fetched| fetched.value.clone())
        };
        Ok(of_file.or_else(fetched).map(Revealed::new))
    }

    fn ask(&self, name: &SecretName) -> Result<Revealed, VaultError> {
        let command = self.0.options.commands.get(name).ok_or_else(|| VaultError::Unknown(name.clone()))?;
        let value = command::run(name, command, self.0.options.command_timeout)?;
        if value.is_empty() || value.len() > MOST_BYTES {
            return Err(VaultError::Size { name: name.clone(), bytes: value.len(), most: MOST_BYTES });
        }
        let fetched = Fetched { at: Instant::now(), value: value.clone() };
        self.0.fetched.lock().insert(name.clone(), fetched);
        self.look_for_all()?;
        Ok(Revealed::new(value))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> Result<T, VaultError> {
        let done = {
            let mut file = self.0.file.lock();
            file.as_mut().ok_or(VaultError::ReadOnly)?.change(change)?
        };
        self.look_for_all()?;
        Ok(done)
    }

    /// Every value, from wherever it comes: what a variable hides is a secret all the same.
    fn known(&self) -> Vec<(SecretName, Zeroizing<String>)> {
        let file = self.0.file.lock();
        let of_file = file.iter().flat_map(|file| &file.values);
        let mut known: Vec<_> =
            self.0.environment.iter().chain(of_file).map(|(name, value)| (name.clone(), value.clone())).collect();
        drop(file);
        known.extend(self.0.fetched.lock().iter().map(|(name, fetched)| (name.clone(), fetched.value.clone())));
        known
    }

    fn look_for_all(&self) -> Result<(), VaultError> {
        let mask = Mask::new(&self.known(), Shapes::of(&self.0.options.shapes))?;
        *self.0.mask.write() = Arc::new(mask);
        Ok(())
    }

    fn mask_now(&self) -> Arc<Mask> {
        Arc::clone(&self.0.mask.read())
    }
}

impl Scrub for Vault {
    fn mask(&self, text: &str) -> Option<Masked> {
        self.mask_now().mask(text)
    }

    fn find(&self, bytes: &[u8]) -> Option<String> {
        self.mask_now().find(bytes)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("file", &self.0.path).finish_non_exhaustive()
    }
}
