//! The model of whichever provider there is a key for.

use std::sync::Arc;

use futures_util::stream::BoxStream;

use super::missing::Missing;
use crate::{Event, Fault, Model, ModelInfo, ModelSettings, Provider, Request, Secrets, remote::Remote};

/// The providers whose keys are looked for, in this order.
const PROVIDERS: [Provider; 4] = [Provider::Anthropic, Provider::OpenAi, Provider::Google, Provider::OpenRouter];

/// Which of a provider's two usual models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Main,
    Small,
}

/// The model of whichever provider there is a key for.
pub(super) struct Usual {
    name: &'static str,
    remotes: Vec<(&'static str, Remote)>,
    secrets: Arc<dyn Secrets>,
}

impl Usual {
    pub(super) fn new(name: &'static str, size: Size, secrets: Arc<dyn Secrets>) -> Result<Self, String> {
        let remote = |provider: Provider| {
            let mut settings = ModelSettings::usual(provider)?;
            settings.model = provider.usual().filter(|_| size == Size::Small).map(|(_, small)| small.to_owned());
            let remote = Remote::new(name, settings, Arc::clone(&secrets));
            Ok((provider.key_name().unwrap_or_default(), remote))
        };
        let remotes = PROVIDERS.into_iter().map(remote).collect::<Result<_, String>>()?;
        Ok(Self { name, remotes, secrets })
    }

    fn found(&self) -> Option<&Remote> {
        self.remotes.iter().find(|(key, _)| self.secrets.has(key)).map(|(_, remote)| remote)
    }
}

impl Model for Usual {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>> {
        match self.found() {
            Some(remote) => remote.stream(request),
            None => Missing::new(self.name, Vec::new()).stream(request),
        }
    }

    fn describe(&self) -> ModelInfo {
        self.found().map_or_else(|| Missing::new(self.name, Vec::new()).describe(), Model::describe)
    }
}
