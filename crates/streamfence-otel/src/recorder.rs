//! The tracer of a fence: notes what is to be told in a queue that has an end.

use std::fmt;
use std::sync::Arc;

use opentelemetry_sdk::trace::SpanExporter;
use streamfence_core::{TraceContext, TracedDelivery};
use streamfence_runtime::{TracedPublish, Tracer};
use tokio::sync::mpsc;

use crate::client::LastFailure;
use crate::export::{Counts, Export};
use crate::options::{ExportError, ExportOptions};
use crate::sampler::Sampler;

/// How many publishes and deliveries may wait to be made spans of; then more are dropped, and counted.
pub(crate) const MOST_WAITING: usize = 8_192;

/// Something to make a span of.
#[derive(Debug)]
pub(crate) enum Recorded {
    Publish(Box<TracedPublish>),
    Delivery(Box<TracedDelivery>),
}

/// Records publishes and deliveries, and has them exported; see [the crate](crate).
pub struct Recorder {
    sampler: Sampler,
    queue: mpsc::Sender<Recorded>,
    counts: Arc<Counts>,
}

impl Recorder {
    /// Starts one, and the task that exports what it records.
    ///
    /// # Errors
    /// The options make no exporter: the endpoint, a header or the environment is wrong.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(options: &ExportOptions) -> Result<(Arc<Self>, Export), ExportError> {
        let (exporter, last_failure) = options.exporter()?;
        Ok(Self::with(exporter, last_failure, options))
    }

    fn with<E>(exporter: E, last_failure: LastFailure, options: &ExportOptions) -> (Arc<Self>, Export)
    where
        E: SpanExporter + 'static,
    {
        let (queue, waiting) = mpsc::channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        let sampler = Sampler::new(options.sample_ratio);
        let export = Export::start(exporter, last_failure, options.timeout, waiting, counts.clone());
        (Arc::new(Self { sampler, queue, counts }), export)
    }

    fn note(&self, recorded: Recorded) {
        // Nobody waits here: not a publisher, and least of all a shard.
        if self.queue.try_send(recorded).is_err() {
            self.counts.add_dropped(1);
        }
    }
}

impl Tracer for Recorder {
    fn begin(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
        self.sampler.begin(parent)
    }

    fn published(&self, publish: TracedPublish) {
        self.note(Recorded::Publish(Box::new(publish)));
    }

    fn delivered(&self, delivery: TracedDelivery) {
        self.note(Recorded::Delivery(Box::new(delivery)));
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
