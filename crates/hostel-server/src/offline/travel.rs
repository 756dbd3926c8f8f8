//! Leaving and arriving without a server.

use std::io::Write;
use std::path::Path;

use hostel_store::{AgentKey, Author, Cause, Progress};
use serde_json::{Value, json};

use super::{Offline, at_the_top};
use crate::Refused;
use crate::travel::{self, Arrival, Form};

impl Offline {
    /// Writes an agent to `out`. What was written before an error is of no use.
    ///
    /// # Errors
    ///
    /// If there is no such agent, or it cannot be read or written.
    pub fn export(&self, class: &str, name: &str, form: Form, out: &mut dyn Write) -> Result<(), Refused> {
        let key = self.agent(class, name)?;
        travel::send(&self.store, &key, form, &self.dir, &self.kept, out).map_err(|refused| self.or_near(refused, &key))
    }

    /// Makes an agent out of a file. The class need not have agents yet.
    ///
    /// # Errors
    ///
    /// If the file is not sound, or the name is taken and not to be replaced.
    pub fn import(&self, file: &Path, arrival: Arrival) -> Result<Value, Refused> {
        let mut arrived = travel::receive(&self.store, file, arrival.name, arrival.durable_object)?;
        let key = AgentKey::new(&*arrived.class, &*arrived.name);
        at_the_top(&key)?;
        if !arrival.replace {
            let fix = "import it under another name (--as AGENT/NAME), or say --replace";
            self.must_be_free(&key).map_err(|refused| Refused { fix: Some(fix.to_owned()), ..refused })?;
        }
        let mut luggage = arrived.unpack(&self.kept)?;
        let mut image = arrived.image;
        if image.identity()?.as_ref() != Some(&key) {
            image.rename_to(&key)?;
        }
        luggage.put(&mut image, arrival.replace)?;
        let cause = Cause { event: "import", what: "", author: Author::Operator };
        if let Err(refused) = self.install(&key, image, cause) {
            luggage.failed(&self.store, &key);
            return Err(refused);
        }
        let replaced = luggage.keep();
        let turns = travel::keep(&self.store, &key, arrived.history.as_ref())?;
        Ok(json!({"agent": format!("{}/{}", key.namespace(), key.name()), "turns": turns, "replaced": replaced}))
    }

    /// Copies the whole directory to another, or brings the copy up to date.
    ///
    /// # Errors
    ///
    /// If the other one is something else already, or cannot be written.
    pub fn backup(&self, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Value, Refused> {
        Ok(super::shown(travel::back_up(&self.store, dir, &self.kept, progress)?))
    }
}
