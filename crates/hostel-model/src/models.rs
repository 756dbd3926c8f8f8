//! The models there are, by name.

mod missing;
mod usual;

use std::{collections::BTreeMap, fmt, fs, sync::Arc};

use self::{missing::Missing, usual::Usual};
use crate::{Model, ModelInfo, ModelSettings, Provider, Scripted, Secrets, remote::Remote};

/// The name of the model that is used where nobody names one.
pub const MAIN: &str = "main";
/// The name of the model for small things: titles, summaries.
pub const SMALL: &str = "small";
/// The name under which the scripted model can always be had.
pub const SCRIPTED: &str = "scripted";

/// The models there are, by name. Cheap to clone; a server shares one, and agents have it through `cx.env::<Models>()`.
///
/// ```
/// use hostel_model::{Model, Models};
///
/// let models = Models::scripted();
/// assert_eq!(models.get("main").describe().provider, "scripted");
/// assert_eq!(models.get("small").describe().provider, "scripted");
/// ```
#[derive(Clone, Default)]
pub struct Models(Arc<BTreeMap<String, Arc<dyn Model>>>);

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Models").field(&self.names()).finish()
    }
}

impl Models {
    /// These models.
    pub fn of<N: Into<String>>(named: impl IntoIterator<Item = (N, Arc<dyn Model>)>) -> Self {
        Self(Arc::new(named.into_iter().map(|(name, model)| (name.into(), model)).collect()))
    }

    /// One model, as `main`.
    pub fn one(model: impl Model + 'static) -> Self {
        Self::of([(MAIN, Arc::new(model) as Arc<dyn Model>)])
    }

    /// The scripted model alone, with its built-in script.
    pub fn scripted() -> Self {
        Self::one(Scripted::built_in())
    }

    /// The models of a configuration: its tables `[models.NAME]`.
    ///
    /// Without any, there are a main and a small model of the first provider whose key is among the secrets under its usual
    /// name, looked for at each request: a key that is set while the server runs is used at once.
    ///
    /// # Errors
    /// The name of the first model that cannot be used, and why.
    pub fn from_settings(
        tables: impl IntoIterator<Item = (String, ModelSettings)>,
        secrets: &Arc<dyn Secrets>,
    ) -> Result<Self, (String, String)> {
        let mut models = BTreeMap::new();
        for (name, settings) in tables {
            let model = model(&name, settings, secrets).map_err(|why| (name.clone(), why))?;
            models.insert(name, model);
        }
        if models.is_empty() {
            for (name, size) in [(MAIN, usual::Size::Main), (SMALL, usual::Size::Small)] {
                let model = Usual::new(name, size, Arc::clone(secrets)).map_err(|why| (name.to_owned(), why))?;
                models.insert(name.to_owned(), Arc::new(model) as Arc<dyn Model>);
            }
        }
        Ok(Self(Arc::new(models)))
    }

    /// The same with this one as `main`, and as `small` if there is no other: a model's name, or `scripted`.
    ///
    /// # Errors
    /// When there is none with this name.
    pub fn with_main(&self, name: &str) -> Result<Self, String> {
        let Some(model) = self.find(name) else {
            let names = self.names().join(", ");
            return Err(format!("there is no model {name:?}; there are {names}, and {SCRIPTED}"));
        };
        let mut models = (*self.0).clone();
        if name == SCRIPTED {
            models.remove(SMALL);
        }
        models.insert(MAIN.to_owned(), model);
        Ok(Self(Arc::new(models)))
    }

    /// The model with this name.
    ///
    /// There always is one: `small` is `main` where it is not configured, `main` is the only one where there is one, and
    /// a name that means nothing is a model that says, when it is asked, what to set.
    pub fn get(&self, name: &str) -> Arc<dyn Model> {
        self.find(name).unwrap_or_else(|| Arc::new(Missing::new(name, self.names())))
    }

    /// The model with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Arc<dyn Model>> {
        let only = || (self.0.len() == 1).then(|| self.0.values().next()).flatten();
        let found = match name {
            SMALL => self.0.get(SMALL).or_else(|| self.0.get(MAIN)).or_else(only),
            MAIN => self.0.get(MAIN).or_else(only),
            other => self.0.get(other),
        };
        let scripted = || (name == SCRIPTED).then(|| Arc::new(Scripted::built_in()) as Arc<dyn Model>);
        found.cloned().or_else(scripted)
    }

    /// The names of those that are configured, in order.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// What those that are configured are, in order of their names.
    pub fn describe(&self) -> Vec<ModelInfo> {
        self.0.values().map(|model| model.describe()).collect()
    }
}

fn model(name: &str, settings: ModelSettings, secrets: &Arc<dyn Secrets>) -> Result<Arc<dyn Model>, String> {
    if settings.provider != Provider::Scripted {
        return Ok(Arc::new(Remote::new(name, settings, Arc::clone(secrets))));
    }
    let of_file = settings
        .script_file
        .as_ref()
        .map(|path| fs::read_to_string(path).map_err(|error| format!("script_file {}: {error}", path.display())));
    let script = of_file.transpose()?.or(settings.script);
    let mut scripted = match script {
        Some(script) => Scripted::new(&script).map_err(|error| error.to_string())?,
        None => Scripted::built_in(),
    };
    if let Some(most) = settings.context_tokens {
        scripted = scripted.with_context_tokens(most);
    }
    Ok(Arc::new(scripted.named(name)))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::{FaultKind, Request};

    #[test]
    fn small_is_main_and_main_is_the_only_one_where_they_are_not_named() {
        let named = |name: &str| -> Arc<dyn Model> { Arc::new(Scripted::built_in().named(name)) };
        let one = Models::of([("house", named("house"))]);
        assert_eq!(one.get("main").describe().name, "house");
        assert_eq!(one.get("small").describe().name, "house");
        let two = Models::of([("main", named("main")), ("other", named("other"))]);
        assert_eq!(two.get("small").describe().name, "main");
        assert_eq!(two.get("other").describe().name, "other");
        assert!(two.find("third").is_none());
        assert_eq!(two.get("scripted").describe().provider, "scripted");
    }

    fn no_secrets() -> Arc<dyn Secrets> {
        Arc::new(BTreeMap::new())
    }

    fn tables(text: &str) -> BTreeMap<String, ModelSettings> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn models_are_made_from_settings() {
        let text = r#"{"main": {"provider": "scripted", "context_tokens": 9}, "big": {"provider": "openai", "model": "gpt-5"}}"#;
        let models = Models::from_settings(tables(text), &no_secrets()).unwrap();
        assert_eq!(models.get("main").describe().context_tokens, Some(9));
        assert_eq!(models.get("big").describe().model, "gpt-5");
        let bad = tables(r#"{"odd": {"provider": "scripted", "script_file": "/nowhere/script"}}"#);
        let (name, why) = Models::from_settings(bad, &no_secrets()).unwrap_err();
        assert_eq!((name.as_str(), why.starts_with("script_file /nowhere/script: ")), ("odd", true));
    }

    #[test]
    fn another_model_can_be_made_the_main_one() {
        let text =
            r#"{"main": {"provider": "openai"}, "small": {"provider": "openai"}, "big": {"provider": "anthropic"}}"#;
        let models = Models::from_settings(tables(text), &no_secrets()).unwrap();
        assert_eq!(models.with_main("big").unwrap().get("main").describe().provider, "anthropic");
        let scripted = models.with_main("scripted").unwrap();
        assert_eq!(scripted.get("main").describe().provider, "scripted");
        assert_eq!(scripted.get("small").describe().provider, "scripted");
        assert!(models.with_main("huge").unwrap_err().contains("there are big, main, small, and scripted"));
    }

    #[test]
    fn without_settings_the_key_that_is_there_decides() {
        let of = |keys: &[&str]| {
            let secrets: BTreeMap<_, _> = keys.iter().map(|key| ((*key).to_owned(), "k".to_owned())).collect();
            let models = Models::from_settings([], &(Arc::new(secrets) as Arc<dyn Secrets>)).unwrap();
            ["main", "small"].map(|name| models.get(name).describe()).map(|info| (info.provider, info.model))
        };
        let pair = |provider: &str, model: &str| (provider.to_owned(), model.to_owned());
        assert_eq!(of(&["GEMINI_API_KEY"])[0].0, "google");
        assert_eq!(of(&["GEMINI_API_KEY", "OPENAI_API_KEY"]), [pair("openai", "gpt-5"), pair("openai", "gpt-5-mini")]);
        assert_eq!(of(&[])[0], pair("none", "none"));
    }

    #[tokio::test]
    async fn a_model_that_is_missing_says_what_to_set() {
        let fault = |models: Models, name: &str| {
            let mut answer = models.get(name).stream(Request::default());
            async move { answer.next().await.unwrap().unwrap_err() }
        };
        let unset = fault(Models::from_settings([], &no_secrets()).unwrap(), "main").await;
        let none = fault(Models::default(), "main").await;
        assert_eq!(none, unset);
        assert_eq!(none.kind, FaultKind::NotConfigured);
        assert!(none.message.contains("OPENAI_API_KEY") && none.message.contains("--model scripted"), "{none}");
        let two = ["a", "b"].map(|name| (name, Arc::new(Scripted::built_in()) as Arc<dyn Model>));
        let no_main = fault(Models::of(two), "main").await;
        assert_eq!(no_main.message, "There is no model \"main\"; there are a, b. Add [models.main] to hostel.toml.");
        let unknown = fault(Models::scripted(), "large").await;
        assert_eq!(unknown.message, "There is no model \"large\"; there are main. Add [models.large] to hostel.toml.");
    }
}
