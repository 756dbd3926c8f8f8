//! `githubAccount`: in whose name GitHub is asked. No token is in it.

use hostel::{Cx, JsonSchema, Result, Vault};
use serde::{Deserialize, Serialize};

use super::{Whose, of_user};
use crate::{CoderAgent, workspaces::Workspaces};

/// What `githubAccount` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountView {
    /// The host of GitHub, such as `github.com`.
    pub host: String,
    /// Whose token is used; without one, what is public is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenOf>,
    /// Who that is on GitHub, if it could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Why GitHub could not be asked, or does not take the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether there is a vault, without which no token can be kept.
    pub vault: bool,
}

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenOf {
    /// That of whoever asks.
    You,
    /// That of the agent.
    Agent,
    /// The operator's, for everybody.
    Everybody,
}

/// In whose name GitHub is asked for whoever is behind `cx`.
///
/// # Errors
/// That there are no workspaces, or those of the vault.
pub(crate) async fn view(cx: &Cx<CoderAgent>) -> Result<AccountView> {
    let workspaces = cx.env::<Workspaces>()?;
    let access = workspaces.on_github();
    let host = access.client()?.web().host_str().unwrap_or_default().to_owned();
    let token = access.whose(cx).map(|whose| match whose {
        Whose::Everybodys(_) => TokenOf::Everybody,
        Whose::Named(name) if of_user(cx).as_ref() == Some(&name) => TokenOf::You,
        Whose::Named(_) => TokenOf::Agent,
    });
    let asked = match token {
        Some(_) => Some(super::github(cx).await?.user().await),
        None => None,
    };
    let (login, problem) = match asked {
        Some(Ok(user)) => (Some(user.login), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    Ok(AccountView { host, token, login, problem, vault: cx.env::<Vault>().is_ok() })
}
