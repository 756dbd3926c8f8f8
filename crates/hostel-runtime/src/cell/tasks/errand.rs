//! Errands: what agents order that is no task of their class.

use std::sync::Arc;

use hostel_core::{
    Error,
    errand::{Errand, Failure},
    host::Host,
};
use hostel_protocol::refusal::Code;
use hostel_store::TaskRow;

use super::{super::Cell, run::Place, spec::Spec};

impl Cell {
    /// The errand with this name.
    pub(super) fn errand(&self, name: &str) -> Option<&Arc<dyn Errand>> {
        self.node.options.errands.iter().find(|errand| errand.name() == name)
    }

    /// Whether a run of this name can be done.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.class.info().task(name).is_some() || self.errand(name).is_some()
    }

    /// Does it beside the turns, once the turn that ordered it is durable, and crosses it off when it has ended.
    pub(super) fn run_errand(&self, errand: &Arc<dyn Errand>, row: TaskRow, spec: Spec) {
        let place = Place::take(self, &row.id, None);
        let cell = self.arc();
        let (errand, durable) = (Arc::clone(errand), self.durable());
        self.spawn_busy(Box::pin(async move {
            if durable.await.is_err() {
                return drop(place);
            }
            let limit = errand.timeout();
            let outcome = tokio::select! {
                outcome = errand.run(cell.id.clone(), row.args.clone()) => outcome,
                () = cell.node.clock.sleep(limit) => {
                    let message = format!("The errand {} did not end within {limit:?}.", row.task);
                    Err(Failure::Again(Error::coded(Code::TaskTimeout, message)))
                }
            };
            drop(place);
            match outcome {
                Ok(()) => cell.cross_off(&row, &spec, cell.node.clock.now().as_millisecond()),
                Err(Failure::Again(error)) => cell.task_failed(&row, &spec, error),
                Err(Failure::Final(error)) => {
                    let failed = TaskRow { attempts: row.attempts + 1, ..row };
                    cell.give_up(&failed, error.code().unwrap_or(Code::TaskFailed).as_str(), error.message());
                    cell.report("an errand", error);
                }
            }
        }));
    }
}
