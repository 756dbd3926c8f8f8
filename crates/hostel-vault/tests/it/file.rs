//! The sealed file.

use std::path::PathBuf;

use hostel_core::Scrub as _;
use hostel_vault::{Environment, KeySource, Options, SecretName, Vault, VaultError};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        Vault::create(&place.path(), &place.key()).unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("hostel.vault")
    }

    fn key(&self) -> KeySource {
        KeySource::File(self.directory.path().join("key"))
    }

    fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(Some((&self.path(), Some(&self.key()))), &Environment::default(), Options::default())
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

#[test]
fn a_secret_survives_and_its_file_shows_neither_name_nor_value() {
    let place = Place::new();
    let vault = place.open().unwrap();
    vault.set(&name("user:alice#TOKEN"), "correct horse battery").unwrap();
    vault.set(&name("TOKEN"), "another value").unwrap();
    let again = place.open().unwrap();
    assert_eq!(again.reveal_blocking(&name("user:alice#TOKEN")).unwrap().expose(), "correct horse battery");
    assert_eq!(again.names(), [name("TOKEN"), name("user:alice#TOKEN")]);
    let text = std::fs::read_to_string(place.path()).unwrap();
    assert!(!text.contains("horse") && !text.contains("TOKEN") && !text.contains("alice"), "{text}");
    assert!(again.remove(&name("TOKEN")).unwrap() && !again.remove(&name("TOKEN")).unwrap());
}

#[test]
fn what_another_process_keeps_is_found_and_masked_after_a_refresh() {
    let place = Place::new();
    let server = place.open().unwrap();
    assert!(server.mask("pw: correct horse battery").is_none());
    place.open().unwrap().set(&name("PW"), "correct horse battery").unwrap();
    server.refresh().unwrap();
    assert_eq!(server.mask("pw: correct horse battery").unwrap().text, "pw: [masked]");
    place.open().unwrap().set(&name("OTHER"), "value of another").unwrap();
    assert_eq!(server.reveal_blocking(&name("OTHER")).unwrap().expose(), "value of another");
}

#[test]
fn changes_of_several_processes_do_not_undo_each_other() {
    let place = Place::new();
    let (one, two) = (place.open().unwrap(), place.open().unwrap());
    std::thread::scope(|scope| {
        for (vault, mark) in [(&one, "A"), (&two, "B")] {
            scope.spawn(move || (0..20).for_each(|n| vault.set(&name(&format!("{mark}{n}")), "some value").unwrap()));
        }
    });
    assert_eq!(place.open().unwrap().names().len(), 40);
}

#[test]
fn a_changed_file_or_another_key_opens_nothing() {
    let place = Place::new();
    place.open().unwrap().set(&name("A"), "correct horse").unwrap();
    let other = Place::new();
    let key = other.key();
    let opened = Vault::open(Some((&place.path(), Some(&key))), &Environment::default(), Options::default());
    assert!(matches!(opened, Err(VaultError::WrongKey(_))), "{opened:?}");
    let text = std::fs::read_to_string(place.path()).unwrap();
    std::fs::write(place.path(), text.replacen("\"nonce\": \"", "\"nonce\": \"AAAA", 1)).unwrap();
    assert!(matches!(place.open(), Err(VaultError::WrongKey(_))));
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_no_other_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hostel.vault");
    let passphrase = |text: &str| KeySource::Passphrase(text.to_owned().into());
    Vault::create(&path, &passphrase("open sesame")).unwrap();
    assert!(Vault::needs_passphrase(&path).unwrap());
    let open = |key: Option<&KeySource>| Vault::open(Some((&path, key)), &Environment::default(), Options::default());
    open(Some(&passphrase("open sesame"))).unwrap();
    assert!(matches!(open(Some(&passphrase("sesame"))), Err(VaultError::WrongKey(_))));
    assert!(open(None).unwrap_err().to_string().contains("HOSTEL_VAULT_PASSPHRASE"));
}

#[test]
fn an_existing_vault_is_not_overwritten() {
    let place = Place::new();
    assert!(matches!(Vault::create(&place.path(), &place.key()), Err(VaultError::Exists(_))));
}

#[test]
fn an_agents_own_secret_comes_before_the_users_and_that_before_the_nodes() {
    let place = Place::new();
    let vault = place.open().unwrap();
    let agent = hostel_core::AgentId::new("CoderAgent", "a");
    assert_eq!(vault.find(&agent, Some("alice"), "TOKEN"), None);
    for text in ["TOKEN", "user:alice#TOKEN", "agent:coder-agent/a#TOKEN"] {
        vault.set(&name(text), "some value").unwrap();
        assert_eq!(vault.find(&agent, Some("alice"), "TOKEN"), Some(name(text)));
    }
    assert_eq!(vault.find(&agent, Some("bob"), "TOKEN"), Some(name("agent:coder-agent/a#TOKEN")));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_what_is_made_and_a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    for file in [place.path(), place.directory.path().join("key")] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.directory.path().join("key"), open).unwrap();
    assert!(matches!(place.open(), Err(VaultError::OpenKey(_))));
}
