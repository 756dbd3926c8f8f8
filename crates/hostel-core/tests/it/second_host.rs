//! A host in memory: the least that an agent needs to live. It proves that the seam suffices, and drives agents in tests.
//!
//! No sockets: a connection is a record, and what was sent to it stands in the list of effects. Time stands still unless
//! somebody sleeps. Futures are polled by hand; nothing here ever waits for anything outside.

#![allow(dead_code, reason = "shared by several test binaries, each of which uses its part")]

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use hostel_core::{
    AgentId, Args, BoxFuture, ConnectRequest, Connection, Error, Message, Reply, Request, Response, Result, Rows,
    Source, SqlValue,
    connection::{ConnectionChange, ConnectionKey, ConnectionRecord},
    erased::{Class, Instance, Origin},
    event::{Event, Output},
    handler::Mode,
    host::{Caller, Effect, Host, Incoming, OutgoingCall},
    stream::StreamHandle,
    task::{DeadLetter, Order, Schedule, ScheduleId},
};
use hostel_protocol::refusal::Code;
use jiff::Timestamp;

/// Answers SQL in place of a database.
pub(crate) type Sql = Box<dyn Fn(&str, &[SqlValue]) -> Result<Rows> + Send + Sync>;

/// Every agent of a small world, by name.
pub(crate) struct World {
    classes: Vec<Box<dyn Class>>,
    agents: Mutex<HashMap<AgentId, Arc<SecondHost>>>,
    sql: Sql,
    myself: Weak<World>,
}

impl World {
    /// A world with these classes, where SQL fails.
    pub(crate) fn new(classes: Vec<Box<dyn Class>>) -> Arc<Self> {
        let no_sql: Sql = Box::new(|_, _| Err(Error::coded(Code::SqlError, "this host has no database")));
        Self::with_sql(classes, no_sql)
    }

    /// A world with these classes, and answers to SQL.
    pub(crate) fn with_sql(classes: Vec<Box<dyn Class>>, sql: Sql) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self { classes, agents: Mutex::default(), sql, myself: myself.clone() })
    }

    /// The agent, awake: its `on_start` has run.
    pub(crate) fn agent(&self, class: &str, name: &str) -> Result<Arc<SecondHost>> {
        let id = AgentId::new(class, name);
        if let Some(awake) = lock(&self.agents).get(&id) {
            return Ok(Arc::clone(awake));
        }
        let known = self.classes.iter().position(|class| *class.info().namespace == *id.namespace());
        let class = known.ok_or_else(|| Error::coded(Code::UnknownAgent, "nobody of that class lives here"))?;
        let world = self.myself.upgrade().ok_or_else(|| Error::msg("the world has ended"))?;
        let host = SecondHost::new(world, class, id.clone());
        lock(&self.agents).insert(id, Arc::clone(&host));
        host.event(None, Event::Start)?;
        Ok(host)
    }
}

impl Caller for World {
    fn call(&self, call: OutgoingCall) -> BoxFuture<Result<Reply>> {
        let target = self.agent(call.target.namespace(), call.target.name());
        Box::pin(async move { target?.call(&call.method, &call.args) })
    }

    fn fetch(&self, target: AgentId, request: Request) -> BoxFuture<Result<Response>> {
        let target = self.agent(target.namespace(), target.name());
        Box::pin(async move { target?.request(request) })
    }
}

/// One agent with everything it touches.
pub(crate) struct SecondHost {
    world: Arc<World>,
    class: usize,
    id: AgentId,
    instance: Mutex<Box<dyn Instance>>,
    committed: Mutex<String>,
    effects: Mutex<Vec<Effect>>,
    connections: Mutex<Vec<Arc<ConnectionRecord>>>,
    undo: Mutex<Vec<(Arc<ConnectionRecord>, ConnectionChange)>>,
    alarm: Mutex<Option<Timestamp>>,
    schedules: Mutex<Vec<Schedule>>,
    clock: Mutex<Timestamp>,
    next_key: AtomicU64,
    myself: Weak<SecondHost>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls a future to its end. Whatever this host hands out is ready at once.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("the future waits for something that this host never does");
}

impl SecondHost {
    fn new(world: Arc<World>, class: usize, id: AgentId) -> Arc<Self> {
        let instance = world.classes[class].fresh();
        let committed = Mutex::new(instance.to_json().expect("a new state can be written"));
        let instance = Mutex::new(instance);
        Arc::new_cyclic(|myself| Self {
            world,
            class,
            id,
            instance,
            committed,
            effects: Mutex::default(),
            connections: Mutex::default(),
            undo: Mutex::default(),
            alarm: Mutex::default(),
            schedules: Mutex::default(),
            clock: Mutex::new(Timestamp::UNIX_EPOCH),
            next_key: AtomicU64::new(1),
            myself: myself.clone(),
        })
    }

    fn class(&self) -> &dyn Class {
        &*self.world.classes[self.class]
    }

    fn me(&self) -> Arc<Self> {
        self.myself.upgrade().expect("whoever calls holds the host")
    }

    /// Calls a method with a JSON array of arguments.
    pub(crate) fn call(&self, method: &str, args: &str) -> Result<Reply> {
        self.call_as(None, method, args)
    }

    /// Calls a method on behalf of a connection.
    pub(crate) fn call_as(&self, connection: Option<Connection>, method: &str, args: &str) -> Result<Reply> {
        match self.event(connection, Event::Call { method: self.find(method)?, args: json(args), stream: None })? {
            Output::Reply(reply) => Ok(reply),
            other => Err(Error::msg(format!("a call answered {other:?}"))),
        }
    }

    /// Calls a streaming method; its frames are effects.
    pub(crate) fn stream(&self, connection: &Connection, method: &str, args: &str) -> Result<()> {
        let stream = StreamHandle::new(connection.clone(), "1");
        let event = Event::Call { method: self.find(method)?, args: json(args), stream: Some(stream.clone()) };
        let ended = self.event(Some(connection.clone()), event).map(|_| Reply::undefined());
        stream.finish(ended);
        Ok(())
    }

    fn find(&self, method: &str) -> Result<usize> {
        let info = self.class().info();
        let index = info.method(method).ok_or_else(|| Error::coded(Code::MethodNotFound, method))?;
        if !info.methods[index].callable {
            return Err(Error::coded(Code::MethodNotCallable, method));
        }
        Ok(index)
    }

    /// Opens a connection and runs its hooks in their order.
    pub(crate) fn connect(&self, id: &str, uri: &str) -> Result<Connection> {
        let request = Arc::new(ConnectRequest { uri: uri.to_owned(), ..ConnectRequest::default() });
        let key = ConnectionKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        let mut record = ConnectionRecord::new(key, id, uri);
        if let Output::Tags(tags) = self.event(None, Event::Tags(Arc::clone(&request)))? {
            record.tags = tags.into();
        }
        let record = Arc::new(record);
        let connection = Connection::new(Arc::clone(&record), self.me());
        if let Output::Flag(on) = self.event(None, Event::Readonly(connection.clone(), Arc::clone(&request)))? {
            record.set_readonly(on);
        }
        if let Output::Flag(on) = self.event(None, Event::Protocol(connection.clone(), Arc::clone(&request)))? {
            record.set_no_protocol(!on);
        }
        lock(&self.connections).push(record);
        self.event(Some(connection.clone()), Event::Connect(connection.clone(), request))?;
        Ok(connection)
    }

    /// Hands over a message.
    pub(crate) fn message(&self, connection: &Connection, message: impl Into<Message>) -> Result<()> {
        self.event(Some(connection.clone()), Event::Message(connection.clone(), message.into())).map(drop)
    }

    /// Hands over a request.
    pub(crate) fn request(&self, request: Request) -> Result<Response> {
        match self.event(None, Event::Request(request))? {
            Output::Response(response) => Ok(response),
            _ => Err(Error::coded(Code::NoRoute, "Not implemented")),
        }
    }

    /// Runs whatever handler the class has for an event.
    pub(crate) fn event(&self, connection: Option<Connection>, event: Event) -> Result<Output> {
        let caller = connection.as_ref().map(|connection| Arc::clone(connection.record()));
        let origin = Origin { host: self.me(), connection, call: None, identity: None, back: None };
        match self.class().mode(&event) {
            None => Ok(Output::Unit),
            Some(Mode::Task) => run(self.class().task(origin, event)),
            Some(Mode::Read | Mode::Turn) => self.transaction(caller.as_ref(), |instance| instance.run(&origin, event)),
        }
    }

    /// Everything done to the outside since the last time somebody asked.
    pub(crate) fn take_effects(&self) -> Vec<Effect> {
        std::mem::take(&mut lock(&self.effects))
    }

    /// The texts sent to one connection or to all since the last time somebody asked.
    pub(crate) fn take_texts(&self) -> Vec<String> {
        let text = |effect| match effect {
            Effect::Send { message, .. }
            | Effect::Broadcast { message, .. }
            | Effect::Multicast { message, .. }
            | Effect::Tap { frame: message, .. } => message.as_text().map(str::to_owned),
            Effect::PushState | Effect::Close { .. } => None,
        };
        self.take_effects().into_iter().filter_map(text).collect()
    }

    /// The state as JSON text.
    pub(crate) fn state(&self) -> String {
        lock(&self.instance).to_json().expect("the state was serialised before")
    }

    /// One turn: everything of it stays, or nothing.
    fn transaction<T>(
        &self,
        caller: Option<&Arc<ConnectionRecord>>,
        work: impl FnOnce(&mut dyn Instance) -> Result<T>,
    ) -> Result<T> {
        let mut instance = match self.instance.try_lock() {
            Ok(instance) => instance,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Error::coded(Code::NestedTurn, "a turn within a turn")),
        };
        let before = instance.to_json()?;
        let effects = lock(&self.effects).len();
        lock(&self.undo).clear();
        let outcome =
            work(&mut **instance).and_then(|value| self.check(caller, &before, &mut **instance).map(|()| value));
        if outcome.is_err() {
            *instance = self.class().load(&before)?;
            lock(&self.effects).truncate(effects);
            for (record, change) in lock(&self.undo).drain(..).rev() {
                let _ = change.apply(&record);
            }
        } else {
            *lock(&self.committed) = instance.to_json()?;
        }
        outcome
    }

    /// May the state stay as it is now?
    fn check(&self, caller: Option<&Arc<ConnectionRecord>>, before: &str, instance: &mut dyn Instance) -> Result<()> {
        if instance.to_json()? == before {
            return Ok(());
        }
        if caller.is_some_and(|record| record.readonly()) {
            return Err(Error::coded(Code::ConnectionReadonly, "Connection is readonly"));
        }
        let origin = Origin { host: self.me(), connection: None, call: None, identity: None, back: None };
        for event in [Event::Validate(Source::Server), Event::StateChanged(Source::Server)] {
            if self.class().mode(&event).is_some() {
                instance.run(&origin, event)?;
            }
        }
        lock(&self.effects).push(Effect::PushState);
        Ok(())
    }
}

fn json(args: &str) -> Args {
    Args::from_json(args.to_owned())
}

impl Host for SecondHost {
    fn id(&self) -> &AgentId {
        &self.id
    }

    fn emit(&self, effect: Effect) {
        lock(&self.effects).push(effect);
    }

    fn change_connection(&self, record: &Arc<ConnectionRecord>, change: ConnectionChange) {
        lock(&self.undo).push((Arc::clone(record), change.apply(record)));
    }

    fn connections(&self) -> Vec<Arc<ConnectionRecord>> {
        lock(&self.connections).clone()
    }

    fn is_connected(&self, key: ConnectionKey) -> bool {
        lock(&self.connections).iter().any(|record| record.key == key)
    }

    fn sql(&self, query: &str, params: &[SqlValue]) -> Result<Rows> {
        (self.world.sql)(query, params)
    }

    fn turn(
        &self,
        caller: Option<&Arc<ConnectionRecord>>,
        work: &mut dyn FnMut(&mut dyn Any) -> Result<()>,
    ) -> Result<()> {
        self.transaction(caller, |instance| work(instance.as_any_mut()))
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Any)) -> Result<()> {
        self.transaction(None, |instance| {
            work(instance.as_any());
            Ok(())
        })
    }

    fn committed_state(&self) -> Result<Arc<str>> {
        Ok(lock(&self.committed).as_str().into())
    }

    fn order(&self, order: Order) -> Result<ScheduleId> {
        let due = order.when.as_ref().map_or(Ok(self.now()), |when| when.first(self.now()))?;
        let mut schedules = lock(&self.schedules);
        let id = ScheduleId::new(format!("order-{}", schedules.len()));
        schedules.push(Schedule {
            id: id.clone(),
            task: order.task,
            args: serde_json::value::RawValue::from_string(order.args)?,
            when: order.when,
            due,
            key: order.key,
            declared: false,
            attempts: 0,
            running: false,
            retry: order.retry,
            source: order.source,
        });
        Ok(id)
    }

    fn schedules(&self) -> Result<Vec<Schedule>> {
        Ok(lock(&self.schedules).clone())
    }

    fn cancel(&self, id: &ScheduleId) -> Result<bool> {
        let mut schedules = lock(&self.schedules);
        let before = schedules.len();
        schedules.retain(|schedule| schedule.id != *id);
        Ok(schedules.len() < before)
    }

    fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        Ok(Vec::new())
    }

    fn retry_letter(&self, _id: &ScheduleId, _args: Option<String>) -> Result<bool> {
        Ok(false)
    }

    fn discard_letter(&self, _id: &ScheduleId) -> Result<bool> {
        Ok(false)
    }

    fn alarm(&self) -> Result<Option<Timestamp>> {
        Ok(*lock(&self.alarm))
    }

    fn set_alarm(&self, at: Option<Timestamp>) -> Result<()> {
        *lock(&self.alarm) = at;
        Ok(())
    }

    fn durable(&self) -> BoxFuture<Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn now(&self) -> Timestamp {
        *lock(&self.clock)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(4);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        *lock(&self.clock) += duration;
        Box::pin(std::future::ready(()))
    }

    fn env(&self, _service: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    fn props(&self) -> Option<Arc<serde_json::Value>> {
        None
    }

    fn spawn(&self, work: BoxFuture<()>) {
        run(work);
    }

    fn caller(&self, _within: Option<Arc<Incoming>>) -> Arc<dyn Caller> {
        Arc::clone(&self.world) as Arc<dyn Caller>
    }

    fn sub_agents(&self) -> Result<Vec<hostel_core::SubAgent>> {
        Ok(Vec::new())
    }

    fn add_sub_agent(&self, _child: &AgentId) -> Result<()> {
        Err(Error::msg("this host has no place for sub-agents"))
    }

    fn has_sub_agent(&self, _child: &AgentId) -> Result<bool> {
        Ok(false)
    }

    fn delete_sub_agent(&self, _child: &AgentId) -> Result<bool> {
        Ok(false)
    }

    fn abort_sub_agent(&self, _child: &AgentId) -> Result<bool> {
        Ok(false)
    }

    fn destroy(&self) {
        lock(&self.connections).clear();
    }
}
