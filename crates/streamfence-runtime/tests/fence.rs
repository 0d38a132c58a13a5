//! The fence as an application and its clients see it, over the in-memory adapter.

use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{
    AckOutcome, Batch, ErrorCode, Event, NamespaceId, Secret, Ticket, TopicId, TopicStats, Transport,
};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{
    AtLeastOnce, ClientId, ClientPublish, CloseReason, CoalesceKey, Fence, InboundAck, Listener, Namespace, Observer,
    Outlet, Overflow, Payload, PublishError, Room, SessionWish,
};
use tokio::sync::mpsc;

fn number(n: u32) -> Payload {
    Payload::serialize(&n).expect("a number is JSON")
}

fn feed(overflow: Overflow, messages: u32) -> Fence {
    let namespace = Namespace::new("/feed").topic("tick").best_effort(overflow).max_queued_messages(messages);
    Fence::builder().namespace(namespace).shards(2).build().expect("the catalog is valid")
}

async fn numbers(client: &mut MemoryClient, count: usize) -> Vec<u32> {
    let mut heard = Vec::new();
    for _ in 0..count {
        heard.push(client.recv().await.text().parse().expect("a number was published"));
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_the_size_of_the_lane_reaches_everyone_in_order() {
    let fence = feed(Overflow::RejectNew, 500);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = MemoryClient::connect(&fence, "/feed", 8);
        client.subscribe("tick").await;
        clients.push(client);
    }
    let mut publishers = Vec::new();
    for n in 0..500 {
        publishers.push(fence.try_publish("/feed", "tick", number(n)).expect("a burst of 500 finds its slots"));
    }
    for client in &mut clients {
        assert_eq!(numbers(client, 500).await, (0..500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_report_says_what_became_of_the_message() {
    let fence = feed(Overflow::DropOldest, 2);
    let mut stalled = MemoryClient::connect(&fence, "/feed", 1);
    stalled.subscribe("tick").await;
    stalled.set_capacity(0);
    let mut reports = Vec::new();
    for n in 0..3 {
        let report = fence.publish("/feed", "tick", number(n)).await.expect("the topic exists");
        reports.push((report.matched, report.admitted, report.displaced, report.rejected));
    }
    assert_eq!(reports, [(1, 1, 0, 0), (1, 1, 0, 0), (1, 1, 1, 0)]);
    stalled.set_capacity(8);
    assert_eq!(numbers(&mut stalled, 2).await, [1, 2]);
}

#[tokio::test]
async fn wrong_names_are_errors_that_name_them() {
    let fence = feed(Overflow::DropOldest, 2);
    assert_eq!(
        fence.publish("/nowhere", "tick", number(1)).await,
        Err(PublishError::UnknownNamespace { namespace: "/nowhere".into() })
    );
    let unknown = PublishError::UnknownTopic { namespace: "/feed".into(), topic: "tock".into() };
    assert_eq!(fence.try_publish("/feed", "tock", number(1)), Err(unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_publishers_make_one_order_on_every_shard() {
    let fence = feed(Overflow::RejectNew, 10_000);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = MemoryClient::connect(&fence, "/feed", 64);
        client.subscribe("tick").await;
        clients.push(client);
    }
    let publish = |from: u32| {
        let fence = fence.clone();
        tokio::spawn(async move {
            for n in 0..500 {
                let report = fence.publish("/feed", "tick", number(from + n)).await.expect("the topic exists");
                assert_eq!(report.matched, 4);
            }
        })
    };
    let (left, right) = (publish(0), publish(1_000));
    let mut orders = Vec::new();
    for client in &mut clients {
        orders.push(numbers(client, 1_000).await);
    }
    left.await.expect("the publisher finished");
    right.await.expect("the publisher finished");
    assert!(orders.iter().all(|order| *order == orders[0]), "all clients heard one order");
}

#[tokio::test]
async fn a_private_message_reaches_its_client_alone() {
    let fence = feed(Overflow::RejectNew, 8);
    let mut one = MemoryClient::connect(&fence, "/feed", 8);
    let mut other = MemoryClient::connect(&fence, "/feed", 8);
    one.subscribe("tick").await;
    other.subscribe("tick").await;
    let report = fence.publish_to("/feed", one.id(), "tick", number(1)).await.expect("the topic exists");
    assert_eq!((report.matched, report.admitted), (1, 1));
    let stranger = fence.publish_to("/feed", ClientId([9; 12]), "tick", number(2)).await.expect("the topic exists");
    assert_eq!(stranger.matched, 0);
    fence.publish("/feed", "tick", number(3)).await.expect("the topic exists");
    assert_eq!(numbers(&mut one, 2).await, [1, 3]);
    assert_eq!(numbers(&mut other, 1).await, [3]);
}

fn alerts() -> Namespace {
    let promise = AtLeastOnce::default().window(1).ack_timeout(Duration::from_secs(1)).max_retries(2);
    Namespace::new("/alerts").topic("alert").at_least_once(promise)
}

#[tokio::test(start_paused = true)]
async fn unacked_messages_are_sent_again_and_then_given_up() {
    let fence = Fence::builder().namespace(alerts()).shards(1).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 8);
    client.subscribe("alert").await;
    for n in 1..=2 {
        fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists");
    }
    let mut heard = Vec::new();
    for _ in 0..4 {
        let message = client.recv().await;
        heard.push((message.text().to_owned(), message.attempt));
    }
    let story = [("1", 1), ("1", 2), ("1", 3), ("2", 1)].map(|(text, attempt)| (text.to_owned(), attempt));
    assert_eq!(heard, story);
}

#[derive(Default)]
struct Totals(std::sync::Mutex<TopicStats>);

impl Observer for Totals {
    fn on_stats(&self, _: TopicId, since_last: &TopicStats) {
        let mut totals = self.0.lock().expect("no test panics here");
        totals.published += since_last.published;
        totals.delivered += since_last.delivered;
        for (total, more) in totals.acks.iter_mut().zip(since_last.acks) {
            *total += more;
        }
    }
}

#[tokio::test]
async fn observers_are_handed_the_numbers_of_all_shards() {
    let totals = Arc::new(Totals::default());
    let fence =
        Fence::builder().namespace(alerts()).observer(totals.clone()).shards(2).build().expect("the catalog is valid");
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = MemoryClient::connect(&fence, "/alerts", 8);
        client.subscribe("alert").await;
        clients.push(client);
    }
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    for client in &mut clients {
        let message = client.recv().await;
        client.ack("alert", message.id);
        client.ack("alert", message.id);
        // An answer comes after what was said before it.
        client.subscribe("alert").await;
    }
    fence.flush_stats().await;
    let totals = totals.0.lock().expect("no test panics here");
    assert_eq!((totals.published, totals.delivered), (1, 2));
    assert_eq!(totals.acks[AckOutcome::Released as usize], 2);
    assert_eq!(totals.acks[AckOutcome::Late as usize], 2);
}

struct Recorder(mpsc::UnboundedSender<Event>);

impl Listener for Recorder {
    fn on_event(&self, event: &Event) {
        let _ = self.0.send(event.clone());
    }
}

struct Panics;

impl Listener for Panics {
    fn on_event(&self, _: &Event) {
        panic!("a listener's own bug");
    }
}

#[tokio::test]
async fn a_panicking_listener_disturbs_nobody() {
    let (events, mut heard) = mpsc::unbounded_channel();
    let fence = feed(Overflow::DropOldest, 2);
    fence.add_listener(Panics);
    fence.add_listener(Recorder(events));
    let mut client = MemoryClient::connect(&fence, "/feed", 8);
    client.subscribe("tick").await;
    fence.publish("/feed", "tick", number(1)).await.expect("the topic exists");
    assert_eq!(numbers(&mut client, 1).await, [1]);
    assert!(matches!(heard.recv().await, Some(Event::Connected { .. })));
    assert!(matches!(heard.recv().await, Some(Event::Subscribed { .. })));
}

fn orders(publish: ClientPublish, ack: InboundAck) -> Fence {
    let namespace = Namespace::new("/orders").topic("order").client_publish(publish).inbound_ack(ack).echo(false);
    Fence::builder().namespace(namespace).shards(2).build().expect("the catalog is valid")
}

#[tokio::test]
async fn a_handler_answers_after_it_has_succeeded_where_the_topic_says_so() {
    let fence = orders(ClientPublish::Handler, InboundAck::AfterHandlerSuccess);
    let (seen, mut orders_seen) = mpsc::unbounded_channel();
    fence
        .on_message("/orders", "order", move |message| {
            let seen = seen.clone();
            async move {
                let n: u32 = message.payload.parse().map_err(|_| "not a number".to_owned())?;
                seen.send(n).map_err(|_| "nobody listens".to_owned())?;
                match n {
                    13 => Err("no luck with 13".to_owned()),
                    0 => panic!("the handler's own bug"),
                    _ => Ok(()),
                }
            }
        })
        .expect("the topic exists");
    let mut client = MemoryClient::connect(&fence, "/orders", 8);
    assert_eq!(client.publish("order", number(1)).await, Ok(()));
    let refusal = |why: &str| Err((ErrorCode::PublishRejected.as_str(), why.to_owned()));
    assert_eq!(client.publish("order", number(13)).await, refusal("no luck with 13"));
    assert_eq!(client.publish("order", number(0)).await, refusal("the handler failed"));
    assert_eq!(client.publish("order", number(2)).await, Ok(()), "a panic ends one call, not the next");
    for n in [1, 13, 0, 2] {
        assert_eq!(orders_seen.recv().await, Some(n));
    }
}

#[tokio::test]
async fn a_publish_on_receipt_does_not_wait_for_the_handler_and_a_full_inbox_is_back_pressure() {
    let fence = orders(ClientPublish::Handler, InboundAck::OnReceipt);
    fence.on_message("/orders", "order", |_| std::future::pending::<Result<(), String>>()).expect("the topic exists");
    let mut client = MemoryClient::connect(&fence, "/orders", 8);
    let mut taken = 0;
    let refusal = loop {
        match client.publish("order", number(taken)).await {
            Ok(()) => taken += 1,
            Err((code, _)) => break code,
        }
    };
    assert_eq!(refusal, "BACK_PRESSURE");
    assert!((64..=66).contains(&taken), "64 wait and one is being handled, took {taken}");
}

#[tokio::test]
async fn a_topic_without_a_handler_or_that_denies_refuses() {
    for rule in [ClientPublish::Handler, ClientPublish::Deny] {
        let fence = orders(rule, InboundAck::OnReceipt);
        let mut client = MemoryClient::connect(&fence, "/orders", 8);
        let answer = client.publish("order", number(1)).await;
        assert_eq!(answer.map_err(|(code, _)| code), Err("PUBLISH_REJECTED"), "{rule:?}");
    }
}

#[tokio::test]
async fn a_relay_reaches_the_others_and_the_sender_only_with_echo() {
    let fence = orders(ClientPublish::Relay, InboundAck::AfterHandlerSuccess);
    let mut sender = MemoryClient::connect(&fence, "/orders", 8);
    let mut other = MemoryClient::connect(&fence, "/orders", 8);
    sender.subscribe("order").await;
    other.subscribe("order").await;
    sender.publish("order", number(1)).await.expect("a relay takes it");
    fence.publish("/orders", "order", number(2)).await.expect("the topic exists");
    assert_eq!(numbers(&mut other, 2).await, [1, 2]);
    assert_eq!(numbers(&mut sender, 1).await, [2], "its own message did not come back");
}

#[tokio::test]
async fn whoever_comes_after_the_end_is_sent_away() {
    let fence = feed(Overflow::DropOldest, 2);
    fence.shutdown(Duration::from_secs(1)).await;
    let mut late = MemoryClient::connect(&fence, "/feed", 8);
    assert_eq!(late.closed().await, CloseReason::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_acks_and_then_for_nobody() {
    let fence = Fence::builder().namespace(alerts()).shards(2).build().expect("the catalog is valid");
    let mut reads = MemoryClient::connect(&fence, "/alerts", 8);
    let mut stalled = MemoryClient::connect(&fence, "/alerts", 8);
    reads.subscribe("alert").await;
    stalled.subscribe("alert").await;
    stalled.set_capacity(0);
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    let began = tokio::time::Instant::now();
    let shutdown = tokio::spawn({
        let fence = fence.clone();
        async move { fence.shutdown(Duration::from_secs(10)).await }
    });
    let message = reads.recv().await;
    while !fence.is_closing() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fence.publish("/alerts", "alert", number(2)).await, Err(PublishError::ShuttingDown));
    reads.ack("alert", message.id);
    assert_eq!(reads.closed().await, CloseReason::ShuttingDown);
    assert_eq!(stalled.closed().await, CloseReason::ShuttingDown);
    shutdown.await.expect("the shutdown finished");
    assert!(began.elapsed() <= Duration::from_millis(10_100), "took {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_the_rhythm_of_values() {
    let namespace = Namespace::new("/feed").topic("snapshot").max_frequency(0.001);
    let fence = Fence::builder().namespace(namespace).shards(2).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/feed", 8);
    client.subscribe("snapshot").await;
    for n in 1..=3 {
        fence.publish("/feed", "snapshot", number(n)).await.expect("the topic exists");
    }
    let began = tokio::time::Instant::now();
    let shutdown = tokio::spawn(async move { fence.shutdown(Duration::from_secs(60)).await });
    assert_eq!(numbers(&mut client, 2).await, [1, 3], "the first at once, and the newest at the end");
    shutdown.await.expect("the shutdown finished");
    assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_shutdown_may_take_for_ever() {
    let fence = Fence::builder().namespace(alerts()).shards(2).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 8);
    client.subscribe("alert").await;
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    let shutdown = tokio::spawn(async move { fence.shutdown(Duration::MAX).await });
    let message = client.recv().await;
    client.ack("alert", message.id);
    shutdown.await.expect("the shutdown finished");
    assert_eq!(client.closed().await, CloseReason::ShuttingDown);
}

#[tokio::test]
async fn a_stalled_client_can_be_disconnected() {
    let fence = feed(Overflow::DropOldest, 2);
    let mut stalled = MemoryClient::connect(&fence, "/feed", 8);
    stalled.subscribe("tick").await;
    stalled.set_capacity(0);
    assert!(fence.disconnect(stalled.id()).await);
    assert_eq!(stalled.closed().await, CloseReason::Server);
    assert!(!fence.disconnect(stalled.id()).await, "it is gone");
    assert_eq!(fence.publish("/feed", "tick", number(1)).await.expect("the topic exists").matched, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_gets_what_it_missed_and_nobody_else_does() {
    let fence = Fence::builder().namespace(alerts()).shards(2).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect_retained(&fence, "/alerts", 8);
    let ticket = client.ticket().await;
    assert!(!ticket.resumed);
    client.subscribe("alert").await;
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    let first = client.recv().await;
    client.lose();
    // Its place among the connections is free, and the next one gets it.
    drop(client);
    fence.publish("/alerts", "alert", number(2)).await.expect("the topic exists");

    let forged = Ticket { secret: Secret([0; 16]), ..ticket.clone() };
    let mut thief = MemoryClient::resume(&fence, "/alerts", 8, &forged);
    let other = thief.ticket().await;
    assert!(!other.resumed && other.id != ticket.id && other.topics.is_empty());

    let mut back = MemoryClient::resume(&fence, "/alerts", 8, &ticket);
    let again = back.ticket().await;
    assert!(again.resumed && again.id == ticket.id && again.topics.len() == 1);
    let second = back.recv().await;
    assert_eq!((second.text(), second.id, second.attempt), ("1", first.id, 2), "what was not acked is sent again");
    back.ack("alert", second.id);
    let missed = back.recv().await;
    assert_eq!((missed.text(), missed.attempt), ("2", 1));
    back.ack("alert", missed.id);
    let report = fence.publish("/alerts", "alert", number(3)).await.expect("the topic exists");
    assert_eq!(report.matched, 1, "the session is there once, whatever the number of its connections");
}

#[tokio::test(start_paused = true)]
async fn a_session_waits_for_its_retention_and_no_longer() {
    let (events, mut heard) = mpsc::unbounded_channel();
    let namespace = alerts().session_retention(Duration::from_secs(5));
    let fence = Fence::builder().namespace(namespace).listener(Recorder(events)).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect_retained(&fence, "/alerts", 8);
    let ticket = client.ticket().await;
    client.subscribe("alert").await;
    client.lose();
    let lost = tokio::time::Instant::now();
    while !matches!(heard.recv().await, Some(Event::SessionExpired { .. })) {}
    assert_eq!(lost.elapsed().as_secs(), 5);
    assert_eq!(fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists").matched, 0);
    assert!(!MemoryClient::resume(&fence, "/alerts", 8, &ticket).ticket().await.resumed);
}

#[tokio::test]
async fn a_client_that_is_away_can_be_disconnected_and_does_not_come_back() {
    let fence = Fence::builder().namespace(alerts()).shards(1).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect_retained(&fence, "/alerts", 8);
    let ticket = client.ticket().await;
    client.subscribe("alert").await;
    client.lose();
    assert!(fence.disconnect(client.id()).await);
    let mut back = MemoryClient::resume(&fence, "/alerts", 8, &ticket);
    assert!(!back.ticket().await.resumed);
    back.subscribe("alert").await;
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    assert_eq!(back.recv().await.text(), "1", "its connection is not the one that was ended");
}

#[tokio::test]
async fn a_second_connection_takes_a_session_over() {
    let fence = Fence::builder().namespace(alerts()).shards(2).build().expect("the catalog is valid");
    let mut first = MemoryClient::connect_retained(&fence, "/alerts", 8);
    let ticket = first.ticket().await;
    first.subscribe("alert").await;
    let mut second = MemoryClient::resume(&fence, "/alerts", 8, &ticket);
    assert!(second.ticket().await.resumed);
    assert_eq!(first.closed().await, CloseReason::Replaced);
    drop(first);
    fence.publish("/alerts", "alert", number(1)).await.expect("the topic exists");
    assert_eq!(second.recv().await.text(), "1");
}

#[tokio::test]
async fn values_are_told_apart_by_a_pointer_into_the_payload_or_by_the_publishers_key() {
    let quotes = Namespace::new("/feed")
        .topic("quote")
        .best_effort(Overflow::Coalesce)
        .coalesce_key(CoalesceKey::pointer("/symbol"));
    let fence = Fence::builder().namespace(quotes).shards(1).build().expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/feed", 8);
    client.subscribe("quote").await;
    client.set_capacity(0);
    let quote = |symbol: &str, bid: u32| {
        Payload::serialize(&serde_json::json!({"bid": bid, "symbol": symbol})).expect("it is JSON")
    };
    let published = [
        quote("EURUSD", 1),
        quote("USDJPY", 2),
        quote("EURUSD", 3),
        quote("EURUSD", 4).with_key("another"),
        number(5),
        number(6),
    ];
    let mut coalesced = 0;
    for payload in published {
        coalesced += fence.publish("/feed", "quote", payload).await.expect("the topic exists").coalesced;
    }
    assert_eq!(coalesced, 2);
    client.set_capacity(8);
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(client.recv().await.text().to_owned());
    }
    let bid = |bid, symbol| format!(r#"{{"bid":{bid},"symbol":"{symbol}"}}"#);
    assert_eq!(heard, [bid(3, "EURUSD"), bid(2, "USDJPY"), bid(4, "EURUSD"), "6".to_owned()]);
}

/// A transport with a bug.
struct Broken;

impl Outlet for Broken {
    fn send(&mut self, _: &mut Batch) {
        panic!("the adapter's own bug");
    }

    fn room(&self) -> Room {
        Room { frames: 1, bytes: 1, is_empty: true }
    }

    fn is_blocked(&self) -> bool {
        false
    }

    fn disconnect(&mut self, _: NamespaceId, _: CloseReason) {}

    fn close(&mut self, _: CloseReason) {}
}

#[tokio::test]
async fn a_shard_that_fails_is_told_of() {
    let fence = feed(Overflow::DropOldest, 8);
    assert!(!fence.has_failed());
    let namespace = fence.catalog().namespace("/feed").expect("it is in the catalog");
    let link = fence.open(|_| ());
    link.start(Box::new(Broken));
    link.join(namespace, Transport::Other, Some(SessionWish::New), None);
    fence.failed().await;
    assert!(fence.has_failed());
    assert_eq!(fence.publish("/feed", "tick", number(1)).await, Err(PublishError::ShuttingDown));
}

fn rooms() -> Namespace {
    Namespace::new("/rooms").topic_with(streamfence_runtime::Topic::new("room.*").max_topics(2)).topic("lobby")
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{what} did not come to pass");
}

#[tokio::test(start_paused = true)]
async fn topics_of_a_pattern_are_made_when_wanted_and_gone_with_their_last_subscriber() {
    let fence = Fence::builder().namespace(rooms()).shards(2).build().expect("the catalog is valid");
    let mut one = MemoryClient::connect(&fence, "/rooms", 8);
    let mut two = MemoryClient::connect(&fence, "/rooms", 8);
    one.subscribe("room.1").await;
    two.subscribe("room.2").await;
    let first = fence.publish("/rooms", "room.1", number(1)).await.expect("the pattern makes it");
    assert_eq!((first.matched, first.id.offset.0), (1, 1));
    let heard = one.recv().await;
    assert_eq!((&*heard.topic, heard.text()), ("room.1", "1"));
    let other = fence.publish("/rooms", "room.2", number(2)).await.expect("the pattern makes it");
    assert_eq!((other.matched, other.id.offset.0), (1, 1));
    assert_ne!(other.id.epoch, first.id.epoch, "each has a log of its own");
    assert_eq!(two.recv().await.text(), "2");

    let full = PublishError::TooManyTopics { pattern: "room.*".into(), most: 2 };
    assert_eq!(fence.publish("/rooms", "room.3", number(3)).await, Err(full));
    assert!(matches!(fence.publish("/rooms", "room.*", number(3)).await, Err(PublishError::UnknownTopic { .. })));
    one.unsubscribe("room.1").await;
    let mut third = None;
    until("a free place", || {
        third = fence.try_publish("/rooms", "room.3", number(3)).ok();
        third.is_some()
    })
    .await;
    // Published to nobody, so it is gone with the next look, and its name begins anew.
    let namespace = fence.catalog().namespace("/rooms").expect("it is in the catalog");
    until("a free place", || fence.find_topic(namespace, "room.1").is_ok()).await;
    one.subscribe("room.1").await;
    let again = fence.publish("/rooms", "room.1", number(4)).await.expect("the pattern makes it");
    assert_eq!((again.matched, again.id.offset.0), (1, 1));
    assert_ne!(again.id, first.id, "it is another topic under the old name");
}

#[tokio::test]
async fn a_pattern_has_one_handler_for_all_its_topics() {
    let namespace = Namespace::new("/rooms").topic("room.*").client_publish(ClientPublish::Handler);
    let fence = Fence::builder().namespace(namespace).build().expect("the catalog is valid");
    let (said, mut heard) = mpsc::unbounded_channel();
    fence
        .on_message("/rooms", "room.*", move |message| {
            let said = said.clone();
            async move { said.send(message.topic.to_string()).map_err(|_| "nobody listens") }
        })
        .expect("the pattern is in the catalog");
    let mut client = MemoryClient::connect(&fence, "/rooms", 8);
    client.publish("room.7", number(1)).await.expect("the handler takes it");
    assert_eq!(heard.recv().await.as_deref(), Some("room.7"));
}

#[tokio::test]
async fn a_reload_takes_everybody_along() {
    let build = |namespaces: Vec<Namespace>| {
        namespaces.into_iter().fold(streamfence_core::Catalog::builder(), streamfence_core::CatalogBuilder::namespace)
    };
    let feed = |most| Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(most);
    let (events, mut heard) = mpsc::unbounded_channel();
    let fence = Fence::builder()
        .namespace(feed(2))
        .namespace(Namespace::new("/old").topic("gone"))
        .namespace(rooms())
        .listener(Recorder(events))
        .shards(2)
        .build()
        .expect("the catalog is valid");
    let mut stalled = MemoryClient::connect(&fence, "/feed", 8);
    stalled.subscribe("tick").await;
    stalled.set_capacity(0);
    let mut leaving = MemoryClient::connect(&fence, "/old", 8);
    leaving.subscribe("gone").await;
    let mut guest = MemoryClient::connect(&fence, "/rooms", 8);
    guest.subscribe("room.1").await;
    let publish = async |namespace: &'static str, topic: &'static str, n| {
        fence.publish(namespace, topic, number(n)).await.expect("the topic exists")
    };
    publish("/feed", "tick", 1).await;
    publish("/feed", "tick", 2).await;

    let next = build(vec![Namespace::new("/new").topic("here"), rooms().max_queued_messages(1), feed(3)]);
    fence.reload(&next.build().expect("it is valid")).await;
    while !matches!(heard.recv().await, Some(Event::Reloaded)) {}
    assert_eq!(publish("/feed", "tick", 3).await.displaced, 0, "there is place for one more");
    assert_eq!(publish("/feed", "tick", 4).await.displaced, 1);
    stalled.set_capacity(8);
    assert_eq!(numbers(&mut stalled, 3).await, [2, 3, 4]);
    assert_eq!(leaving.closed().await, CloseReason::Removed);
    assert!(matches!(fence.publish("/old", "gone", number(1)).await, Err(PublishError::UnknownNamespace { .. })));
    let mut new = MemoryClient::connect(&fence, "/new", 8);
    new.subscribe("here").await;
    assert_eq!(publish("/new", "here", 5).await.matched, 1);
    assert_eq!(new.recv().await.text(), "5");
    // A topic made before is the same topic, under the pattern as it is now.
    guest.set_capacity(0);
    let reports = [publish("/rooms", "room.1", 6).await, publish("/rooms", "room.1", 7).await];
    assert_eq!(reports.map(|report| (report.matched, report.rejected)), [(1, 0), (1, 1)]);
}
