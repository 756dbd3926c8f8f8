//! Which class a slug reaches, in any unambiguous spelling.

use std::{collections::HashMap, fmt, sync::Arc};

use hostel_core::{AgentId, erased::Class};
use hostel_protocol::{
    name::{kebab, loose_key, nearest},
    refusal::{Code, Refusal},
};

use crate::metrics::ClassMetrics;

/// One class under one name. A class may be bound under several names; they share its namespace.
pub struct Binding {
    /// The name it is bound under, e.g. `CoderAgent`; what hooks of the router are told.
    pub name: String,
    /// The canonical slug of that name.
    pub slug: String,
    /// The class.
    pub class: Arc<dyn Class>,
    /// Whether it has agents at the top, or only under others.
    pub at_top: bool,
    pub(crate) metrics: Arc<ClassMetrics>,
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").field("name", &self.name).field("class", &self.class).finish_non_exhaustive()
    }
}

/// Two names that some spelling could not tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "agent classes `{first}` and `{second}` cannot be served together: the spelling `{spelling}` would reach both; \
     rename one with #[agent(name = \"..\")], or bind it under another name"
)]
pub struct Collision {
    /// The name bound first.
    pub first: String,
    /// The name that collides with it.
    pub second: String,
    /// A spelling both share.
    pub spelling: String,
}

/// All bindings of a node.
#[derive(Debug, Default)]
pub struct Directory {
    bindings: Vec<Arc<Binding>>,
    by_spelling: HashMap<String, usize>,
    by_slug: HashMap<String, usize>,
}

impl Directory {
    /// Binds `class` under `name`.
    ///
    /// # Errors
    /// When a name bound before has a spelling in common with it, and means another class.
    pub fn bind(&mut self, name: &str, class: Arc<dyn Class>) -> Result<(), Collision> {
        self.bind_at(name, class, true)
    }

    /// Binds a class whose agents are under others only, under its own name.
    ///
    /// # Errors
    /// As [`Directory::bind`].
    pub fn bind_under_others(&mut self, class: Arc<dyn Class>) -> Result<(), Collision> {
        let name = Arc::clone(&class.info().class);
        self.bind_at(&name, class, false)
    }

    fn bind_at(&mut self, name: &str, class: Arc<dyn Class>, at_top: bool) -> Result<(), Collision> {
        let slug = kebab(name);
        for spelling in [loose_key(name), loose_key(&slug)] {
            self.claim(name, &class, spelling)?;
        }
        let metrics = self.metrics_of(&class);
        self.by_slug.insert(slug.clone(), self.bindings.len());
        self.bindings.push(Arc::new(Binding { name: name.to_owned(), slug, class, at_top, metrics }));
        Ok(())
    }

    fn claim(&mut self, name: &str, class: &Arc<dyn Class>, spelling: String) -> Result<(), Collision> {
        let index = self.bindings.len();
        let taken = *self.by_spelling.entry(spelling.clone()).or_insert(index);
        match self.bindings.get(taken) {
            Some(first) if first.class.info().class != class.info().class => {
                Err(Collision { first: first.name.clone(), second: name.to_owned(), spelling })
            }
            _ => Ok(()),
        }
    }

    fn metrics_of(&self, class: &Arc<dyn Class>) -> Arc<ClassMetrics> {
        let namespace = &class.info().namespace;
        let same = self.bindings.iter().find(|binding| binding.class.info().namespace == *namespace);
        same.map_or_else(|| Arc::new(ClassMetrics::new(namespace)), |binding| Arc::clone(&binding.metrics))
    }

    /// The binding that `slug` reaches: exactly, or by ignoring case, `-` and `_`.
    ///
    /// # Errors
    /// `unknown_agent`; with a near miss and the list of agents only in `development`.
    pub fn resolve(&self, slug: &str, development: bool) -> Result<&Arc<Binding>, Refusal> {
        let found = self.by_slug.get(slug).or_else(|| self.by_spelling.get(&loose_key(slug)));
        let found = found.map(|index| &self.bindings[*index]);
        found.filter(|binding| binding.at_top).ok_or_else(|| self.unknown(slug, development))
    }

    fn unknown(&self, slug: &str, development: bool) -> Refusal {
        let shown: String = slug.chars().take(80).collect();
        let refusal = Refusal::new(Code::UnknownAgent, format!("There is no agent class called \"{shown}\" here."));
        if !development {
            return refusal.with_fix("check the spelling of the agent's class in the client's `agent` option");
        }
        let at_top = || self.bindings.iter().filter(|binding| binding.at_top);
        let slugs = || at_top().map(|binding| binding.slug.as_str());
        let known = slugs().collect::<Vec<_>>().join(", ");
        match nearest(slug, slugs()) {
            Some(near) => refusal.with_fix(format!("did you mean \"{near}\"? Known agents: {known}")),
            None => refusal.with_fix(format!("use one of the known agents: {known}")),
        }
    }

    /// The class whose namespace this is.
    pub fn by_namespace(&self, namespace: &str) -> Option<&Arc<Binding>> {
        self.bindings.iter().find(|binding| &*binding.class.info().namespace == namespace)
    }

    /// The class of an agent, if it may be where it is: at the top, or under another.
    pub(crate) fn place_of(&self, id: &AgentId) -> Option<&Arc<Binding>> {
        let mut of_class = self.bindings.iter().filter(|binding| &*binding.class.info().namespace == id.namespace());
        if id.is_sub_agent() {
            of_class.next().filter(|_| id.is_sound())
        } else {
            of_class.find(|binding| binding.at_top)
        }
    }

    /// All bindings, in the order they were made.
    pub fn bindings(&self) -> &[Arc<Binding>] {
        &self.bindings
    }
}
