//! Clients that stay behind, over the in-memory adapter.

use std::time::Duration;

use streamfence_core::UnsubscribeReason;
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{Catalog, CloseReason, Eviction, Fence, Namespace, Overflow, Payload, SlowClient};

const PATIENCE: Duration = Duration::from_secs(5);

fn feed(eviction: Eviction) -> Fence {
    let ladder = SlowClient::default().hard_messages(4).hard(eviction).patience(PATIENCE);
    let namespace = Namespace::new("/feed").topic("tick").topic("tock").best_effort(Overflow::DropOldest);
    Fence::builder().namespace(namespace.slow_client(ladder)).shards(1).build().expect("the catalog is valid")
}

async fn publish(fence: &Fence, topic: &str, count: u32) {
    for n in 1..=count {
        let payload = Payload::serialize(&n).expect("a number is JSON");
        fence.publish("/feed", topic, payload).await.expect("the topic exists");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_client_is_disconnected_and_learns_why_when_it_comes_back() {
    let fence = feed(Eviction::Disconnect);
    let mut stuck = MemoryClient::connect_retained(&fence, "/feed", 8);
    let ticket = stuck.ticket().await;
    stuck.subscribe("tick").await;
    stuck.set_capacity(0);
    let began = tokio::time::Instant::now();
    publish(&fence, "tick", 5).await;
    assert_eq!(stuck.closed().await, CloseReason::SlowClient);
    assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    // With a secret that is not its own nobody learns anything of it.
    let forged = streamfence_core::Ticket { secret: streamfence_core::Secret([0; 16]), ..ticket.clone() };
    let mut thief = MemoryClient::resume(&fence, "/feed", 8, &forged);
    thief.ticket().await;
    assert!(tokio::time::timeout(Duration::from_secs(1), thief.error()).await.is_err());
    let mut back = MemoryClient::resume(&fence, "/feed", 8, &ticket);
    let new = back.ticket().await;
    assert!(!new.resumed && new.topics.is_empty());
    assert_eq!(back.error().await.0, "SLOW_CLIENT");
}

#[tokio::test(start_paused = true)]
async fn the_reason_is_remembered_for_as_long_as_the_session_would_have_waited() {
    let fence = feed(Eviction::Disconnect);
    let mut stuck = MemoryClient::connect_retained(&fence, "/feed", 8);
    let ticket = stuck.ticket().await;
    stuck.subscribe("tick").await;
    stuck.set_capacity(0);
    publish(&fence, "tick", 5).await;
    stuck.closed().await;
    tokio::time::sleep(ticket.retention + Duration::from_secs(2)).await;
    let mut back = MemoryClient::resume(&fence, "/feed", 8, &ticket);
    assert!(!back.ticket().await.resumed);
    assert!(tokio::time::timeout(Duration::from_secs(1), back.error()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drains_is_not() {
    let fence = feed(Eviction::Disconnect);
    let mut slow = MemoryClient::connect(&fence, "/feed", 1);
    slow.subscribe("tick").await;
    publish(&fence, "tick", 20).await;
    for n in 1..=10 {
        tokio::time::sleep(PATIENCE - Duration::from_millis(100)).await;
        assert_eq!(slow.recv().await.text(), n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn the_fullest_lane_of_a_stuck_client_ends_and_the_client_reads_why() {
    let fence = feed(Eviction::Unsubscribe);
    let mut stuck = MemoryClient::connect(&fence, "/feed", 8);
    stuck.subscribe("tick").await;
    stuck.subscribe("tock").await;
    stuck.set_capacity(0);
    publish(&fence, "tick", 2).await;
    publish(&fence, "tock", 3).await;
    tokio::time::sleep(PATIENCE + Duration::from_millis(10)).await;
    stuck.set_capacity(8);
    assert_eq!(stuck.unsubscribed("tock").await, UnsubscribeReason::SlowClient);
    assert_eq!(stuck.recv().await.topic, "tick");
    publish(&fence, "tock", 1).await;
    stuck.subscribe("tock").await;
    publish(&fence, "tock", 1).await;
    let heard = [stuck.recv().await, stuck.recv().await].map(|heard| heard.topic);
    assert_eq!(heard, ["tick", "tock"], "it is subscribed again, and the one before was not for it");
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_the_ladder_under_a_stuck_client_and_may_take_its_namespace_away() {
    let fence = feed(Eviction::Disconnect);
    let mut stuck = MemoryClient::connect_retained(&fence, "/feed", 8);
    stuck.ticket().await;
    stuck.subscribe("tick").await;
    stuck.set_capacity(0);
    publish(&fence, "tick", 5).await;
    let plain = || Namespace::new("/feed").topic("tick").topic("tock").best_effort(Overflow::DropOldest);
    fence.reload(&Catalog::builder().namespace(plain()).build().expect("it is valid")).await;
    assert!(tokio::time::timeout(3 * PATIENCE, stuck.closed()).await.is_err(), "nobody is evicted any more");
    let strict = plain().slow_client(SlowClient::default().soft_messages(1).patience(PATIENCE));
    fence.reload(&Catalog::builder().namespace(strict).build().expect("it is valid")).await;
    tokio::time::sleep(2 * PATIENCE).await;
    let other = Namespace::new("/other").topic("tick");
    fence.reload(&Catalog::builder().namespace(other).build().expect("it is valid")).await;
    assert_eq!(stuck.closed().await, CloseReason::Removed);
    assert!(!fence.has_failed());
}
