//! Numbers that rise, so that whoever kept one sees that something has changed since.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that no validator of this process has had: a new validator in the place of an old one shows as a change too.
pub(crate) fn next() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
