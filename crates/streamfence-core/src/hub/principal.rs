//! Who a client is, where the application has said so: one principal may have many sessions.
//!
//! Never how it was found out: that is the application's, at the door.

use std::collections::HashMap;
use std::sync::Arc;

use super::Hub;
use crate::message::SessionKey;

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
