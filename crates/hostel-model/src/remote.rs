//! A model behind a provider's HTTP interface.

mod ask;
mod live;
mod run;
mod sentence;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use futures_util::{StreamExt, stream};
use reqwest::{Client, redirect};

use self::run::Run;
use crate::{
    Abilities, BoxStream, Event, Fault, FaultKind, Model, ModelInfo, Request, Secrets,
    failure::Failure,
    settings::{ModelSettings, Provider},
};

/// A model behind a provider's HTTP interface. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Inner>);

struct Inner {
    name: String,
    settings: ModelSettings,
    /// Made when it is first needed: most configured models rest.
    client: OnceLock<Client>,
    secrets: Arc<dyn Secrets>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("name", &self.0.name).field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Remote {
    /// A model with these settings.
    pub(crate) fn new(name: &str, settings: ModelSettings, secrets: Arc<dyn Secrets>) -> Self {
        Self(Arc::new(Inner { name: name.to_owned(), settings, client: OnceLock::new(), secrets }))
    }
}

impl Inner {
    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .tls_backend_preconfigured(hostel_fetch::tls_config())
            .user_agent(concat!("hostel/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.settings.connect_timeout)
            // A redirect would carry the key to wherever it points.
            .redirect(redirect::Policy::none())
            .referer(false)
            .build();
        let client = client.map_err(|error| Failure::new(FaultKind::NotConfigured, format!("TLS fails: {error}")))?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Model for Remote {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>> {
        stream::unfold(Run::new(self.clone(), request), Run::next).boxed()
    }

    fn describe(&self) -> ModelInfo {
        let settings = &self.0.settings;
        let mut info = ModelInfo::new(&self.0.name, settings.provider.as_str(), settings.model());
        info.context_tokens = settings.context_tokens;
        info.max_output_tokens = settings.max_output_tokens;
        info.abilities = Abilities { tools: settings.tools, images: settings.images, files: settings.files };
        info.price = settings.price;
        info
    }
}

/// Which of the three streams a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    OpenAi,
    Anthropic,
    Google,
}

impl Dialect {
    fn of(provider: Provider) -> Self {
        match provider {
            Provider::Anthropic => Self::Anthropic,
            Provider::Google => Self::Google,
            _ => Self::OpenAi,
        }
    }
}

#[cfg(test)]
mod tests;
