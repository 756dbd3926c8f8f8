//! Calls that would wait for ever. Turns never wait, and async methods hold nobody up, so agents may call each other in
//! circles; only an `on_start` that waits does, for nobody is served before it has ended. A call that came about in one, and
//! that waits for the same one, is refused.

use std::{collections::HashSet, sync::Arc};

use hostel_core::{
    AgentId, Error,
    host::{Incoming, IncomingKind},
};
use hostel_protocol::refusal::Code;

use super::{Cell, Job};

impl Cell {
    /// What calls that this agent makes in its `on_start` are told they are within.
    pub(super) fn starting(&self, woken_by: Option<&Arc<Incoming>>) -> Arc<Incoming> {
        Arc::new(Incoming {
            caller: None,
            target: self.id.clone(),
            kind: IncomingKind::Start,
            hops: woken_by.map_or(0, |call| call.hops),
            deadline: None,
            within: woken_by.cloned(),
        })
    }

    /// [`Cell::submit`] to an agent whose `on_start` may be waiting.
    pub(super) fn submit_while_starting(&self, job: Job) -> Result<(), Job> {
        let within_a_start = job.incoming().filter(|call| starts(call).next().is_some()).cloned();
        {
            let mut inbox = self.inbox.lock();
            if inbox.retired || !inbox.starting {
                drop(inbox);
                return self.submit(job);
            }
            inbox.queue.push_back(job);
        }
        // Looked at only now that it is in the queue: of two that wait for each other, the later one sees the earlier.
        if let Some(call) = within_a_start.filter(|call| self.waits_for_itself(call)) {
            self.refuse_queued(&call);
        }
        Ok(())
    }

    /// Whether an `on_start` that `call` came about in waits for this agent's, by whatever way.
    fn waits_for_itself(&self, call: &Incoming) -> bool {
        let mut seen = HashSet::new();
        let mut waiting: Vec<AgentId> = starts(call).cloned().collect();
        while let Some(agent) = waiting.pop() {
            if agent == self.id {
                return true;
            }
            if let Some(cell) = self.node.existing_cell(&agent).filter(|_| seen.insert(agent)) {
                waiting.extend(cell.starts_that_wait());
            }
        }
        false
    }

    /// The agents whose `on_start` waits for this one's to end.
    fn starts_that_wait(&self) -> Vec<AgentId> {
        let inbox = self.inbox.lock();
        if !inbox.starting {
            return Vec::new();
        }
        inbox.queue.iter().filter_map(Job::incoming).flat_map(|call| starts(call)).cloned().collect()
    }

    fn refuse_queued(&self, call: &Arc<Incoming>) {
        let job = {
            let mut inbox = self.inbox.lock();
            let is_it = |job: &Job| job.incoming().is_some_and(|other| Arc::ptr_eq(other, call));
            let place = inbox.queue.iter().position(is_it);
            place.and_then(|place| inbox.queue.remove(place))
        };
        if let Some(job) = job {
            let message = format!("This call of {} waits for an on_start that waits for this call.", self.id);
            let fix = "let on_start begin it with `cx.spawn`, or in a task, and not wait for it";
            self.refuse(job, Error::coded(Code::CallCycle, message).with_fix(fix));
        }
    }
}

/// The agents in whose `on_start` a call came about.
fn starts(call: &Incoming) -> impl Iterator<Item = &AgentId> {
    call.chain().filter(|link| link.kind == IncomingKind::Start).map(|link| &link.target)
}
