//! Connections: who may come in, what they are told first, and how they leave.

use std::sync::{Arc, atomic::Ordering};

use hostel_core::{
    CloseEvent, ConnectRequest, Connection, Error, Message, Result,
    event::{Event, Output},
    extension::Greeting,
    handler::Mode,
};
use hostel_protocol::{
    connection::close,
    refusal::{Code, Refusal},
    server,
};
use tokio::sync::oneshot;

use super::{
    Cell,
    cause::Why,
    job::answer,
    turn::{Awake, Turn},
};
use crate::{gate::Delivery, peer::Peer};

/// How a connection's first turn went.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It is open, and `on_connect` is done.
    Done,
    /// It is open, and `on_connect` is still at work.
    Connecting(oneshot::Receiver<Result<()>>),
}

impl Cell {
    /// Runs a hook that decides about a connection.
    pub(super) fn decide(&self, event: Event, done: oneshot::Sender<Result<Output>>) {
        self.run_hook(event, None, |_, outcome| answer(done, outcome));
    }

    /// Adds a connection: identity, state and MCP servers first, then whatever `on_connect` sends, all in one turn.
    pub(super) fn open(&self, peer: &Arc<Peer>, request: Arc<ConnectRequest>, done: oneshot::Sender<Result<Opened>>) {
        let connection = Connection::new(Arc::clone(&peer.record), self.arc());
        let event = Event::Connect(connection, request);
        match self.class.mode(&event) {
            Some(Mode::Task) => {
                if let Err(error) = self.greet(peer) {
                    return answer(done, Err(error));
                }
                let (tell, hear) = oneshot::channel();
                self.run_hook(event, Some(peer), |_, outcome| answer(tell, outcome.map(|_| ())));
                answer(done, Ok(Opened::Connecting(hear)));
            }
            Some(mode) => self.connect_in_turn(mode, event, peer, done),
            None => answer(done, self.greet(peer).map(|()| Opened::Done)),
        }
    }

    fn connect_in_turn(&self, mode: Mode, event: Event, peer: &Arc<Peer>, done: oneshot::Sender<Result<Opened>>) {
        let origin = self.origin(Some(peer));
        let why = Why::hook(&event, Some(peer), None);
        let work = |awake: &mut Awake| {
            let greeting = self.join(peer, awake);
            awake.instance.run(&origin, event)?;
            Ok(greeting)
        };
        let turn = Turn { cause: why.cause(), ..Turn::own(mode) };
        self.turn(&turn, work, |outcome, deliveries| match outcome {
            Ok(greeting) => {
                deliveries.splice(0..0, greeting);
                answer(done, Ok(Opened::Done));
            }
            Err(error) => {
                self.forget(peer);
                answer(done, Err(error));
            }
        });
    }

    fn greet(&self, peer: &Arc<Peer>) -> Result<()> {
        let mut greeted = Ok(());
        let work = |awake: &mut Awake| Ok(self.join(peer, awake));
        self.turn(&Turn::own(Mode::Read), work, |greeting, deliveries| {
            greeted = greeting.map(|greeting| deliveries.extend(greeting)).inspect_err(|_| self.forget(peer));
        });
        greeted
    }

    /// What a new connection is told, in this order (agents-protocol, 2.4).
    fn greeting(&self, peer: &Arc<Peer>, state: Option<&str>) -> Vec<Delivery> {
        if peer.record.no_protocol() {
            return Vec::new();
        }
        let info = self.class.info();
        let identity = info.options.send_identity_on_connect;
        let identity = identity.then(|| server::identity(&info.namespace, self.id.name(), state.is_some()).into());
        let send = |frame| Delivery::Send(Arc::clone(peer), frame);
        let state = state.map(|state| self.first_state(peer, state));
        [identity.map(send), state, Some(send(self.mcp_frame()))].into_iter().flatten().collect()
    }

    /// The frame with the agent's MCP servers. That there are none is remembered while the cell lives.
    fn mcp_frame(&self) -> Message {
        let known = self.node.options.mcp_servers.as_ref().filter(|_| !self.has_no_mcp.load(Ordering::Acquire));
        if let Some(known) = known {
            match known.frame(self) {
                Some(frame) => return frame,
                None => self.has_no_mcp.store(true, Ordering::Release),
            }
        }
        server::MCP_SERVERS_EMPTY.into()
    }

    /// Tells every client that takes protocol frames of the agent's MCP servers.
    pub(crate) fn show_mcp(&self, frame: Message) {
        self.has_no_mcp.store(false, Ordering::Release);
        let takes = |peer: &&Arc<Peer>| !peer.record.no_protocol();
        let peers: Vec<_> = self.peers.lock().values().filter(takes).cloned().collect();
        if !peers.is_empty() {
            self.release(vec![Delivery::Fan { peers, message: frame }]);
        }
    }

    /// Puts a connection on the list. Only within the turn that greets it: it hears of nothing before its greeting.
    fn join(&self, peer: &Arc<Peer>, awake: &mut Awake) -> Vec<Delivery> {
        self.peers.lock().insert(peer.record.key, Arc::clone(peer));
        peer.set_joined(true);
        self.metrics.sockets.increment(1.0);
        if !self.class.info().extension.greets {
            return self.greeting(peer, awake.state.as_deref());
        }
        let Greeting { first, last } = self.greeting_of_extension(peer, awake);
        let send = |message| Delivery::Send(Arc::clone(peer), message);
        let own = self.greeting(peer, awake.state.as_deref());
        first.into_iter().map(send).chain(own).chain(last.into_iter().map(send)).collect()
    }

    /// What the class's extension tells a new connection.
    fn greeting_of_extension(&self, peer: &Arc<Peer>, awake: &mut Awake) -> Greeting {
        let origin = self.origin(Some(peer));
        let connection = Connection::new(Arc::clone(&peer.record), self.arc());
        match awake.instance.run(&origin, Event::Greet(connection)) {
            Ok(Output::Greeting(greeting)) => greeting,
            Ok(_) => Greeting::default(),
            Err(error) => {
                tracing::warn!(agent = %self.id, error = ?error, "an extension could not greet a connection");
                Greeting::default()
            }
        }
    }

    /// Takes a connection off the list. Its calls go on, except those that asked to end with it.
    pub(super) fn forget(&self, peer: &Arc<Peer>) {
        peer.set_joined(false);
        if self.peers.lock().remove(&peer.record.key).is_some() {
            self.metrics.sockets.decrement(1.0);
        }
        peer.cancel_calls();
    }

    pub(super) fn close_event(&self, peer: &Arc<Peer>, close: &CloseEvent) -> Event {
        let connection = Connection::new(Arc::clone(&peer.record), self.arc());
        Event::Close(connection, close.clone())
    }

    pub(super) fn close(&self, peer: &Arc<Peer>, close: &CloseEvent) {
        let event = self.close_event(peer, close);
        self.forget(peer);
        self.hook(event, Some(peer), "on_close");
    }

    pub(super) fn peer(&self, key: hostel_core::connection::ConnectionKey) -> Option<Arc<Peer>> {
        self.peers.lock().get(&key).cloned()
    }

    /// `on_connect` failed, or the connection's tags are not acceptable (agents-protocol, 2.3).
    pub(crate) fn setup_failed(&self, peer: &Arc<Peer>, error: &Error) {
        tracing::warn!(agent = %self.id, error = ?error, "a connection could not be set up");
        match error.code() {
            Some(code) if code != Code::TurnPanicked => self.turn_away(peer, error),
            _ => {
                let frame = server::session_error(&format!("Error: {}", error.message()));
                self.dismiss(peer, frame, close::INTERNAL_ERROR, close::SETUP_FAILED_REASON.to_owned());
            }
        }
    }

    /// The agent cannot serve this client: it hears why, and comes back later.
    pub(super) fn turn_away(&self, peer: &Arc<Peer>, error: &Error) {
        let refusal = self.told(error, Code::AgentUnavailable);
        self.dismiss(peer, refusal.to_error_frame(), refusal.code.close_code(), refusal.close_reason());
    }

    /// What a client may know of a failure: why an agent's own code did not start is shown in development only.
    pub(super) fn told(&self, error: &Error, fallback: Code) -> Refusal {
        let refusal = error.to_refusal(fallback);
        let own_code = matches!(refusal.code, Code::AgentStartFailed | Code::AgentQuarantined);
        if !own_code || self.node.options.development {
            return refusal;
        }
        Refusal::new(refusal.code, format!("{}.", refusal.code.title()))
            .with_fix("come back later; the reason is in the server's log")
    }

    fn dismiss(&self, peer: &Arc<Peer>, frame: String, code: u16, reason: String) {
        let peer = || Arc::clone(peer);
        self.release(vec![Delivery::Send(peer(), frame.into()), Delivery::Close(peer(), code, reason)]);
    }
}
