//! Whom a message is published to.

use std::sync::Arc;

use streamfence_core::{ClientId, NamespaceId};

use crate::peer::Peer;

/// Whom it is for, and of those, whom it is not for.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    pub(crate) whom: Whom,
    /// Sorted, each once.
    pub(crate) except: Vec<ClientId>,
}

#[derive(Clone, Debug)]
pub(crate) enum Whom {
    /// Everybody who is subscribed.
    All,
    /// These, each once, subscribed or not, here or not.
    Clients(Vec<ClientId>),
    /// All sessions of somebody.
    Principal(Arc<str>),
}

impl Audience {
    pub(crate) fn everybody() -> Self {
        Self { whom: Whom::All, except: Vec::new() }
    }

    /// Whether a subscriber is to get it.
    pub(crate) fn has(&self, peer: &Peer) -> bool {
        let is_meant = match &self.whom {
            Whom::All => true,
            Whom::Clients(names) => names.contains(&peer.name),
            Whom::Principal(principal) => peer.principal.as_ref() == Some(principal),
        };
        is_meant && !self.except.contains(&peer.name)
    }

    /// What it is called in a trace.
    pub(crate) fn words(&self, namespace: NamespaceId) -> String {
        format!("{:?} but {:?} in namespace {}", self.whom, self.except, namespace.0)
    }
}
