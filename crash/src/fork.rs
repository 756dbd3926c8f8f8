//! Agents forked from others while those are at work. Nobody writes to a fork, so it stays as it was first seen.

use anyhow::ensure;
use hostel_client::{Call, Client, Options, Target};
use serde_json::json;

use crate::account::Look;

/// A fork whose making was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Fork {
    pub(crate) name: String,
    /// The life and the number of entries it had when it was first looked at.
    pub(crate) shown: Option<(String, u64)>,
}

/// Looks at a fork.
pub(crate) async fn look(target: &Target) -> anyhow::Result<Look> {
    let client = Client::connect(target, &Options::default()).await?;
    let look = client.call(Call::new("look", vec![json!(""), json!(0)])).await?;
    client.close().await;
    Ok(serde_json::from_value(look)?)
}

impl Fork {
    /// Compares with what is there after a restart.
    ///
    /// # Errors
    /// If it is not what it was.
    pub(crate) fn compare(&self, found: &Look) -> anyhow::Result<()> {
        ensure!(found.is_whole(), "its parts do not agree: {found:?}");
        if let Some((born, count)) = &self.shown {
            let same = *born == found.born && *count == found.count;
            ensure!(same, "it had {count} entries of {born}, and has {} of {}", found.count, found.born);
        }
        Ok(())
    }
}
