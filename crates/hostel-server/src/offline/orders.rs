//! What an agent of a stopped server has on order: the answers of the operator's endpoints, out of its database.

use hostel::{RunId, RunQuery, stored};
use hostel_store::AgentDb;
use serde_json::{Value, json};

use super::Offline;
use crate::{Refused, admin::shown_schedule};

impl Offline {
    /// What waits for its time, soonest first; then the queue, in its order.
    ///
    /// # Errors
    ///
    /// If there is no such agent, or its database cannot be read.
    pub fn schedules(&self, class: &str, name: &str) -> Result<Value, Refused> {
        let schedules = self.look(class, name, stored::schedules)?;
        Ok(json!({"schedules": schedules.iter().map(shown_schedule).collect::<Vec<_>>()}))
    }

    /// The runs that were given up, newest first.
    ///
    /// # Errors
    ///
    /// As [`schedules`](Self::schedules).
    pub fn dead_letters(&self, class: &str, name: &str) -> Result<Value, Refused> {
        Ok(json!({"deadLetters": self.look(class, name, stored::dead_letters)?}))
    }

    /// A page of durable runs, newest first. `query` is as in the address of the endpoint.
    ///
    /// # Errors
    ///
    /// As [`schedules`](Self::schedules), and `malformed_request` if the query is none.
    pub fn runs(&self, class: &str, name: &str, query: Value) -> Result<Value, Refused> {
        let query: RunQuery = serde_json::from_value(query).map_err(|error| {
            Refused::new("malformed_request", error.to_string(), "hostel runs --help lists what can be asked")
        })?;
        Ok(json!(self.look(class, name, |db| stored::runs(db, query))?))
    }

    /// A durable run with its steps.
    ///
    /// # Errors
    ///
    /// As [`schedules`](Self::schedules), and `run_unknown`.
    pub fn run(&self, class: &str, name: &str, run: &str) -> Result<Value, Refused> {
        let found = self.look(class, name, |db| stored::run(db, RunId::new(run)))?;
        let unknown =
            || Refused::new("run_unknown", format!("{class}/{name} has no run {run:?}."), "`hostel runs` lists them");
        found.map(|found| json!(found)).ok_or_else(unknown)
    }

    fn look<T>(&self, class: &str, name: &str, look: impl FnOnce(&AgentDb) -> hostel::Result<T>) -> Result<T, Refused> {
        let key = self.agent(class, name)?;
        let db = self.store.agent(key.namespace(), key.name())?;
        // A file that cannot be read says so.
        db.state()?;
        if !db.is_created() {
            let refused = Refused::new(
                "agent_not_found",
                format!("There is no agent {class}/{name}."),
                "hostel agents lists them",
            );
            return Err(self.or_near(refused, &key));
        }
        look(&db).map_err(|error| Refused::from_error(&error))
    }
}
