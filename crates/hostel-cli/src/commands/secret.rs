//! `hostel vault init` and `hostel secret set|list|remove`: they work on the sealed file; a running server notices.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use hostel_server::config::{Config, Origin, VaultSection};
use hostel_server::vault;
use hostel_vault::{Environment, KeySource, SecretName, Vault};

use crate::cli::{SecretCommand, VaultCommand, VaultPlace};
use crate::failure::Usage;
use crate::output;
use crate::settings::Settings;

pub(super) fn vault(command: &VaultCommand) -> anyhow::Result<ExitCode> {
    let VaultCommand::Init(place) = command;
    let section = section(place)?.sections.vault.map(|(section, _)| section).unwrap_or_default();
    let path = section.file.unwrap_or_else(|| PathBuf::from(vault::DEFAULT_FILE));
    let key = match section.key_file {
        Some(file) => KeySource::File(file),
        None => KeySource::Passphrase(new_passphrase()?.into()),
    };
    Vault::create(&path, &key)?;
    output::line(&format!("{} is ready; keep secrets in it with `hostel secret set NAME`", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn secret(command: &SecretCommand) -> anyhow::Result<ExitCode> {
    match command {
        SecretCommand::Set { name, place } => set(name, place),
        SecretCommand::List(place) => list(place),
        SecretCommand::Remove { name, place } => remove(name, place),
    }
}

fn set(name: &SecretName, place: &VaultPlace) -> anyhow::Result<ExitCode> {
    let vault = open(place)?;
    vault.set(name, &value(name)?)?;
    output::line(&format!("{name} is kept"))?;
    if vault.too_short_to_mask().contains(name) {
        output::note("It has fewer than 8 bytes: that is too short to be masked where it leaks.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(place: &VaultPlace) -> anyhow::Result<ExitCode> {
    for name in open(place)?.names() {
        output::line(&name.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(name: &SecretName, place: &VaultPlace) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(open(place)?.remove(name)?, "there is no secret {name} in the sealed file");
    output::line(&format!("{name} is removed"))?;
    Ok(ExitCode::SUCCESS)
}

fn open(place: &VaultPlace) -> anyhow::Result<Vault> {
    let config = section(place)?;
    let ask = || rpassword::prompt_password("Passphrase of the vault: ").ok();
    let opened = vault::open(&config, &Environment::read(), ask)?;
    opened.ok_or_else(|| Usage("there is no vault here; make one with `hostel vault init`".to_owned()).into())
}

/// The configuration, with what the command line says about the vault.
fn section(place: &VaultPlace) -> anyhow::Result<Config> {
    let mut config = Settings::from_file(place.config.clone()).load()?;
    if place.vault.is_some() || place.key_file.is_some() {
        let (mut section, origin) = config.sections.vault.take().unwrap_or((VaultSection::default(), Origin::Default));
        section.file = place.vault.clone().or(section.file).or_else(|| Some(PathBuf::from(vault::DEFAULT_FILE)));
        section.key_file = place.key_file.clone().or(section.key_file);
        config.sections.vault = Some((section, origin));
    }
    Ok(config)
}

/// What is typed on a terminal is not shown; otherwise all of standard input, without the line end.
fn value(name: &SecretName) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("Value of {name}: ")).context("the value cannot be read");
    }
    let mut value = String::new();
    std::io::stdin().read_to_string(&mut value).context("the value cannot be read")?;
    if value.ends_with('\n') {
        value.pop();
    }
    Ok(value)
}

fn new_passphrase() -> anyhow::Result<String> {
    if let Some(given) = Environment::read().passphrase() {
        return Ok(given.to_string());
    }
    let first = rpassword::prompt_password("A new passphrase for the vault: ")
        .context("no passphrase: give one in HOSTEL_VAULT_PASSPHRASE or on a terminal, or say --key-file FILE")?;
    let again = rpassword::prompt_password("The same once more: ")?;
    if first != again || first.is_empty() {
        return Err(Usage("the two are not the same, or empty".to_owned()).into());
    }
    Ok(first)
}
