//! Counting what limits and hooks did not let in.

use std::net::IpAddr;
use std::sync::Arc;

use streamfence_core::{Event, RefusalReason};

use crate::together::Together;
use crate::watch::Watchers;

/// Tells everybody what was refused, each reason [together](Together).
pub(crate) struct Refusals {
    watchers: Arc<Watchers>,
    /// In the order of [`RefusalReason::ALL`].
    reasons: [Arc<Together>; RefusalReason::ALL.len()],
}

impl Refusals {
    pub(crate) fn new(watchers: Arc<Watchers>) -> Self {
        Self { watchers, reasons: Default::default() }
    }

    /// Counts one.
    pub(crate) fn count(&self, reason: RefusalReason, client: Option<IpAddr>) {
        let Some(index) = RefusalReason::ALL.iter().position(|known| *known == reason) else { return };
        let watchers = Arc::downgrade(&self.watchers);
        self.reasons[index].count(move |count, is_first| {
            // Those that came together need not have come from one place.
            let client = client.filter(|_| is_first && count == 1);
            if let Some(watchers) = watchers.upgrade() {
                watchers.event(&Event::Refused { reason, client, count });
            }
        });
    }

    /// Tells of all that were counted, without waiting for the end of a second.
    pub(crate) fn flush(&self) {
        for (reason, together) in RefusalReason::ALL.into_iter().zip(&self.reasons) {
            let count = together.take();
            if count > 0 {
                self.watchers.event(&Event::Refused { reason, client: None, count });
            }
        }
    }
}
