//! What the configuration says of one model: a table `[models.NAME]`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use url::Url;

use crate::{KeySetting, Price, Reasoning, time};

/// What the configuration says of one model.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hostel_model::ModelSettings;
///
/// let text = r#"{"provider": "anthropic", "model": "claude-sonnet-4-5", "key": "secret:ANTHROPIC_API_KEY"}"#;
/// let settings: ModelSettings = serde_json::from_str(text)?;
/// assert_eq!(settings.model(), "claude-sonnet-4-5");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Raw")]
#[non_exhaustive]
pub struct ModelSettings {
    /// Whose it is.
    pub provider: Provider,
    /// What the provider calls it. Default: the provider's usual one.
    pub model: Option<String>,
    /// Where the provider is.
    pub base_url: Url,
    /// The key. Default, unless there is a `base_url`: the secret the provider's own tools use, such as `OPENAI_API_KEY`.
    pub key: Option<KeySetting>,
    /// Greatest length of an answer.
    pub max_output_tokens: Option<u64>,
    /// How many tokens the model takes.
    pub context_tokens: Option<u64>,
    /// How much chance there is in its answers.
    pub temperature: Option<f64>,
    /// How hard it thinks.
    pub reasoning: Option<Reasoning>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long until the first sign of an answer.
    pub timeout: Duration,
    /// How long an answer may rest in the middle.
    pub stall: Duration,
    /// How often it is asked again when it could not begin.
    pub retries: u32,
    /// What it costs.
    pub price: Option<Price>,
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it sees images.
    pub images: bool,
    /// Whether it reads files.
    pub files: bool,
    /// Whether the provider is asked to keep what repeats, where it has to be asked.
    pub cache: bool,
    /// Further headers.
    pub headers: BTreeMap<String, KeySetting>,
    /// Further fields of the request; they win.
    pub extra: Map<String, Value>,
    /// Fields of the request that are left out.
    pub omit: Vec<String>,
    /// For `scripted`: the script.
    pub script: Option<String>,
    /// For `scripted`: the file with the script.
    pub script_file: Option<PathBuf>,
}

/// Whose a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini.
    #[serde(alias = "gemini")]
    Google,
    /// OpenRouter.
    OpenRouter,
    /// Ollama, on this machine.
    Ollama,
    /// LM Studio, on this machine.
    #[serde(alias = "lm-studio")]
    LmStudio,
    /// vLLM, on this machine.
    Vllm,
    /// The server of llama.cpp, on this machine.
    #[serde(rename = "llama.cpp", alias = "llamacpp")]
    LlamaCpp,
    /// Whoever else speaks OpenAI's chat completions.
    #[serde(rename = "openai-compatible")]
    Compatible,
    /// The scripted model.
    Scripted,
}

impl Provider {
    /// As settings write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::OpenRouter => "openrouter",
            Self::Ollama => "ollama",
            Self::LmStudio => "lmstudio",
            Self::Vllm => "vllm",
            Self::LlamaCpp => "llama.cpp",
            Self::Compatible => "openai-compatible",
            Self::Scripted => "scripted",
        }
    }

    /// Where it is, unless somebody says so.
    fn base_url(self) -> Option<&'static str> {
        Some(match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Google => "https://generativelanguage.googleapis.com/v1beta",
            Self::OpenRouter => "https://openrouter.ai/api/v1",
            Self::Ollama => "http://127.0.0.1:11434/v1",
            Self::LmStudio => "http://127.0.0.1:1234/v1",
            Self::Vllm => "http://127.0.0.1:8000/v1",
            Self::LlamaCpp => "http://127.0.0.1:8080/v1",
            Self::Scripted => "http://127.0.0.1",
            Self::Compatible => return None,
        })
    }

    /// The name under which its own tools look for the key.
    pub fn key_name(self) -> Option<&'static str> {
        Some(match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Google => "GEMINI_API_KEY",
            Self::OpenRouter => "OPENROUTER_API_KEY",
            _ => return None,
        })
    }

    /// The models that are used when none is named: a main and a small one.
    pub(crate) fn usual(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::OpenAi => ("gpt-5", "gpt-5-mini"),
            Self::Anthropic => ("claude-sonnet-4-5", "claude-haiku-4-5"),
            Self::Google => ("gemini-flash-latest", "gemini-flash-lite-latest"),
            Self::OpenRouter => ("openrouter/auto", "openrouter/auto"),
            Self::Scripted => ("script", "script"),
            _ => return None,
        })
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    provider: Provider,
    model: Option<String>,
    #[serde(default, deserialize_with = "url")]
    base_url: Option<Url>,
    key: Option<KeySetting>,
    max_output_tokens: Option<u64>,
    context_tokens: Option<u64>,
    temperature: Option<f64>,
    reasoning: Option<Reasoning>,
    #[serde(default, deserialize_with = "time::optional")]
    connect_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "time::optional")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "time::optional")]
    stall: Option<Duration>,
    retries: Option<u32>,
    price: Option<Price>,
    tools: Option<bool>,
    images: Option<bool>,
    files: Option<bool>,
    cache: Option<bool>,
    #[serde(default)]
    headers: BTreeMap<String, KeySetting>,
    #[serde(default)]
    extra: Map<String, Value>,
    #[serde(default)]
    omit: Vec<String>,
    script: Option<String>,
    script_file: Option<PathBuf>,
}

impl TryFrom<Raw> for ModelSettings {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let provider = raw.provider;
        raw.check()?;
        // The usual key goes only to where the provider usually is.
        let usual_key = provider.key_name().filter(|_| raw.base_url.is_none());
        let base_url = match (raw.base_url, provider.base_url()) {
            (Some(url), _) => url,
            (None, Some(usual)) => Url::parse(usual).map_err(|error| error.to_string())?,
            (None, None) => return Err("provider \"openai-compatible\" needs a base_url".to_owned()),
        };
        Ok(Self {
            provider,
            model: raw.model,
            base_url,
            key: raw.key.or_else(|| usual_key.map(KeySetting::named)),
            max_output_tokens: raw.max_output_tokens,
            context_tokens: raw.context_tokens,
            temperature: raw.temperature,
            reasoning: raw.reasoning,
            connect_timeout: raw.connect_timeout.unwrap_or(Duration::from_secs(10)),
            timeout: raw.timeout.unwrap_or(Duration::from_secs(180)),
            stall: raw.stall.unwrap_or(Duration::from_secs(120)),
            retries: raw.retries.unwrap_or(2),
            price: raw.price,
            tools: raw.tools.unwrap_or(true),
            images: raw.images.unwrap_or(true),
            files: raw.files.unwrap_or(true),
            cache: raw.cache.unwrap_or(true),
            headers: raw.headers,
            extra: raw.extra,
            omit: raw.omit,
            script: raw.script,
            script_file: raw.script_file,
        })
    }
}

impl Raw {
    fn check(&self) -> Result<(), String> {
        let provider = self.provider.as_str();
        if self.model.is_none() && self.provider.usual().is_none() {
            return Err(format!("provider {provider:?} needs a model: model = \"NAME\""));
        }
        if self.provider != Provider::Scripted && (self.script.is_some() || self.script_file.is_some()) {
            return Err(format!("a script is for provider \"scripted\"; this is {provider:?}"));
        }
        if let Some(Err(error)) = self.script.as_deref().map(crate::Scripted::new) {
            return Err(error.to_string());
        }
        if self.script.is_some() && self.script_file.is_some() {
            return Err("there is a script and a script_file; one of them is enough".to_owned());
        }
        let negative = |price: &Price| {
            let all = [Some(price.input), Some(price.output), price.cached_input, price.cache_write];
            all.into_iter().flatten().any(|number| !number.is_finite() || number < 0.0)
        };
        if self.price.as_ref().is_some_and(negative) {
            return Err("price: expected numbers from 0, for a million tokens".to_owned());
        }
        Ok(())
    }
}

impl ModelSettings {
    /// Settings of a provider's usual model, where it has one.
    ///
    /// # Errors
    /// Where it has none.
    pub fn usual(provider: Provider) -> Result<Self, String> {
        let text = format!("{{\"provider\": {:?}}}", provider.as_str());
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// What the provider calls the model.
    pub fn model(&self) -> &str {
        let usual = || self.provider.usual().map_or("", |(main, _)| main);
        self.model.as_deref().unwrap_or_else(usual)
    }
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url: Url = text.parse().map_err(|error| D::Error::custom(format!("base_url: {text:?}: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(D::Error::custom(format!("base_url: expected http:// or https://, found {text:?}")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(D::Error::custom("base_url: a name and a password do not belong here; use key or headers"));
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ModelSettings, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn little_has_to_be_said() {
        let settings = read(r#"{"provider": "anthropic"}"#).unwrap();
        assert_eq!(settings.base_url.as_str(), "https://api.anthropic.com/v1");
        assert_eq!(settings.key.unwrap().to_string(), "secret:ANTHROPIC_API_KEY");
        let local =
            read(r#"{"provider": "ollama", "model": "qwen3", "timeout": "5m", "price": {"input": 1, "output": 2}}"#);
        let local = local.unwrap();
        assert_eq!((local.key, local.timeout), (None, Duration::from_secs(300)));
    }

    #[test]
    fn the_usual_key_goes_only_to_where_the_provider_usually_is() {
        let elsewhere = read(r#"{"provider": "openai", "base_url": "https://proxy.example/v1"}"#).unwrap();
        assert_eq!(elsewhere.key, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong(r#"{"provider": "openai", "modle": "x"}"#).contains("unknown field `modle`"));
        assert!(wrong(r#"{"provider": "opnai"}"#).contains("unknown variant `opnai`, expected one of `openai`"));
        assert!(wrong(r#"{"provider": "ollama"}"#).contains("needs a model: model = \"NAME\""));
        assert!(wrong(r#"{"provider": "openai-compatible", "model": "x"}"#).contains("needs a base_url"));
        assert!(wrong(r#"{"provider": "openai", "base_url": "localhost:1"}"#).contains("expected http:// or https://"));
        assert!(wrong(r#"{"provider": "openai", "base_url": "http://a:b@c"}"#).contains("do not belong here"));
        assert!(wrong(r#"{"provider": "openai", "stall": "long"}"#).contains("expected a time such as"));
        assert!(wrong(r#"{"provider": "openai", "script": "on *"}"#).contains("is for provider \"scripted\""));
        assert!(wrong(r#"{"provider": "scripted", "script": "sing"}"#).contains("line 1 of the script"));
        assert!(wrong(r#"{"provider": "openai", "price": {"input": -1, "output": 0}}"#).contains("numbers from 0"));
    }

    #[test]
    fn settings_do_not_show_keys() {
        let text = r#"{"provider": "openai", "key": "sk-123456", "headers": {"X-Key": "topsecret"}}"#;
        let shown = format!("{:?}", read(text).unwrap());
        assert!(!shown.contains("sk-123456") && !shown.contains("topsecret"), "{shown}");
    }
}
