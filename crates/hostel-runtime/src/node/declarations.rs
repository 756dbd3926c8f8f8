//! Brings agents that sleep in step with what their class declares, in the background after a start.
//!
//! Only agents of a class whose declarations are others than at the last start are opened, and only their databases: none of
//! their code runs, and they go on sleeping. A walk that is cut short begins again at the next start; it changes nothing
//! twice.

use std::{
    collections::HashSet,
    fmt::Write,
    sync::{Arc, Weak, atomic::Ordering},
};

use hostel_core::{AgentId, Error, Result, erased::ClassInfo};
use sha2::{Digest, Sha256};
use tokio::{sync::oneshot, task::JoinSet};

use super::{overview::beside, shared::Shared};
use crate::{cell::Job, storage};

/// Agents listed at a time.
const PAGE: usize = 256;
/// Agents opened at a time; their syncs are shared.
const AT_ONCE: usize = 16;

/// Goes through the classes once.
pub(super) async fn keep_in_step(node: Weak<Shared>) {
    let Some(shared) = node.upgrade() else { return };
    let mut seen = HashSet::new();
    let classes: Vec<_> = shared.directory.bindings().iter().map(|binding| Arc::clone(&binding.class)).collect();
    drop(shared);
    for class in classes {
        let namespace = class.info().namespace.to_string();
        if !seen.insert(namespace.clone()) {
            continue;
        }
        if let Err(error) = class_in_step(&node, &namespace, fingerprint(class.info())).await {
            tracing::error!(class = namespace, error = ?error, "agents that sleep could not be brought in step with what their class declares");
        }
    }
    if let Some(shared) = node.upgrade() {
        shared.in_step.store(true, Ordering::Release);
    }
}

async fn class_in_step(node: &Weak<Shared>, namespace: &str, declared: String) -> Result<()> {
    let Some(shared) = node.upgrade() else { return Ok(()) };
    let (store, class) = (shared.store.clone(), namespace.to_owned());
    drop(shared);
    let before = beside(move || store.declared(&class).map_err(storage::error)).await?;
    if before.unwrap_or_default() == declared {
        return Ok(());
    }
    let mut after = None;
    let mut agents = 0;
    loop {
        let Some(shared) = node.upgrade().filter(|shared| !shared.is_stopping()) else { return Ok(()) };
        let (store, class) = (shared.store.clone(), namespace.to_owned());
        let page = beside(move || store.agents(Some(&class), PAGE, after.as_deref()).map_err(storage::error)).await?;
        after = page.last().map(|entry| entry.cursor.clone());
        agents += page.len();
        let is_last = page.len() < PAGE;
        let ids = page.into_iter().filter_map(|entry| Some(AgentId::from_stored(&entry.namespace, &entry.name?)));
        agents_in_step(&shared, ids).await;
        if is_last {
            break;
        }
    }
    let Some(shared) = node.upgrade().filter(|shared| !shared.is_stopping()) else { return Ok(()) };
    let (store, class) = (shared.store.clone(), namespace.to_owned());
    drop(shared);
    beside(move || store.note_declared(&class, &declared).map_err(storage::error)).await?;
    tracing::info!(class = namespace, agents, "agents are in step with what their class declares");
    Ok(())
}

/// Asks some at a time. What goes wrong with one is in the log, and mended when it wakes.
async fn agents_in_step(shared: &Arc<Shared>, ids: impl Iterator<Item = AgentId>) {
    let mut asked = JoinSet::new();
    for id in ids {
        if asked.len() >= AT_ONCE {
            told(asked.join_next().await);
        }
        let node = Arc::clone(shared);
        asked.spawn_blocking(move || {
            let (done, answer) = oneshot::channel();
            let given = node.give(&id, Job::Declare(done));
            (id, given.map(|()| answer))
        });
    }
    while let Some(asked) = asked.join_next().await {
        told(Some(asked));
    }
}

type Asked = (AgentId, Result<oneshot::Receiver<Result<()>>>);

fn told(asked: Option<Result<Asked, tokio::task::JoinError>>) {
    let (id, outcome) = match asked {
        Some(Ok((id, Ok(mut answer)))) => (id, answer.try_recv().unwrap_or(Ok(()))),
        Some(Ok((id, Err(error)))) => (id, Err(error)),
        Some(Err(_)) | None => return,
    };
    if let Err(error) = outcome {
        let error: Error = error;
        tracing::warn!(agent = %id, error = ?error, "an agent could not be brought in step with what its class declares");
    }
}

/// What a class declares, in few characters; empty if it declares nothing.
fn fingerprint(info: &ClassInfo) -> String {
    let mut text = String::new();
    for task in info.tasks.iter() {
        for declared in task.declared {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{} {declared:?}", task.name);
        }
    }
    if text.is_empty() {
        return text;
    }
    Sha256::digest(&text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
