//! `[coder.github]`: which GitHub the coding agents use.

use hostel_coder::GithubOptions;
use hostel_vault::SecretValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// `[coder.github]`: which GitHub, and everybody's token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GithubSection {
    /// Where the API is: that of GitHub Enterprise is `https://HOST/api/v3`.
    #[serde(deserialize_with = "api_url")]
    pub api_url: Option<GithubOptions>,
    /// The token of whoever has none, as `secret:NAME`.
    pub token: Option<SecretValue>,
}

impl GithubSection {
    /// As the coding agent takes it.
    pub(crate) fn options(&self) -> GithubOptions {
        GithubOptions { token: self.token.clone(), ..self.api_url.clone().unwrap_or_default() }
    }
}

fn api_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<GithubOptions>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong =
        |error: hostel::Error| D::Error::custom(format!("{} ({})", error.message(), error.fix().unwrap_or_default()));
    GithubOptions::enterprise(&text).map(Some).map_err(wrong)
}
