//! Every living connection, and the polling ones by their session id.
//!
//! It is bounded: whoever finds it full is turned away at the door. Never a session's content.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use streamfence_core::{CloseReason, RefusalReason, Transport};
use tokio::sync::Notify;

use crate::admission::SessionPlace;
use crate::link::{LinkLimits, LinkState, Peer};
use crate::refusals::Refusals;

/// The connections of one layer. Clones share it.
#[derive(Clone, Debug)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    links: Mutex<Links>,
    /// Told when the last connection has ended.
    emptied: Notify,
    /// Where it is counted what connections are refused.
    refusals: Refusals,
}

#[derive(Debug, Default)]
struct Links {
    /// How many may live at a time.
    capacity: usize,
    is_closed: bool,
    next_id: u64,
    living: HashMap<u64, Weak<LinkState>>,
    sessions: HashMap<Box<str>, Arc<LinkState>>,
}

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) peer: Option<Peer>,
    /// Where it is, behind proxies too.
    pub(crate) client: Option<IpAddr>,
    pub(crate) place: SessionPlace,
}

/// A connection's place in its registry.
#[derive(Debug)]
pub(crate) struct Registered {
    id: u64,
    shared: Weak<Shared>,
    /// What it takes of the limits at the door.
    place: SessionPlace,
}

impl Registry {
    /// A registry of at most so many connections.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::telling(capacity, Refusals::default())
    }

    /// The same, which counts what its connections are refused.
    pub(crate) fn telling(capacity: usize, refusals: Refusals) -> Self {
        let links = Mutex::new(Links { capacity, ..Links::default() });
        Self { shared: Arc::new(Shared { links, emptied: Notify::new(), refusals }) }
    }

    /// Takes so many connections from now on; those that are too many live on.
    pub fn set_capacity(&self, capacity: usize) {
        self.shared.links().capacity = capacity;
    }

    /// Takes no further connections in; those that live go on.
    pub fn close(&self) {
        self.shared.links().is_closed = true;
    }

    /// Whether it takes no further connections in.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.links().is_closed
    }

    /// Ends every connection.
    pub fn kill_all(&self, reason: CloseReason) {
        let living: Vec<_> = self.shared.links().living.values().filter_map(Weak::upgrade).collect();
        for link in living {
            link.kill(reason);
        }
    }

    /// How many connections live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.links().living.len()
    }

    /// Whether none lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until none lives.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.shared.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Takes a new connection in, if there is a place left and it is not closed.
    pub(crate) fn admit(&self, limits: LinkLimits, transport: Transport, who: Who) -> Option<Arc<LinkState>> {
        let mut links = self.shared.links();
        if links.is_closed || links.living.len() >= links.capacity {
            return None;
        }
        let id = links.next_id;
        links.next_id += 1;
        let registered = Registered { id, shared: Arc::downgrade(&self.shared), place: who.place };
        let link = Arc::new(LinkState::new(limits, transport, (who.peer, who.client), registered));
        links.living.insert(id, Arc::downgrade(&link));
        Some(link)
    }

    /// A place in no registry.
    pub(crate) fn unregistered(&self) -> Registered {
        Registered { id: u64::MAX, shared: Weak::new(), place: SessionPlace::uncounted() }
    }

    /// Makes a connection findable by its session id. It must have been given the id before.
    pub(crate) fn name(&self, link: &Arc<LinkState>) {
        let Some(sid) = link.sid() else { return };
        let mut links = self.shared.links();
        // One that has ended before it was named would never be forgotten.
        if links.living.contains_key(&link.registered().id) {
            links.sessions.insert(sid.into(), Arc::clone(link));
        }
    }

    /// The session with this id.
    pub(crate) fn find(&self, sid: &str) -> Option<Arc<LinkState>> {
        self.shared.links().sessions.get(sid).cloned()
    }
}

impl Registered {
    /// It has joined a namespace.
    pub(crate) fn join(&self) {
        self.place.join();
    }

    /// Whether it has not joined one, and has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        self.place.is_pending()
    }

    /// Counts something that it was refused.
    pub(crate) fn refuse(&self, reason: RefusalReason, client: Option<IpAddr>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.refusals.count(reason, client);
        }
    }

    pub(crate) fn forget(&self, sid: Option<&str>) {
        self.place.release();
        let Some(shared) = self.shared.upgrade() else { return };
        let forgotten = {
            let mut links = shared.links();
            links.living.remove(&self.id);
            if links.living.is_empty() {
                shared.emptied.notify_waiters();
            }
            sid.and_then(|sid| links.sessions.remove(sid))
        };
        // Dropped without the lock: a last reference may have a lot to say.
        drop(forgotten);
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().expect("nothing panics while it looks connections up")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use streamfence_core::Tier;

    const LIMITS: LinkLimits = LinkLimits {
        window_frames: 4,
        stall_timeout: Duration::from_secs(1),
        silence: Duration::from_secs(60),
        blocked_read_budget_bytes: 1024,
        max_message_bytes: 10_000,
        tier: Tier::Emit,
    };

    fn somebody() -> Who {
        Who { peer: None, client: None, place: SessionPlace::uncounted() }
    }

    #[test]
    fn a_full_registry_turns_away_until_one_ends() {
        let registry = Registry::new(1);
        let link = registry.admit(LIMITS, Transport::WebSocket, somebody()).expect("there is a place");
        assert!(registry.admit(LIMITS, Transport::WebSocket, somebody()).is_none());
        link.end(CloseReason::Client);
        assert!(registry.admit(LIMITS, Transport::WebSocket, somebody()).is_some());
    }

    #[test]
    fn less_room_ends_nobody_and_more_is_there_at_once() {
        let registry = Registry::new(2);
        let [one, two] =
            [(); 2].map(|()| registry.admit(LIMITS, Transport::WebSocket, somebody()).expect("room for two"));
        registry.set_capacity(1);
        assert_eq!(registry.len(), 2);
        one.end(CloseReason::Client);
        assert!(registry.admit(LIMITS, Transport::WebSocket, somebody()).is_none(), "one is as many as there may be");
        registry.set_capacity(2);
        assert!(registry.admit(LIMITS, Transport::WebSocket, somebody()).is_some());
        drop(two);
    }

    #[test]
    fn a_session_is_found_until_it_ends() {
        let registry = Registry::new(4);
        let link = registry.admit(LIMITS, Transport::Polling, somebody()).expect("there is a place");
        link.set_session("abc", || ());
        registry.name(&link);
        assert!(registry.find("abc").is_some_and(|found| Arc::ptr_eq(&found, &link)));
        registry.kill_all(CloseReason::ShuttingDown);
        assert!(registry.find("abc").is_none());
        assert!(registry.is_empty());
    }
}
