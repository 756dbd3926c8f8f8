//! The orders of this run of the program, by their ids: none is carried out twice.

use std::collections::HashMap;
use std::sync::Arc;

use hostel_sandbox::JobId;
use parking_lot::Mutex;

use super::order::{Ordered, Stage};

/// Every order that was ever heard. Of one that is over and asked about no more only the id stays, for it may come again.
#[derive(Debug)]
pub(super) struct Orders {
    heard: Mutex<HashMap<String, Arc<Ordered>>>,
    /// Stands for all of which nothing more is kept.
    forgotten: Arc<Ordered>,
}

impl Default for Orders {
    fn default() -> Self {
        let forgotten = Arc::<Ordered>::default();
        forgotten.stage.send_replace(Stage::Forgotten);
        Self { heard: Mutex::default(), forgotten }
    }
}

impl Orders {
    /// The order with this id, if it was heard.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Ordered>> {
        self.heard.lock().get(id).cloned()
    }

    /// The order with this id, and whether it was not heard before.
    pub(super) fn hear(&self, id: &str) -> (Arc<Ordered>, bool) {
        let mut heard = self.heard.lock();
        if let Some(known) = heard.get(id) {
            return (Arc::clone(known), false);
        }
        let order = Arc::<Ordered>::default();
        heard.insert(id.to_owned(), Arc::clone(&order));
        (order, true)
    }

    /// Forgets everything of an order, but that it was heard.
    pub(super) fn forget(&self, id: &str) {
        if let Some(order) = self.heard.lock().get_mut(id) {
            self.replace(order);
        }
    }

    /// The same of those that have run as one of these jobs.
    pub(super) fn forget_jobs(&self, jobs: &[JobId]) {
        for order in self.heard.lock().values_mut() {
            let is_one = matches!(&*order.stage.borrow(), Stage::Job(job) if jobs.contains(job));
            if is_one {
                self.replace(order);
            }
        }
    }

    /// Whoever tells of it learns that there is nothing more to tell.
    fn replace(&self, order: &mut Arc<Ordered>) {
        order.stage.send_replace(Stage::Forgotten);
        *order = Arc::clone(&self.forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_forgotten_nothing_is_kept_but_that_it_was_heard() {
        let orders = Orders::default();
        let (order, other) = (orders.hear("a").0, orders.hear("b").0);
        let told = order.stage.subscribe();
        order.stage.send_replace(Stage::Done("was typed".to_owned()));
        orders.forget("a");
        assert_eq!(*told.borrow(), Stage::Forgotten, "whoever tells of it learns that");
        let kept = Arc::downgrade(&order);
        drop(order);
        assert!(kept.upgrade().is_none());
        let (again, is_new) = orders.hear("a");
        assert_eq!((again.stage.borrow().clone(), is_new), (Stage::Forgotten, false));
        assert!(Arc::ptr_eq(&orders.find("b").unwrap(), &other));
    }
}
