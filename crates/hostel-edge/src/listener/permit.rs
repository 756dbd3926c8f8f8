//! Who may still connect: open connections in all and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Limits;

/// Counts what is open.
#[derive(Debug)]
pub(super) struct Registry {
    total: usize,
    per_ip: usize,
    open: Mutex<Open>,
    tracker: TaskTracker,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

impl Registry {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            total: limits.connections,
            per_ip: limits.connections_per_ip,
            open: Mutex::default(),
            tracker: TaskTracker::new(),
        })
    }

    /// A place for one connection of this address, if there is one.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Permit> {
        let ip = ip.to_canonical();
        let mut open = self.open.lock();
        let mine = open.by_ip.get(&ip).copied().unwrap_or(0);
        if open.total >= self.total || mine >= self.per_ip {
            return None;
        }
        open.total += 1;
        open.by_ip.insert(ip, mine + 1);
        Some(Permit { registry: Arc::clone(self), ip, _running: self.tracker.token() })
    }

    pub(super) fn open(&self) -> usize {
        self.open.lock().total
    }

    /// Completes when the last permit is gone.
    pub(super) async fn empty(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// One open connection; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Permit {
    registry: Arc<Registry>,
    ip: IpAddr,
    _running: TaskTrackerToken,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.registry.open.lock();
        open.total -= 1;
        if let Some(mine) = open.by_ip.get_mut(&self.ip) {
            *mine -= 1;
            if *mine == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_permit_makes_room_and_forgets_the_address() {
        let registry = Registry::new(&Limits { connections: 2, connections_per_ip: 1, ..Limits::default() });
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = registry.admit(ip("127.0.0.1")).unwrap();
        assert!(registry.admit(ip("::ffff:127.0.0.1")).is_none());
        let _second = registry.admit(ip("127.0.0.2")).unwrap();
        assert!(registry.admit(ip("127.0.0.3")).is_none());
        drop(first);
        assert_eq!(registry.open.lock().by_ip.len(), 1);
        assert!(registry.admit(ip("127.0.0.3")).is_some());
    }
}
