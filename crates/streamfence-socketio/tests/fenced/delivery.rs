use std::time::Duration;

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use streamfence_core::{AckOutcome, Event, Observer, TopicId, TopicStats};
use streamfence_runtime::{AtLeastOnce, Fence, FenceBuilder, Metadata, Namespace, Overflow, Topic, Wire};

use crate::app::start;

fn catalog() -> Namespace {
    let promise = AtLeastOnce::default().window(1).ack_timeout(Duration::from_secs(1)).max_retries(2);
    Namespace::new("/x")
        .topic_with(Topic::new("plain"))
        .topic_with(Topic::new("always").metadata(Metadata::Always))
        .topic_with(Topic::new("full").metadata(Metadata::Full))
        .topic_with(Topic::new("wrapped").wire(Wire::Envelope))
        .topic_with(Topic::new("sure").at_least_once(promise))
        .topic_with(Topic::new("wide").at_least_once(promise.window(8)))
        .topic_with(Topic::new("counted").at_least_once(promise).metadata(Metadata::Full))
        .topic_with(Topic::new("sealed").at_least_once(promise).wire(Wire::Envelope).metadata(Metadata::Full))
}

fn topics() -> FenceBuilder {
    Fence::builder().namespace(catalog())
}

#[tokio::test]
async fn each_wire_and_each_metadata_is_as_the_contract_has_it() {
    let app = start(topics());
    let mut client = app.client("/x").await;
    let mut epoch = Value::Null;
    for topic in ["plain", "always", "full", "wrapped"] {
        epoch = client.subscribe(topic).await["epoch"].clone();
    }
    for topic in ["plain", "always", "full", "wrapped"] {
        app.publish("/x", topic, r#"{"n":1}"#).await;
    }
    let epoch = epoch.as_str().expect("an epoch");
    let payload = json!({"n": 1});
    let metadata = |topic: &str| json!({"namespace": "/x", "topic": topic, "messageId": format!("{epoch}:1"), "ackRequired": false});
    assert_eq!(client.event().await, ("plain".into(), vec![payload.clone()]));
    assert_eq!(client.event().await, ("always".into(), vec![payload.clone(), metadata("always")]));
    let (name, mut arguments) = client.event().await;
    let at = arguments[1]["publishedAt"].as_u64().expect("a time");
    assert!(at > 1_700_000_000_000, "{at}");
    let mut full = metadata("full");
    full["epoch"] = json!(epoch);
    full["offset"] = json!(1);
    full["publishedAt"] = json!(at);
    assert_eq!((name.as_str(), arguments.pop()), ("full", Some(full)));
    assert_eq!(
        client.event().await,
        ("topic-message".into(), vec![json!({"metadata": metadata("wrapped"), "payload": payload})])
    );
}

#[tokio::test(start_paused = true)]
async fn an_unacked_message_comes_again_and_says_so_where_metadata_is_full() {
    let mut app = start(topics());
    let mut client = app.subscriber("/x", "counted").await;
    app.publish("/x", "counted", "1").await;
    app.publish("/x", "counted", "2").await;
    let mut first = Value::Null;
    for attempt in 1..=3 {
        let (name, arguments) = client.event().await;
        assert_eq!((name.as_str(), &arguments[0]), ("counted", &json!(1)));
        let mut metadata = arguments[1].clone();
        let said = metadata.as_object_mut().expect("an object").remove("attempt");
        assert_eq!(said, (attempt > 1).then(|| json!(attempt)));
        if attempt == 1 {
            first = metadata.clone();
        }
        // The clock of the message is another one than the virtual clock of its retries.
        metadata["publishedAt"] = first["publishedAt"].clone();
        assert_eq!(metadata, first);
    }
    let exhausted = app.news.find("exhaustion", |event| match event {
        Event::RetriesExhausted { attempts, .. } => Some(*attempts),
        _ => None,
    });
    assert_eq!(exhausted.await, 3);
    assert_eq!(client.event().await.1[0], 2, "the next one flows");
}

#[tokio::test(start_paused = true)]
async fn an_envelope_is_sent_again_whole() {
    let app = start(topics());
    let mut client = app.subscriber("/x", "sealed").await;
    app.publish("/x", "sealed", r#"{"n":1}"#).await;
    for attempt in [Value::Null, json!(2), json!(3)] {
        let (name, arguments) = client.event().await;
        assert_eq!((name.as_str(), &arguments[0]["payload"]), ("topic-message", &json!({"n": 1})));
        assert_eq!(arguments[0]["metadata"]["attempt"], attempt);
    }
}

/// Counts what became of acks.
#[derive(Default)]
struct Acks(Mutex<Vec<(AckOutcome, u64)>>);

impl Observer for Acks {
    fn on_stats(&self, _: TopicId, since_last: &TopicStats) {
        let mut acks = self.0.lock().expect("no panic");
        for (place, outcome) in AckOutcome::ALL.into_iter().enumerate() {
            let count = since_last.acks[place];
            match acks.iter_mut().find(|(other, _)| *other == outcome) {
                Some((_, sum)) => *sum += count,
                None => acks.push((outcome, count)),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn acks_release_and_late_unknown_and_foreign_ones_are_only_counted() {
    let acks = Arc::new(Acks::default());
    let app = start(topics().observer(acks.clone()));
    let mut client = app.subscriber("/x", "sure").await;
    let mut other = app.client("/x").await;
    app.publish("/x", "sure", "1").await;
    app.publish("/x", "sure", "2").await;
    let (_, arguments) = client.event().await;
    let id = arguments[1]["messageId"].clone();
    assert_eq!(arguments[1]["ackRequired"], true);
    let ack = |id: &Value| json!({"topic": "sure", "messageId": id});
    // Nobody's: another client's, and ids that were never written.
    assert_eq!(other.ask("ack", ack(&id)).await, json!({"ok": true}));
    let nobodys = [json!("nonsense"), json!("0000000000000:1"), json!("")];
    for id in &nobodys {
        assert_eq!(client.ask("ack", ack(id)).await, json!({"ok": true}));
    }
    assert_eq!(client.ask("ack", ack(&id)).await, json!({"ok": true}));
    let (_, arguments) = client.event().await;
    assert_eq!(arguments[0], 2, "the window is open again");
    assert_eq!(client.ask("ack", ack(&id)).await, json!({"ok": true}), "late");
    assert_eq!(client.ask("ack", ack(&arguments[1]["messageId"])).await, json!({"ok": true}));
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.hears_nothing().await;
    app.fence.flush_stats().await;
    let acks = acks.0.lock().expect("no panic");
    let count = |wanted| acks.iter().find(|(outcome, _)| *outcome == wanted).map_or(0, |(_, count)| *count);
    assert_eq!(count(AckOutcome::Released), 2);
    assert_eq!(count(AckOutcome::Foreign), 1);
    assert_eq!(count(AckOutcome::Late) + count(AckOutcome::Unknown), 4, "{acks:?}");
}

#[tokio::test(start_paused = true)]
async fn one_ack_may_be_for_many_and_a_window_is_kept() {
    let app = start(topics());
    let mut client = app.subscriber("/x", "wide").await;
    for n in 0..16 {
        app.publish("/x", "wide", &n.to_string()).await;
    }
    let mut ids = Vec::new();
    for n in 0..8 {
        let (_, arguments) = client.event().await;
        assert_eq!(arguments[0], n);
        ids.push(arguments[1]["messageId"].clone());
    }
    client.hears_nothing().await;
    client.emit("ack", json!({"topic": "wide", "messageIds": ids})).await;
    for n in 8..16 {
        assert_eq!(client.event().await.1[0], n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_ask_for_a_smaller_window_only() {
    let app = start(topics());
    for (wanted, window) in [(2, 2), (20, 8)] {
        let mut client = app.client("/x").await;
        client.emit("subscribe", json!({"topic": "wide", "window": wanted})).await;
        client.expect("subscribed").await;
        for n in 0..16 {
            app.publish("/x", "wide", &n.to_string()).await;
        }
        for n in 0..window {
            assert_eq!(client.event().await.1[0], n, "window {wanted}");
        }
        client.hears_nothing().await;
    }
}

#[tokio::test]
async fn a_burst_of_the_size_of_a_lane_reaches_who_reads() {
    let burst = Namespace::new("/burst").topic("tick").best_effort(Overflow::RejectNew).max_queued_messages(500);
    let app = start(Fence::builder().namespace(burst));
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(app.subscriber("/burst", "tick").await);
    }
    for n in 0..500 {
        let payload = streamfence_runtime::Payload::serialize(&n).expect("a number is JSON");
        app.fence.try_publish("/burst", "tick", payload).expect("a burst of 500 finds its slots");
    }
    for client in &mut clients {
        for n in 0..500 {
            assert_eq!(client.event().await.1[0], n);
        }
    }
}
