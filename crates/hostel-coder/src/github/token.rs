//! `setGithubToken`: a token goes into the vault, and is seen no more.

use hostel::{Cx, Error, JsonSchema, Result, Vault};
use hostel_github::{GithubError, Token};
use serde::{Deserialize, Serialize};

use super::{place, told};
use crate::{CoderAgent, workspaces::Workspaces};

/// What `setGithubToken` takes: `{token}`, or the token itself, as in earlier years. `null` removes it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("writeOnly" = true))]
pub enum TokenGiven {
    /// The token itself.
    Plain(Option<String>),
    /// The token in an object.
    Named {
        /// The token; `null` removes the one that is there.
        token: Option<String>,
    },
}

impl std::fmt::Debug for TokenGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenGiven(hidden)")
    }
}

/// What `setGithubToken` answers. The token is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenSet {
    /// Always true: a failure is an error of the call.
    pub success: bool,
    /// Whose token it is, if GitHub could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

/// Keeps the token of whoever calls, or removes it. GitHub is asked whose it is; one that it does not take is not kept.
///
/// # Errors
/// `github_token_bad`; `vault_unavailable` if nothing can be kept here.
pub(crate) async fn set(cx: &Cx<CoderAgent>, given: TokenGiven) -> Result<TokenSet> {
    let (TokenGiven::Plain(token) | TokenGiven::Named { token }) = given;
    let vault = cx.env::<Vault>().map_err(|_| no_vault())?;
    let name = place(cx)?;
    let Some(text) = token.filter(|token| !token.trim().is_empty()) else {
        let removed = tokio::task::spawn_blocking(move || vault.remove(&name)).await?;
        removed.map_err(|error| error.to_error())?;
        return Ok(TokenSet { success: true, login: None });
    };
    let token = Token::new(text.trim());
    if !token.is_plausible() {
        let why = "This is no token: those of GitHub have letters, digits and _ alone.";
        return Err(Error::coded(hostel::Code::GithubTokenBad, why).with_fix("paste the whole token and nothing else"));
    }
    let login = whose(cx, &token).await?;
    let kept = tokio::task::spawn_blocking(move || vault.set(&name, text.trim())).await?;
    kept.map_err(|error| error.to_error())?;
    Ok(TokenSet { success: true, login })
}

/// Whose token it is. If GitHub cannot be asked now, that is found out later.
async fn whose(cx: &Cx<CoderAgent>, token: &Token) -> Result<Option<String>> {
    let workspaces = cx.env::<Workspaces>()?;
    let github = workspaces.on_github().client()?.with_token(token.clone());
    match github.user().await {
        Ok(user) => Ok(Some(user.login)),
        Err(error @ GithubError::BadToken) => Err(told(error)),
        // Tokens of apps belong to nobody.
        Err(_) => Ok(None),
    }
}

fn no_vault() -> Error {
    let why = "There is no vault here, so a token cannot be kept.";
    let fix = "the operator makes one: `hostel vault init --key-file hostel.vault.key`, and names both in [vault] of hostel.toml";
    Error::coded(hostel::Code::VaultUnavailable, why).with_fix(fix)
}
