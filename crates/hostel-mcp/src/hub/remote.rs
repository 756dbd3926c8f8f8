//! Connections to servers at a URL: over streamable HTTP, or HTTP+SSE with those of 2024.

use std::{collections::HashMap, sync::Arc};

use hostel_core::{Error, Result};
use hostel_fetch::reqwest;
use hostel_protocol::refusal::Code;
use hostel_vault::{SecretValue, VaultError};
use http::{HeaderName, HeaderValue};
use rmcp::{
    model::ErrorCode,
    service::{ClientInitializeError, ClientLifecycleMode, serve_client_with_lifecycle},
    transport::{
        StreamableHttpClientTransport,
        auth::AuthClient,
        streamable_http_client::{StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};

use super::{
    McpHub,
    agent::AgentServers,
    connect::{self, Service, Unanswered, listener, unavailable},
    entry::Entry,
    events::{self, Events, Headers},
    show, sign_in,
    telling::Telling,
};
use crate::client::{Header, Transport};

/// How much is told of what was said over the one transport when the other did not do either.
const BRIEF: usize = 200;

/// Where a server is, and who listens to it.
struct There<'a> {
    hub: &'a McpHub,
    entry: &'a Arc<Entry>,
    servers: &'a Arc<AgentServers>,
    url: &'a str,
    headers: Headers,
}

/// Connects to a server at a URL.
pub(super) async fn open(hub: &McpHub, entry: &Arc<Entry>, servers: &Arc<AgentServers>, url: &str) -> Result<Service> {
    let server = &entry.row.server;
    hub.check(server)?;
    let there = There { hub, entry, servers, url, headers: revealed(hub, &server.headers).await? };
    let client = Telling(hub.0.fetch.unchecked_client().clone());
    let keep = entry.keep(hub, servers).filter(|_| !server.brings_authorization());
    let Some(keep) = keep else {
        return there.connected(client).await.map_err(|unanswered| match unanswered {
            Unanswered::SignIn(challenge) => {
                let message = format!("It does not take its token: {}", show::sanitised(&challenge));
                Error::coded(Code::McpUnavailable, message)
            }
            Unanswered::Failed(error) => error,
        });
    };
    let client = AuthClient::new(client, sign_in::manager(hub, &keep).await?);
    match Box::pin(there.connected(client)).await {
        Ok(service) => Ok(service),
        Err(Unanswered::SignIn(challenge)) => Err(sign_in::begin(hub, servers, entry, &keep, &challenge).await),
        Err(Unanswered::Failed(error)) => Err(error),
    }
}

impl There<'_> {
    async fn connected<C>(&self, client: C) -> Result<Service, Unanswered>
    where
        C: StreamableHttpClient<Error = reqwest::Error> + Sync,
    {
        let transport = self.entry.row.server.transport;
        if transport == Transport::Sse {
            return self.events(client).await;
        }
        let error = match self.streamable(client.clone()).await {
            Ok(service) => return Ok(service),
            Err(error) => error,
        };
        if transport == Transport::StreamableHttp || !may_be_old(&error) {
            return Err(why(&error));
        }
        match self.events(client).await {
            Err(Unanswered::Failed(as_old)) => Err(neither(&error, &as_old).into()),
            outcome => outcome,
        }
    }

    async fn streamable<C>(&self, client: C) -> Result<Service, ClientInitializeError>
    where
        C: StreamableHttpClient<Error = reqwest::Error> + Sync,
    {
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.url);
        config.custom_headers = self.headers.clone();
        let transport = StreamableHttpClientTransport::with_client(client, config);
        serve_client_with_lifecycle(self.listener(), transport, connect::lifecycle()).await
    }

    async fn events<C>(&self, client: C) -> Result<Service, Unanswered>
    where
        C: StreamableHttpClient<Error = reqwest::Error> + Sync,
    {
        let opened = Events::open(client, self.url, self.headers.clone()).await;
        let events = opened.map_err(|error| match error.auth_challenge() {
            Some(challenge) => Unanswered::SignIn(challenge.to_owned()),
            None => Unanswered::Failed(unavailable(&error)),
        })?;
        // Its revision has the handshake and nothing else.
        let mode = ClientLifecycleMode::Initialize;
        serve_client_with_lifecycle(self.listener(), events, mode).await.map_err(|error| why(&error))
    }

    fn listener(&self) -> connect::Listener {
        listener(self.hub, self.entry, self.servers)
    }
}

fn why(error: &ClientInitializeError) -> Unanswered {
    match error.auth_challenge() {
        Some(challenge) => Unanswered::SignIn(challenge.to_owned()),
        None => Unanswered::Failed(unavailable(error)),
    }
}

/// Whether the server answered the handshake as one of 2024 may, which has nothing to post to at its URL: with 400, 404 or 405, or
/// with an error that no server of today gives for it. A server that is none of 2024 says so when it is asked for its events.
fn may_be_old(error: &ClientInitializeError) -> bool {
    match error {
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => may_be_old(fallback),
        ClientInitializeError::TransportError { error, .. } => {
            let error = error.error.downcast_ref::<StreamableHttpError<reqwest::Error>>();
            matches!(error.and_then(events::status), Some(400 | 404 | 405))
        }
        ClientInitializeError::JsonRpcError(said) => !TODAY.contains(&said.code),
        ClientInitializeError::UncorrelatedErrorResponse { .. } => true,
        _ => false,
    }
}

/// What servers of today refuse with: a revision, a method or a header. They are what the revision of 2026-07-28 excepts when it says
/// how those of 2024 are found out.
const TODAY: [ErrorCode; 4] = [
    ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
    ErrorCode::METHOD_NOT_FOUND,
    ErrorCode::HEADER_MISMATCH,
    ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
];

fn neither(error: &ClientInitializeError, as_old: &Error) -> Error {
    let brief = |error: &Error| error.message().chars().take(BRIEF).collect::<String>();
    let (now, then) = (brief(&unavailable(error)), brief(as_old));
    Error::coded(Code::McpUnavailable, format!("{now}; as a server of 2024 (SSE): {then}"))
}

/// Header values, with secrets from the vault.
async fn revealed(hub: &McpHub, headers: &[Header]) -> Result<Headers> {
    let mut revealed = HashMap::new();
    for Header { name, value, secret } in headers {
        let secret = match secret {
            Some(named) => SecretValue::named(named.parse().map_err(|error: VaultError| error.to_error())?),
            None => SecretValue::outright(""),
        };
        let secret = secret.reveal(hub.0.vault.as_ref()).await.map_err(|error| error.to_error())?;
        let name: HeaderName = name.parse()?;
        let mut value = HeaderValue::from_str(&format!("{value}{}", secret.expose()))?;
        value.set_sensitive(true);
        revealed.insert(name, value);
    }
    Ok(revealed)
}

#[cfg(test)]
mod tests {
    use rmcp::{ErrorData, model::RequestId};

    use super::*;

    fn refused(code: ErrorCode) -> ClientInitializeError {
        ClientInitializeError::JsonRpcError(ErrorData::new(code, "no", None))
    }

    #[test]
    fn a_server_of_2024_is_looked_for_behind_any_error_but_those_of_servers_of_today() {
        for code in [ErrorCode::INVALID_REQUEST, ErrorCode::INTERNAL_ERROR, ErrorCode(-32000)] {
            assert!(may_be_old(&refused(code)), "{code:?}");
        }
        TODAY.into_iter().for_each(|code| assert!(!may_be_old(&refused(code)), "{code:?}"));
        let (expected, received) = (RequestId::Number(1), RequestId::Number(2));
        assert!(may_be_old(&ClientInitializeError::UncorrelatedErrorResponse { expected, received }));
        let both = |fallback| ClientInitializeError::LegacyFallbackFailed {
            discover: Box::new(refused(ErrorCode::METHOD_NOT_FOUND)),
            fallback: Box::new(fallback),
        };
        assert!(
            may_be_old(&both(refused(ErrorCode(-32000)))) && !may_be_old(&both(refused(ErrorCode::METHOD_NOT_FOUND)))
        );
        assert!(!may_be_old(&ClientInitializeError::Cancelled));
    }
}
