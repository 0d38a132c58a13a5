//! A tracer hears of a publish, of what became of it at each client, and under which context each stands.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamfence_core::{DeliveryOutcome, TraceContext, TracedDelivery};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AtLeastOnce, Fence, Namespace, Payload, TracedPublish, Tracer};
use tokio::sync::Notify;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Records whatever is sampled, in spans of its own numbers.
#[derive(Default)]
struct Notes {
    publishes: Mutex<Vec<TracedPublish>>,
    deliveries: Mutex<Vec<TracedDelivery>>,
    news: Notify,
}

impl Tracer for Notes {
    fn begin(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
        let parent = parent.filter(|parent| parent.is_sampled())?;
        Some(TraceContext { span_id: [9; 8], ..parent.clone() })
    }

    fn published(&self, publish: TracedPublish) {
        self.publishes.lock().expect("no panic").push(publish);
        self.news.notify_one();
    }

    fn delivered(&self, delivery: TracedDelivery) {
        self.deliveries.lock().expect("no panic").push(delivery);
        self.news.notify_one();
    }
}

impl Notes {
    async fn wait_for(&self, publishes: usize, deliveries: usize) {
        let is_there = || {
            let publishes = self.publishes.lock().expect("no panic").len() >= publishes;
            publishes && self.deliveries.lock().expect("no panic").len() >= deliveries
        };
        while !is_there() {
            self.news.notified().await;
        }
    }
}

fn payload(trace: Option<&str>) -> Payload {
    let payload = Payload::serialize(&1).expect("a number is JSON");
    match trace {
        Some(trace) => payload.with_trace(trace.parse().expect("it is one")),
        None => payload,
    }
}

#[tokio::test]
async fn what_is_sampled_is_told_from_the_publish_to_the_ack_and_nothing_else_is() {
    let notes = Arc::new(Notes::default());
    let promise = AtLeastOnce::default().ack_timeout(Duration::from_secs(600)).max_retries(1);
    let alerts = Namespace::new("/alerts").topic("alert").at_least_once(promise).max_queued_messages(9);
    let fence = Fence::builder().namespace(alerts).shards(2).tracer(notes.clone()).build().expect("it is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 100);
    client.subscribe("alert").await;

    let unsampled = PARENT.replace("-01", "-00");
    for trace in [None, Some(unsampled.as_str()), Some(PARENT)] {
        let report = fence.publish("/alerts", "alert", payload(trace)).await.expect("the topic is there");
        let heard = client.recv().await;
        assert_eq!(heard.id, report.id);
        client.ack("alert", heard.id);
    }
    notes.wait_for(1, 1).await;
    let publishes = notes.publishes.lock().expect("no panic");
    let [publish] = &publishes[..] else { panic!("one was sampled: {publishes:?}") };
    assert_eq!(publish.parent.as_ref().map(ToString::to_string).as_deref(), Some(PARENT));
    assert_eq!(publish.report.map(|report| report.admitted), Some(1));
    let deliveries = notes.deliveries.lock().expect("no panic");
    let [delivery] = &deliveries[..] else { panic!("one was sampled: {deliveries:?}") };
    assert_eq!((delivery.id, delivery.outcome), (publish.id, DeliveryOutcome::Acked));
    assert_eq!((delivery.trace.span_id, delivery.client), ([9; 8], client.id()));
}

#[tokio::test]
async fn a_publish_that_does_not_wait_is_told_of_without_a_report() {
    let notes = Arc::new(Notes::default());
    let feed = Namespace::new("/feed").topic("tick");
    let fence = Fence::builder().namespace(feed).shards(1).tracer(notes.clone()).build().expect("it is valid");
    let mut client = MemoryClient::connect(&fence, "/feed", 100);
    client.subscribe("tick").await;
    fence.try_publish("/feed", "tick", payload(Some(PARENT))).expect("there is a place");
    notes.wait_for(1, 1).await;
    assert_eq!(notes.publishes.lock().expect("no panic")[0].report, None);
    assert_eq!(notes.deliveries.lock().expect("no panic")[0].outcome, DeliveryOutcome::Sent);
}

#[tokio::test]
async fn without_a_tracer_nothing_is_recorded_whoever_asks_for_it() {
    let feed = Namespace::new("/feed").topic("tick");
    let fence = Fence::builder().namespace(feed).shards(1).build().expect("it is valid");
    let context: TraceContext = PARENT.parse().expect("it is one");
    let payload = payload(None).with_trace(TraceContext { is_recorded: true, ..context });
    assert!(!payload.trace().expect("it was given").is_recorded, "that is for a tracer to say");
    assert!(fence.publish("/feed", "tick", payload).await.is_ok());
}
