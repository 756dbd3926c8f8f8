//! Agents under this one. The agent's own database says which there are, and a sub-agent comes into being only by its parent:
//! what wants to reach one asks the parent first, and the parent admits it, in the order of its turns.

mod ending;

use std::sync::Arc;

use hostel_core::{
    AgentId, BeforeSubAgent, BoxFuture, Error, Request, Result, SubAgent,
    event::{Event, Output},
    handler::Mode,
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, ChildRow};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Cell, Job, job::answer, turn::Turn};
use crate::{gate::Delivery, ids, storage};

pub(super) use ending::AT_ONCE;
pub(crate) use ending::{Destroyed, Doomed};

/// What a turn has decided about an agent under its own, to be done once it is durable.
#[derive(Debug)]
pub(super) enum Kin {
    /// Delete what it was until then.
    Doom(AgentId, i64),
    /// Put it out of memory.
    Abort(AgentId),
}

/// How an agent that wants to be reached stands to its parent's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is put on the list if it is not there, and made.
    Make,
    /// It is put on the list. Somebody else makes it.
    Note,
    /// It has to be on the list.
    Known,
}

impl Cell {
    pub(super) fn children_now(&self) -> Result<Vec<SubAgent>> {
        let rows = self.look_into_db(AgentDb::children)?;
        rows.into_iter().filter(|row| row.alive).map(|row| self.shown(&row)).collect()
    }

    fn shown(&self, row: &ChildRow) -> Result<SubAgent> {
        let class = self.node.directory.by_namespace(&row.class);
        Ok(SubAgent {
            class_name: class.map_or_else(|| row.class.clone(), |class| class.class.info().class.to_string()),
            name: row.name.clone(),
            created_at: Some(Timestamp::from_millisecond(row.since_ms)?),
        })
    }

    fn child_row(&self, child: &AgentId) -> Result<Option<ChildRow>> {
        self.look_into_db(|db| db.child(child.namespace(), child.name()))
    }

    pub(super) fn has_child_now(&self, child: &AgentId) -> Result<bool> {
        Ok(self.child_row(child)?.is_some_and(|row| row.alive))
    }

    /// Puts an agent on the list, within a turn. One that is being deleted is a new one from now on.
    pub(super) fn add_child_now(&self, child: &AgentId) -> Result<()> {
        self.node.check_served(child)?;
        let row = self.child_row(child)?;
        if row.as_ref().is_some_and(|row| row.alive) {
            return Ok(());
        }
        let row = ChildRow {
            class: child.namespace().to_owned(),
            name: child.name().to_owned(),
            since_ms: self.node.clock.now().as_millisecond(),
            alive: true,
            doomed: row.map_or(0, |row| row.doomed),
        };
        self.change_children(|db| db.put_child(&row))
    }

    /// Takes an agent off the list, within a turn.
    pub(super) fn delete_child_now(&self, child: &AgentId) -> Result<bool> {
        let Some(row) = self.child_row(child)?.filter(|row| row.alive) else { return Ok(false) };
        let number = new_number();
        self.change_children(|db| db.put_child(&ChildRow { alive: false, doomed: number, ..row }))?;
        let mut scratch = self.scratch.lock();
        // The register has to know of it before it is committed.
        scratch.orders = true;
        scratch.kin.push(Kin::Doom(child.clone(), number));
        Ok(true)
    }

    pub(super) fn abort_child_now(&self, child: &AgentId) -> Result<bool> {
        let there = self.has_child_now(child)?;
        if there {
            self.scratch.lock().kin.push(Kin::Abort(child.clone()));
        }
        Ok(there)
    }

    /// What has been decided about agents under this one, as something the gate lets out.
    pub(super) fn kin_delivery(&self, kin: Vec<Kin>) -> Delivery {
        let cell = self.arc();
        Delivery::resolve(move |durable| {
            if durable.is_ok() {
                kin.into_iter().for_each(|kin| match kin {
                    Kin::Doom(child, number) => cell.doom(&child, number),
                    Kin::Abort(child) => {
                        if let Some(cell) = cell.node.existing_cell(&child) {
                            cell.break_off_start();
                        }
                        cell.node.post(&child, Job::Abort);
                    }
                });
            }
        })
    }

    /// Lets somebody reach an agent under this one, in the order of this agent's turns: whatever was decided before has been
    /// told to that agent before it is reached.
    pub(crate) fn admit(&self, child: &AgentId, admission: Admission) -> BoxFuture<Result<()>> {
        let (tell, hear) = oneshot::channel();
        self.admit_and_tell(child, admission, tell);
        let id = self.id.clone();
        Box::pin(async move { hear.await.unwrap_or_else(|_| Err(gone(&id))) })
    }

    /// [`Cell::admit`] as a job.
    pub(super) fn admit_and_tell(&self, child: &AgentId, admission: Admission, done: oneshot::Sender<Result<()>>) {
        let admitted = self.as_turn(|| match admission {
            Admission::Known if self.has_child_now(child)? => Ok(()),
            Admission::Known => Err(no_child(child)),
            Admission::Make | Admission::Note => self.add_child_now(child),
        });
        if let Err(error) = admitted {
            return answer(done, Err(error));
        }
        let (node, child) = (self.shared(), child.clone());
        self.release(vec![Delivery::resolve(move |durable| {
            if durable.is_ok() && admission != Admission::Note {
                node.post(&child, Job::Admit);
            }
            answer(done, durable);
        })]);
    }

    /// Asks the agent whether a request may go on to one under it.
    pub(super) fn before_sub_agent(
        &self,
        request: Request,
        child: &AgentId,
        done: oneshot::Sender<Result<BeforeSubAgent>>,
    ) {
        let known = match self.known_as(child) {
            Ok(known) => known,
            Err(error) => return answer(done, Err(error)),
        };
        let event = Event::BeforeSubAgent(request, known);
        if self.class.mode(&event).is_none() {
            let Event::BeforeSubAgent(request, _) = event else { return };
            return answer(done, Ok(BeforeSubAgent::Continue(request)));
        }
        self.run_hook(event, None, |cell, outcome| {
            let verdict = outcome.and_then(|output| match output {
                Output::BeforeSubAgent(verdict) => Ok(verdict),
                _ => Err(Error::msg("on_before_sub_agent gave no verdict")),
            });
            cell.release(vec![Delivery::resolve(move |durable| answer(done, durable.and(verdict)))]);
        });
    }

    fn known_as(&self, child: &AgentId) -> Result<SubAgent> {
        let mut known = Ok(None);
        self.turn(&Turn::own(Mode::Read), |_| self.child_row(child), |row, _| known = row);
        if let Some(row) = known?.filter(|row| row.alive) {
            return self.shown(&row);
        }
        let class = self.node.directory.by_namespace(child.namespace());
        let class_name =
            class.map_or_else(|| child.namespace().to_owned(), |class| class.class.info().class.to_string());
        Ok(SubAgent { class_name, name: child.name().to_owned(), created_at: None })
    }

    pub(super) fn change_children<T>(
        &self,
        change: impl FnOnce(&mut AgentDb) -> std::result::Result<T, hostel_store::Error>,
    ) -> Result<T> {
        self.in_db(|db| change(db).map_err(storage::error))
    }
}

/// The number of a decision to delete. It is never 0.
fn new_number() -> i64 {
    (ids::random() >> 1).max(1) as i64
}

fn no_child(child: &AgentId) -> Error {
    Error::coded(Code::AgentNotFound, format!("There is no agent {child} any more."))
        .with_fix("ask for it with `cx.sub_agent` to have a new one made")
}

pub(super) fn gone(id: &AgentId) -> Error {
    Error::coded(Code::AgentUnavailable, format!("{id} went away before it answered.")).with_fix("ask again")
}

impl crate::node::Shared {
    /// A sub-agent is reached by way of its parents, whoever comes from outside.
    pub(crate) async fn let_in(self: &Arc<Self>, id: &AgentId) -> Result<()> {
        if id.is_sub_agent() { self.admit(id, Admission::Make).await } else { Ok(()) }
    }

    /// Has the parents of a sub-agent let somebody in who comes from outside.
    pub(crate) async fn admit(self: &Arc<Self>, id: &AgentId, admission: Admission) -> Result<()> {
        self.check_served(id)?;
        let mut parents = id.parents();
        parents.push(id.clone());
        for step in parents.windows(2) {
            let last = step[1] == *id;
            let admission = if last { admission } else { Admission::Make };
            self.ask(&step[0], |done| Job::Adopt(step[1].clone(), admission, done)).await?;
        }
        Ok(())
    }
}
