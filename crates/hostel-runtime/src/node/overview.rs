//! What operators may ask about a node.

use std::sync::Arc;

use hostel_core::{AgentId, Result, host::Host};
use hostel_store::AgentEntry;
use serde::Serialize;

use super::Shared;
use crate::{quarantine::Quarantined, storage};

/// One class with its instances.
#[derive(Debug, Clone, Serialize)]
pub struct ClassOverview {
    /// Class name.
    pub class: String,
    /// Namespace.
    pub namespace: String,
    /// Slugs it is reached under.
    pub aliases: Vec<String>,
    /// Instances with a database.
    pub instances: u64,
    /// Instances in memory.
    pub awake: usize,
    /// Open sockets.
    pub sockets: usize,
    /// Instances that keep failing.
    #[serde(skip)]
    pub quarantined: Vec<Quarantined>,
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct AgentOverview {
    /// Its name, unless its file cannot be read.
    pub name: Option<String>,
    /// The address of the agent it is under, if it is under one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Why its file cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether it is in memory.
    pub awake: bool,
    /// Open sockets.
    pub sockets: usize,
    /// Size of its database.
    pub bytes: u64,
    /// Where to go on listing.
    pub cursor: String,
}

/// An agent's stored state, read without its code.
#[derive(Debug, Clone, Serialize)]
pub struct SafeState {
    /// The state as JSON, or `None` if none was ever stored.
    pub state: Option<Box<serde_json::value::RawValue>>,
    /// Whether the agent is in memory.
    pub awake: bool,
}

pub(super) async fn classes(node: &Arc<Shared>) -> Result<Vec<ClassOverview>> {
    let mut classes: Vec<ClassOverview> = Vec::new();
    for binding in node.directory.bindings() {
        let info = binding.class.info();
        match classes.iter_mut().find(|class| *class.namespace == *info.namespace) {
            Some(class) => class.aliases.push(binding.slug.clone()),
            None => classes.push(ClassOverview {
                class: info.class.to_string(),
                namespace: info.namespace.to_string(),
                aliases: vec![binding.slug.clone()],
                instances: 0,
                awake: 0,
                sockets: 0,
                quarantined: Vec::new(),
            }),
        }
    }
    count_cells(node, &mut classes);
    count_files(node, classes).await
}

fn count_cells(node: &Arc<Shared>, classes: &mut [ClassOverview]) {
    for cell in node.cells() {
        if let Some(class) = classes.iter_mut().find(|class| class.namespace == cell.id.namespace()) {
            class.awake += usize::from(cell.is_awake());
            class.sockets += cell.socket_count();
        }
    }
    for quarantined in node.quarantine.list() {
        if let Some(class) = classes.iter_mut().find(|class| class.namespace == quarantined.id.namespace()) {
            class.quarantined.push(quarantined);
        }
    }
}

async fn count_files(node: &Arc<Shared>, mut classes: Vec<ClassOverview>) -> Result<Vec<ClassOverview>> {
    let store = node.store.clone();
    beside(move || {
        for class in &mut classes {
            class.instances = store.count(&class.namespace).map_err(storage::error)?;
        }
        Ok(classes)
    })
    .await
}

pub(super) async fn agents(
    node: &Arc<Shared>,
    namespace: &str,
    limit: usize,
    after: Option<&str>,
) -> Result<Vec<AgentOverview>> {
    let (shared, namespace, after) = (Arc::clone(node), namespace.to_owned(), after.map(str::to_owned));
    beside(move || {
        let entries = shared.store.agents(Some(&namespace), limit, after.as_deref()).map_err(storage::error)?;
        let show = |entry: AgentEntry| {
            let id = entry.name.as_ref().map(|name| AgentId::from_stored(&entry.namespace, name));
            let cell = id.as_ref().and_then(|id| shared.existing_cell(id));
            AgentOverview {
                awake: cell.as_ref().is_some_and(|cell| cell.is_awake()),
                sockets: cell.map_or(0, |cell| cell.socket_count()),
                parent: id.as_ref().and_then(AgentId::parent).map(|parent| parent.to_string()),
                name: id.map(|id| id.name().to_owned()),
                problem: entry.problem,
                bytes: entry.bytes,
                cursor: entry.cursor,
            }
        };
        Ok(entries.into_iter().map(show).collect())
    })
    .await
}

pub(super) async fn safe_state(node: &Arc<Shared>, id: &AgentId) -> Result<SafeState> {
    let (shared, id) = (Arc::clone(node), id.clone());
    if let Some(cell) = node.existing_cell(&id).filter(|cell| cell.is_awake()) {
        let seen = Arc::clone(&cell);
        if let Some(state) = beside(move || Ok(seen.committed_state())).await? {
            cell.durable().await?;
            return Ok(SafeState { state: raw(state.as_deref())?, awake: true });
        }
    }
    beside(move || {
        let db = shared.open_db(&id)?;
        let state = db.state().map_err(storage::error)?;
        Ok(SafeState { state: raw(state.as_deref())?, awake: false })
    })
    .await
}

fn raw(state: Option<&str>) -> Result<Option<Box<serde_json::value::RawValue>>> {
    Ok(state.map(|json| serde_json::value::RawValue::from_string(json.to_owned())).transpose()?)
}

/// Runs disk work beside the event loop.
pub(super) async fn beside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
