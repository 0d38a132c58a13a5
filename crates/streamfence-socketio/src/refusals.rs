//! Counting what limits did not let in.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use streamfence_core::RefusalReason;
use streamfence_runtime::Fence;

/// Passes refusals on to a fence, where there is one. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<OnceLock<Fence>>);

impl Refusals {
    pub(crate) fn set_fence(&self, fence: Fence) {
        let _first_wins = self.0.set(fence);
    }

    /// Counts one.
    pub(crate) fn count(&self, reason: RefusalReason, client: Option<IpAddr>) {
        tracing::debug!(reason = reason.as_str(), ?client, "refused");
        if let Some(fence) = self.0.get() {
            fence.refused(reason, client);
        }
    }
}
