//! Which agent is handed a webhook.

use std::{fmt, marker::PhantomData};

use hostel_core::Agent;
use hostel_protocol::name::kebab;

/// Which agent of the class `A` is handed a webhook, and by which task.
#[must_use]
pub struct Target<A> {
    name: Option<String>,
    task: Option<String>,
    why: String,
    _class: PhantomData<fn() -> A>,
}

/// A target whose class is only known by its name.
pub(crate) struct Untyped {
    pub(crate) class: String,
    /// `None`: nobody is handed it.
    pub(crate) name: Option<String>,
    pub(crate) task: Option<String>,
    pub(crate) why: String,
}

impl<A: Agent> Target<A> {
    /// The agent with this name.
    pub fn agent(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), task: None, why: String::new(), _class: PhantomData }
    }

    /// Nobody: it is answered as if it had been handled. `why` is for the log.
    pub fn ignore(why: impl Into<String>) -> Self {
        Self { name: None, task: None, why: why.into(), _class: PhantomData }
    }

    /// Another task than the webhook's own, by its wire name.
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.task = Some(name.into());
        self
    }

    pub(super) fn untyped(self) -> Untyped {
        Untyped { class: kebab(A::CLASS), name: self.name, task: self.task, why: self.why }
    }
}

impl<A> fmt::Debug for Target<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("task", &self.task).finish_non_exhaustive()
    }
}
