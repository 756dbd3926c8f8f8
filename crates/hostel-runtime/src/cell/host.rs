//! The cell as the host of its agent: what a `Cx` reaches.

use std::{
    any::{Any, TypeId},
    sync::Arc,
    time::Duration,
};

use hostel_core::{
    AgentId, BoxFuture, Error, Result, Rows, SqlValue, SubAgent,
    connection::{ConnectionChange, ConnectionKey, ConnectionRecord},
    extension::Memory,
    handler::Mode,
    host::{Caller, Effect, Host, Incoming, no_run},
    run::{RunAnswer, RunAsk, RunHost},
    task::{DeadLetter, Order, Schedule, ScheduleId},
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    Cell,
    cause::Work,
    turn::{Turn, nested},
};
use crate::{gate::Delivery, ids};

impl Cell {
    /// Inside a turn: does `work` as part of it. Outside: as a turn of its own that cannot change the state.
    pub(super) fn as_turn<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        if self.in_turn() {
            return work();
        }
        let current = self.current_work();
        let turn = Turn { cause: Work::cause(current.as_ref()), ..Turn::own(Mode::Read) };
        let work = |_: &mut super::Awake| {
            self.check_era(current.as_ref())?;
            work()
        };
        let mut outcome = None;
        self.turn(&turn, work, |result, _| outcome = Some(result));
        outcome.expect("a turn always shows its result")
    }
}

impl Host for Cell {
    fn id(&self) -> &AgentId {
        &self.id
    }

    fn emit(&self, effect: Effect) {
        if self.in_turn() {
            let mut scratch = self.scratch.lock();
            return match effect {
                Effect::PushState => scratch.push_state = true,
                effect => scratch.effects.push(effect),
            };
        }
        match effect {
            Effect::PushState => {
                let push = || {
                    self.scratch.lock().push_state = true;
                    Ok(())
                };
                if let Err(error) = self.as_turn(push) {
                    tracing::debug!(agent = %self.id, error = ?error, "the state could not be pushed");
                }
            }
            effect => self.release(self.delivery(effect).into_iter().collect()),
        }
    }

    fn change_connection(&self, record: &Arc<ConnectionRecord>, change: ConnectionChange) {
        let undo = change.apply(record);
        if self.in_turn() {
            self.scratch.lock().undo.push((Arc::clone(record), undo));
        }
    }

    fn connections(&self) -> Vec<Arc<ConnectionRecord>> {
        self.peers.lock().values().map(|peer| Arc::clone(&peer.record)).collect()
    }

    fn is_connected(&self, key: ConnectionKey) -> bool {
        self.peers.lock().contains_key(&key)
    }

    fn sql(&self, query: &str, params: &[SqlValue]) -> Result<Rows> {
        self.as_turn(|| self.sql_now(query, params))
    }

    fn own_sql(&self, query: &str, params: &[SqlValue]) -> Result<Rows> {
        self.as_turn(|| self.own_sql_now(query, params))
    }

    fn memory(&self, make: fn() -> Memory) -> Memory {
        self.node.memories.of(self, make)
    }

    fn turn(
        &self,
        caller: Option<&Arc<ConnectionRecord>>,
        work: &mut dyn FnMut(&mut dyn Any) -> Result<()>,
    ) -> Result<()> {
        let current = self.current_work();
        let turn = Turn { caller, cause: Work::cause(current.as_ref()), ..Turn::own(Mode::Turn) };
        let work = |awake: &mut super::Awake| {
            self.check_era(current.as_ref())?;
            work(awake.instance.as_any_mut())
        };
        let mut outcome = Ok(());
        Cell::turn(self, &turn, work, |result, _| outcome = result);
        outcome
    }

    fn aside(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.as_turn(work)
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Any)) -> Result<()> {
        if self.in_turn() {
            return Err(nested());
        }
        let current = self.current_work();
        let mut outcome = Ok(());
        let look = |awake: &mut super::Awake| {
            self.check_era(current.as_ref())?;
            work(awake.instance.as_any());
            Ok(())
        };
        Cell::turn(self, &Turn::own(Mode::Read), look, |result, _| outcome = result);
        outcome
    }

    fn committed_state(&self) -> Result<Arc<str>> {
        let state = if self.in_turn() {
            self.kept_state.lock().clone()
        } else {
            let mut state = Ok(None);
            let look = |awake: &mut super::Awake| Ok(awake.state.clone());
            Cell::turn(self, &Turn::own(Mode::Read), look, |result, _| state = result);
            state?
        };
        Ok(state.unwrap_or_else(|| "null".into()))
    }

    fn alarm(&self) -> Result<Option<Timestamp>> {
        let at = self.as_turn(|| self.alarm_seen())?;
        at.map(Timestamp::from_millisecond).transpose().map_err(Error::from)
    }

    fn set_alarm(&self, at: Option<Timestamp>) -> Result<()> {
        self.as_turn(|| {
            self.alarm_set(at);
            Ok(())
        })
    }

    fn order(&self, order: Order) -> Result<ScheduleId> {
        let mut order = Some(order);
        self.as_turn(|| order.take().map_or_else(|| Err(nested()), |order| self.order_now(order)))
    }

    fn schedules(&self) -> Result<Vec<Schedule>> {
        self.as_turn(|| self.schedules_now())
    }

    fn cancel(&self, id: &ScheduleId) -> Result<bool> {
        self.as_turn(|| self.cancel_now(id))
    }

    fn run(&self) -> Result<Arc<dyn RunHost>> {
        let work = self.current_work();
        match work.as_ref().and_then(Work::run) {
            None => Err(no_run("This is not the code of a durable run.")),
            Some(run) if run.repeats() => Err(no_run("A task that is run again and again is no durable run.")),
            Some(run) => Ok(Arc::clone(run) as Arc<dyn RunHost>),
        }
    }

    fn runs(&self, ask: RunAsk) -> Result<RunAnswer> {
        self.as_turn(|| self.runs_now(ask))
    }

    fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.as_turn(|| self.letters_now())
    }

    fn retry_letter(&self, id: &ScheduleId, args: Option<String>) -> Result<bool> {
        self.as_turn(|| self.retry_letter_now(id, args))
    }

    fn discard_letter(&self, id: &ScheduleId) -> Result<bool> {
        self.as_turn(|| self.discard_letter_now(id))
    }

    fn durable(&self) -> BoxFuture<Result<()>> {
        let (tell, hear) = oneshot::channel();
        self.release(vec![Delivery::resolve(move |outcome| super::job::answer(tell, outcome))]);
        Box::pin(async move { hear.await.unwrap_or_else(|_| Err(gone())) })
    }

    fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        ids::fill(bytes);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.node.clock.sleep(duration)
    }

    fn env(&self, service: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.node.env.get(&service).cloned()
    }

    fn props(&self) -> Option<Arc<Value>> {
        self.props.lock().clone()
    }

    fn spawn(&self, work: BoxFuture<()>) {
        if self.in_turn() {
            let work = self.spawned(work);
            return self.scratch.lock().spawned.push(work);
        }
        self.spawn_busy(work);
    }

    fn caller(&self, within: Option<Arc<Incoming>>) -> Arc<dyn Caller> {
        Arc::new(crate::node::GatedCaller::new(self.arc(), within))
    }

    fn sub_agents(&self) -> Result<Vec<SubAgent>> {
        self.as_turn(|| self.children_now())
    }

    fn add_sub_agent(&self, child: &AgentId) -> Result<()> {
        self.as_turn(|| self.add_child_now(child))
    }

    fn has_sub_agent(&self, child: &AgentId) -> Result<bool> {
        self.as_turn(|| self.has_child_now(child))
    }

    fn delete_sub_agent(&self, child: &AgentId) -> Result<bool> {
        self.as_turn(|| self.delete_child_now(child))
    }

    fn abort_sub_agent(&self, child: &AgentId) -> Result<bool> {
        self.as_turn(|| self.abort_child_now(child))
    }

    fn destroy(&self) {
        let mark = || {
            self.scratch.lock().destroy = true;
            Ok(())
        };
        if let Err(error) = self.as_turn(mark) {
            tracing::debug!(agent = %self.id, error = ?error, "an agent out of memory was asked to destroy itself");
        }
    }
}

fn gone() -> Error {
    Error::coded(hostel_protocol::refusal::Code::ShuttingDown, "The node is going down.")
}
