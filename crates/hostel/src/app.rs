//! An application: its agent classes, where they live, and how they are reached.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

use axum::Router;
use hostel_auth::Auth;
use hostel_core::{
    Agent, AgentId, Scrub,
    erased::{Class, ClassOf},
};
use hostel_edge::{
    Admission, AgentRouter, Annex, Authenticator, Edge, Limits, Network, Permissions, Rates,
    listener::{self, Tls},
};
use hostel_inbound::{Mail, Webhook, mail, webhook};
#[cfg(feature = "mcp")]
use hostel_protocol::name::kebab;
use hostel_runtime::{Belongings, Clock, Collision, Destroyed, Durability, Node, Options};
use hostel_store::Store;
use hostel_vault::Vault;
use tokio::net::{TcpListener, ToSocketAddrs, lookup_host};
use tokio_util::sync::CancellationToken;

type Service = Arc<dyn Any + Send + Sync>;
type Routes = Box<dyn FnOnce(&Edge) -> Router + Send>;
type Guarding = Box<dyn FnOnce(Edge) -> Edge + Send>;
type Routing = Box<dyn FnOnce(AgentRouter) -> AgentRouter + Send>;
type MakeDurability = Box<dyn FnOnce(Store) -> Box<dyn Durability> + Send>;
type Annexing = Box<dyn FnOnce(&Edge, AgentRouter) -> AgentRouter + Send>;

/// An application: its agent classes, where they live, and how they are reached.
///
/// ```no_run
/// use hostel::prelude::*;
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter {
///     count: i64,
/// }
///
/// #[agent]
/// impl Counter {
///     #[callable]
///     fn increment(&mut self, by: i64) -> i64 {
///         self.count += by;
///         self.count
///     }
/// }
///
/// # async fn run() -> Result<()> {
/// App::new().agent::<Counter>().serve("127.0.0.1:8787").await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "an application does nothing until it is served"]
pub struct App {
    classes: Vec<(String, Arc<dyn Class>)>,
    under_others: Vec<Arc<dyn Class>>,
    env: Vec<(TypeId, Service)>,
    data: Option<PathBuf>,
    options: Options,
    store_options: hostel_store::Options,
    limits: Limits,
    compression: bool,
    admission: Admission,
    tls: Option<Tls>,
    routing: Option<Routing>,
    annexes: Vec<Annexing>,
    #[cfg(feature = "mcp")]
    mcp_classes: Vec<Arc<dyn Class>>,
    #[cfg(feature = "mcp")]
    mcp: Option<hostel_mcp::McpSettings>,
    routes: Option<Routes>,
    guarding: Vec<Guarding>,
    auth: Option<Auth>,
    public_without_auth: bool,
    clock: Option<Arc<dyn Clock>>,
    durability: Option<MakeDurability>,
    vault: Option<Vault>,
    webhooks: BTreeMap<String, Webhook>,
    mail: Option<mail::Options>,
}

/// Why an application could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two classes have a spelling in common.
    #[error(transparent)]
    Collision(#[from] Collision),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] hostel_store::Error),
    /// The register of wake-ups cannot be read.
    #[error("the node could not be started: {0:?}")]
    Node(hostel_core::Error),
    /// A webhook goes nowhere.
    #[error("{0}")]
    Inbound(hostel_core::Error),
    /// The address for mail cannot be listened on.
    #[error("cannot listen for mail: {0}; choose another address, or stop who has it")]
    Mail(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; if another program has the port, stop it or choose another port")]
    Listen {
        /// The address, as far as it is known.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address can be reached from elsewhere, and nobody would be asked who they are.
    #[error(
        "{0} can be reached from other machines, and this application asks nobody who they are: whoever reaches the port \
         can read and steer every agent. Add an authenticator (`App::authenticator`), \
         listen on 127.0.0.1, or call `App::insecure_without_auth` if that is what you want"
    )]
    Public(SocketAddr),
}

impl App {
    /// An application without agents that keeps its data in `.hostel`.
    pub fn new() -> Self {
        Self {
            classes: Vec::new(),
            under_others: Vec::new(),
            env: Vec::new(),
            data: Some(PathBuf::from(".hostel")),
            options: Options::default(),
            store_options: hostel_store::Options::default(),
            limits: Limits::default(),
            compression: true,
            admission: Admission::default(),
            tls: None,
            routing: None,
            annexes: Vec::new(),
            #[cfg(feature = "mcp")]
            mcp_classes: Vec::new(),
            #[cfg(feature = "mcp")]
            mcp: None,
            routes: None,
            guarding: Vec::new(),
            auth: None,
            public_without_auth: false,
            clock: None,
            durability: None,
            vault: None,
            webhooks: BTreeMap::new(),
            mail: None,
        }
    }

    /// Serves the class `A` under its own name.
    pub fn agent<A: Agent>(self) -> Self {
        self.agent_as::<A>(A::CLASS)
    }

    /// Serves the class `A` under another name as well. All names reach the same agents.
    pub fn agent_as<A: Agent>(mut self, name: &str) -> Self {
        self.classes.push((name.to_owned(), Arc::new(ClassOf::<A>::new())));
        self
    }

    /// Serves a class that is not what its type says: one type under a name of its own, with agents of its own.
    ///
    /// ```no_run
    /// use hostel::{App, erased::ClassOf, prelude::*};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Room {}
    ///
    /// #[agent]
    /// impl Room {
    ///     /// Which class it belongs to: `lobby` or `cellar`.
    ///     #[callable]
    ///     fn part(&self, cx: &Cx<Self>) -> String {
    ///         cx.id().namespace().to_owned()
    ///     }
    /// }
    ///
    /// # fn app() -> App {
    /// App::new().class(ClassOf::<Room>::new().named("Lobby")).class(ClassOf::<Room>::new().named("Cellar"))
    /// # }
    /// ```
    pub fn class(mut self, class: impl Class) -> Self {
        self.classes.push((class.info().class.to_string(), Arc::new(class)));
        self
    }

    /// Serves the class `A` under other agents only: there is no agent of it at the top, by whatever way. Classes served
    /// with [`App::agent`] can be under others as well.
    pub fn sub_agent<A: Agent>(mut self) -> Self {
        self.under_others.push(Arc::new(ClassOf::<A>::new()));
        self
    }

    /// Shares a service with all agents; they find it with `cx.env::<T>()`.
    pub fn env<T: Any + Send + Sync>(mut self, service: T) -> Self {
        self.env.push((TypeId::of::<T>(), Arc::new(service)));
        self
    }

    /// [`App::env`] of what the application goes on using itself.
    pub fn env_shared<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        self.env.push((TypeId::of::<T>(), service));
        self
    }

    /// Has `told` hear of agents that are gone for good, once that is durable: for what is kept elsewhere on their behalf. It must not
    /// block, and hears nothing of an agent at whose end the process dies.
    pub fn on_destroyed(mut self, told: impl Fn(&AgentId) + Send + Sync + 'static) -> Self {
        self.options.on_destroyed.push(Destroyed(Arc::new(told)));
        self
    }

    /// Has what is kept of agents elsewhere go with them into exports and backups, and go when they are destroyed.
    pub fn belongings(mut self, kept: Arc<dyn Belongings>) -> Self {
        self.options.belongings.push(kept);
        self
    }

    /// Keeps secrets in `vault`: agents find it with `cx.env::<Vault>()`, and what it knows is masked in whatever agents
    /// store and send.
    pub fn vault(mut self, vault: Vault) -> Self {
        self.vault = Some(vault.clone());
        self.env(vault)
    }

    /// Takes webhooks at `POST /hooks/{name}`: verified, kept in the agent's queue once, answered, and handled by a task.
    ///
    /// ```no_run
    /// use hostel::{Delivery, SecretValue, Target, Webhook, prelude::*};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Repository {
    ///     pushes: u64,
    /// }
    ///
    /// #[agent]
    /// impl Repository {
    ///     #[task]
    ///     fn on_webhook(&mut self, delivery: &Delivery) {
    ///         self.pushes += u64::from(delivery.event.as_deref() == Some("push"));
    ///     }
    /// }
    ///
    /// # fn app(secret: SecretValue) -> App {
    /// App::new().agent::<Repository>().webhook(
    ///     "github",
    ///     Webhook::github(secret).to::<Repository>(|delivery| match delivery.pointer("/repository/full_name") {
    ///         Some(name) => Target::agent(name),
    ///         None => Target::ignore("it is about no repository"),
    ///     }),
    /// )
    /// # }
    /// ```
    pub fn webhook(mut self, name: &str, webhook: Webhook) -> Self {
        self.webhooks.insert(name.to_owned(), webhook);
        self
    }

    /// Takes mail by SMTP and sends it: what comes is handled by the task `on_email`, and agents write with `cx.mail()`.
    ///
    /// ```no_run
    /// use hostel::{Email, SendMail as _, mail, prelude::*};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Helpdesk {
    ///     questions: Vec<String>,
    /// }
    ///
    /// #[agent]
    /// impl Helpdesk {
    ///     #[task]
    ///     fn on_email(&mut self, cx: &Cx<Self>, email: &Email) -> Result<()> {
    ///         self.questions.push(email.subject().unwrap_or_default());
    ///         if !email.is_automatic() {
    ///             cx.mail()?.send(email.reply("We will look into it."))?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn app(smtp: mail::Smtp) -> App {
    /// App::new().agent::<Helpdesk>().mail(mail::Options {
    ///     listen: Some(([127, 0, 0, 1], 2525).into()),
    ///     domains: vec!["agents.example".into()],
    ///     default_agent: Some("helpdesk".into()),
    ///     smtp: Some(smtp),
    ///     ..mail::Options::default()
    /// })
    /// # }
    /// ```
    pub fn mail(mut self, options: mail::Options) -> Self {
        self.mail = Some(options);
        self
    }

    /// Sets the data directory. Default `.hostel`.
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }

    /// Keeps everything in memory: for tests.
    pub fn in_memory(mut self) -> Self {
        self.data = None;
        self
    }

    /// Sets limits and delays of running agents.
    pub fn options(mut self, options: Options) -> Self {
        let on_destroyed = [self.options.on_destroyed, options.on_destroyed].concat();
        let belongings = [self.options.belongings, options.belongings].concat();
        self.options = Options { on_destroyed, belongings, ..options };
        self
    }

    /// Sets how agents are stored: segments of the journal, checkpoints, how long history is kept.
    pub fn storage(mut self, options: hostel_store::Options) -> Self {
        self.store_options = options;
        self
    }

    /// Sets limits of connections, requests and messages.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether messages are compressed for clients that offer it. On by default.
    pub fn compression(mut self, on: bool) -> Self {
        self.compression = on;
        self
    }

    /// Sets which hosts and origins are let in. Default: same origin only.
    pub fn admission(mut self, admission: Admission) -> Self {
        self.admission = admission;
        self
    }

    /// Speaks TLS.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Changes the router of agents: prefix, CORS, props, hooks.
    pub fn routing(mut self, change: impl FnOnce(AgentRouter) -> AgentRouter + Send + 'static) -> Self {
        self.routing = Some(Box::new(change));
        self
    }

    /// Has some requests below agents answered in their place, before they are woken: see [`Annex`].
    pub fn annex<T: Annex>(mut self, make: impl FnOnce(&Edge) -> T + Send + 'static) -> Self {
        self.annexes.push(Box::new(|edge, router| router.annex(make(edge))));
        self
    }

    /// Lets agents use MCP servers: `cx.mcp()`.
    #[cfg(feature = "mcp")]
    pub fn mcp(mut self, settings: hostel_mcp::McpSettings) -> Self {
        self.mcp = Some(settings);
        self
    }

    /// Offers the callables of `A` as MCP tools, and its state as a resource, at `/agents/{agent}/{name}/mcp`. Classes that
    /// are not named offer nothing.
    #[cfg(feature = "mcp")]
    pub fn mcp_server<A: Agent>(mut self) -> Self {
        self.mcp_classes.push(Arc::new(ClassOf::<A>::new()));
        self
    }

    /// [`App::mcp_server`] by the names that classes are served under, for names that stand in a configuration. Those of no
    /// class are handed back.
    #[cfg(feature = "mcp")]
    pub fn mcp_servers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> (Self, Vec<&'a str>) {
        let mut unknown = Vec::new();
        for name in names {
            let is_named = |(own, _): &&(String, Arc<dyn Class>)| kebab(own) == kebab(name);
            match self.classes.iter().find(is_named) {
                Some((_, class)) => self.mcp_classes.push(Arc::clone(class)),
                None => unknown.push(name),
            }
        }
        (self, unknown)
    }

    /// Adds routes of your own, which come before the agents'.
    pub fn routes(mut self, routes: impl FnOnce(&Edge) -> Router + Send + 'static) -> Self {
        self.routes = Some(Box::new(routes));
        self
    }

    /// Asks who everybody is, before any agent wakes. Classes that declare no rule are then open to those it knows alone.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.guarding.push(Box::new(|edge| edge.authenticator(authenticator)));
        self
    }

    /// Asks who everybody is in the built-in ways, before any agent wakes; and gives out tickets, where `auth` has any.
    ///
    /// ```no_run
    /// use hostel::{App, Identity, auth::{Auth, StaticToken, TokenHash}};
    ///
    /// # fn app(token: &str) -> Result<App, Box<dyn std::error::Error>> {
    /// let deploy = StaticToken::new(TokenHash::of(token)?, Identity::new("deploy").with_roles(["ci"]));
    /// let app = App::new().auth(Auth::new().token(deploy).tickets().build()?);
    /// # Ok(app)
    /// # }
    /// ```
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth.clone());
        self.authenticator(auth)
    }

    /// Sets how often one address, and one identity, may come.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.guarding.push(Box::new(move |edge| edge.rates(rates)));
        self
    }

    /// Believes these proxies what they say of where a request comes from.
    pub fn proxies(mut self, proxies: Vec<Network>) -> Self {
        self.guarding.push(Box::new(|edge| edge.proxies(proxies)));
        self
    }

    /// Sets who may reach the agents of which class, in place of what the classes declare.
    ///
    /// Agents find them by `cx.env::<Permissions>()`.
    pub fn permissions(self, permissions: Permissions) -> Self {
        let mut this = self.env(permissions.clone());
        this.guarding.push(Box::new(|edge| edge.permissions(permissions)));
        this
    }

    /// Listens on any address although nobody is asked who they are.
    pub fn insecure_without_auth(mut self) -> Self {
        self.public_without_auth = true;
        self
    }

    /// Replaces the clock; the crate `hostel-testing` has one that a test can turn.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Replaces what makes commits durable.
    #[doc(hidden)]
    pub fn durability(mut self, make: impl FnOnce(Store) -> Box<dyn Durability> + Send + 'static) -> Self {
        self.durability = Some(Box::new(make));
        self
    }

    /// Opens the data directory and starts the node, without listening yet.
    ///
    /// # Errors
    /// Colliding class names, or a data directory that cannot be used.
    pub async fn start(self) -> Result<Home, StartError> {
        #[cfg(feature = "mcp")]
        return self.start_with_mcp().await;
        #[cfg(not(feature = "mcp"))]
        self.start_as_is().await
    }

    #[cfg(feature = "mcp")]
    async fn start_with_mcp(mut self) -> Result<Home, StartError> {
        let Some(mut settings) = self.mcp.take() else { return self.with_mcp().start_as_is().await };
        if settings.key_file.is_none() {
            settings.key_file = self.data.as_ref().map(|data| data.join("mcp.key"));
        }
        let hub = hostel_mcp::McpHub::new(settings, self.vault.clone()).map_err(StartError::Node)?;
        self.options.mcp_servers = Some(Arc::new(hub.clone()));
        let back = hostel_mcp::McpCallback::new(&hub);
        let mut home = self.env(hub.clone()).with_mcp().annex(|_| back).start_as_is().await?;
        hub.attach(home.edge.node());
        home.mcp = Some(hub);
        Ok(home)
    }

    #[cfg(feature = "mcp")]
    fn with_mcp(mut self) -> Self {
        let classes = std::mem::take(&mut self.mcp_classes);
        if classes.is_empty() { self } else { self.annex(|edge| hostel_mcp::McpAnnex::new(edge, classes)) }
    }

    async fn start_as_is(self) -> Result<Home, StartError> {
        let store = match &self.data {
            Some(directory) => Store::open(directory, self.store_options)?,
            None => Store::in_memory(self.store_options)?,
        };
        let durability = self.durability.map(|make| make(store.clone()));
        let scrub = self.vault.clone().map(|vault| Arc::new(vault) as Arc<dyn Scrub>).or(self.options.scrub);
        // What is taken as a webhook fits the queue.
        let mail = self.mail.map(|options| Mail::new(options, self.vault.clone()));
        let hooks = self.webhooks.values().map(Webhook::bytes_in_the_queue);
        let largest = hooks.chain(mail.iter().map(Mail::bytes_in_the_queue)).max().unwrap_or(0);
        let order_bytes = self.options.order_bytes.max(largest);
        let mut options = Options { outbox_bytes: self.limits.outbox_bytes, order_bytes, scrub, ..self.options };
        if let Some(mail) = &mail {
            options.errands.push(Arc::new(mail::Postman::new(mail.clone())));
        }
        let mut node = Node::builder(store).options(options);
        if let Some(mail) = &mail {
            node = node.env(mail.clone());
        }
        if let Some(durability) = durability {
            node = node.durability_boxed(durability);
        }
        if let Some(clock) = self.clock {
            node = node.clock_arc(clock);
        }
        for (name, class) in self.classes {
            node = node.bind(&name, class)?;
        }
        for class in self.under_others {
            node = node.bind_under_others(class)?;
        }
        for (id, service) in self.env {
            node = node.env_arc(id, service);
        }
        let node = node.start().await.map_err(StartError::Node)?;
        let edge = Edge::new(node).limits(self.limits, self.compression).admission(self.admission);
        let edge = self.guarding.into_iter().fold(edge, |edge, guard| guard(edge));
        let agents = edge.route_agent_request();
        let agents = self.routing.into_iter().fold(agents, |agents, change| change(agents));
        let agents = self.annexes.into_iter().fold(agents, |agents, annex| annex(&edge, agents));
        let tickets = self.auth.map_or_else(Router::new, |auth| auth.routes(&edge));
        let mut routes = self.routes.map_or_else(Router::new, |routes| routes(&edge)).merge(tickets);
        if !self.webhooks.is_empty() {
            webhook::check(edge.node(), &self.webhooks).map_err(StartError::Inbound)?;
            routes = routes.merge(webhook::routes(edge.clone(), self.vault, mail.clone(), self.webhooks));
        }
        let letterbox = match mail {
            Some(mail) => mail::Listener::bind(mail, edge.node().clone()).await.map_err(StartError::Mail)?,
            None => None,
        };
        Ok(Home {
            service: routes.fallback_service(agents),
            letterbox,
            edge,
            tls: self.tls,
            public_without_auth: self.public_without_auth,
            #[cfg(feature = "mcp")]
            mcp: None,
        })
    }

    /// Serves until the process is asked to stop (Ctrl-C, SIGTERM), then drains. Asked a second time, the process ends at
    /// once.
    ///
    /// # Errors
    /// Those of [`App::start`], an address that cannot be listened on, or one beyond loopback.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<(), StartError> {
        hostel_store::raise_descriptors();
        let listener = bind(address).await?;
        let stop = CancellationToken::new();
        let signal = stop.clone();
        tokio::spawn(async move {
            stop_signal().await;
            signal.cancel();
            stop_signal().await;
            std::process::exit(130);
        });
        self.start().await?.serve(listener, stop).await
    }
}

/// A started application: agents can be reached by name, and it can be served.
pub struct Home {
    service: Router,
    letterbox: Option<mail::Listener>,
    edge: Edge,
    tls: Option<Tls>,
    public_without_auth: bool,
    #[cfg(feature = "mcp")]
    mcp: Option<hostel_mcp::McpHub>,
}

impl Home {
    /// The edge: agents by name, routers, the node.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Where it takes mail, if it does.
    pub fn mail_address(&self) -> Option<SocketAddr> {
        self.letterbox.as_ref().and_then(|letterbox| letterbox.address().ok())
    }

    /// The whole application as a tower service, to mount elsewhere or to test without a port.
    pub fn service(&self) -> Router {
        self.service.clone()
    }

    /// Serves on `listener` until `stop` is cancelled, then drains: tells every client to come back, lets work under way
    /// finish, and puts all agents to sleep.
    ///
    /// # Errors
    /// When the address is beyond loopback, there is no authenticator, and [`App::insecure_without_auth`] was not called.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), StartError> {
        let address = listener.local_addr();
        let address = address.map_err(|source| StartError::Listen { address: "a socket".to_owned(), source })?;
        let guarded = self.edge.authenticates() || self.public_without_auth;
        if !address.ip().is_loopback() && !guarded {
            return Err(StartError::Public(address));
        }
        tracing::info!(%address, tls = self.tls.is_some(), "listening");
        #[cfg(feature = "mcp")]
        if let Some(hub) = self.mcp.filter(|_| address.ip().is_loopback()) {
            hub.reached_at(format!("http{}://{address}", if self.tls.is_some() { "s" } else { "" }));
        }
        let node = self.edge.node().clone();
        let grace = self.edge.bounds().drain_deadline;
        let accepting = listener::serve(vec![listener], self.tls, *self.edge.bounds(), self.service, stop.clone());
        if let Some(letterbox) = self.letterbox {
            tokio::spawn(letterbox.serve(stop.clone().cancelled_owned()));
        }
        let draining = async {
            stop.cancelled().await;
            tracing::info!("stopping: clients are asked to come back, work under way is finished");
            node.shutdown(grace).await;
        };
        let (drained, ()) = tokio::join!(accepting, draining);
        tracing::info!(cut = drained.cut, "stopped");
        Ok(())
    }
}

/// Listens on the first of the addresses that can be listened on.
async fn bind(address: impl ToSocketAddrs) -> Result<TcpListener, StartError> {
    let refused = |address: String, source| StartError::Listen { address, source };
    let addresses = lookup_host(address).await.map_err(|source| refused("an unknown host".to_owned(), source))?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    let listener = TcpListener::bind(&*addresses).await;
    listener.map_err(|source| {
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        refused(names.join(" or "), source)
    })
}

/// Resolves when the process is asked to stop.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _interrupted = interrupt.await;
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("classes", &self.classes).field("data", &self.data).finish_non_exhaustive()
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("edge", &self.edge).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hostel_edge::{Before, Plot};
    use hostel_macros::agent;
    use serde::{Deserialize, Serialize};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    struct Faulty;

    #[agent]
    impl Faulty {
        fn on_start(&self) -> hostel_core::Result<()> {
            Err(hostel_core::Error::msg("never"))
        }
    }

    /// Serves an application that keeps nothing, and asks for one path until the answer has the status.
    async fn ask(app: App, path: &str, until: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let home = app.in_memory().start().await.unwrap();
        let serving = tokio::spawn(home.serve(listener, stop.clone()));
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        while !answer.contains(until) {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            answer.clear();
            stream.read_to_string(&mut answer).await.unwrap();
        }
        stop.cancel();
        serving.await.unwrap().unwrap();
        answer.to_ascii_lowercase()
    }

    #[tokio::test]
    async fn an_agent_that_is_held_back_says_for_how_long() {
        let answer = ask(App::new().agent::<Faulty>(), "/agents/faulty/a", "agent_quarantined").await;
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    }

    /// Says for whom it answers.
    #[derive(Debug)]
    struct About;

    impl Annex for About {
        fn wants(&self, _: &http::Request<axum::body::Body>, plot: &Plot) -> bool {
            plot.rest == "about"
        }

        fn answer(
            &self,
            _: http::Request<axum::body::Body>,
            plot: Plot,
        ) -> hostel_core::BoxFuture<http::Response<axum::body::Body>> {
            Box::pin(async move { http::Response::new(format!("{} at {}", plot.agent, plot.base).into()) })
        }
    }

    #[tokio::test]
    async fn an_annex_answers_what_it_wants_and_wakes_nobody() {
        let app = || App::new().agent::<Faulty>().annex(|_| About);
        let answer = ask(app(), "/agents/faulty/a/about?x", "HTTP/1.1 200").await;
        assert!(answer.ends_with("faulty/a at /agents/faulty/a"), "{answer}");
        let other = ask(app(), "/agents/faulty/a/about/this", "HTTP/1.1 503").await;
        assert!(other.contains("agent_start_failed"), "{other}");
    }

    #[tokio::test]
    async fn an_annex_is_not_reached_past_the_site_check() {
        let app = App::new().agent::<Faulty>().admission(Admission::default()).annex(|_| About);
        let home = app.in_memory().start().await.unwrap();
        let request = http::Request::get("/agents/faulty/a/about").header("host", "evil.test");
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(home.service(), request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-hostel-code"]),
            (403, &"host_refused".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn a_hook_that_hangs_does_not_hold_a_request_for_ever() {
        let app = App::new().agent::<Faulty>().routing(|router| {
            let router = router.on_before_request(|_, _| std::future::pending::<Before>());
            router.before_deadline(std::time::Duration::from_millis(1))
        });
        let answer = ask(app, "/agents/faulty/a", "HTTP/1.1 503").await;
        assert!(answer.contains("agent_unavailable"), "{answer}");
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = App::new().in_memory().serve(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("choose another port"), "{error}");
    }
}
