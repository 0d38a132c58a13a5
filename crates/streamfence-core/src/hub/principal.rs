//! Who a client is, where the application has said so: one principal may have many sessions.
//!
//! Never how it was found out: that is the application's, at the door.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::Hub;
use crate::event::Event;
use crate::message::{RequestId, SessionKey};
use crate::output::Transmit;

/// The sessions of each principal that has any.
#[derive(Debug, Default)]
pub(super) struct Principals(HashMap<Arc<str>, Vec<SessionKey>>);

/// Whose a session is.
#[derive(Debug)]
pub(super) struct Identity {
    principal: Arc<str>,
    /// Its place among the principal's sessions, so that leaving is a swap.
    place: usize,
}

impl Hub {
    /// Whose a session is. `None` when it is gone, or nobody has said.
    #[must_use]
    pub fn principal_of(&self, key: SessionKey) -> Option<&Arc<str>> {
        self.session(key)?;
        let identity = self.sessions[key.index as usize].value.identity.as_ref()?;
        Some(&identity.principal)
    }

    /// The sessions of a principal, in no order, over all namespaces.
    #[must_use]
    pub fn sessions_of(&self, principal: &str) -> &[SessionKey] {
        self.principals.0.get(principal).map_or(&[], Vec::as_slice)
    }

    /// A client says who it is after it has joined, and is told so. A session is one principal's for good: `false` when
    /// it is somebody else's, or gone.
    pub fn identify(
        &mut self,
        key: SessionKey,
        principal: &Arc<str>,
        request: Option<RequestId>,
        now: Instant,
    ) -> bool {
        self.advance(now);
        let Some(session) = self.session(key) else { return false };
        let (client, namespace) = (session.client(), session.namespace());
        match self.principal_of(key) {
            Some(known) if known != principal => return false,
            Some(_) => {}
            None => {
                self.enlist(key, principal);
                let namespace = self.path(namespace);
                self.books.push_event(Event::Authenticated { namespace, client, principal: principal.clone() });
            }
        }
        self.tell(key, Transmit::Authenticated { namespace, principal: principal.clone(), request }, now);
        true
    }

    /// Notes whose a new session is.
    pub(super) fn enlist(&mut self, key: SessionKey, principal: &Arc<str>) {
        let sessions = self.principals.0.entry(principal.clone()).or_default();
        let identity = Identity { principal: principal.clone(), place: sessions.len() };
        sessions.push(key);
        self.sessions[key.index as usize].value.identity = Some(Box::new(identity));
    }

    /// Forgets a session that is gone, and its principal with the last one.
    pub(super) fn delist(&mut self, identity: &Identity) {
        let Some(sessions) = self.principals.0.get_mut(&identity.principal) else { return };
        sessions.swap_remove(identity.place);
        if let Some(&moved) = sessions.get(identity.place) {
            let moved = &mut self.sessions[moved.index as usize].value.identity;
            moved.as_mut().expect("a session in the index has an identity").place = identity.place;
        } else if sessions.is_empty() {
            self.principals.0.remove(&identity.principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn a_principal_is_forgotten_with_the_last_of_its_sessions() {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t")).build().expect("it is valid");
        let (mut hub, now) = (Hub::new(Arc::new(catalog), Epoch(7)), Instant::now());
        let link = hub.open(now);
        let mut join = |name: u8, principal: &str| {
            let client = ClientId([name; 12]);
            let joined = hub.join_as(link, NamespaceId(0), client, Transport::Other, Some(principal.into()), now);
            joined.expect("the link is open")
        };
        let [a, b, c, other] = [(1, "amy"), (2, "amy"), (3, "amy"), (4, "tim")].map(|(name, of)| join(name, of));
        let mut leave = |session| {
            hub.leave(session, CloseReason::Client, now);
            let mut left = hub.sessions_of("amy").to_vec();
            left.sort_unstable();
            left
        };
        assert_eq!(leave(a), [b, c]);
        assert_eq!(leave(c), [b]);
        assert_eq!(leave(b), []);
        assert_eq!(hub.principals.0.len(), 1, "only the other one is known");
        assert_eq!(hub.principal_of(other).map(|principal| &**principal), Some("tim"));
    }
}
