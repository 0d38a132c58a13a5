//! Messages that were given up: kept, looked at, published again, thrown away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use streamfence_core::{Event, GiveUpReason};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{
    AtLeastOnce, Catalog, CloseReason, Exhaustion, Fence, Listener, Namespace, Observer, Overflow, Payload,
    PublishError, Topic,
};
use tokio::sync::mpsc;

fn number(n: u32) -> Payload {
    Payload::serialize(&n).expect("a number is JSON")
}

/// Every message is sent twice, a second apart, and then given up.
fn promise() -> AtLeastOnce {
    AtLeastOnce::default().window(8).max_retries(1).dead_letters(3)
}

struct Recorder(mpsc::UnboundedSender<Event>);

impl Listener for Recorder {
    fn on_event(&self, event: &Event) {
        // The test may have heard enough.
        let _ = self.0.send(event.clone());
    }
}

/// A fence with a topic `/alerts alert`, and its events.
fn alerts(promise: AtLeastOnce) -> (Fence, mpsc::UnboundedReceiver<Event>) {
    let (events, heard) = mpsc::unbounded_channel();
    let namespace = Namespace::new("/alerts")
        .topic_with(Topic::new("alert").at_least_once(promise))
        .topic_with(Topic::new("chat").best_effort(Overflow::DropOldest));
    let fence = Fence::builder().namespace(namespace).shards(2).listener(Recorder(events)).build();
    (fence.expect("the catalog is valid"), heard)
}

async fn buried(heard: &mut mpsc::UnboundedReceiver<Event>, count: usize) {
    for _ in 0..count {
        while !matches!(heard.recv().await.expect("the fence is there"), Event::DeadLettered { .. }) {}
    }
}

fn texts(fence: &Fence) -> Vec<String> {
    let letters = fence.dead_letters("/alerts", "alert").expect("the topic exists");
    letters.iter().map(|letter| String::from_utf8_lossy(letter.payload().json()).into_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_kept_with_why_and_for_whom_and_the_oldest_gives_way() {
    let (fence, mut heard) = alerts(promise());
    let mut client = MemoryClient::connect(&fence, "/alerts", 99);
    client.subscribe("alert").await;
    let mut ids = Vec::new();
    for n in 1..=4 {
        ids.push(fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists").id);
    }
    buried(&mut heard, 4).await;
    let letters = fence.dead_letters("/alerts", "alert").expect("the topic exists");
    assert_eq!(texts(&fence), ["2", "3", "4"], "three are kept, the newest last");
    for (letter, id) in letters.iter().zip(&ids[1..]) {
        let found = (letter.id(), letter.client, letter.reason, letter.attempts);
        assert_eq!(found, (*id, client.id(), GiveUpReason::Exhausted, 2));
    }
    assert!(fence.dead_letters("/alerts", "chat").expect("the topic exists").is_empty());
    let unknown = PublishError::UnknownTopic { namespace: "/alerts".into(), topic: "none".into() };
    assert_eq!(fence.dead_letters("/alerts", "none").expect_err("it is not in the catalog"), unknown);
}

#[tokio::test(start_paused = true)]
async fn a_replay_reaches_the_client_it_was_for_as_a_new_message() {
    let (fence, mut heard) = alerts(promise());
    let mut client = MemoryClient::connect(&fence, "/alerts", 99);
    let mut other = MemoryClient::connect(&fence, "/alerts", 99);
    client.subscribe("alert").await;
    other.subscribe("alert").await;
    let attached = Payload::with_attachments(r#"{"_placeholder":true,"num":0}"#, vec![Bytes::from_static(b"image")]);
    let attached = attached.expect("it is named once").with_key("k").with_ttl(Duration::from_secs(60));
    let id = fence.publish("/alerts", "alert", attached).await.expect("the topic exists").id;
    let first = other.recv().await;
    other.ack("alert", first.id);
    buried(&mut heard, 1).await;
    for _ in 0..2 {
        assert_eq!(client.recv().await.id, id);
    }

    let payload = fence.dead_letters("/alerts", "alert").expect("the topic exists")[0].payload();
    assert_eq!(payload.attachments(), [Bytes::from_static(b"image")]);
    assert_eq!((payload.key().map(AsRef::as_ref), payload.ttl()), (Some("k"), Some(Duration::from_secs(60))));
    // Time passes for what is kept, but the replay has all of its own.
    tokio::time::advance(Duration::from_secs(100)).await;
    let reports = fence.replay_dead_letters("/alerts", "alert").await.expect("the topic exists");
    assert_eq!(reports.iter().map(|report| (report.matched, report.admitted)).collect::<Vec<_>>(), [(1, 1)]);
    let again = client.recv().await;
    assert_eq!((again.id, again.attempt, &*again.payload), (reports[0].id, 1, payload.json().as_ref()));
    assert_ne!(again.id, id);
    client.ack("alert", again.id);
    assert!(texts(&fence).is_empty());
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    assert_eq!(other.recv().await.text(), "1", "the replay was not for the other client");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_replayed_stays_in_its_place() {
    let (fence, mut heard) = alerts(promise());
    let mut gone = MemoryClient::connect(&fence, "/alerts", 99);
    gone.subscribe("alert").await;
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    buried(&mut heard, 1).await;
    let mut here = MemoryClient::connect(&fence, "/alerts", 99);
    here.subscribe("alert").await;
    gone.unsubscribe("alert").await;
    for n in 2..=3 {
        fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists");
    }
    buried(&mut heard, 2).await;
    assert_eq!(texts(&fence), ["1", "2", "3"]);

    let letters = fence.dead_letters("/alerts", "alert").expect("the topic exists");
    let replayed = fence.replay_dead_letter("/alerts", "alert", here.id(), letters[1].id()).await;
    assert_eq!(replayed.expect("the topic exists").map(|report| report.admitted), Some(1));
    assert_eq!(texts(&fence), ["1", "3"]);
    let again = fence.replay_dead_letter("/alerts", "alert", here.id(), letters[1].id()).await;
    assert_eq!(again.expect("the topic exists"), None, "it is one no more");
    let reports = fence.replay_dead_letters("/alerts", "alert").await.expect("the topic exists");
    assert_eq!(reports.iter().map(|report| report.admitted).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(texts(&fence), ["1"], "its client is subscribed no more");

    assert_eq!(fence.purge_dead_letters("/alerts", "alert"), Ok(1));
    assert!(texts(&fence).is_empty());
    fence.shutdown(Duration::ZERO).await;
    assert_eq!(fence.replay_dead_letters("/alerts", "alert").await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_is_closing_keeps_what_it_cannot_replay() {
    let (fence, mut heard) = alerts(promise());
    let mut client = MemoryClient::connect(&fence, "/alerts", 99);
    client.subscribe("alert").await;
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    buried(&mut heard, 1).await;
    fence.shutdown(Duration::ZERO).await;
    assert_eq!(fence.replay_dead_letters("/alerts", "alert").await, Err(PublishError::ShuttingDown));
    assert_eq!(texts(&fence), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_acks_is_cut_where_the_topic_says_so_and_learns_why_when_it_comes_back() {
    let (fence, _heard) = alerts(promise().on_exhausted(Exhaustion::Disconnect));
    let mut client = MemoryClient::connect_retained(&fence, "/alerts", 99);
    let ticket = client.ticket().await;
    client.subscribe("alert").await;
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    assert_eq!(client.closed().await, CloseReason::RetriesExhausted);
    assert_eq!(texts(&fence), ["1"]);
    let mut back = MemoryClient::resume(&fence, "/alerts", 99, &ticket);
    assert!(!back.ticket().await.resumed);
    assert_eq!(back.error().await.0, "RETRIES_EXHAUSTED");
}

#[derive(Default)]
struct Numbers {
    kept: std::sync::Mutex<u64>,
    evicted: std::sync::Mutex<u64>,
}

impl Observer for Numbers {
    fn on_stats(&self, _: streamfence_core::TopicId, since_last: &streamfence_core::TopicStats) {
        *self.evicted.lock().expect("nothing panics") += since_last.dead_letters_evicted;
    }

    fn on_survey(&self, shard: usize, topic: streamfence_core::TopicId, survey: &streamfence_core::LaneSurvey) {
        if topic.index == 0 && shard == 0 {
            *self.kept.lock().expect("nothing panics") = survey.dead_letters;
        }
        assert!(shard == 0 || survey.dead_letters == 0, "one shard counts them for all");
    }
}

#[tokio::test(start_paused = true)]
async fn observers_are_told_how_many_are_kept_and_how_many_gave_way() {
    let numbers = Arc::new(Numbers::default());
    let namespace = Namespace::new("/alerts").topic("alert").at_least_once(promise());
    let fence = Fence::builder().namespace(namespace).shards(2).observer(numbers.clone()).build();
    let fence = fence.expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 99);
    client.subscribe("alert").await;
    for n in 1..=5 {
        fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists");
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    fence.flush_stats().await;
    let read = |of: &std::sync::Mutex<u64>| *of.lock().expect("nothing panics");
    assert_eq!((read(&numbers.kept), read(&numbers.evicted)), (3, 2));
    assert_eq!(fence.purge_dead_letters("/alerts", "alert"), Ok(3));
    fence.flush_stats().await;
    assert_eq!(read(&numbers.kept), 0);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_outlive_a_reload_and_their_topic_and_count_by_what_it_says_now() {
    let (fence, mut heard) = alerts(promise());
    let mut client = MemoryClient::connect(&fence, "/alerts", 99);
    client.subscribe("alert").await;
    for n in 1..=3 {
        fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists");
    }
    buried(&mut heard, 3).await;

    let new = || Topic::new("new").at_least_once(promise());
    let with_new = Namespace::new("/alerts").topic_with(new());
    let smaller = with_new.topic_with(Topic::new("alert").at_least_once(promise().dead_letters(2)));
    fence.reload(&Catalog::builder().namespace(smaller).build().expect("it is valid")).await;
    assert_eq!(texts(&fence), ["1", "2", "3"], "a reload throws nothing away");
    client.subscribe("new").await;
    fence.publish("/alerts", "new", number(9)).await.expect("the topic is new");
    fence.publish("/alerts", "alert", number(4)).await.expect("the topic exists");
    buried(&mut heard, 2).await;
    assert_eq!(texts(&fence), ["3", "4"]);
    assert_eq!(fence.dead_letters("/alerts", "new").expect("the topic is new").len(), 1);

    let without = Namespace::new("/alerts").topic_with(new());
    fence.reload(&Catalog::builder().namespace(without).build().expect("it is valid")).await;
    assert!(fence.dead_letters("/alerts", "alert").is_err());
    let again = Namespace::new("/alerts").topic_with(Topic::new("alert").at_least_once(promise()));
    fence.reload(&Catalog::builder().namespace(again).build().expect("it is valid")).await;
    assert_eq!(texts(&fence), ["3", "4"], "its name is there again, and so is what was kept under it");
    client.subscribe("alert").await;
    let reports = fence.replay_dead_letters("/alerts", "alert").await.expect("the topic exists");
    assert_eq!(reports.iter().map(|report| report.admitted).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn topics_made_from_a_pattern_are_asked_for_alone_or_all_together() {
    let (events, mut heard) = mpsc::unbounded_channel();
    let namespace = Namespace::new("/alerts").topic_with(Topic::new("of.*").at_least_once(promise()));
    let fence = Fence::builder().namespace(namespace).listener(Recorder(events)).build().expect("it is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 99);
    for (n, topic) in [(1, "of.ann"), (2, "of.bob")] {
        client.subscribe(topic).await;
        fence.publish("/alerts", topic, number(n)).await.expect("the pattern fits");
    }
    buried(&mut heard, 2).await;
    let count = |topic: &str| fence.dead_letters("/alerts", topic).expect("the pattern fits").len();
    assert_eq!(["of.ann", "of.bob", "of.eve", "of.*"].map(count), [1, 1, 0, 2]);
    let reports = fence.replay_dead_letters("/alerts", "of.bob").await.expect("the pattern fits");
    assert_eq!(reports.iter().map(|report| report.admitted).collect::<Vec<_>>(), [1]);
    assert_eq!(fence.purge_dead_letters("/alerts", "of.*"), Ok(1));
}
