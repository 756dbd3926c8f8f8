//! The context: what an agent can do besides changing its own fields.

use std::{
    any::{Any, TypeId},
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    agent::Agent,
    call::Stub,
    connection::{Connection, Message},
    error::{Error, Result},
    host::{Effect, Host, Incoming, WayBack},
    id::AgentId,
    identity::Identity,
    sql::{IntoParams, Rows},
    state,
    task::{DeadLetter, Schedule, ScheduleId, ScheduleQuery, TaskOrders},
};

/// What an agent of class `A` can do besides changing its own fields.
///
/// Inside a turn, everything done through it belongs to the turn: it commits, or is undone, with it. In an async method
/// each call is a turn of its own, and [`Cx::update`] changes the state. Cheap to clone.
pub struct Cx<A> {
    pub(crate) host: Arc<dyn Host>,
    connection: Option<Connection>,
    pub(crate) call: Option<Arc<Incoming>>,
    identity: Option<Identity>,
    back: Option<WayBack>,
    _class: PhantomData<fn() -> A>,
}

impl<A> Clone for Cx<A> {
    fn clone(&self) -> Self {
        Self { call: self.call.clone(), ..Self::new(Arc::clone(&self.host), self.connection.clone()) }
            .with_identity(self.identity.clone())
            .with_way_back(self.back.clone())
    }
}

impl<A> Cx<A> {
    /// Made by hosts; agents receive it.
    pub fn new(host: Arc<dyn Host>, connection: Option<Connection>) -> Self {
        Self { host, connection, call: None, identity: None, back: None, _class: PhantomData }
    }

    /// The same, while `call` is answered. Made by hosts.
    #[must_use]
    pub fn within(self, call: Option<Arc<Incoming>>) -> Self {
        Self { call, ..self }
    }

    /// The same, for an event that came over no connection, with who is behind it. Made by hosts.
    #[must_use]
    pub fn with_identity(self, identity: Option<Identity>) -> Self {
        Self { identity, ..self }
    }

    /// The same, with a way back to whoever called. Made by hosts.
    #[doc(hidden)]
    #[must_use]
    pub fn with_way_back(self, back: Option<WayBack>) -> Self {
        Self { back, ..self }
    }

    /// The way back to whoever called, for the service that brought the call.
    #[doc(hidden)]
    pub fn way_back(&self) -> Option<&WayBack> {
        self.back.as_ref()
    }

    /// The host behind it, for extensions.
    #[doc(hidden)]
    pub fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// Which agent this is.
    pub fn id(&self) -> &AgentId {
        self.host.id()
    }

    /// The instance's name within its namespace.
    pub fn name(&self) -> &str {
        self.host.id().name()
    }

    /// The connection whose frame is being handled, or `None` (alarm, HTTP, another agent).
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The agent whose call or request is being answered, or `None` (a client, the application, an alarm, a task). It is
    /// the host's word, not the caller's: no agent can pass for another.
    pub fn caller_agent(&self) -> Option<&AgentId> {
        self.call.as_ref()?.caller.as_ref().map(|(id, _)| id)
    }

    /// When the agent that called stops waiting for the answer, if it said so with `Call::timeout`. The call goes on after
    /// that; a method may use it to leave out what nobody would see.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.call.as_ref()?.deadline
    }

    /// Who is behind what is being handled: a frame of a connection, an HTTP request, or a call on somebody's behalf. `None`
    /// for somebody unknown, for wake-ups and tasks, and for calls of other agents.
    pub fn identity(&self) -> Option<&Identity> {
        self.connection.as_ref().map_or(self.identity.as_ref(), Connection::identity)
    }

    /// Every live connection, oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        let wrap = |record| Connection::new(record, Arc::clone(&self.host));
        self.host.connections().into_iter().map(wrap).collect()
    }

    /// The connections that carry `tag`.
    pub fn connections_with(&self, tag: &str) -> Vec<Connection> {
        let mut all = self.connections();
        all.retain(|connection| connection.tags().any(|own| own == tag));
        all
    }

    /// Sends one message to every connection. The bytes are shared.
    pub fn broadcast(&self, message: impl Into<Message>) {
        self.broadcast_except(message, &[]);
    }

    /// Sends one message to every connection except those with these ids.
    pub fn broadcast_except(&self, message: impl Into<Message>, ids: &[&str]) {
        let except = ids.iter().map(|id| (*id).to_owned()).collect();
        self.host.emit(Effect::Broadcast { message: message.into(), except });
    }

    /// Sends the state to every client even if this turn does not change it.
    pub fn push_state(&self) {
        self.host.emit(Effect::PushState);
    }

    /// Runs SQL on the agent's own database; see [`IntoParams`] for the parameters.
    ///
    /// ```
    /// # fn demo<A>(cx: &hostel_core::Cx<A>) -> hostel_core::Result<()> {
    /// cx.sql("create table if not exists notes (id integer primary key, text text)", ())?;
    /// cx.sql("insert into notes (text) values (?)", ("buy milk",))?;
    /// let count: i64 = cx.sql("select count(*) from notes", ())?.value()?.unwrap_or(0);
    /// # let _ = count; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `sql_error` with SQLite's own words, `turn_timeout` when it runs too long, or a storage code.
    pub fn sql(&self, query: &str, params: impl IntoParams) -> Result<Rows> {
        self.host.sql(query, &params.into_params())
    }

    /// Asks for `on_alarm` at `at`, replacing an earlier request. Survives restarts; an overdue one runs at start.
    ///
    /// # Errors
    /// A storage code.
    pub fn set_alarm(&self, at: Timestamp) -> Result<()> {
        self.host.set_alarm(Some(at))
    }

    /// Takes the wake-up back.
    ///
    /// # Errors
    /// A storage code.
    pub fn delete_alarm(&self) -> Result<()> {
        self.host.set_alarm(None)
    }

    /// When the wake-up is due, if one is set.
    ///
    /// # Errors
    /// A storage code.
    pub fn alarm(&self) -> Result<Option<Timestamp>> {
        self.host.alarm()
    }

    /// What waits for its time, soonest first; then what is queued, in its order.
    ///
    /// # Errors
    /// A storage code.
    pub fn schedules(&self) -> Result<Vec<Schedule>> {
        self.host.schedules()
    }

    /// One of [`Cx::schedules`].
    ///
    /// # Errors
    /// A storage code.
    pub fn schedule(&self, id: &ScheduleId) -> Result<Option<Schedule>> {
        Ok(self.schedules()?.into_iter().find(|schedule| schedule.id == *id))
    }

    /// Those of [`Cx::schedules`] that fit.
    ///
    /// # Errors
    /// A storage code.
    pub fn schedules_where(&self, query: &ScheduleQuery) -> Result<Vec<Schedule>> {
        let mut schedules = self.schedules()?;
        schedules.retain(|schedule| query.means(schedule));
        Ok(schedules)
    }

    /// Takes a run back. `false` if there was none with this id. One that is running goes on.
    ///
    /// # Errors
    /// A storage code.
    pub fn cancel(&self, id: &ScheduleId) -> Result<bool> {
        self.host.cancel(id)
    }

    /// The runs that were given up, newest first: what each was to do, and why it was not done. The newest thousand are
    /// kept.
    ///
    /// # Errors
    /// A storage code.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.host.dead_letters()
    }

    /// Has a run that was given up run again, at the end of the queue if it was queued and now if it was a schedule; its
    /// letter goes. `false` if there was none with this id.
    ///
    /// # Errors
    /// `queue_full`, or a storage code.
    pub fn retry(&self, id: &ScheduleId) -> Result<bool> {
        self.host.retry_letter(id, None)
    }

    /// [`Cx::retry`] with other arguments; they must serialise to a JSON array, as a tuple does.
    ///
    /// # Errors
    /// Those of [`Cx::retry`], `task_too_large`, or `invalid_arguments` if the arguments are no array.
    pub fn retry_with(&self, id: &ScheduleId, args: &impl Serialize) -> Result<bool> {
        self.host.retry_letter(id, Some(serde_json::to_string(args)?))
    }

    /// Forgets a run that was given up. `false` if there was none with this id.
    ///
    /// # Errors
    /// A storage code.
    pub fn discard(&self, id: &ScheduleId) -> Result<bool> {
        self.host.discard_letter(id)
    }

    /// The time, from the host's clock.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    /// Randomness fit for secrets.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.host.fill_random(&mut bytes);
        bytes
    }

    /// Waits. The agent stays awake meanwhile; for longer waits set an alarm.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn sleep(&self, duration: Duration) {
        self.host.sleep(duration).await;
    }

    /// Resolves once everything committed so far is durable. Frames, replies and calls wait for that by themselves; await
    /// it before telling the world in some other way.
    ///
    /// # Errors
    /// A storage code: the writes are not durable, and the agent restarts from what is.
    pub async fn durable(&self) -> Result<()> {
        self.host.durable().await
    }

    /// A service the application shared with `App::env`.
    ///
    /// # Errors
    /// When the application shared no `T`.
    pub fn env<T: Any + Send + Sync>(&self) -> Result<Arc<T>> {
        let found = self.host.env(TypeId::of::<T>()).and_then(|service| service.downcast().ok());
        found.ok_or_else(|| {
            Error::msg(format!("the application shares no {}", std::any::type_name::<T>()))
                .with_fix("call `App::env(..)` with one before `serve`")
        })
    }

    /// The props the router handed over when it reached this agent, or `None`.
    ///
    /// # Errors
    /// When they do not have the shape of `T`.
    pub fn props<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        match self.host.props() {
            Some(props) => Ok(Some(T::deserialize(&*props)?)),
            None => Ok(None),
        }
    }

    /// A handle to another agent. Nothing is sent until one of its calls is awaited.
    pub fn agent<B: Agent>(&self, name: &str) -> B::Stub {
        Stub::new(AgentId::new(B::CLASS, name), self.host.caller(self.call.clone())).into()
    }

    /// Runs `work` beside the turns; the agent stays awake until it ends. It does not survive a restart.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.host.spawn(Box::pin(work));
    }

    /// Deletes everything this agent stored once the turn has committed, and closes its sockets with 1001.
    pub fn destroy(&self) {
        self.host.destroy();
    }
}

impl<A> Cx<A> {
    /// Orders runs of tasks and errands by their names; for libraries that bring errands along. Agents use [`Cx::tasks`].
    pub fn orders(&self) -> TaskOrders {
        TaskOrders::new(Arc::clone(&self.host))
    }
}

impl<A: Agent> Cx<A> {
    /// Orders runs of the agent's own tasks, one method a task. What is ordered in a turn is kept with the turn, or not at
    /// all; it survives restarts.
    pub fn tasks(&self) -> A::Tasks {
        TaskOrders::new(Arc::clone(&self.host)).into()
    }

    /// Changes the agent as one turn, from an async method. The change is committed when this returns; replies,
    /// broadcasts and calls that follow wait until it is durable.
    ///
    /// # Errors
    /// `nested_turn` inside a turn (change `self` there), `connection_readonly`, a rejection by
    /// `validate_state_change`, or a storage code. Nothing was changed then.
    pub fn update<R>(&self, work: impl FnOnce(&mut A) -> R) -> Result<R> {
        self.try_update(|me| Ok(work(me)))
    }

    /// Like [`Cx::update`], rolled back when `work` returns an error.
    ///
    /// # Errors
    /// Those of `work`, and those of [`Cx::update`].
    pub fn try_update<R>(&self, work: impl FnOnce(&mut A) -> Result<R>) -> Result<R> {
        let mut work = Some(work);
        let mut result = None;
        self.host.turn(self.connection.as_ref().map(Connection::record), &mut |any| {
            if let (Some(me), Some(work)) = (any.downcast_mut::<A>(), work.take()) {
                result = Some(work(me)?);
            }
            Ok(())
        })?;
        result.ok_or_else(wrong_class)
    }

    /// [`Cx::update`] if the state still has this version, which [`Cx::state_version`] or a client's state frame gave.
    ///
    /// ```
    /// # use hostel_core::{Agent, Cx, Result};
    /// # async fn ask_somebody(_: &str) -> Result<String> { Ok(String::new()) }
    /// # async fn demo<A: Agent>(cx: &Cx<A>, set: fn(&mut A, String), title: fn(&A) -> String) -> Result<()> {
    /// let version = cx.state_version()?;
    /// let better = ask_somebody(&cx.read(title)?).await?;
    /// cx.update_if(&version, |me| set(me, better))?; // `state_conflict` if anything changed meanwhile
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `state_conflict` when the state has another version; otherwise those of [`Cx::update`].
    pub fn update_if<R>(&self, version: &str, work: impl FnOnce(&mut A) -> R) -> Result<R> {
        self.try_update(|me| {
            self.expect_version(version)?;
            Ok(work(me))
        })
    }

    /// The version of the state as clients see it: a short hash of its JSON. Inside a turn that is the state before the
    /// turn. The same content has the same version, whatever was in between.
    ///
    /// # Errors
    /// When the agent is gone.
    pub fn state_version(&self) -> Result<String> {
        let state = self.host.committed_state()?;
        Ok(state::version(&state::visible(&state, A::FIELDS)))
    }

    /// Goes on if the state had this version before the turn; for `&mut self` methods that are handed one.
    ///
    /// # Errors
    /// `state_conflict` when it has another.
    pub fn expect_version(&self, version: &str) -> Result<()> {
        let current = self.state_version()?;
        if current == version { Ok(()) } else { Err(Error::state_conflict(&current)) }
    }

    /// Looks at the agent between turns, from an async method.
    ///
    /// # Errors
    /// `nested_turn` inside a turn; otherwise when the agent is gone.
    pub fn read<R>(&self, look: impl FnOnce(&A) -> R) -> Result<R> {
        let mut look = Some(look);
        let mut result = None;
        self.host.read(&mut |any| {
            if let (Some(me), Some(look)) = (any.downcast_ref::<A>(), look.take()) {
                result = Some(look(me));
            }
        })?;
        result.ok_or_else(wrong_class)
    }
}

fn wrong_class() -> Error {
    Error::coded(hostel_protocol::refusal::Code::Internal, "the context belongs to an agent of another class")
}

impl<A> fmt::Debug for Cx<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cx").field(self.host.id()).finish()
    }
}
