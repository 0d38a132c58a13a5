//! Keys that nobody has, in the log. Whoever tries them all does not fill a disk.

use std::net::IpAddr;
use std::sync::Arc;

use streamfence_runtime::Together;

/// What was not told of yet.
#[derive(Debug, Default)]
pub(crate) struct Rejected(Arc<Together>);

impl Rejected {
    /// Counts one, of somebody who is known as far as whoever serves the routes says so.
    pub(crate) fn count(&self, peer: Option<IpAddr>) {
        self.0.count(move |count, is_first| {
            // Those that came together need not have come from one place.
            let peer = peer.filter(|_| is_first && count == 1).map(tracing::field::display);
            tracing::warn!(code = "admin_key_rejected", peer, count, "admin: a key that nobody has");
        });
    }
}
