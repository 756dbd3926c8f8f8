//! What a server let an agent do: the registered client and its tokens, sealed, in the agent's own database.

use std::sync::Arc;

use hostel_core::{AgentId, Error, Result, SqlValue, host::Host};
use hostel_protocol::refusal::Code;
use hostel_runtime::WeakNode;
use parking_lot::Mutex;
use rmcp::transport::auth::{AuthError, CredentialStore, StoredCredentials};
use serde::{Deserialize, Serialize};

use super::{McpHub, rows};
use crate::client::ServerId;

const EXISTS: &str =
    "/*hostel*/ SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'hostel_mcp_grants'";
const CREATE: &str =
    "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_mcp_grants (id TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID";
const ONE: &str = "/*hostel*/ SELECT sealed FROM hostel_mcp_grants WHERE id = ?1";
const PUT: &str = "/*hostel*/ INSERT INTO hostel_mcp_grants (id, sealed) VALUES (?1, ?2)
    ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_mcp_grants WHERE id = ?1";

/// What a server let an agent do.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    /// Who we are to its authorization server.
    pub(super) client: Registered,
    /// What the server said when it asked; it names where to ask.
    pub(super) challenge: String,
    /// The tokens, once somebody has signed in.
    pub(super) credentials: Option<StoredCredentials>,
}

/// Who we are to an authorization server.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Registered {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    pub(super) redirect: String,
    pub(super) issuer: Option<String>,
}

/// The grant of one server, in memory once it was asked for.
pub(super) type Known = Arc<Mutex<Option<Option<Grant>>>>;

/// Keeps the grant of one server.
#[derive(Clone)]
pub(super) struct Keep {
    pub(super) hub: McpHub,
    pub(super) agent: AgentId,
    pub(super) server: ServerId,
    /// Where the server is: a grant is good for nowhere else.
    pub(super) url: String,
    pub(super) known: Known,
}

impl Keep {
    /// What is kept; read once.
    pub(super) async fn get(&self) -> Result<Option<Grant>> {
        if let Some(known) = &*self.known.lock() {
            return Ok(known.clone());
        }
        let id = self.server.clone();
        let sealed = self.node()?.at_host(&self.agent, move |host| read(host, &id)).await?;
        let found = sealed.map(|sealed| self.hub.0.sealer.open(&self.beside(), sealed)).transpose()?.flatten();
        let grant: Option<Grant> = found.and_then(|plain| serde_json::from_slice(&plain).ok());
        *self.known.lock() = Some(grant.clone());
        Ok(grant)
    }

    /// Keeps it, if the server is still registered.
    pub(super) async fn put(&self, grant: Grant) -> Result<()> {
        let sealed = self.hub.0.sealer.seal(&self.beside(), serde_json::to_vec(&grant)?)?;
        let id = self.server.clone();
        self.node()?.at_host(&self.agent, move |host| write(host, &id, sealed)).await?;
        *self.known.lock() = Some(Some(grant));
        Ok(())
    }

    async fn change(&self, change: impl FnOnce(&mut Grant)) -> Result<(), AuthError> {
        let failed = |error: Error| AuthError::CredentialStoreError(error.message().to_owned());
        let Some(mut grant) = self.get().await.map_err(failed)? else { return Ok(()) };
        change(&mut grant);
        self.put(grant).await.map_err(failed)
    }

    fn beside(&self) -> String {
        format!("{}\n{}\n{}", self.agent, self.server, self.url)
    }

    fn node(&self) -> Result<hostel_runtime::Node> {
        let node = self.hub.0.node.get().and_then(WeakNode::upgrade);
        node.ok_or_else(|| Error::coded(Code::AgentUnavailable, "The server is stopping."))
    }
}

#[async_trait::async_trait]
impl CredentialStore for Keep {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        let grant = self.get().await.map_err(|error| AuthError::CredentialStoreError(error.message().to_owned()))?;
        Ok(grant.and_then(|grant| grant.credentials))
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        self.change(|grant| grant.credentials = Some(credentials)).await
    }

    async fn clear(&self) -> Result<(), AuthError> {
        self.change(|grant| grant.credentials = None).await
    }

    async fn on_refresh_token_rejected(&self, rejected: &StoredCredentials) -> Result<(), AuthError> {
        let received = rejected.token_received_at;
        self.change(|grant| {
            grant.credentials.take_if(|now| now.token_received_at == received);
        })
        .await
    }
}

fn exists(host: &dyn Host) -> Result<bool> {
    Ok(host.own_sql(EXISTS, &[])?.value::<i64>()?.unwrap_or(0) > 0)
}

fn read(host: &dyn Host, id: &ServerId) -> Result<Option<Vec<u8>>> {
    if !exists(host)? {
        return Ok(None);
    }
    host.own_sql(ONE, &[SqlValue::Text(id.as_str().into())])?.value()
}

fn write(host: &dyn Host, id: &ServerId, sealed: Vec<u8>) -> Result<()> {
    if !rows::read(host)?.iter().any(|row| row.id == *id) {
        return Ok(());
    }
    host.own_sql(CREATE, &[])?;
    host.own_sql(PUT, &[SqlValue::Text(id.as_str().into()), SqlValue::Blob(sealed)]).map(drop)
}

/// Forgets what a server gave; with its registration.
pub(super) fn remove(host: &dyn Host, id: &ServerId) -> Result<()> {
    if exists(host)? {
        host.own_sql(REMOVE, &[SqlValue::Text(id.as_str().into())])?;
    }
    Ok(())
}
