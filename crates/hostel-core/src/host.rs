//! The seam between an agent and its host: rows, sockets, wake-ups, clock, randomness, outbound calls.
//!
//! The runtime implements [`Host`]; agents never see it, they hold a [`crate::Cx`]. A second host needs nothing else.

use std::{
    any::{Any, TypeId},
    sync::Arc,
    time::Duration,
};

use hostel_protocol::{connection::close, refusal::Code};
use jiff::Timestamp;

use crate::{
    BoxFuture,
    body::{Request, Response},
    connection::{ConnectionChange, ConnectionKey, ConnectionRecord, Message},
    error::{Error, Result},
    extension::Memory,
    id::AgentId,
    reply::Reply,
    run::{RunAnswer, RunAsk, RunHost},
    sql::{Rows, SqlValue},
    stream::Tap,
    sub_agent::SubAgent,
    task::{DeadLetter, Order, Schedule, ScheduleId},
};

/// What a turn does to the outside. Held back until the turn's writes are durable, dropped when the turn fails.
#[derive(Debug, Clone)]
pub enum Effect {
    /// One message to one socket.
    Send {
        /// The socket.
        to: ConnectionKey,
        /// The message.
        message: Message,
    },
    /// One message to every socket.
    Broadcast {
        /// The message; its bytes are shared by all sockets.
        message: Message,
        /// Connection ids that are left out, every namesake included.
        except: Vec<String>,
    },
    /// One message to these sockets, and no namesake of theirs.
    Multicast {
        /// The sockets; those that are gone are left out.
        to: Arc<[ConnectionKey]>,
        /// The message; its bytes are shared by all sockets.
        message: Message,
    },
    /// A frame of a streaming call to somebody inside the process.
    Tap {
        /// Who takes it.
        to: Tap,
        /// The frame.
        frame: Message,
    },
    /// The current state to every socket that takes protocol frames, even if it did not change.
    PushState,
    /// Close one socket.
    Close {
        /// The socket.
        to: ConnectionKey,
        /// Close code.
        code: u16,
        /// Close reason, at most 123 bytes.
        reason: String,
    },
}

/// What an agent may ask of the place it lives in.
///
/// Methods without a future never wait. Called during a turn of the agent they belong to that turn; called outside (by an
/// async method) each is a turn of its own.
pub trait Host: Send + Sync + 'static {
    /// Which agent this is.
    fn id(&self) -> &AgentId;
    /// Adds an effect.
    fn emit(&self, effect: Effect);
    /// Changes a connection's own record; undone when the turn fails.
    fn change_connection(&self, record: &Arc<ConnectionRecord>, change: ConnectionChange);
    /// The live connections, oldest first.
    fn connections(&self) -> Vec<Arc<ConnectionRecord>>;
    /// Whether that socket is still there.
    fn is_connected(&self, key: ConnectionKey) -> bool;
    /// Runs SQL on the agent's own database.
    ///
    /// # Errors
    /// `sql_error`, `turn_timeout`, or a storage code.
    fn sql(&self, query: &str, params: &[SqlValue]) -> Result<Rows>;
    /// Runs SQL on tables that the server keeps in the agent's database, out of the agent's own reach. For extensions of the
    /// host; nothing from outside may be in the text.
    ///
    /// # Errors
    /// `sql_error`, or a storage code.
    fn own_sql(&self, query: &str, params: &[SqlValue]) -> Result<Rows> {
        let _nowhere = (query, params);
        Err(Error::coded(Code::Internal, "This host keeps no tables of its own."))
    }
    /// What the class's extension keeps of this agent in memory: made when it is first asked for, gone when the agent leaves
    /// memory. Unlike the agent's own fields it outlives a turn that is rolled back.
    fn memory(&self, make: fn() -> Memory) -> Memory {
        make()
    }
    /// Runs `work` on the agent as one turn, on behalf of `caller`.
    ///
    /// # Errors
    /// Those of `work` and of the commit; `nested_turn` inside a turn of the same agent.
    fn turn(
        &self,
        caller: Option<&Arc<ConnectionRecord>>,
        work: &mut dyn FnMut(&mut dyn Any) -> Result<()>,
    ) -> Result<()>;
    /// Does `work` as part of the turn under way, or as a turn of its own that leaves the agent's fields alone; undone if it
    /// fails. For extensions of the host.
    ///
    /// # Errors
    /// Those of `work` and of the commit.
    fn aside(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        work()
    }
    /// Lets `work` look at the agent between turns.
    ///
    /// # Errors
    /// `nested_turn` inside a turn of the same agent; otherwise when the agent is gone.
    fn read(&self, work: &mut dyn FnMut(&dyn Any)) -> Result<()>;
    /// The state as of the last commit, as JSON, private fields included; `null` if there is none.
    ///
    /// # Errors
    /// When the agent is gone.
    fn committed_state(&self) -> Result<Arc<str>>;
    /// The next low-level wake-up.
    ///
    /// # Errors
    /// A storage code.
    fn alarm(&self) -> Result<Option<Timestamp>>;
    /// Sets or clears the low-level wake-up.
    ///
    /// # Errors
    /// A storage code.
    fn set_alarm(&self, at: Option<Timestamp>) -> Result<()>;
    /// Keeps a run of a task for its time. Belongs to the turn.
    ///
    /// # Errors
    /// `task_unknown`, `invalid_arguments` if there is no such time, `queue_full`, `task_too_large`, or a storage code.
    fn order(&self, order: Order) -> Result<ScheduleId>;
    /// What waits for its time, soonest first; then the queue, in its order.
    ///
    /// # Errors
    /// A storage code.
    fn schedules(&self) -> Result<Vec<Schedule>>;
    /// Takes a run back. `false` if there was none with this id. One that is running goes on.
    ///
    /// # Errors
    /// A storage code.
    fn cancel(&self, id: &ScheduleId) -> Result<bool>;
    /// The runs that were given up, newest first.
    ///
    /// # Errors
    /// A storage code.
    fn dead_letters(&self) -> Result<Vec<DeadLetter>>;
    /// Has a run that was given up run again, with other arguments (a JSON array) if there are any. `false` if there was
    /// none with this id. Belongs to the turn.
    ///
    /// # Errors
    /// `queue_full`, `task_too_large`, `invalid_arguments` if the arguments are no array, or a storage code.
    fn retry_letter(&self, id: &ScheduleId, args: Option<String>) -> Result<bool>;
    /// Forgets a run that was given up. `false` if there was none with this id. Belongs to the turn.
    ///
    /// # Errors
    /// A storage code.
    fn discard_letter(&self, id: &ScheduleId) -> Result<bool>;
    /// The durable run whose code asks.
    ///
    /// # Errors
    /// `not_a_run` if it is none.
    fn run(&self) -> Result<Arc<dyn RunHost>> {
        Err(no_run("This host keeps no runs."))
    }
    /// Asks about the agent's runs, or has something done with them. Belongs to the turn.
    ///
    /// # Errors
    /// As [`crate::Runs`] says.
    fn runs(&self, ask: RunAsk) -> Result<RunAnswer> {
        let _ = ask;
        Err(no_run("This host keeps no runs."))
    }
    /// Resolves when everything the agent has committed so far is durable.
    fn durable(&self) -> BoxFuture<Result<()>>;
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Fills `bytes` with randomness fit for secrets.
    fn fill_random(&self, bytes: &mut [u8]);
    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
    /// A service that the application shared with its agents.
    fn env(&self, service: TypeId) -> Option<Arc<dyn Any + Send + Sync>>;
    /// The props the router handed over, if any.
    fn props(&self) -> Option<Arc<serde_json::Value>>;
    /// Runs a future that keeps the agent awake until it ends.
    fn spawn(&self, work: BoxFuture<()>);
    /// The way to other agents, from within the call that is being answered, if it is one. Calls wait for this agent's
    /// gate before they leave.
    fn caller(&self, within: Option<Arc<Incoming>>) -> Arc<dyn Caller>;
    /// The agents under this one.
    ///
    /// # Errors
    /// A storage code.
    fn sub_agents(&self) -> Result<Vec<SubAgent>>;
    /// Notes an agent under this one, if it is not noted. Belongs to the turn.
    ///
    /// # Errors
    /// `unknown_agent`, or a storage code.
    fn add_sub_agent(&self, child: &AgentId) -> Result<()>;
    /// Whether an agent under this one is noted.
    ///
    /// # Errors
    /// A storage code.
    fn has_sub_agent(&self, child: &AgentId) -> Result<bool>;
    /// Deletes an agent under this one once the turn has committed. `false` if there is none.
    ///
    /// # Errors
    /// A storage code.
    fn delete_sub_agent(&self, child: &AgentId) -> Result<bool>;
    /// Breaks off what an agent under this one is doing, once the turn has committed. `false` if there is none.
    ///
    /// # Errors
    /// A storage code.
    fn abort_sub_agent(&self, child: &AgentId) -> Result<bool>;
    /// Deletes everything the agent stored, once the turn has committed, and closes its sockets.
    fn destroy(&self);
}

/// One call of a method of another agent.
#[derive(Debug, Clone)]
pub struct OutgoingCall {
    /// Whom.
    pub target: AgentId,
    /// The method's wire name.
    pub method: String,
    /// JSON array.
    pub args: String,
    /// Give up after this long; what was begun goes on.
    pub timeout: Option<Duration>,
    /// Makes retries safe: the stored result of the first call is returned.
    pub idempotency_key: Option<String>,
    /// Ends an async method when whoever waits for its answer stops waiting, as `#[callable(cancel_on_disconnect)]` does.
    pub cancel_on_drop: bool,
    /// Takes what a streaming method sends, as the frames a socket would get; without one such a call is refused.
    pub tap: Option<Tap>,
    /// The way back to whoever calls, for services that bring calls from outside.
    pub back: Option<WayBack>,
}

/// A way back to whoever called, for services beside agents that bring calls from outside: what it is they alone know.
#[derive(Clone)]
pub struct WayBack(Arc<dyn Any + Send + Sync>);

impl WayBack {
    /// Wraps whatever the service needs.
    pub fn new(way: impl Any + Send + Sync) -> Self {
        Self(Arc::new(way))
    }

    /// What the service put into it; `None` if it was another service.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl std::fmt::Debug for WayBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WayBack")
    }
}

impl OutgoingCall {
    /// A call of `method` with a JSON array of arguments, and nothing special about it.
    pub fn new(target: AgentId, method: impl Into<String>, args: impl Into<String>) -> Self {
        Self {
            target,
            method: method.into(),
            args: args.into(),
            timeout: None,
            idempotency_key: None,
            cancel_on_drop: false,
            tap: None,
            back: None,
        }
    }
}

/// What an agent may know of the call it answers, and of those that this one was made within.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Who calls, and its name for journals and logs; `None` for the application, and for what is no call.
    pub caller: Option<(AgentId, Arc<str>)>,
    /// Whom.
    pub target: AgentId,
    /// What it is.
    pub kind: IncomingKind,
    /// How many calls this one is the last of.
    pub hops: u32,
    /// When the caller stops waiting.
    pub deadline: Option<Timestamp>,
    /// What the caller was answering when it called.
    pub within: Option<Arc<Incoming>>,
}

/// What an [`Incoming`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingKind {
    /// A call or a request.
    Call,
    /// A call with an idempotency key.
    Keyed(String),
    /// The agent's own `on_start`: until it has ended, nobody's call of this agent is answered.
    Start,
}

impl Incoming {
    /// This one, the one it was made within, and so on.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |link| link.within.as_deref())
    }
}

/// Knows the MCP servers of agents, for the frame that tells new connections of them.
pub trait McpServers: std::fmt::Debug + Send + Sync + 'static {
    /// The frame for the agent of this host; `None` if it has no servers. Asked in the turn that greets a connection.
    fn frame(&self, host: &dyn Host) -> Option<Message>;
}

/// Carries calls to agents.
pub trait Caller: Send + Sync + 'static {
    /// Calls a method.
    fn call(&self, call: OutgoingCall) -> BoxFuture<Result<Reply>>;
    /// Hands an HTTP request to an agent, under any path.
    fn fetch(&self, target: AgentId, request: Request) -> BoxFuture<Result<Response>>;
}

/// What is for a run was asked for elsewhere.
pub fn no_run(message: &str) -> Error {
    Error::coded(Code::NotARun, message).with_fix("do it in an async #[task] that is started with `.start()`")
}

/// Checks a close before it becomes an effect.
///
/// # Errors
/// When the code may not be sent (RFC 6455, 7.4) or the reason is longer than 123 bytes (5.5).
pub fn check_close(code: u16, reason: &str) -> Result<()> {
    if !close::may_be_sent(code) {
        return Err(Error::coded(Code::Internal, format!("Invalid WebSocket close code: {code}."))
            .with_fix("use 1000, or a code from 3000 to 4999"));
    }
    if reason.len() > 123 {
        return Err(Error::msg(format!("The close reason has {} bytes; 123 is the limit.", reason.len())));
    }
    Ok(())
}
