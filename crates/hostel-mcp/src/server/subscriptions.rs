//! Clients of a session that want to hear when a resource has changed.

use std::{collections::HashMap, sync::Arc};

use hostel_runtime::StateWatch;
use parking_lot::Mutex;
use rmcp::{RoleServer, model::ResourceUpdatedNotificationParam, service::Peer};
use tokio::task::JoinSet;

use super::presence::Presence;

/// The most subscriptions of one session.
const MOST: usize = 64;

/// The subscriptions of one session, by URI. They end with it, and when its client has left: what they tell would keep it.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<HashMap<String, JoinSet<()>>>);

impl Subscriptions {
    /// Tells the client whenever the agent's state has changed: what an agent offers is made of it. `false` if there are too
    /// many.
    pub(super) fn add(&self, uri: String, watch: StateWatch, peer: Peer<RoleServer>, client: Arc<Presence>) -> bool {
        let mut all = self.0.lock();
        if all.len() >= MOST && !all.contains_key(&uri) {
            return false;
        }
        let mut telling = JoinSet::new();
        let named = uri.clone();
        telling.spawn(async move { client.during(tell(&named, watch, &peer)).await });
        all.insert(uri, telling);
        true
    }

    pub(super) fn remove(&self, uri: &str) {
        self.0.lock().remove(uri);
    }
}

/// Tells of each change, for as long as it can be told.
async fn tell(uri: &str, mut watch: StateWatch, peer: &Peer<RoleServer>) {
    while watch.changed().await {
        if peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_err() {
            return;
        }
    }
}
