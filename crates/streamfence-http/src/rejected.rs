//! Keys that nobody has, in the log: the first at once, what follows within a second together. Whoever tries them all does
//! not fill a disk.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

/// What was not told of yet.
#[derive(Debug, Default)]
pub(crate) struct Rejected {
    count: AtomicU64,
    /// Whether somebody tells them later.
    is_awaited: AtomicBool,
}

/// How long they are gathered.
const TOGETHER: Duration = Duration::from_secs(1);

impl Rejected {
    /// Counts one, of somebody who is known as far as whoever serves the routes says so.
    pub(crate) fn count(self: &Arc<Self>, peer: Option<IpAddr>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
        self.tell(peer);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(tell_the_rest(Arc::downgrade(self)))),
            Err(_nobody_to_wait) => self.is_awaited.store(false, Ordering::SeqCst),
        }
    }

    /// Tells of all that wait, and says whether there were any.
    fn tell(&self, peer: Option<IpAddr>) -> bool {
        let count = self.count.swap(0, Ordering::SeqCst);
        if count > 0 {
            // Those that came together need not have come from one place.
            let peer = peer.filter(|_| count == 1).map(tracing::field::display);
            tracing::warn!(code = "admin_key_rejected", peer, count, "admin: a key that nobody has");
        }
        count > 0
    }
}

/// Goes on as long as there is one every second.
async fn tell_the_rest(rejected: Weak<Rejected>) {
    loop {
        tokio::time::sleep(TOGETHER).await;
        let Some(rejected) = rejected.upgrade() else { return };
        if rejected.tell(None) {
            continue;
        }
        rejected.is_awaited.store(false, Ordering::SeqCst);
        // Who came just before that has trusted in this; who comes after it tells of itself.
        if !rejected.tell(None) || rejected.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}
