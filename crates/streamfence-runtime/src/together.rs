//! Telling of what may come in floods.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

/// Tells the first of something at once, and what follows within a second together, for as long as there is some every
/// second. Whoever floods the door does not flood those who listen.
///
/// Outside a tokio runtime nobody waits for that second: each is told alone.
#[derive(Debug, Default)]
pub struct Together {
    count: AtomicU64,
    /// Whether somebody tells them later.
    is_awaited: AtomicBool,
}

/// How long they are gathered.
const TOGETHER: Duration = Duration::from_secs(1);

impl Together {
    /// Counts one. `tell` is told how many there were, and whether this one is among them rather than only later ones; it
    /// is kept for those, until there are none or this is dropped.
    pub fn count(self: &Arc<Self>, tell: impl Fn(u64, bool) + Send + 'static) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
        self.tell(&tell, true);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(tell_the_rest(Arc::downgrade(self), tell))),
            Err(_nobody_to_wait) => self.is_awaited.store(false, Ordering::SeqCst),
        }
    }

    /// Tells of all that wait, and says whether there were any.
    fn tell(&self, tell: &impl Fn(u64, bool), is_first: bool) -> bool {
        let count = self.count.swap(0, Ordering::SeqCst);
        if count > 0 {
            tell(count, is_first);
        }
        count > 0
    }
}

/// Goes on as long as there is one every second.
async fn tell_the_rest(gathered: Weak<Together>, tell: impl Fn(u64, bool)) {
    loop {
        tokio::time::sleep(TOGETHER).await;
        let Some(gathered) = gathered.upgrade() else { return };
        if gathered.tell(&tell, false) {
            continue;
        }
        gathered.is_awaited.store(false, Ordering::SeqCst);
        // Who came just before that has trusted in this; who comes after it tells of itself.
        if !gathered.tell(&tell, false) || gathered.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}
