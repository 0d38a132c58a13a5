//! Counting what limits did not let in.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use streamfence_core::{Event, RefusalReason};
use streamfence_runtime::Fence;
use tokio::runtime::Handle;

/// Tells the listeners of a fence what was refused: the first of a reason at once, what follows within a second together.
/// Whoever floods the door does not flood those who listen. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whose events tell of them, where there is one.
    fence: OnceLock<Fence>,
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
    pub(crate) fn set_fence(&self, fence: Fence) {
        let _first_wins = self.0.fence.set(fence);
    }

    /// Counts one.
    pub(crate) fn count(&self, reason: RefusalReason, client: Option<IpAddr>) {
        let Some(index) = RefusalReason::ALL.iter().position(|known| *known == reason) else { return };
        tracing::debug!(reason = reason.as_str(), ?client, "refused");
        let waiting = &self.0.reasons[index];
        waiting.count.fetch_add(1, Ordering::SeqCst);
        if waiting.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
        self.tell(reason, waiting, client);
        let Ok(runtime) = Handle::try_current() else {
            waiting.is_awaited.store(false, Ordering::SeqCst);
            return;
        };
        let refusals = Arc::downgrade(&self.0);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(TOGETHER).await;
                let Some(refusals) = refusals.upgrade().map(Self) else { return };
                let waiting = &refusals.0.reasons[index];
                if refusals.tell(reason, waiting, None) == 0 {
                    waiting.is_awaited.store(false, Ordering::SeqCst);
                    // Who came in between has trusted in this.
                    if refusals.tell(reason, waiting, None) == 0 {
                        return;
                    }
                    if waiting.is_awaited.swap(true, Ordering::SeqCst) {
                        return;
                    }
                }
            }
        });
    }

    /// Tells of all that wait, and says how many.
    fn tell(&self, reason: RefusalReason, waiting: &Waiting, client: Option<IpAddr>) -> u64 {
        let count = waiting.count.swap(0, Ordering::SeqCst);
        if count > 0
            && let Some(fence) = self.0.fence.get()
        {
            // Those that came together need not have come from one place.
            let client = client.filter(|_| count == 1);
            fence.announce(&Event::Refused { reason, client, count });
        }
        count
    }
}

/// How long refusals of a reason are gathered.
const TOGETHER: Duration = Duration::from_secs(1);
