//! Signing in at a server that asks for it (OAuth 2.1): somebody is sent there with a link, and comes back to the agent.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use hostel_core::{AgentId, Error, Result};
use hostel_fetch::Url;
use hostel_protocol::{name::encode_segment, refusal::Code};
use hostel_vault::{SecretValue, VaultError};
use parking_lot::Mutex;
use rmcp::transport::auth::{AuthError, AuthorizationManager, OAuthClientConfig, OAuthHttpClient};

use super::{
    McpHub,
    agent::AgentServers,
    entry::Entry,
    grants::{Grant, Keep, Registered},
    show,
};
use crate::client::OwnClient;

/// How long somebody has to come back.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Those who were sent away to sign in, by the part of `state` that nobody can guess. In memory alone: who comes back to
/// another process is sent again.
#[derive(Default)]
pub(super) struct Away(Mutex<HashMap<String, Traveller>>);

struct Traveller {
    path: String,
    servers: Arc<AgentServers>,
    entry: Arc<Entry>,
    manager: AuthorizationManager,
    since: Instant,
}

/// What a browser brings back.
#[derive(Debug, Default)]
pub(super) struct Return {
    code: Option<String>,
    state: String,
    issuer: Option<String>,
    error: Option<String>,
}

impl Return {
    pub(super) fn of(query: &str) -> Self {
        let mut back = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "code" => back.code = Some(value.into_owned()),
                "state" => back.state = value.into_owned(),
                "iss" => back.issuer = Some(value.into_owned()),
                "error" => back.error = Some(value.into_owned()),
                _ => {}
            }
        }
        back
    }

    /// `{nonce}.{server}`.
    fn parts(&self) -> (&str, &str) {
        self.state.split_once('.').unwrap_or((&self.state, ""))
    }
}

impl Away {
    /// Whether somebody is expected back at this path with this state.
    pub(super) fn expects(&self, path: &str, back: &Return) -> bool {
        let (nonce, server) = back.parts();
        let away = self.0.lock();
        away.get(nonce).is_some_and(|who| who.fits(path, server))
    }

    /// Whether a link for this server is out and still good.
    pub(super) fn has(&self, entry: &Arc<Entry>) -> bool {
        let fresh = |who: &Traveller| Arc::ptr_eq(&who.entry, entry) && who.since.elapsed() < PATIENCE;
        self.0.lock().values().any(fresh)
    }

    fn sent(&self, nonce: String, who: Traveller) {
        let mut away = self.0.lock();
        away.retain(|_, other| other.since.elapsed() < PATIENCE && !Arc::ptr_eq(&other.entry, &who.entry));
        away.insert(nonce, who);
    }

    fn take(&self, path: &str, back: &Return) -> Option<Traveller> {
        let (nonce, server) = back.parts();
        let mut away = self.0.lock();
        away.get(nonce).filter(|who| who.fits(path, server))?;
        away.remove(nonce)
    }
}

impl Traveller {
    fn fits(&self, path: &str, server: &str) -> bool {
        self.path == path && self.entry.row.id.as_str() == server && self.since.elapsed() < PATIENCE
    }
}

/// What the SDK needs to use the tokens of this server, and to get new ones.
pub(super) async fn manager(hub: &McpHub, keep: &Keep) -> Result<AuthorizationManager> {
    let grant = keep.get().await?;
    let mut manager = fresh(hub, keep).await?;
    let Some(Grant { client, challenge, credentials: Some(_) }) = grant else { return Ok(manager) };
    let found = manager.resolve_metadata_from_challenge(Some(&challenge)).await.map_err(|error| refused(&error))?;
    manager.set_metadata(found.metadata);
    // Tokens of one authorization server are never shown to another.
    if manager.initialize_from_store().await.map_err(|error| refused(&error))? {
        manager.configure_client(config(client)).map_err(|error| refused(&error))?;
    }
    Ok(manager)
}

async fn fresh(hub: &McpHub, keep: &Keep) -> Result<AuthorizationManager> {
    let messenger: Arc<dyn OAuthHttpClient> = Arc::clone(&hub.0.messenger) as _;
    let manager = AuthorizationManager::new_with_oauth_http_client(keep.url.as_str(), messenger).await;
    let mut manager = manager.map_err(|error| refused(&error))?;
    manager.set_credential_store(keep.clone());
    Ok(manager)
}

fn config(client: Registered) -> OAuthClientConfig {
    let config = OAuthClientConfig::new(client.id, client.redirect).with_application_type("web");
    client.secret.into_iter().fold(config, OAuthClientConfig::with_client_secret)
}

/// The server wants somebody to sign in: makes the link. The error says so, whoever waits for the server.
pub(super) async fn begin(
    hub: &McpHub,
    servers: &Arc<AgentServers>,
    entry: &Arc<Entry>,
    keep: &Keep,
    challenge: &str,
) -> Error {
    match link(hub, servers, entry, keep, challenge).await {
        Ok(link) => {
            entry.authenticating(link);
            asked(entry)
        }
        Err(error) => error,
    }
}

/// What is answered while somebody is away.
pub(super) fn asked(entry: &Entry) -> Error {
    let message = format!("{} asks somebody to sign in.", entry.name());
    Error::coded(Code::McpUnavailable, message)
        .with_fix("open the `auth_url` that `cx.mcp().list()` and the frame of MCP servers show, and come back")
}

async fn link(
    hub: &McpHub,
    servers: &Arc<AgentServers>,
    entry: &Arc<Entry>,
    keep: &Keep,
    challenge: &str,
) -> Result<String> {
    let path = callback_path(&hub.0.settings.prefix, &keep.agent);
    let redirect = format!("{}{path}", hub.origin()?);
    let known = keep.get().await?;
    let mut manager = fresh(hub, keep).await?;
    let found = manager.resolve_metadata_from_challenge(Some(challenge)).await.map_err(|error| refused(&error))?;
    let issuer = found.metadata.issuer.clone();
    let takes_documents = found.metadata.additional_fields.get("client_id_metadata_document_supported");
    let document = hub.0.settings.client_metadata_url.clone();
    let document = document.filter(|_| takes_documents.and_then(serde_json::Value::as_bool).unwrap_or(false));
    manager.set_metadata(found.metadata);
    let mut scopes = manager.select_initial_scopes(&[]).await;
    let granted = known.iter().filter_map(|grant| grant.credentials.as_ref()).flat_map(|now| &now.granted_scopes);
    for scope in granted.cloned().collect::<Vec<_>>() {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let wanted = Wanted { redirect, issuer, document, scopes: &scopes };
    let client = who_we_are(hub, &mut manager, entry.row.server.client.as_ref(), known.as_ref(), wanted).await?;
    manager.configure_client(config(client.clone())).map_err(|error| refused(&error))?;
    let credentials = known.and_then(|grant| grant.credentials);
    keep.put(Grant { client, challenge: challenge.to_owned(), credentials }).await?;
    let link = manager.get_authorization_url(&scopes).await.map_err(|error| refused(&error))?;
    let (link, nonce) = addressed(&link, entry.row.id.as_str())?;
    let who =
        Traveller { path, servers: Arc::clone(servers), entry: Arc::clone(entry), manager, since: Instant::now() };
    hub.0.away.sent(nonce, who);
    Ok(link)
}

struct Wanted<'a> {
    redirect: String,
    issuer: Option<String>,
    /// The address of our document, if this server takes it.
    document: Option<String>,
    scopes: &'a [&'a str],
}

/// The client the author registered by hand, our document, the client of the last time, or a new one.
async fn who_we_are(
    hub: &McpHub,
    manager: &mut AuthorizationManager,
    own: Option<&OwnClient>,
    known: Option<&Grant>,
    wanted: Wanted<'_>,
) -> Result<Registered> {
    let Wanted { redirect, issuer, document, scopes } = wanted;
    if let Some(own) = own {
        let secret = match &own.secret {
            Some(name) => {
                let named = SecretValue::named(name.parse().map_err(|error: VaultError| error.to_error())?);
                let secret = named.reveal(hub.0.vault.as_ref()).await.map_err(|error| error.to_error())?;
                Some(secret.expose().to_owned())
            }
            None => None,
        };
        return Ok(Registered { id: own.id.clone(), secret, redirect, issuer });
    }
    if let Some(id) = document {
        return Ok(Registered { id, secret: None, redirect, issuer });
    }
    let last = known.map(|grant| &grant.client).filter(|last| last.redirect == redirect && last.issuer == issuer);
    if let Some(last) = last {
        return Ok(last.clone());
    }
    let made = manager.register_client("Hostel", &redirect, scopes).await.map_err(|error| refused(&error))?;
    Ok(Registered { id: made.client_id, secret: made.client_secret, redirect, issuer })
}

/// The link with `{nonce}.{server}` as its state, and the nonce.
fn addressed(link: &str, server: &str) -> Result<(String, String)> {
    let unusable = || Error::coded(Code::McpUnavailable, "The server sends people to an address that is no page.");
    let mut url: Url = link.parse().map_err(|_| unusable())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable());
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let nonce = pairs.iter().find(|(key, _)| key == "state").map(|(_, value)| value.clone()).ok_or_else(unusable)?;
    let state = |(key, value): (String, String)| {
        let value = if key == "state" { format!("{value}.{server}") } else { value };
        (key, value)
    };
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(state));
    Ok((url.into(), nonce))
}

/// Where an agent's browsers come back to: `/agents/{agent}/{name}/callback`.
fn callback_path(prefix: &str, agent: &AgentId) -> String {
    let mut path = format!("/{}", prefix.trim_matches('/'));
    for (depth, id) in agent.parents().iter().chain([agent]).enumerate() {
        let sub = if depth > 0 { "/sub" } else { "" };
        path = format!("{path}{sub}/{}/{}", id.namespace(), encode_segment(id.name()));
    }
    path + "/callback"
}

/// Somebody is back. Whoever is expected is expected once.
///
/// # Errors
/// Why they may not in; `None` if nobody is expected here.
pub(super) async fn finish(hub: &McpHub, path: &str, back: &Return) -> Option<Result<()>> {
    let who = hub.0.away.take(path, back)?;
    let (nonce, _) = back.parts();
    let done = match (&back.error, &back.code) {
        (None, Some(code)) => {
            let exchanged = who.manager.exchange_code_for_token_with_issuer(code, nonce, back.issuer.as_deref()).await;
            exchanged.map(drop).map_err(|error| refused(&error))
        }
        (Some(error), _) => Err(unauthorized(&format!("the server said {error}"))),
        (None, None) => Err(unauthorized("the server gave no code")),
    };
    match &done {
        Ok(()) => {
            let (hub, servers, entry) = (hub.clone(), Arc::clone(&who.servers), Arc::clone(&who.entry));
            entry.signed_in();
            tokio::spawn(async move {
                let _shown_in_its_status = hub.peer(&servers, &entry).await;
            });
        }
        Err(error) => {
            who.entry.failed(error.message());
            hub.show(&who.servers);
        }
    }
    Some(done)
}

fn unauthorized(why: &str) -> Error {
    Error::coded(Code::McpUnavailable, format!("Signing in failed: {}.", show::sanitised(why)))
}

fn refused(error: &AuthError) -> Error {
    Error::coded(Code::McpUnavailable, format!("Signing in is not possible: {}", show::sanitised(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_names_the_server_and_the_rest_of_the_link_stays() {
        let link = "https://login.example/authorize?client_id=a+b&state=n0nce&scope=x%20y";
        let (link, nonce) = addressed(link, "srv").unwrap();
        assert_eq!(nonce, "n0nce");
        assert_eq!(link, "https://login.example/authorize?client_id=a+b&state=n0nce.srv&scope=x+y");
        assert!(addressed("javascript:alert(1)?state=x", "srv").is_err());
    }

    #[test]
    fn browsers_come_back_to_the_path_of_the_agent_whatever_it_is_called() {
        let agent = AgentId::new("CoderAgent", "über uns");
        assert_eq!(callback_path("agents", &agent), "/agents/coder-agent/%C3%BCber%20uns/callback");
        let child = agent.sub_agent("Scout", "a/b").unwrap();
        let path = callback_path("/api/v1/", &child);
        assert_eq!(path, "/api/v1/coder-agent/%C3%BCber%20uns/sub/scout/a%2Fb/callback");
    }

    #[test]
    fn what_comes_back_is_read_from_the_query() {
        let back = Return::of("code=c%20d&state=n.s&iss=https%3A%2F%2Flogin.example");
        assert_eq!((back.code.as_deref(), back.parts()), (Some("c d"), ("n", "s")));
        assert_eq!(back.issuer.as_deref(), Some("https://login.example"));
        assert_eq!(Return::of("state=").parts(), ("", ""));
    }
}
