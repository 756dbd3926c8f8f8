//! One socket's view of its agent: what the edge holds.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hostel_core::{
    AgentId, BoxFuture, CloseEvent, ConnectRequest, Connection, Error, Identity, Message, Result,
    connection::ConnectionRecord,
    event::{Event, Output},
};
use hostel_protocol::{
    connection::{close, validate_tags},
    refusal::Code,
};
use serde_json::Value;
use tokio::sync::oneshot;

use super::Shared;
use crate::{
    cell::{Cell, Job, Opened},
    ids::nanoid,
    outbox::Outbox,
    peer::Peer,
};

/// Longest connection id a client may choose, in bytes.
const MAX_CONNECTION_ID: usize = 128;

/// A connection, as the task that owns its socket sees it.
///
/// Dropping it without [`Session::close`] counts as a lost connection (1006).
pub struct Session {
    peer: Arc<Peer>,
    cell: Option<Arc<Cell>>,
    connecting: Option<oneshot::Receiver<Result<()>>>,
    crowd: Option<BoxFuture<()>>,
}

impl Session {
    /// What to write to the client.
    pub fn outbox(&self) -> &Outbox {
        &self.peer.outbox
    }

    /// The connection's id.
    pub fn id(&self) -> &str {
        &self.peer.record.id
    }

    /// Who is behind it.
    pub fn identity(&self) -> Option<&Identity> {
        self.peer.record.identity()
    }

    /// Resolves when the next message may be given in: `on_connect` is done, and the agent is not swamped.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(connecting) = &mut self.connecting {
            let outcome = ready!(Pin::new(connecting).poll(cx));
            self.connecting = None;
            self.connected(outcome.unwrap_or_else(|_| Err(gone(&self.peer))));
        }
        let Some(cell) = &self.cell else { return Poll::Ready(()) };
        if self.crowd.is_none() {
            if !cell.is_crowded() {
                return Poll::Ready(());
            }
            let cell = Arc::clone(cell);
            self.crowd = Some(Box::pin(async move { cell.until_less_crowded().await }));
        }
        if let Some(crowd) = &mut self.crowd {
            ready!(crowd.as_mut().poll(cx));
            self.crowd = None;
        }
        Poll::Ready(())
    }

    fn connected(&mut self, outcome: Result<()>) {
        if let (Err(error), Some(cell)) = (outcome, &self.cell) {
            cell.setup_failed(&self.peer, &error);
            self.leave(lost());
        }
    }

    /// Gives a message to the agent. If nobody else is running it, it runs now, on this thread.
    pub fn receive(&self, message: Message) {
        if let Some(cell) = &self.cell {
            self.submit(cell, Job::Message(Arc::clone(&self.peer), message));
        }
    }

    /// Gives a message to the agent that another one follows at once: it waits for that one, which is given with
    /// [`Session::receive`] before anything is waited for. So turns share a commit.
    pub fn receive_with_next(&self, message: Message) {
        if let Some(cell) = &self.cell {
            self.told(&cell.enqueue(Job::Message(Arc::clone(&self.peer), message)));
        }
    }

    /// The connection has ended.
    pub fn close(mut self, close: CloseEvent) {
        self.leave(close);
    }

    fn leave(&mut self, close: CloseEvent) {
        if let Some(cell) = self.cell.take() {
            self.submit(&cell, Job::Close(Arc::clone(&self.peer), close));
        }
    }

    fn submit(&self, cell: &Cell, job: Job) {
        self.told(&cell.submit(job));
    }

    /// A cell with connections stays in the registry, unless the node stops or the agent was destroyed.
    fn told(&self, taken: &std::result::Result<(), Job>) {
        if taken.is_err() {
            let reason = format!("{}: the server is restarting, come back in a moment", Code::ShuttingDown.as_str());
            self.peer.outbox.close(close::SERVICE_RESTART, &reason);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave(lost());
    }
}

fn lost() -> CloseEvent {
    CloseEvent { code: close::ABNORMAL, reason: String::new(), was_clean: false }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Opens a connection; whatever goes wrong is said in the session's outbox.
pub(super) async fn open(
    node: &Arc<Shared>,
    id: &AgentId,
    request: ConnectRequest,
    connection_id: Option<&str>,
    props: Option<Arc<Value>>,
) -> Session {
    let request = Arc::new(request);
    let wanted = connection_id.filter(|id| !id.is_empty() && id.len() <= MAX_CONNECTION_ID);
    let connection_id = wanted.map_or_else(|| nanoid(21), str::to_owned);
    let mut record = ConnectionRecord::new(node.next_connection_key(), &connection_id, &request.uri)
        .with_identity(request.identity.clone());
    record.set_state_versions(request.query("state_version").as_deref() == Some("1"));
    let prepared = prepare(node, id, &mut record, &request, props).await;
    let peer = Arc::new(Peer::new(record, node.options.outbox_bytes));
    match prepared {
        Ok(cell) => join(node, cell, peer, request).await,
        Err(error) => failed(node, id, peer, &error),
    }
}

/// Wakes the agent and asks its hooks what the connection may do.
async fn prepare(
    node: &Arc<Shared>,
    id: &AgentId,
    record: &mut ConnectionRecord,
    request: &Arc<ConnectRequest>,
    props: Option<Arc<Value>>,
) -> Result<Arc<Cell>> {
    node.wake(id, props).await?;
    let cell = node.cell(id)?;
    if let Some(Output::Tags(tags)) = decide(node, &cell, Event::Tags(Arc::clone(request))).await? {
        let all = validate_tags(&record.id, tags).map_err(Error::msg)?;
        record.tags = all.into_iter().skip(1).collect();
    }
    // The hooks see the connection before it is open; what they do to it is dropped, except for their verdict.
    let preview = ConnectionRecord::new(record.key, &record.id, &record.uri).with_identity(request.identity.clone());
    let connection = Connection::new(Arc::new(preview), cell.clone());
    let readonly = Event::Readonly(connection.clone(), Arc::clone(request));
    if let Some(Output::Flag(readonly)) = decide(node, &cell, readonly).await? {
        record.set_readonly(readonly);
    }
    let protocol = Event::Protocol(connection, Arc::clone(request));
    if let Some(Output::Flag(wanted)) = decide(node, &cell, protocol).await? {
        record.set_no_protocol(!wanted);
    }
    Ok(cell)
}

async fn decide(node: &Arc<Shared>, cell: &Cell, event: Event) -> Result<Option<Output>> {
    if cell.class.mode(&event).is_none() {
        return Ok(None);
    }
    let mut event = Some(event);
    let ask = |done| Job::Decide(Box::new(event.take().unwrap_or(Event::Start)), done);
    node.ask(&cell.id, ask).await.map(Some)
}

async fn join(node: &Arc<Shared>, cell: Arc<Cell>, peer: Arc<Peer>, request: Arc<ConnectRequest>) -> Session {
    // From here on dropping the session, or this future, takes the connection off the agent's list again.
    let mut session = Session { peer: Arc::clone(&peer), cell: Some(cell), connecting: None, crowd: None };
    match enter(node, &mut session, peer, request).await {
        Ok(Opened::Done) => {}
        Ok(Opened::Connecting(wait)) => session.connecting = Some(wait),
        Err(error) => {
            if let Some(cell) = session.cell.take() {
                cell.setup_failed(&session.peer, &error);
            }
        }
    }
    session
}

async fn enter(
    node: &Arc<Shared>,
    session: &mut Session,
    peer: Arc<Peer>,
    request: Arc<ConnectRequest>,
) -> Result<Opened> {
    let (done, opened) = oneshot::channel();
    let mut job = Job::Open(Arc::clone(&peer), request, done);
    while let Some(cell) = &session.cell
        && let Err(back) = cell.submit(job)
    {
        job = back;
        session.cell = Some(node.cell(&cell.id)?);
    }
    opened.await.unwrap_or_else(|_| Err(gone(&peer)))
}

fn gone(peer: &Peer) -> Error {
    let message = format!("The agent went away before connection {} was open.", peer.record.id.escape_debug());
    Error::coded(Code::AgentUnavailable, message)
}

fn failed(node: &Arc<Shared>, id: &AgentId, peer: Arc<Peer>, error: &Error) -> Session {
    match node.cell(id) {
        Ok(cell) => cell.setup_failed(&peer, error),
        Err(_) => {
            let refusal = error.to_refusal(Code::AgentUnavailable);
            peer.outbox.push(refusal.to_error_frame().into(), false);
            peer.outbox.close(refusal.code.close_code(), &refusal.close_reason());
        }
    }
    Session { peer, cell: None, connecting: None, crowd: None }
}
