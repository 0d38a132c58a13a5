//! The numbers of a store that lanes spill to.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::MetricEncoder;
use streamfence_core::{IO_BUCKETS_S, SpillStats, StoreId};

use crate::families::{Family, Source};
use crate::metrics::{counter, histogram};

/// A store, as it was told of last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// What it is called in place of its number.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) stats: SpillStats,
}

impl Disk {
    pub(crate) fn encode(&self, store: StoreId, family: &Family, metric: &mut MetricEncoder<'_>) -> fmt::Result {
        let number = store.0.to_string();
        let label = ("store", self.name.as_deref().unwrap_or(&number));
        match family.source {
            Source::StoreLevel(level) => metric.encode_family(&[label])?.encode_gauge(&level(&self.stats)),
            Source::StoreTotal(total) => counter(metric, &[label], total(&self.stats)),
            Source::StoreTimes => {
                let SpillStats { write_times, write_us, read_times, read_us, .. } = &self.stats;
                for (operation, times, us) in [("write", write_times, write_us), ("read", read_times, read_us)] {
                    histogram(metric, &[label, ("operation", operation)], &IO_BUCKETS_S, times, *us)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
