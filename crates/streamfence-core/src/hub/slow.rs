//! How many clients are slow: counted with the walk of each tick, by the one definition there is
//! ([`SlowReason`]). Never what is done about them.

use std::time::Instant;

use slab::Slab;

use super::{Generation, Hub, Seated};
use crate::link::Link;
use crate::message::NamespaceId;
use crate::session::{SlowReason, Slowness};

/// How many clients of a namespace are slow, in the order of [`SlowReason::ALL`].
pub type SlowCounts = [u64; SlowReason::ALL.len()];

impl Hub {
    /// How many clients of a namespace were slow at the last tick ([`Hub::expire`]), each counted by the first of its
    /// reasons, in the order of [`SlowReason::ALL`].
    #[must_use]
    pub fn slow_clients(&self, namespace: NamespaceId) -> SlowCounts {
        self.slow.get(namespace.0 as usize).copied().unwrap_or_default()
    }

    /// The same over all namespaces and reasons.
    #[must_use]
    pub fn slow_client_count(&self) -> u64 {
        self.slow.iter().flatten().sum()
    }

    /// Counts anew, for [`Hub::expire`], which walks all sessions.
    pub(super) fn count_slow(
        slow: &mut Vec<SlowCounts>,
        seated: &Seated,
        links: &Slab<Generation<Link>>,
        now: Instant,
    ) {
        let Some(Slowness { reason, .. }) = seated.slowness(links, now) else { return };
        let namespace = seated.session.namespace().0 as usize;
        if slow.len() <= namespace {
            slow.resize(namespace + 1, SlowCounts::default());
        }
        slow[namespace][reason.index()] += 1;
    }
}

impl Seated {
    /// Whether its client is slow now, and what that is seen by. Whoever is away is not slow.
    pub(super) fn slowness(&self, links: &Slab<Generation<Link>>, now: Instant) -> Option<Slowness> {
        if self.detached_until.is_some() {
            return None;
        }
        let link = links.get(self.link.index as usize).filter(|entry| entry.generation == self.link.generation);
        let blocked = link.and_then(|entry| entry.value.clock().stopped_for(now));
        self.session.slowness(blocked, now)
    }
}
