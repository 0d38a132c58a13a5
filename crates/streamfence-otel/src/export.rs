//! The task that makes spans of what was recorded and hands them to a collector, a batch at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::client::LastFailure;
use crate::recorder::Recorded;
use crate::sampler::Sampler;
use crate::span::Spans;

/// How many spans a request has at most.
const BATCH: usize = 512;
/// How long the first of them waits for others.
const DELAY: Duration = Duration::from_secs(1);

/// What has become of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The collector has taken them.
    pub exported: u64,
    /// They were dropped: too many waited, or the collector could not be reached or did not take them.
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    pub(crate) fn add_dropped(&self, spans: u64) {
        self.dropped.fetch_add(spans, Relaxed);
    }
}

/// An export that goes on until it is [finished](Export::finish).
#[derive(Debug)]
pub struct Export {
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Export {
    pub(crate) fn start<E>(
        exporter: E,
        last_failure: LastFailure,
        timeout: Duration,
        waiting: mpsc::Receiver<Recorded>,
        counts: Arc<Counts>,
    ) -> Self
    where
        E: SpanExporter + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let spans = Spans::new(Sampler::new(0.0));
        let state = Exporting { exporter, last_failure, timeout, waiting, counts: counts.clone(), spans, lost: 0 };
        Self { counts, stop, task: tokio::spawn(state.run(stopped)) }
    }

    /// What has become of spans so far.
    #[must_use]
    pub fn counts(&self) -> SpanCounts {
        SpanCounts { exported: self.counts.exported.load(Relaxed), dropped: self.counts.dropped.load(Relaxed) }
    }

    /// Reads them elsewhere, after this is finished too.
    pub fn counter(&self) -> impl Fn() -> SpanCounts + Send + Sync + 'static {
        let counts = self.counts.clone();
        move || SpanCounts { exported: counts.exported.load(Relaxed), dropped: counts.dropped.load(Relaxed) }
    }

    /// Hands over what waits, as far as that is done in time.
    pub async fn finish(self, timeout: Duration) {
        // The task is gone if it has panicked; nothing waits for it then.
        let _ = self.stop.send(());
        let mut task = self.task;
        if tokio::time::timeout(timeout, &mut task).await.is_err() {
            task.abort();
        }
    }
}

struct Exporting<E> {
    exporter: E,
    /// What its client has to say beside.
    last_failure: LastFailure,
    /// How long it may take for a batch.
    timeout: Duration,
    waiting: mpsc::Receiver<Recorded>,
    counts: Arc<Counts>,
    spans: Spans,
    /// How many spans the collector did not take since it took the last.
    lost: u64,
}

impl<E: SpanExporter> Exporting<E> {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let is_over = tokio::select! {
                is_over = gather(&mut self.waiting, &mut batch) => is_over,
                // Whoever is asked to stop and whoever is left alone end the same way.
                _ = &mut stopped => true,
            };
            if is_over {
                break;
            }
            self.export(&mut batch).await;
        }
        // What comes later is refused by the queue, and counted.
        self.waiting.close();
        loop {
            fill(&mut self.waiting, &mut batch);
            if batch.is_empty() {
                return;
            }
            self.export(&mut batch).await;
        }
    }

    async fn export(&mut self, batch: &mut Vec<Recorded>) {
        let spans: Vec<SpanData> = self.spans.of(batch.drain(..));
        let count = spans.len() as u64;
        let outcome = tokio::time::timeout(self.timeout, self.exporter.export(spans)).await;
        match outcome.map_err(|_late| "it takes too long".to_owned()).and_then(|it| it.map_err(|why| why.to_string())) {
            Ok(()) => {
                self.counts.exported.fetch_add(count, Relaxed);
                if self.lost > 0 {
                    let lost = std::mem::take(&mut self.lost);
                    tracing::info!(code = "traces_exported_again", lost, "the collector takes traces again");
                }
            }
            Err(why) => {
                self.counts.add_dropped(count);
                if self.lost == 0 {
                    // Told once, until it goes on: the counter says how many.
                    let what = "traces cannot be exported and are dropped until they can";
                    let (endpoint, why) = match self.last_failure.get() {
                        Some(failed) => (Some(failed.endpoint), failed.why),
                        None => (None, why),
                    };
                    tracing::warn!(code = "traces_not_exported", endpoint, reason = why, "{what}");
                }
                self.lost += count;
            }
        }
    }
}

/// Gathers a batch: as many as there are until the first has waited long enough. `true` when nobody records any more.
async fn gather(waiting: &mut mpsc::Receiver<Recorded>, batch: &mut Vec<Recorded>) -> bool {
    if batch.is_empty() && waiting.recv_many(batch, BATCH).await == 0 {
        return true;
    }
    let until = Instant::now() + DELAY;
    while batch.len() < BATCH {
        match tokio::time::timeout_at(until, waiting.recv_many(batch, BATCH - batch.len())).await {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_over) => break,
        }
    }
    false
}

/// Takes what is there already.
fn fill(waiting: &mut mpsc::Receiver<Recorded>, batch: &mut Vec<Recorded>) {
    while batch.len() < BATCH {
        let Ok(recorded) = waiting.try_recv() else { break };
        batch.push(recorded);
    }
}
