//! A policy in the words of the configuration file.

use streamfence_core::{Delivery, LosslessOverflow, Overflow, Policy};

pub(super) fn delivery(policy: &Policy) -> &'static str {
    match policy.delivery {
        Delivery::BestEffort { .. } => "BEST_EFFORT",
        Delivery::AtLeastOnce { .. } => "AT_LEAST_ONCE",
    }
}

pub(super) fn overflow(policy: &Policy) -> &'static str {
    match policy.delivery {
        Delivery::AtLeastOnce { overflow: LosslessOverflow::RejectNew, .. }
        | Delivery::BestEffort { overflow: Overflow::RejectNew, .. } => "REJECT_NEW",
        Delivery::AtLeastOnce { overflow: LosslessOverflow::Spill, .. }
        | Delivery::BestEffort { overflow: Overflow::Spill, .. } => "SPILL_TO_DISK",
        Delivery::BestEffort { overflow: Overflow::DropOldest, .. } => "DROP_OLDEST",
        Delivery::BestEffort { overflow: Overflow::Coalesce, .. } => "COALESCE",
        Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. } => "SNAPSHOT_ONLY",
    }
}
