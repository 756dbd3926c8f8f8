//! GitHub, as the operator sets it, and in whose name it is asked.
//!
//! The token is that of whoever asked; where nobody is known, or they have none, the agent's own; else the operator's for
//! everybody. It comes out of the vault when it is needed, and goes nowhere but to GitHub.

pub(crate) mod account;
pub(crate) mod token;

use std::sync::OnceLock;

use hostel::{Cx, Error, Result, SecretName, SecretValue, Vault};
use hostel_github::{Github, GithubError, RepoName, Settings, Token};
use hostel_workspace::git::{Credential, Git, Transport};

use crate::{
    CoderAgent,
    context::{ContextChange, ProjectContext},
    workspaces::Workspaces,
};

/// The name of everybody's own secret.
const SECRET: &str = "GITHUB_TOKEN";

/// Which GitHub the agents use, and with which token where nobody has their own.
///
/// ```
/// use hostel_coder::{GithubOptions, Workspaces};
///
/// let github = GithubOptions::enterprise("https://git.corp.example/api/v3")?;
/// let workspaces = Workspaces::new("data/workspaces").github(github);
/// # let _ = workspaces;
/// # Ok::<(), hostel::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct GithubOptions {
    /// Where it is, and how patient we are.
    pub settings: Settings,
    /// The token of everybody who has none.
    pub token: Option<SecretValue>,
}

impl GithubOptions {
    /// The GitHub whose API is at this address, without a token for everybody.
    ///
    /// # Errors
    /// When it is no address.
    pub fn enterprise(api: &str) -> Result<Self> {
        let wrong = |why: String| {
            let fix = "write something like https://git.corp.example/api/v3";
            Error::msg(format!("{api:?} is no address of an API: {why}")).with_fix(fix)
        };
        let api = api.parse().map_err(|error| wrong(format!("{error}")))?;
        let settings = Settings { api, ..Settings::default() };
        if !matches!(settings.api.scheme(), "http" | "https") || settings.api.host_str().is_none() {
            return Err(wrong("it begins with https://".to_owned()));
        }
        Ok(Self { settings, token: None })
    }
}

/// The options, with the client that is made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) options: GithubOptions,
    client: OnceLock<Github>,
}

/// Whose token is used.
enum Whose {
    Named(SecretName),
    Everybodys(SecretValue),
}

impl Access {
    pub(crate) fn new(options: GithubOptions) -> Self {
        Self { options, client: OnceLock::new() }
    }

    /// The client that shows no token.
    fn client(&self) -> Result<Github> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let made = Github::new(&self.options.settings).map_err(told)?;
        Ok(self.client.get_or_init(|| made).clone())
    }

    /// Whether there is a token for whoever is behind `cx`, as far as can be told at once.
    pub(crate) fn has_token(&self, cx: &Cx<CoderAgent>) -> bool {
        self.whose(cx).is_some()
    }

    fn whose(&self, cx: &Cx<CoderAgent>) -> Option<Whose> {
        let vault = cx.env::<Vault>().ok();
        let has = |name: &SecretName| vault.as_ref().is_some_and(|vault| vault.has(name));
        let own = [of_user(cx), SecretName::agent(cx.id(), SECRET).ok()].into_iter().flatten().find(has);
        let everybodys = || {
            let token = self.options.token.as_ref()?;
            token.name().is_none_or(has).then(|| token.clone())
        };
        own.map(Whose::Named).or_else(|| everybodys().map(Whose::Everybodys))
    }

    async fn token(&self, cx: &Cx<CoderAgent>) -> Result<Option<Token>> {
        let vault = cx.env::<Vault>().ok();
        let revealed = match (self.whose(cx), &vault) {
            (None, _) | (Some(Whose::Named(_)), None) => return Ok(None),
            (Some(Whose::Named(name)), Some(vault)) => vault.reveal(&name).await,
            (Some(Whose::Everybodys(value)), vault) => value.reveal(vault.as_deref()).await,
        };
        Ok(Some(Token::new(revealed.map_err(|error| error.to_error())?.expose())))
    }

    /// Whether this address is one of a repository there.
    pub(crate) fn is_there(&self, url: &str) -> bool {
        let (Ok(client), Ok(url)) = (self.client(), url.parse::<hostel_github::Url>()) else { return false };
        let web = client.web();
        url.origin() == web.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path().starts_with(web.path())
    }
}

/// The secret of whoever is behind `cx`.
fn of_user(cx: &Cx<CoderAgent>) -> Option<SecretName> {
    SecretName::user(cx.identity()?.subject(), SECRET).ok()
}

/// Where the token of whoever is behind `cx` is kept: theirs, or the agent's if nobody is known.
fn place(cx: &Cx<CoderAgent>) -> Result<SecretName> {
    let own = of_user(cx).map_or_else(|| SecretName::agent(cx.id(), SECRET), Ok);
    own.map_err(|error| error.to_error())
}

/// GitHub, in the name of whoever is behind `cx`, or nobody's.
///
/// # Errors
/// That there are no workspaces, or those of the vault.
pub(crate) async fn github(cx: &Cx<CoderAgent>) -> Result<Github> {
    let workspaces = cx.env::<Workspaces>()?;
    let client = workspaces.on_github().client()?;
    let token = workspaces.on_github().token(cx).await?;
    Ok(token.map_or(client.clone(), |token| client.with_token(token)))
}

/// Git, for a repository at `url`: if it is GitHub's, in the name of whoever is behind `cx`.
///
/// # Errors
/// Those of the vault.
pub(crate) async fn git(cx: &Cx<CoderAgent>, workspaces: &Workspaces, url: &str) -> Result<Git> {
    let (git, access) = (workspaces.runs_git(), workspaces.on_github());
    if !access.is_there(url) {
        return Ok(git.clone());
    }
    let client = access.client()?;
    let transports = if client.web().scheme() == "http" { &[Transport::Http][..] } else { &[] };
    let credential = access
        .token(cx)
        .await?
        .map(|token| Credential { url: client.web().to_string(), header: token.git_header().to_string() });
    Ok(git.with_credentials(credential.as_slice(), transports))
}

/// The repository that is meant: what was said, else that of the project context.
///
/// # Errors
/// That nobody has said which.
pub(crate) fn meant(cx: &Cx<CoderAgent>, owner: Option<&str>, repo: Option<&str>) -> Result<RepoName> {
    let context = cx.read(CoderAgent::context)?;
    let said = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let (owner, repo) = (said(owner), said(repo));
    if let Some(whole) = repo.as_ref().filter(|repo| repo.contains('/')) {
        return whole.parse().map_err(told);
    }
    let unknown = |what: &str| {
        let fix = "say owner and repo, or set the project context";
        Error::msg(format!("Nobody has said which {what} is meant.")).with_fix(fix)
    };
    let owner = owner.or(context.repo_owner).ok_or_else(|| unknown("owner"))?;
    let repo = repo.or(context.repo_name).ok_or_else(|| unknown("repository"))?;
    RepoName::new(owner, repo).map_err(told)
}

/// People talk about the repository that was cloned from GitHub, if they have not said another.
///
/// # Errors
/// A storage code.
pub(crate) fn talked_about(cx: &Cx<CoderAgent>, url: &str) -> Result<()> {
    let is_there = cx.env::<Workspaces>()?.on_github().is_there(url);
    let Some(name) = url.parse::<RepoName>().ok().filter(|_| is_there) else { return Ok(()) };
    let is_open = |context: ProjectContext| context.repo_owner.is_none() && context.repo_name.is_none();
    if cx.read(|me| is_open(me.context()))? {
        let (owner, name) = (Some(Some(name.owner().to_owned())), Some(Some(name.name().to_owned())));
        let change = ContextChange { repo_owner: owner, repo_name: name, ..ContextChange::default() };
        cx.update(|me| me.change_context(change))?;
    }
    Ok(())
}

/// What GitHub refused, as agents and clients see it.
#[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub(crate) fn told(error: GithubError) -> Error {
    let shown = Error::coded(error.code(), error.to_string());
    match error.fix() {
        Some(fix) => shown.with_fix(fix),
        None => shown,
    }
}
