//! Agent classes without their type: what a runtime holds to drive any of them.

use std::{any::Any, fmt, marker::PhantomData, sync::Arc, time::Duration};

use crate::{
    BoxFuture, Cx,
    agent::{Agent, ClassOptions},
    allow::Rule,
    connection::{Connection, Message},
    error::{Error, Result},
    event::{Event, Output},
    extension::{ExtensionInfo, Frame},
    handler::{Handler, MethodKind, Mode, Offer},
    host::{Host, Incoming, WayBack},
    identity::Identity,
    state::StateField,
    task::{Declared, Task},
    typescript::{Signature, TypeBook},
};

/// What is known of a class without touching an instance.
#[derive(Debug, Clone)]
pub struct ClassInfo {
    /// Class name, e.g. `CoderAgent`: the type's own, or that of [`ClassOf::named`].
    pub class: Arc<str>,
    /// Kebab-case slug, e.g. `coder-agent`.
    pub namespace: Arc<str>,
    /// Documentation.
    pub doc: Arc<str>,
    /// Options.
    pub options: ClassOptions,
    /// Fields of the state that clients may not see or may not write.
    pub fields: &'static [StateField],
    /// Methods, in the order of [`Event::Call`]'s index.
    pub methods: Arc<[MethodInfo]>,
    /// Tasks, in the order of [`Event::Task`]'s index.
    pub tasks: Arc<[TaskInfo]>,
    /// Whether it has a hook for the end of durable runs.
    pub hears_of_runs: bool,
    /// What its extension does.
    pub extension: ExtensionInfo,
}

impl ClassInfo {
    /// The index of the method with this wire name.
    pub fn method(&self, name: &str) -> Option<usize> {
        self.methods.iter().position(|method| method.name == name)
    }

    /// The index of the task with this name.
    pub fn task(&self, name: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.name == name)
    }
}

/// What is known of a task.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// Its name.
    pub name: &'static str,
    /// Documentation.
    pub doc: &'static str,
    /// When it runs without anybody asking.
    pub declared: &'static [Declared],
    /// How long a run that waits may take.
    pub timeout: Duration,
}

/// What is known of a method.
#[derive(Debug, Clone)]
pub struct MethodInfo {
    /// Wire name.
    pub name: &'static str,
    /// Documentation.
    pub doc: &'static str,
    /// Open to clients and other agents.
    pub callable: bool,
    /// Sends chunks.
    pub streaming: bool,
    /// Ends when its caller leaves.
    pub cancel_on_disconnect: bool,
    /// Which clients may call it; without rules, all that may reach the agent.
    pub allow: &'static [Rule],
    /// What it is to whoever speaks MCP.
    pub offer: Offer,
}

/// On whose behalf a handler runs.
#[derive(Clone)]
pub struct Origin {
    /// The host of the agent.
    pub host: Arc<dyn Host>,
    /// The connection whose frame is being handled.
    pub connection: Option<Connection>,
    /// The call that is being answered, if another agent or the application made it.
    pub call: Option<Arc<Incoming>>,
    /// Who is behind an event that came over no connection.
    pub identity: Option<Identity>,
    /// The way back to whoever called.
    pub back: Option<WayBack>,
}

impl Origin {
    fn cx<A>(&self) -> Cx<A> {
        let cx = Cx::new(Arc::clone(&self.host), self.connection.clone());
        cx.within(self.call.clone()).with_identity(self.identity.clone()).with_way_back(self.back.clone())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("agent", self.host.id()).field("connection", &self.connection).finish()
    }
}

/// An agent class without its type.
pub trait Class: Send + Sync + fmt::Debug + 'static {
    /// What is known of it.
    fn info(&self) -> &ClassInfo;
    /// A new instance in the initial state.
    fn fresh(&self) -> Box<dyn Instance>;
    /// An instance with the given state.
    ///
    /// # Errors
    /// When the JSON does not have the shape of the class.
    fn load(&self, state: &str) -> Result<Box<dyn Instance>>;
    /// How the class handles an event, or `None` when it has no handler for it.
    fn mode(&self, event: &Event) -> Option<Mode>;
    /// Starts the handler of an event whose mode is [`Mode::Task`].
    fn task(&self, origin: Origin, event: Event) -> BoxFuture<Result<Output>>;
    /// What a client is told when its frame could not be taken; `None`: the error as any other.
    fn frame_failed(&self, frame: &Frame, error: &Error) -> Option<Message>;
    /// The state's TypeScript type.
    fn state_type(&self, book: &mut TypeBook) -> String;
    /// A method's TypeScript signature.
    fn signature(&self, method: usize, book: &mut TypeBook) -> Signature;
}

/// One agent in memory, without its type.
pub trait Instance: Send {
    /// The state as JSON text.
    ///
    /// # Errors
    /// When serde refuses it.
    fn to_json(&self) -> Result<String>;
    /// Runs the handler of an event whose mode is [`Mode::Read`] or [`Mode::Turn`].
    ///
    /// # Errors
    /// Those of the handler.
    fn run(&mut self, origin: &Origin, event: Event) -> Result<Output>;
    /// The agent itself.
    fn as_any(&self) -> &dyn Any;
    /// The agent itself, to change.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// `A` as a [`Class`].
pub struct ClassOf<A>(ClassInfo, PhantomData<fn() -> A>);

impl<A: Agent> ClassOf<A> {
    /// Erases `A`.
    pub fn new() -> Self {
        let info = ClassInfo {
            class: A::CLASS.into(),
            namespace: hostel_protocol::name::kebab(A::CLASS).into(),
            doc: A::DOC.into(),
            options: A::OPTIONS,
            fields: A::FIELDS,
            methods: A::METHODS.iter().map(method_info).collect(),
            tasks: A::TASKS.iter().chain(A::EXTENSION.tasks).map(task_info).collect(),
            hears_of_runs: A::HOOKS.on_run_ended.is_some(),
            extension: ExtensionInfo::of(A::EXTENSION),
        };
        Self(info, PhantomData)
    }

    /// The same type as a class of another name, with agents of its own: one type can be any number of classes, which tell
    /// themselves apart by the namespace of their id. Typed handles (`cx.agent::<A>(..)`) reach the class of the type's own
    /// name alone.
    ///
    /// ```
    /// use hostel_core::erased::{Class, ClassOf};
    /// # use hostel_core::{Agent, Stub, task::TaskOrders};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Room;
    /// # struct RoomStub;
    /// # impl From<Stub> for RoomStub { fn from(_: Stub) -> Self { Self } }
    /// # impl From<TaskOrders> for RoomStub { fn from(_: TaskOrders) -> Self { Self } }
    /// # impl Agent for Room {
    /// #     const CLASS: &'static str = "Room";
    /// #     const METHODS: &'static [hostel_core::Method<Self>] = &[];
    /// #     type Stub = RoomStub;
    /// #     type Tasks = RoomStub;
    /// # }
    ///
    /// let lobby = ClassOf::<Room>::new().named("TheLobby");
    /// assert_eq!(&*lobby.info().namespace, "the-lobby");
    /// ```
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.0.class = name.into();
        self.0.namespace = hostel_protocol::name::kebab(name).into();
        self
    }

    /// Replaces the documentation of the class, which the type's own may not fit any more.
    #[must_use]
    pub fn described(mut self, doc: &str) -> Self {
        self.0.doc = doc.into();
        self
    }
}

/// A task by its index: those of the extension come last.
fn task_at<A: Agent>(index: usize) -> Option<&'static Task<A>> {
    A::TASKS.get(index).or_else(|| A::EXTENSION.tasks.get(index.checked_sub(A::TASKS.len())?))
}

fn task_info<A>(task: &Task<A>) -> TaskInfo {
    TaskInfo { name: task.name, doc: task.doc, declared: task.declared, timeout: task.timeout }
}

fn method_info<A>(method: &crate::Method<A>) -> MethodInfo {
    MethodInfo {
        name: method.name,
        doc: method.doc,
        callable: !matches!(method.kind, MethodKind::Closed),
        streaming: matches!(method.kind, MethodKind::Streaming(_)),
        cancel_on_disconnect: method.cancel_on_disconnect,
        allow: method.allow,
        offer: method.offer,
    }
}

impl<A: Agent> Default for ClassOf<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> fmt::Debug for ClassOf<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClassOf").field(&self.0.class).finish()
    }
}

/// Picks the handler of an event and pairs it with the event's input: `$use(handler, input, wrap)`.
macro_rules! dispatch {
    ($agent:ty, $event:expr, $go:ident $(, $extra:expr)*) => {{
        let hooks = const { &<$agent>::HOOKS };
        match $event {
            Event::Start => $go(hooks.on_start, (), unit $(, $extra)*),
            Event::Tags(request) => $go(hooks.get_connection_tags, request, Output::Tags $(, $extra)*),
            Event::Readonly(c, r) => $go(hooks.should_connection_be_readonly, (c, r), Output::Flag $(, $extra)*),
            Event::Protocol(c, r) => $go(hooks.should_send_protocol_messages, (c, r), Output::Flag $(, $extra)*),
            Event::Connect(c, r) => $go(hooks.on_connect, (c, r), unit $(, $extra)*),
            Event::Message(c, message) => $go(hooks.on_message, (c, message), unit $(, $extra)*),
            Event::Frame(c, frame) => {
                $go(<$agent>::EXTENSION.on_frame.map(Handler::Read), (c, frame), unit $(, $extra)*)
            }
            Event::Greet(c) => $go(<$agent>::EXTENSION.on_greet.map(Handler::Read), c, Output::Greeting $(, $extra)*),
            Event::Close(c, close) => $go(hooks.on_close, (c, close), unit $(, $extra)*),
            Event::Error(error) => $go(hooks.on_error, error, unit $(, $extra)*),
            Event::Request(request) => {
                let handler = <$agent>::EXTENSION.handler_of(&request).or(hooks.on_request);
                $go(handler, request, Output::Response $(, $extra)*)
            }
            Event::BeforeSubAgent(request, child) => {
                $go(hooks.on_before_sub_agent, (request, child), Output::BeforeSubAgent $(, $extra)*)
            }
            Event::Validate(source) => $go(hooks.validate_state_change, source, unit $(, $extra)*),
            Event::StateChanged(source) => $go(hooks.on_state_changed, source, unit $(, $extra)*),
            Event::Alarm => $go(hooks.on_alarm, (), unit $(, $extra)*),
            Event::RunEnded(run) => $go(hooks.on_run_ended, run, unit $(, $extra)*),
            Event::StepUncertain(step) => $go(hooks.on_step_uncertain, step, Output::Verdict $(, $extra)*),
            Event::Task { task, args } => {
                $go(task_at::<$agent>(task).map(|task| task.handler), args, Output::Reply $(, $extra)*)
            }
            Event::Call { method, args, stream } => match (&<$agent>::METHODS[method].kind, stream) {
                (MethodKind::Plain(handler), _) => $go(Some(*handler), args, Output::Reply $(, $extra)*),
                (MethodKind::Streaming(handler), Some(stream)) => {
                    $go(Some(*handler), (stream, args), unit $(, $extra)*)
                }
                _ => $go(None::<Handler<$agent, (), ()>>, (), unit $(, $extra)*),
            },
        }
    }};
}

fn unit((): ()) -> Output {
    Output::Unit
}

fn run_handler<A, In, Out>(
    handler: Option<Handler<A, In, Out>>,
    input: In,
    wrap: fn(Out) -> Output,
    me: &mut A,
    cx: &Cx<A>,
) -> Result<Output> {
    match handler {
        Some(Handler::Read(run)) => run(me, cx, input).map(wrap),
        Some(Handler::Turn(run)) => run(me, cx, input).map(wrap),
        Some(Handler::Task(_)) | None => Err(no_handler()),
    }
}

fn start_handler<A: 'static, In, Out: 'static>(
    handler: Option<Handler<A, In, Out>>,
    input: In,
    wrap: fn(Out) -> Output,
    cx: Cx<A>,
) -> BoxFuture<Result<Output>> {
    match handler {
        Some(Handler::Task(start)) => {
            let work = start(cx, input);
            Box::pin(async move { work.await.map(wrap) })
        }
        _ => Box::pin(async { Err(no_handler()) }),
    }
}

fn no_handler() -> Error {
    Error::coded(hostel_protocol::refusal::Code::Internal, "the event was given to a handler of another mode")
}

impl<A: Agent> Class for ClassOf<A> {
    fn info(&self) -> &ClassInfo {
        &self.0
    }

    fn fresh(&self) -> Box<dyn Instance> {
        Box::new(InstanceOf(A::default()))
    }

    fn load(&self, state: &str) -> Result<Box<dyn Instance>> {
        Ok(Box::new(InstanceOf(serde_json::from_str::<A>(state)?)))
    }

    fn mode(&self, event: &Event) -> Option<Mode> {
        let hooks = const { &A::HOOKS };
        match event {
            Event::Start => hooks.on_start.map(|h| h.mode()),
            Event::Tags(_) => hooks.get_connection_tags.map(|h| h.mode()),
            Event::Readonly(..) => hooks.should_connection_be_readonly.map(|h| h.mode()),
            Event::Protocol(..) => hooks.should_send_protocol_messages.map(|h| h.mode()),
            Event::Connect(..) => hooks.on_connect.map(|h| h.mode()),
            Event::Message(..) => hooks.on_message.map(|h| h.mode()),
            Event::Frame(..) => A::EXTENSION.on_frame.map(|_| Mode::Read),
            Event::Greet(_) => A::EXTENSION.on_greet.map(|_| Mode::Read),
            Event::Close(..) => hooks.on_close.map(|h| h.mode()),
            Event::Error(_) => hooks.on_error.map(|h| h.mode()),
            Event::Request(request) => A::EXTENSION.handler_of(request).or(hooks.on_request).map(|h| h.mode()),
            Event::BeforeSubAgent(..) => hooks.on_before_sub_agent.map(|h| h.mode()),
            Event::Validate(_) => hooks.validate_state_change.map(|h| h.mode()),
            Event::StateChanged(_) => hooks.on_state_changed.map(|h| h.mode()),
            Event::Alarm => hooks.on_alarm.map(|h| h.mode()),
            Event::RunEnded(_) => hooks.on_run_ended.map(|h| h.mode()),
            Event::StepUncertain(_) => hooks.on_step_uncertain.map(|h| h.mode()),
            Event::Task { task, .. } => task_at::<A>(*task).map(|task| task.handler.mode()),
            Event::Call { method, .. } => match A::METHODS.get(*method)?.kind {
                MethodKind::Plain(handler) => Some(handler.mode()),
                MethodKind::Streaming(handler) => Some(handler.mode()),
                MethodKind::Closed => None,
            },
        }
    }

    fn task(&self, origin: Origin, event: Event) -> BoxFuture<Result<Output>> {
        let cx = origin.cx::<A>();
        dispatch!(A, event, start_handler, cx)
    }

    fn frame_failed(&self, frame: &Frame, error: &Error) -> Option<Message> {
        (A::EXTENSION.frame_failed)(frame, error)
    }

    fn state_type(&self, book: &mut TypeBook) -> String {
        A::state_type(book)
    }

    fn signature(&self, method: usize, book: &mut TypeBook) -> Signature {
        (A::METHODS[method].signature)(book)
    }
}

struct InstanceOf<A>(A);

impl<A: Agent> Instance for InstanceOf<A> {
    fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.0)?)
    }

    fn run(&mut self, origin: &Origin, event: Event) -> Result<Output> {
        let cx = origin.cx::<A>();
        let me = &mut self.0;
        dispatch!(A, event, run_handler, me, &cx)
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        &mut self.0
    }
}
