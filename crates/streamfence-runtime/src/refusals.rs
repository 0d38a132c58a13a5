//! Counting what limits and hooks did not let in.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use streamfence_core::{Event, RefusalReason};
use tokio::runtime::Handle;

use crate::watch::Watchers;

/// Tells everybody what was refused: the first of a reason at once, what follows within a second together. Whoever floods
/// the door does not flood those who listen.
pub(crate) struct Refusals {
    watchers: Arc<Watchers>,
    /// In the order of [`RefusalReason::ALL`].
    reasons: [Waiting; RefusalReason::ALL.len()],
}

#[derive(Debug, Default)]
struct Waiting {
    count: AtomicU64,
    /// Whether somebody tells them later.
    is_awaited: AtomicBool,
}

impl Refusals {
    pub(crate) fn new(watchers: Arc<Watchers>) -> Self {
        Self { watchers, reasons: Default::default() }
    }

    /// Counts one.
    pub(crate) fn count(self: &Arc<Self>, reason: RefusalReason, client: Option<IpAddr>) {
        let Some(index) = RefusalReason::ALL.iter().position(|known| *known == reason) else { return };
        let waiting = &self.reasons[index];
        waiting.count.fetch_add(1, Ordering::SeqCst);
        if waiting.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
        self.tell(index, client);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(tell_the_rest(Arc::downgrade(self), index))),
            Err(_nobody_to_wait) => waiting.is_awaited.store(false, Ordering::SeqCst),
        }
    }

    /// Tells of all that wait, and says whether there were any.
    fn tell(&self, index: usize, client: Option<IpAddr>) -> bool {
        let count = self.reasons[index].count.swap(0, Ordering::SeqCst);
        if count > 0 {
            // Those that came together need not have come from one place.
            let client = client.filter(|_| count == 1);
            self.watchers.event(&Event::Refused { reason: RefusalReason::ALL[index], client, count });
        }
        count > 0
    }
}

/// Goes on as long as there is a refusal every second.
async fn tell_the_rest(refusals: Weak<Refusals>, index: usize) {
    loop {
        tokio::time::sleep(TOGETHER).await;
        let Some(refusals) = refusals.upgrade() else { return };
        if refusals.tell(index, None) {
            continue;
        }
        let waiting = &refusals.reasons[index];
        waiting.is_awaited.store(false, Ordering::SeqCst);
        // Who came just before that has trusted in this; who comes after it tells of itself.
        if !refusals.tell(index, None) || waiting.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}

/// How long refusals of a reason are gathered.
const TOGETHER: Duration = Duration::from_secs(1);
