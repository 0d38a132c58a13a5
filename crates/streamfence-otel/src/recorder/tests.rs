use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::trace::{SpanId, Status, TraceId};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::SpanData;
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AtLeastOnce, Fence, Namespace, Payload};
use tokio::sync::Semaphore;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const LONG: Duration = Duration::from_secs(600);

/// A collector in memory, which takes as many batches as it may.
#[derive(Clone, Debug)]
struct Collector(Arc<State>);

#[derive(Debug)]
struct State {
    spans: Mutex<Vec<SpanData>>,
    turns: Semaphore,
    is_cross: bool,
}

impl Collector {
    fn new(turns: usize, is_cross: bool) -> Self {
        Self(Arc::new(State { spans: Mutex::default(), turns: Semaphore::new(turns), is_cross }))
    }

    fn spans(&self) -> Vec<SpanData> {
        self.0.spans.lock().expect("no panic").clone()
    }
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.turns.acquire().await.expect("it stays open").forget();
        if self.0.is_cross {
            return Err(OTelSdkError::InternalFailure("no".into()));
        }
        self.0.spans.lock().expect("no panic").extend(batch);
        Ok(())
    }
}

fn payload(trace: Option<&str>) -> Payload {
    let payload = Payload::serialize("secret").expect("a text is JSON");
    match trace {
        Some(trace) => payload.with_trace(trace.parse().expect("it is one")),
        None => payload,
    }
}

fn fence(recorder: Arc<Recorder>) -> Fence {
    let promise = AtLeastOnce::default().window(4).ack_timeout(LONG).max_retries(1);
    let alerts = Namespace::new("/alerts").topic("alert").at_least_once(promise).max_queued_messages(64);
    let feed = Namespace::new("/feed").topic("tick");
    let fence = Fence::builder().namespace(alerts).namespace(feed).shards(1).tracer(recorder);
    fence.build().expect("the catalog is valid")
}

fn value(span: &SpanData, name: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key.as_str() == name);
    pair.map(|pair| pair.value.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_publish_is_a_span_under_its_publishers_and_each_delivery_one_under_it() {
    let collector = Collector::new(9, false);
    let (recorder, export) = Recorder::with(collector.clone(), LastFailure::default(), &ExportOptions::default());
    let fence = fence(recorder);
    let mut acks = MemoryClient::connect(&fence, "/alerts", 100);
    acks.subscribe("alert").await;
    let mut leaves = MemoryClient::connect(&fence, "/alerts", 100);
    leaves.subscribe("alert").await;
    fence.publish("/alerts", "alert", payload(None)).await.expect("the topic is there");
    let report = fence.publish("/alerts", "alert", payload(Some(PARENT))).await.expect("the topic is there");
    for _ in 0..2 {
        let heard = acks.recv().await;
        acks.ack("alert", heard.id);
    }
    let (acks, leaves_id) = (acks.id(), leaves.id());
    leaves.recv().await;
    leaves.recv().await;
    fence.disconnect(leaves_id).await;
    fence.shutdown(Duration::from_secs(1)).await;
    export.finish(LONG).await;

    let spans = collector.spans();
    let (publishes, deliveries): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.name == "streamfence publish");
    let [publish] = publishes[..] else { panic!("one publish was sampled: {publishes:?}") };
    assert_eq!(publish.parent_span_id, SpanId::from_hex("00f067aa0ba902b7").expect("it is one"));
    assert_eq!(value(publish, "streamfence.admitted").as_deref(), Some("2"));
    assert_eq!(deliveries.len(), 2);
    for (client, outcome, events) in
        [(acks, "acked", &["sent", "acked"]), (leaves_id, "abandoned", &["sent", "abandoned"])]
    {
        let is_its = |span: &&&SpanData| value(span, "messaging.client.id") == Some(client.to_string());
        let span = deliveries.iter().find(is_its).expect("each client has one");
        assert_eq!(span.parent_span_id, publish.span_context.span_id());
        assert_eq!(value(span, "streamfence.outcome").as_deref(), Some(outcome));
        assert_eq!(span.events.events.iter().map(|event| &*event.name).collect::<Vec<_>>(), events);
        assert_eq!(span.status, Status::Unset, "nothing of ours has failed");
    }
    for span in &spans {
        assert_eq!(
            span.span_context.trace_id(),
            TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").expect("it is one")
        );
        assert_eq!(value(span, "messaging.message.id"), Some(report.id.to_string()));
        assert!(!format!("{span:?}").contains("secret"), "a payload is nobody's business: {span:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_holds_nobody_up_and_what_it_costs_is_counted() {
    let collector = Collector::new(0, false);
    let options = ExportOptions { sample_ratio: 1.0, timeout: LONG, ..ExportOptions::default() };
    let (recorder, export) = Recorder::with(collector.clone(), LastFailure::default(), &options);
    let fence = fence(recorder);
    let published = MOST_WAITING as u64 + 2_000;
    for _ in 0..published {
        fence.publish("/feed", "tick", payload(None)).await.expect("the topic is there");
    }
    let waiting = published - export.counts().dropped;
    assert_eq!(export.counts().exported, 0);
    // What waits, and the batch that it has in hand.
    assert!((MOST_WAITING as u64..=MOST_WAITING as u64 + 512).contains(&waiting), "{waiting}");
    collector.0.turns.add_permits(99);
    let counter = export.counter();
    export.finish(LONG).await;
    assert_eq!((counter().exported, counter().exported + counter().dropped), (waiting, published));
}

#[tokio::test(start_paused = true)]
async fn what_a_collector_does_not_take_is_counted_as_dropped() {
    let (recorder, export) = Recorder::with(Collector::new(9, true), LastFailure::default(), &ExportOptions::default());
    let fence = fence(recorder);
    fence.publish("/feed", "tick", payload(Some(PARENT))).await.expect("the topic is there");
    let counter = export.counter();
    export.finish(LONG).await;
    assert_eq!((counter().exported, counter().dropped), (0, 1));
}
