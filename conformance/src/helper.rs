//! A chat agent that a model answers for, with a tool of its own, one of the page, and one that somebody has to allow.

use hostel::prelude::*;
use hostel_chat::{Chat, ChatAgent, ChatSetup, Tool, ToolCx};
use hostel_model::{ModelSettings, Models, Secrets};
use serde_json::{Value, json};

use crate::text::json;

/// Counts how often its tools ran.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HelperAgent {
    clock: u32,
    danger: u32,
}

#[agent(extend = Chat)]
impl HelperAgent {
    fn on_request(&self) -> Result<Response> {
        json(self)
    }
}

impl ChatAgent for HelperAgent {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        let object = || json!({"type": "object"});
        let clock = Tool::untyped("clock", "Tells the time.", object(), |cx: ToolCx<Self>, _| async move {
            cx.update(|me| me.clock += 1)?;
            Ok(json!("noon"))
        });
        let danger = Tool::untyped("danger", "Does something dangerous.", object(), |cx: ToolCx<Self>, _| async move {
            cx.update(|me| me.danger += 1)?;
            Ok(json!("done"))
        });
        let place = Tool::client("getLocation", "Where the page is.", object());
        ChatSetup::new().tool(clock).tool(danger.ask()).tool(place)
    }
}

/// The models of a provider at this address.
///
/// # Errors
/// When the address cannot be used.
pub fn models_at(url: &str) -> anyhow::Result<Models> {
    let settings: Value = json!({"provider": "openai-compatible", "base_url": url, "model": "fake"});
    let settings: ModelSettings = serde_json::from_value(settings)?;
    let secrets: std::sync::Arc<dyn Secrets> = std::sync::Arc::new(std::collections::BTreeMap::<String, String>::new());
    let models = Models::from_settings([("main".to_owned(), settings)], &secrets);
    models.map_err(|(name, why)| anyhow::anyhow!("model {name}: {why}"))
}
