//! The model that is not there.

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use crate::{Event, Fault, FaultKind, Model, ModelInfo, Request};

/// Says, when it is asked, what to set.
#[derive(Debug)]
pub(super) struct Missing {
    name: String,
    there_are: Vec<String>,
}

impl Missing {
    pub(super) fn new(name: &str, there_are: Vec<String>) -> Self {
        Self { name: name.to_owned(), there_are }
    }

    fn sentence(&self) -> String {
        let name = &self.name;
        if self.there_are.is_empty() {
            return nothing_is_set();
        }
        let there_are = self.there_are.join(", ");
        format!("There is no model {name:?}; there are {there_are}. Add [models.{name}] to hostel.toml.")
    }
}

/// What to do when there is no model at all.
pub(super) fn nothing_is_set() -> String {
    "No model is configured. Give the server a key, such as `hostel secret set OPENAI_API_KEY` (or ANTHROPIC_API_KEY, \
     GEMINI_API_KEY, OPENROUTER_API_KEY), or name a model in hostel.toml under [models.main]. To try it without a key: \
     `hostel serve --model scripted`."
        .to_owned()
}

impl Model for Missing {
    fn stream(&self, _: Request) -> BoxStream<'static, Result<Event, Fault>> {
        let fault = Fault::new(FaultKind::NotConfigured, self.sentence());
        stream::once(std::future::ready(Err(fault))).boxed()
    }

    fn describe(&self) -> ModelInfo {
        ModelInfo::new(self.name.clone(), "none", "none")
    }
}
