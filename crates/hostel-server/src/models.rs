//! The models as they are configured, with the vault's keys.

use std::sync::Arc;

use anyhow::anyhow;
use futures_util::{FutureExt as _, future::BoxFuture};
use hostel_model::{MAIN, Models, Secrets, Zeroizing};
use hostel_vault::{SecretName, Vault};

use crate::config::{Config, Origin};

/// The models of the configuration: `[models.NAME]`, or those of whichever provider there is a key for; with `--model` as
/// the main one.
///
/// # Errors
/// A model that cannot be used, or a `--model` that is none.
pub(crate) fn of(config: &Config, vault: Option<&Vault>) -> anyhow::Result<Models> {
    let secrets: Arc<dyn Secrets> = Arc::new(Keys(vault.cloned()));
    let tables = config.sections.models.as_ref().map(|(tables, _)| tables.clone()).unwrap_or_default();
    let models = Models::from_settings(tables, &secrets);
    let models = models.map_err(|(name, why)| anyhow!("[models.{name}] of the configuration file: {why}"))?;
    match config.model.as_str() {
        MAIN => Ok(models),
        name => models.with_main(name).map_err(|why| anyhow!("{}: {why}", setting(&config.model.origin))),
    }
}

/// How whoever set the model named it.
fn setting(origin: &Origin) -> String {
    match origin {
        Origin::File { .. } => format!("{origin}: model"),
        other => other.to_string(),
    }
}

/// The vault, as models ask it.
struct Keys(Option<Vault>);

impl Secrets for Keys {
    fn has(&self, name: &str) -> bool {
        let known = |vault: &Vault| name.parse().is_ok_and(|name: SecretName| vault.names().contains(&name));
        self.0.as_ref().is_some_and(known)
    }

    fn reveal(&self, name: &str) -> BoxFuture<'static, Result<Option<Zeroizing<String>>, String>> {
        let (vault, name) = (self.0.clone(), name.parse::<SecretName>());
        async move {
            let name = name.map_err(|error| error.to_string())?;
            let Some(vault) = vault.filter(|vault| vault.names().contains(&name)) else { return Ok(None) };
            let revealed = vault.reveal(&name).await.map_err(|error| error.to_string())?;
            Ok(Some(Zeroizing::new(revealed.expose().to_owned())))
        }
        .boxed()
    }
}
