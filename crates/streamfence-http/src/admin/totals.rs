//! What has become of messages since the fence began, as answers say it.

use schemars::JsonSchema;
use serde::Serialize;
use streamfence_core::TopicStats;

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    published: u64,
    received: u64,
    offered: u64,
    delivered: u64,
    coalesced: u64,
    displaced: u64,
    /// Whatever the reason: no place, no memory, too large.
    rejected: u64,
    spilled: u64,
    lost_on_disk: u64,
    expired: u64,
    retries: u64,
    exhausted: u64,
    abandoned: u64,
    bytes_out: u64,
    bytes_in: u64,
}

impl From<&TopicStats> for Totals {
    fn from(stats: &TopicStats) -> Self {
        Self {
            published: stats.published,
            received: stats.received,
            offered: stats.offered,
            delivered: stats.delivered,
            coalesced: stats.coalesced,
            displaced: stats.displaced,
            rejected: stats.rejected + stats.too_large + stats.over_budget,
            spilled: stats.spilled,
            lost_on_disk: stats.lost_on_disk,
            expired: stats.expired,
            retries: stats.retries,
            exhausted: stats.exhausted,
            abandoned: stats.abandoned,
            bytes_out: stats.sent_bytes,
            bytes_in: stats.received_bytes,
        }
    }
}
