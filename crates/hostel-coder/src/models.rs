//! Which model answers in a conversation, and which could.

use hostel::{Code, Cx, Error, JsonSchema, Result};
use hostel_chat::{
    Room, Settings,
    model::{MAIN, Model, ModelInfo, Models},
};
use serde::{Deserialize, Serialize};

use crate::{
    CoderAgent,
    told::{self, News},
};

/// What `getModels` and `setModel` answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelsView {
    /// Those that are configured.
    pub models: Vec<ModelView>,
    /// The name of the one that was chosen for this conversation; without it `main` answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The one that answers; nothing if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<ModelView>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelView {
    /// What the configuration calls it.
    pub name: String,
    /// Whose it is.
    pub provider: String,
    /// What its provider calls it.
    pub model: String,
    /// How many tokens it takes, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
}

/// Whose a model is that is not there.
const NOBODY: &str = "none";

impl ModelView {
    fn of(name: &str, model: &dyn Model) -> Option<Self> {
        let ModelInfo { provider, model, context_tokens, .. } = model.describe();
        (provider != NOBODY).then(|| Self { name: name.to_owned(), provider, model, context_tokens })
    }
}

/// Which models there are, and which one answers here.
pub(crate) fn view(cx: &Cx<CoderAgent>) -> Result<ModelsView> {
    let (models, chosen) = (models(cx), Room::of(cx).settings()?.model);
    let named = |name: &str| ModelView::of(name, &*models.get(name));
    let answers = named(chosen.as_deref().unwrap_or(MAIN));
    Ok(ModelsView { models: models.names().iter().filter_map(|name| named(name)).collect(), chosen, answers })
}

/// Has another of those that are configured answer from the next turn on; `None` leaves it to `main`.
pub(crate) fn choose(cx: &Cx<CoderAgent>, name: Option<String>) -> Result<ModelsView> {
    let names = models(cx).names();
    if let Some(unknown) = name.as_ref().filter(|name| !names.contains(name)) {
        let unknown: String = unknown.chars().take(64).collect();
        let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let why = format!("There is no model {unknown:?}; there are: {there_are}.");
        return Err(Error::coded(Code::InvalidArguments, why).with_fix("add a table [models.NAME] to hostel.toml"));
    }
    let room = Room::of(cx);
    room.set_settings(&Settings { model: name, ..room.settings()? })?;
    told::tell(cx, News::Models);
    view(cx)
}

fn models(cx: &Cx<CoderAgent>) -> Models {
    cx.env::<Models>().map(|models| (*models).clone()).unwrap_or_default()
}
