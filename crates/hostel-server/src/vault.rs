//! The vault as it is configured.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use hostel_vault::{Environment, KeySource, Options, SecretName, Vault, VaultError};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, VaultSection};

/// The sealed file if no other is named.
pub const DEFAULT_FILE: &str = "hostel.vault";

/// How often a running server looks whether the sealed file was replaced.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Opens the vault, if there is anything in it: a section `[vault]`, a sealed file, or secrets in the environment. `ask`
/// asks a person for the passphrase, where there is one.
///
/// # Errors
/// When it is configured wrongly, or its file cannot be opened.
pub fn open(
    config: &Config,
    environment: &Environment,
    ask: impl FnOnce() -> Option<String>,
) -> anyhow::Result<Option<Vault>> {
    let section = config.sections.vault.as_ref().map(|(section, _)| section);
    let named = section.and_then(|section| section.file.as_deref());
    let path = named.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()));
    if section.is_none() && path.is_none() && environment.is_empty() {
        return Ok(None);
    }
    let key = path.map(|path| key(path, section, environment, ask)).transpose()?.flatten();
    let options = section.map_or_else(|| Ok(Options::default()), options)?;
    let vault = Vault::open(path.map(|path| (path, key.as_ref())), environment, options)?;
    Ok(Some(vault))
}

/// What opens the sealed file, as far as anybody says.
fn key(
    path: &Path,
    section: Option<&VaultSection>,
    environment: &Environment,
    ask: impl FnOnce() -> Option<String>,
) -> Result<Option<KeySource>, VaultError> {
    if !Vault::needs_passphrase(path)? {
        return Ok(section.and_then(|section| section.key_file.clone()).map(KeySource::File));
    }
    Ok(environment.passphrase().or_else(|| ask().map(Into::into)).map(KeySource::Passphrase))
}

fn options(section: &VaultSection) -> anyhow::Result<Options> {
    let defaults = Options::default();
    let commands = section.commands.iter().map(|(name, command)| {
        let name: SecretName = name.parse().context("[vault.commands]")?;
        anyhow::ensure!(!command.is_empty(), "[vault.commands] {name}: expected a command and its arguments");
        Ok((name, command.clone()))
    });
    let shapes = section.shapes.clone().unwrap_or(defaults.shapes);
    if let Some(unknown) = shapes.iter().find(|shape| !Options::SHAPES.contains(&shape.as_str())) {
        anyhow::bail!("[vault] shapes: there is no kind {unknown:?}; there are {}", Options::SHAPES.join(", "));
    }
    let command_timeout = section.command_timeout.map_or(defaults.command_timeout, |time| time.0);
    Ok(Options { commands: commands.collect::<anyhow::Result<_>>()?, command_timeout, shapes, ..defaults })
}

/// Has the vault read its file again whenever somebody has changed it, until `stop`; and says what cannot be masked.
pub(crate) async fn keep_fresh(vault: Vault, stop: CancellationToken) {
    for name in vault.too_short_to_mask() {
        tracing::warn!(secret = %name, "a secret has fewer than 8 bytes: it is too short to be masked");
    }
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let looking = vault.clone();
        let looked = tokio::task::spawn_blocking(move || looking.refresh()).await;
        if let Ok(Err(error)) = looked {
            tracing::warn!(error = %error, "the vault cannot be read again; what was known stays");
        }
    }
}
