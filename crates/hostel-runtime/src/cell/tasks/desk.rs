//! What the application and its operators ask of an agent's orders.
//!
//! Looking at those of an agent that sleeps runs none of its code.

use hostel_core::{
    Args, Error, Reply, Result,
    handler::Mode,
    run::{RunAnswer, RunAsk},
    task::{DeadLetter, Order, Schedule, ScheduleId},
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, Author, Cause};
use tokio::sync::oneshot;

use super::{
    super::{Cell, job::answer, keyed::Key, turn::Turn},
    letters, spec,
};
use crate::{gate::Delivery, storage};

/// Something asked.
pub(crate) enum Ask {
    /// Keep an order; with a key, only the first time.
    Order(Box<Order>, Option<String>),
    /// What waits.
    Schedules,
    /// Take an order back.
    Cancel(ScheduleId),
    /// What was given up.
    Letters,
    /// Have one of those run again, with these arguments if there are any.
    Retry(ScheduleId, Option<String>),
    /// Forget one of them.
    Discard(ScheduleId),
    /// Something about durable runs.
    Runs(Box<RunAsk>),
}

/// What is answered.
pub(crate) enum Answer {
    Id(ScheduleId),
    Schedules(Vec<Schedule>),
    Letters(Vec<DeadLetter>),
    Done(bool),
    Runs(Box<RunAnswer>),
}

impl Ask {
    fn cause(&self) -> Cause<'static> {
        let what = match self {
            Self::Order(..) => "order",
            Self::Schedules | Self::Letters => "",
            Self::Cancel(_) => "cancel",
            Self::Retry(..) => "retry",
            Self::Discard(_) => "discard",
            Self::Runs(ask) => return Cause { event: "run", what: ask.name(), author: Author::Application },
        };
        Cause { event: "order", what, author: Author::Application }
    }

    /// Whether an agent that sleeps need not be woken for it.
    pub(in super::super) fn only_looks(&self) -> bool {
        match self {
            Self::Runs(ask) => ask.only_looks(),
            _ => matches!(self, Self::Schedules | Self::Letters),
        }
    }
}

impl Cell {
    /// Answers when everything the answer rests on is durable.
    pub(in super::super) fn ask(&self, ask: Ask, done: oneshot::Sender<Result<Answer>>) {
        let turn = Turn { cause: ask.cause(), ..Turn::own(Mode::Read) };
        self.turn(
            &turn,
            |_| self.ask_now(ask),
            |result, deliveries| {
                deliveries.push(Delivery::resolve(move |durable| answer(done, durable.and(result))));
            },
        );
    }

    fn ask_now(&self, ask: Ask) -> Result<Answer> {
        Ok(match ask {
            Ask::Order(order, key) => Answer::Id(self.order_once(*order, key)?),
            Ask::Schedules => Answer::Schedules(self.schedules_now()?),
            Ask::Cancel(id) => Answer::Done(self.cancel_now(&id)?),
            Ask::Letters => Answer::Letters(self.letters_now()?),
            Ask::Retry(id, args) => Answer::Done(self.retry_letter_now(&id, args)?),
            Ask::Discard(id) => Answer::Done(self.discard_letter_now(&id)?),
            Ask::Runs(ask) => Answer::Runs(Box::new(self.runs_now(*ask)?)),
        })
    }

    /// The same for an agent that sleeps, and goes on sleeping.
    pub(in super::super) fn ask_asleep(&self, ask: &Ask, done: oneshot::Sender<Result<Answer>>) {
        let seen = self.node.block(|| self.look_asleep(ask));
        self.release(vec![Delivery::resolve(move |durable| answer(done, durable.and(seen)))]);
    }

    fn look_asleep(&self, ask: &Ask) -> Result<Answer> {
        let db = self.node.open_db(&self.id)?;
        let seen = self.answer_from(&db, ask);
        db.close().map_err(storage::error)?;
        seen
    }

    fn answer_from(&self, db: &AgentDb, ask: &Ask) -> Result<Answer> {
        if !db.is_created() {
            return Err(Error::coded(Code::AgentNotFound, format!("There is no agent {}.", self.id)));
        }
        match ask {
            Ask::Letters => return letters::asleep(db).map(Answer::Letters),
            Ask::Runs(ask) => return self.look_at_runs(db, ask).map(|answer| Answer::Runs(Box::new(answer))),
            _ => {}
        }
        let rows = db.tasks().map_err(storage::error)?;
        rows.into_iter().map(|row| spec::schedule(row, |_| false)).collect::<Result<_>>().map(Answer::Schedules)
    }

    /// Keeps an order, unless one with this key was kept before, however long ago it was done.
    fn order_once(&self, order: Order, key: Option<String>) -> Result<ScheduleId> {
        // Keys of orders are apart from those that clients choose for their calls.
        let key =
            key.map(|key| Key::new(format!("\0order:{key}"), &order.task, &Args::from_json("[]".to_owned()), None));
        if let Some(kept) = self.stored(key.as_ref())? {
            return Ok(serde_json::from_str(kept.as_json().unwrap_or_default())?);
        }
        let id = self.order_now(order)?;
        self.store(key.as_ref(), &Reply::from_json(serde_json::to_string(&id)?))?;
        Ok(id)
    }
}
