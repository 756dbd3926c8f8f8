//! All agents of one process.

mod caller;
mod declarations;
mod history;
mod orders;
mod overview;
mod runs;
mod session;
mod shared;
mod wheel;

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use hostel_core::{
    Agent, AgentId, Args, BeforeSubAgent, ConnectRequest, Error, Identity, Message, Reply, Request, Response, Result,
    Stub,
    erased::{Class, ClassOf},
    host::{Host, OutgoingCall},
};
use hostel_store::Store;
use serde_json::Value;

pub(crate) use self::{caller::GatedCaller, shared::Shared, wheel::Seat};
pub use self::{
    history::Restored,
    overview::{AgentOverview, ClassOverview, SafeState},
    session::Session,
};
use crate::{
    belongings::settle,
    cell::{By, Job},
    clock::{Clock, SystemClock},
    directory::{Collision, Directory},
    durability::{Disk, Durability},
    options::Options,
    quarantine::Quarantined,
    reply::{ReplyTo, Ways},
    watched::StateWatch,
};

/// All agents of one process. Cheap to clone. Dropping the last one ends the node without ceremony, as a crash would:
/// what was acknowledged is kept. [`Node::shutdown`] says good-bye first.
///
/// ```no_run
/// # async fn demo(store: hostel_store::Store) -> hostel_core::Result<()> {
/// let node = hostel_runtime::Node::builder(store).start().await?;
/// # let _ = node; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Node(
    pub(crate) Arc<Shared>,
    #[expect(dead_code, reason = "held for what its drop does")] Option<Arc<Alive>>,
);

/// Held by every [`Node`] of the application; agents reach each other without it.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// Collects what a [`Node`] is made of.
pub struct NodeBuilder {
    store: Store,
    directory: Directory,
    options: Options,
    clock: Arc<dyn Clock>,
    env: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    durability: Box<dyn Durability>,
}

impl NodeBuilder {
    /// Serves the class `A` under its own name.
    ///
    /// # Errors
    /// When its name collides with another class's.
    pub fn agent<A: Agent>(self) -> Result<Self, Collision> {
        self.bind(A::CLASS, Arc::new(ClassOf::<A>::new()))
    }

    /// Serves a class under a name of your choice; several names of one class share its agents.
    ///
    /// # Errors
    /// When the name collides with another class's.
    pub fn bind(mut self, name: &str, class: Arc<dyn Class>) -> Result<Self, Collision> {
        self.directory.bind(name, class)?;
        Ok(self)
    }

    /// Serves the class `A` under other agents only.
    ///
    /// # Errors
    /// When its name collides with another class's.
    pub fn sub_agent<A: Agent>(self) -> Result<Self, Collision> {
        self.bind_under_others(Arc::new(ClassOf::<A>::new()))
    }

    /// [`NodeBuilder::sub_agent`] for a class that is known elsewhere.
    ///
    /// # Errors
    /// When its name collides with another class's.
    pub fn bind_under_others(mut self, class: Arc<dyn Class>) -> Result<Self, Collision> {
        self.directory.bind_under_others(class)?;
        Ok(self)
    }

    /// Sets limits and delays.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Replaces the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Replaces what makes commits durable.
    #[doc(hidden)]
    #[must_use]
    pub fn durability(mut self, durability: impl Durability) -> Self {
        self.durability = Box::new(durability);
        self
    }

    /// [`NodeBuilder::durability`] for one whose type is known elsewhere.
    #[doc(hidden)]
    #[must_use]
    pub fn durability_boxed(mut self, durability: Box<dyn Durability>) -> Self {
        self.durability = durability;
        self
    }

    /// [`NodeBuilder::clock`] for one that is shared already.
    #[doc(hidden)]
    #[must_use]
    pub fn clock_arc(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Shares a service with all agents; they find it with `cx.env::<T>()`.
    #[must_use]
    pub fn env<T: Any + Send + Sync>(self, service: T) -> Self {
        self.env_arc(TypeId::of::<T>(), Arc::new(service))
    }

    /// [`NodeBuilder::env`] for a service whose type is known elsewhere.
    #[must_use]
    pub fn env_arc(mut self, id: TypeId, service: Arc<dyn Any + Send + Sync>) -> Self {
        self.env.insert(id, service);
        self
    }

    /// Starts the node: sets the timers of all registered wake-ups; overdue ones run at once.
    ///
    /// # Errors
    /// When the register of wake-ups cannot be read, or what a backup has brought cannot be put back.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    /// What a backup has brought goes on being put back, until that is done or the process ends; it may be begun again.
    pub async fn start(self) -> Result<Node> {
        let (store, kept) = (self.store.clone(), self.options.belongings.clone());
        if !kept.is_empty() {
            overview::beside(move || settle(&store, &kept)).await?;
        }
        let shared = Shared::start(self)?;
        Ok(Node(Arc::clone(&shared), Some(Arc::new(Alive(shared)))))
    }
}

/// A [`Node`] that may be gone.
#[derive(Clone, Default)]
pub struct WeakNode(Weak<Shared>);

impl WeakNode {
    /// The node, if it is still there. It does not keep itself alive.
    pub fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(Node::inside)
    }
}

impl fmt::Debug for WeakNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakNode")
    }
}

impl Node {
    /// The node as its own agents hold it: it does not keep itself alive.
    pub(crate) fn inside(shared: Arc<Shared>) -> Self {
        Self(shared, None)
    }

    /// Begins a node on `store`.
    pub fn builder(store: Store) -> NodeBuilder {
        NodeBuilder {
            durability: Box::new(Disk(store.clone())),
            store,
            directory: Directory::default(),
            options: Options::default(),
            clock: Arc::new(SystemClock),
            env: HashMap::new(),
        }
    }

    /// Which classes are served, under which names.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// The store underneath, for what operators do with whole files: exports, imports, backups.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The limits in force.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// A typed handle to an agent. Nothing happens until one of its calls is awaited.
    pub fn agent<A: Agent>(&self, name: &str) -> A::Stub {
        self.stub(AgentId::new(A::CLASS, name)).into()
    }

    /// An untyped handle to an agent.
    pub fn stub(&self, id: AgentId) -> Stub {
        Stub::new(id, Arc::new(self.clone()))
    }

    /// Opens a connection on an agent. Never fails: what is wrong is in the session's outbox, in words, before its close.
    ///
    /// # Cancel safety
    /// Dropping the future before it ends may leave the connection opened and closed again; nothing else.
    pub async fn open(
        &self,
        id: &AgentId,
        request: ConnectRequest,
        connection_id: Option<&str>,
        props: Option<Arc<Value>>,
    ) -> Session {
        session::open(&self.0, id, request, connection_id, props).await
    }

    /// Brings an agent into memory.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub async fn wake(&self, id: &AgentId, props: Option<Arc<Value>>) -> Result<()> {
        self.0.wake(id, props).await
    }

    /// Hands an HTTP request to an agent.
    ///
    /// # Errors
    /// When the agent cannot be started, or its `on_request` fails.
    pub async fn request(&self, id: &AgentId, request: Request, props: Option<Arc<Value>>) -> Result<Response> {
        self.request_by(None, id, request, props).await
    }

    /// Calls a method from inside the process.
    ///
    /// # Errors
    /// The method's own, `method_not_found` and its like, `call_timeout`, or why the agent cannot be reached.
    pub async fn call(&self, call: OutgoingCall) -> Result<Reply> {
        let by = caller::application(&self.0, &call);
        self.0.let_in(&call.target).await?;
        self.call_by(by, call).await
    }

    /// Calls a method on behalf of a client, as a frame of its own would: the method's rules are asked, and the method finds
    /// out who it is by `cx.identity()`.
    ///
    /// # Errors
    /// Those of [`Node::call`], and `unauthorized` or `forbidden`.
    pub async fn call_as(&self, client: Option<Identity>, call: OutgoingCall) -> Result<Reply> {
        self.0.let_in(&call.target).await?;
        self.call_by(By::Client(client), call).await
    }

    /// Asks an agent, in the name of somebody from outside, whether a request may go on to the agent `child` under it: its
    /// `on_before_sub_agent`.
    ///
    /// # Errors
    /// Why the agent cannot be started, or the error of its hook.
    pub async fn before_sub_agent(&self, child: &AgentId, request: Request) -> Result<BeforeSubAgent> {
        let Some(parent) = child.parent() else { return Ok(BeforeSubAgent::Continue(request)) };
        let mut request = Some(request);
        self.0
            .ask(&parent, |done| {
                let request = request.take().unwrap_or_default_request();
                Job::BeforeSubAgent(Box::new(request), child.clone(), done)
            })
            .await
    }

    pub(crate) async fn request_by(
        &self,
        by: Option<By>,
        id: &AgentId,
        request: Request,
        props: Option<Arc<Value>>,
    ) -> Result<Response> {
        // Another agent brings no props, and waits for the start with its request.
        if by.is_none() {
            self.wake(id, props).await?;
        }
        let mut request = Some(request);
        let ask = |done| Job::Request(Box::new(request.take().unwrap_or_default_request()), by.clone(), done);
        self.0.ask(id, ask).await
    }

    pub(crate) async fn call_by(&self, by: By, call: OutgoingCall) -> Result<Reply> {
        let work = self.0.ask(&call.target, |done| Job::Call {
            method: call.method.clone(),
            args: Args::from_json(call.args.clone()),
            key: call.idempotency_key.clone(),
            cancel: call.cancel_on_drop,
            reply: ReplyTo::Waiting(by.clone(), done, Ways::of(&call)),
        });
        let Some(limit) = call.timeout else { return work.await };
        tokio::select! {
            answer = work => answer,
            () = self.0.clock.sleep(limit) => Err(timed_out(&call, limit)),
        }
    }

    /// Tells the clients of an agent of its MCP servers, without waking it.
    #[doc(hidden)]
    pub fn show_mcp_servers(&self, id: &AgentId, frame: Message) {
        if let Some(cell) = self.0.existing_cell(id) {
            cell.show_mcp(frame);
        }
    }

    /// Tells of changes of an agent's state, without waking it.
    #[doc(hidden)]
    pub fn watch_state(&self, id: &AgentId) -> StateWatch {
        StateWatch::new(&self.0, id)
    }

    /// Wakes an agent, has `work` do something with its host, and waits until that is durable. For services beside agents that
    /// keep something in an agent's own database; `work` is outside of turns, each thing it does is one of its own.
    #[doc(hidden)]
    pub async fn at_host<T>(&self, id: &AgentId, work: impl FnOnce(&dyn Host) -> Result<T> + Send) -> Result<T> {
        self.wake(id, None).await?;
        let cell = self.0.cell(id)?;
        let done = work(&*cell)?;
        cell.durable().await?;
        Ok(done)
    }

    /// A handle that keeps nothing alive, for services that the node itself holds.
    pub fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.0))
    }

    /// Lifts an agent's quarantine. Returns whether there was one.
    pub fn clear_quarantine(&self, id: &AgentId) -> bool {
        self.0.quarantine.clear(id)
    }

    /// How long an agent is still held back after failures, if it is.
    pub fn held_back_for(&self, id: &AgentId) -> Option<Duration> {
        self.0.quarantine.pause(id)
    }

    /// The agents that keep failing.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.0.quarantine.list()
    }

    /// How many agents have something in memory, be it only their sockets.
    #[doc(hidden)]
    pub fn agents_in_memory(&self) -> usize {
        self.0.cells().len()
    }

    /// Whether no turn is under way or due, and everything said is out. For test kits, which turn the clock only then.
    #[doc(hidden)]
    pub fn is_at_rest(&self) -> bool {
        self.0.is_at_rest()
    }

    /// The time of day was changed from outside.
    #[doc(hidden)]
    pub fn look_at_the_clock(&self) {
        self.0.look_at_the_clock();
    }

    /// Classes with their instances and sockets.
    ///
    /// # Errors
    /// When the data directory cannot be read.
    pub async fn overview(&self) -> Result<Vec<ClassOverview>> {
        overview::classes(&self.0).await
    }

    /// Instances of a namespace, by name, at most `limit`, after `after`.
    ///
    /// # Errors
    /// When the data directory cannot be read.
    pub async fn agents(&self, namespace: &str, limit: usize, after: Option<&str>) -> Result<Vec<AgentOverview>> {
        overview::agents(&self.0, namespace, limit, after).await
    }

    /// An agent's stored state, without running any of its code.
    ///
    /// # Errors
    /// A storage code.
    pub async fn safe_state(&self, id: &AgentId) -> Result<SafeState> {
        overview::safe_state(&self.0, id).await
    }

    /// Stops: tells every client to come back (1012), waits for work under way until `grace` is over, then puts every
    /// agent to sleep. Afterwards nothing is served.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.shutdown(grace).await;
    }
}

fn timed_out(call: &OutgoingCall, limit: Duration) -> Error {
    let message = format!("{} did not answer {} within {limit:?}.", call.target, call.method);
    Error::coded(hostel_protocol::refusal::Code::CallTimeout, message)
        .with_fix("the call goes on; ask again with an idempotency key, or allow it more time")
}

/// A request moved out of a closure that may, in theory, be called again.
trait TakenRequest {
    fn unwrap_or_default_request(self) -> Request;
}

impl TakenRequest for Option<Request> {
    fn unwrap_or_default_request(self) -> Request {
        self.unwrap_or_else(|| Request::new(hostel_core::Body::empty()))
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder").field("directory", &self.directory).finish_non_exhaustive()
    }
}
