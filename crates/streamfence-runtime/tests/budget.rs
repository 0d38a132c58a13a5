//! A fence that may take so much memory for its messages and no more.

use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{Event, LossReason, MemoryUse, TopicId, TopicStats};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AtLeastOnce, Fence, Listener, Namespace, Observer, Overflow, Payload, PublishReport, Topic};
use tokio::sync::mpsc;

const MIB: u64 = 1024 * 1024;
const PLENTY: u32 = 1_000_000;

/// A namespace whose lanes hold whatever comes: topics `drop`, `refuse` and `acked`.
fn generous() -> Namespace {
    let topic = |name: &str| Topic::new(name).max_queued_messages(PLENTY).max_queued_bytes(1 << 40);
    Namespace::new("/feed")
        .topic_with(topic("drop").best_effort(Overflow::DropOldest))
        .topic_with(topic("refuse").best_effort(Overflow::RejectNew))
        .topic_with(topic("acked").at_least_once(AtLeastOnce::default()))
}

fn payload(bytes: u64) -> Payload {
    Payload::serialize(&"x".repeat(bytes as usize)).expect("a text is JSON")
}

fn memory(fence: &Fence) -> MemoryUse {
    fence.memory().expect("it has a budget")
}

/// A client that is subscribed and reads no more.
async fn stuck(fence: &Fence, topics: &[&str]) -> MemoryClient {
    let mut client = MemoryClient::connect(fence, "/feed", 1);
    for topic in topics {
        client.subscribe(topic).await;
    }
    client.set_capacity(0);
    client
}

async fn publish(fence: &Fence, topic: &str, bytes: u64) -> PublishReport {
    let report = fence.publish("/feed", topic, payload(bytes)).await.expect("the topic exists");
    assert_eq!(report.matched, report.admitted + report.rejected);
    report
}

/// Waits until what was dropped is gone from the shards too.
async fn emptied(fence: &Fence) {
    while memory(fence).used_bytes > 0 {
        fence.flush_stats().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_stuck_clients_stay_under_the_budget_at_every_publish() {
    let budget = 16 * MIB;
    let numbers = Arc::new(Numbers::default());
    let fence = Fence::builder().namespace(generous()).shards(2).memory_budget(budget).observer(numbers.clone());
    let fence = fence.build().expect("the catalog is valid");
    let mut clients = Vec::new();
    for n in 0..10_000 {
        let topics = if n % 100 == 0 { &["drop", "refuse", "acked"][..] } else { &["drop"] };
        clients.push(stuck(&fence, topics).await);
    }
    let (mut offered, mut rejected) = (0, 0);
    for n in 0..1_400_usize {
        // Some for everybody, most for one client alone, each kind of lane among them; then more than memory holds of
        // what never gives way.
        let size = 1_000 + 37 * (n as u64 % 1_000);
        let report = match n % 9 {
            0 => publish(&fence, "drop", size).await,
            1 => publish(&fence, "refuse", size).await,
            2 => publish(&fence, "acked", if n < 900 { size } else { 30 * size }).await,
            _ => {
                let to = clients[(n * 7_919) % clients.len()].id();
                fence.publish_to("/feed", to, "drop", payload(size)).await.expect("the topic exists")
            }
        };
        offered += u64::from(report.matched);
        rejected += u64::from(report.rejected);
        let used = memory(&fence).used_bytes;
        assert!(used <= budget, "{used} bytes after publish {n}: {report:?}");
    }
    assert!(memory(&fence).used_bytes > budget / 2, "the budget is used");
    fence.flush_stats().await;
    let (stats, _) = *numbers.0.lock().expect("no test panics here");
    assert!(offered > 1_000_000 && stats.displaced > 100_000, "{offered} offered, {} displaced", stats.displaced);
    assert!(rejected > 0 && stats.over_budget == rejected, "{rejected} rejected, {} counted", stats.over_budget);
    drop(clients);
    emptied(&fence).await;
    assert!(!fence.is_over_budget());
}

#[derive(Default)]
struct Numbers(std::sync::Mutex<(TopicStats, Option<MemoryUse>)>);

impl Observer for Numbers {
    fn on_stats(&self, _: TopicId, since_last: &TopicStats) {
        let stats = &mut self.0.lock().expect("no test panics here").0;
        stats.over_budget += since_last.over_budget;
        stats.displaced += since_last.displaced;
    }

    fn on_memory(&self, memory: &MemoryUse) {
        self.0.lock().expect("no test panics here").1 = Some(*memory);
    }
}

struct Recorder(mpsc::UnboundedSender<Event>);

impl Listener for Recorder {
    fn on_event(&self, event: &Event) {
        if let Event::PressureBegan { .. } | Event::PressureEnded { .. } = event {
            let _ = self.0.send(event.clone());
        }
    }
}

#[tokio::test]
async fn at_the_budget_what_cannot_give_way_is_rejected_until_memory_is_free_again() {
    let numbers = Arc::new(Numbers::default());
    let (tell, mut events) = mpsc::unbounded_channel();
    let fence = Fence::builder().namespace(generous().gap_notices(true)).shards(2).memory_budget(MIB);
    let fence = fence.observer(numbers.clone()).listener(Recorder(tell)).build().expect("the catalog is valid");
    let stuck_client = stuck(&fence, &["acked"]).await;
    let mut healthy = MemoryClient::connect(&fence, "/feed", 100);
    for topic in ["drop", "refuse", "acked"] {
        healthy.subscribe(topic).await;
    }

    let mut acked = 0;
    let mut refused = 0;
    for _ in 0..150 {
        let report = publish(&fence, "acked", 10_000).await;
        refused += u64::from(report.rejected);
        for _ in 0..report.admitted.saturating_sub(1) {
            let heard = healthy.recv().await;
            healthy.ack("acked", heard.id);
            acked += 1;
        }
    }
    assert!((90..110).contains(&acked), "{acked} messages of 10 KB are a MiB");
    assert!(fence.is_over_budget());
    assert_eq!(events.recv().await, Some(Event::PressureBegan { budget_bytes: MIB }));
    // Whoever reads is sent what needs no place to wait in.
    for topic in ["drop", "refuse"].repeat(10) {
        assert_eq!(publish(&fence, topic, 10_000).await.admitted, 1, "{topic}");
        assert_eq!(healthy.recv().await.topic, topic);
    }
    assert!(fence.is_over_budget());
    fence.flush_stats().await;
    let (stats, seen) = *numbers.0.lock().expect("no test panics here");
    assert_eq!((stats.over_budget, stats.displaced), (refused, 0));
    assert_eq!(seen.map(|memory| memory.budget_bytes), Some(MIB));

    drop(stuck_client);
    emptied(&fence).await;
    assert!(!fence.is_over_budget());
    assert_eq!(events.recv().await, Some(Event::PressureEnded { rejected: refused, displaced: 0 }));
    let report = publish(&fence, "acked", 10_000).await;
    assert_eq!(report.admitted, 1);
    assert_eq!(healthy.gap().await.reason, LossReason::Rejected);
}

#[tokio::test]
async fn the_lane_that_hoards_pays_for_all_and_a_client_that_is_away_does_too() {
    let fence = Fence::builder().namespace(generous()).shards(1).memory_budget(MIB);
    let fence = fence.build().expect("the catalog is valid");
    let mut modest = MemoryClient::connect(&fence, "/feed", 1);
    modest.subscribe("drop").await;
    modest.set_capacity(0);
    let mut away = MemoryClient::connect_retained(&fence, "/feed", 1);
    let ticket = away.ticket().await;
    away.subscribe("drop").await;
    away.lose();
    for n in 0..5 {
        let to = modest.id();
        fence
            .publish_to("/feed", to, "drop", Payload::serialize(&n).expect("a number"))
            .await
            .expect("the topic exists");
    }
    let mut displaced = 0;
    for _ in 0..1_000 {
        let report = fence.publish_to("/feed", away.id(), "drop", payload(5_000)).await.expect("the topic exists");
        assert_eq!(report.admitted, 1, "its own older messages give way");
        displaced += report.displaced;
        assert!(memory(&fence).used_bytes <= MIB);
    }
    assert!(displaced < 10, "what is shed at once is not displaced one by one: {displaced}");
    modest.set_capacity(10);
    for n in 0..5 {
        assert_eq!(modest.recv().await.text(), n.to_string(), "the modest lane lost nothing");
    }
    let mut back = MemoryClient::resume(&fence, "/feed", 1_000, &ticket);
    assert!(back.ticket().await.resumed);
    assert_eq!(back.recv().await.text().len(), 5_002);
}

#[tokio::test]
async fn a_message_counts_once_and_as_long_as_anybody_holds_it() {
    let fence = Fence::builder().namespace(generous()).shards(2).memory_budget(64 * MIB);
    let fence = fence.build().expect("the catalog is valid");
    let mut readers = Vec::new();
    for _ in 0..10 {
        let mut reader = MemoryClient::connect(&fence, "/feed", 1);
        reader.subscribe("drop").await;
        readers.push(reader);
    }
    assert_eq!(memory(&fence), MemoryUse { budget_bytes: 64 * MIB, used_bytes: 0 });
    publish(&fence, "drop", MIB).await;
    let used = memory(&fence).used_bytes;
    assert!((MIB..MIB + 2_000).contains(&used), "{used}");
    let mut heard = Vec::new();
    for reader in &mut readers {
        heard.push(reader.recv().await);
    }
    fence.flush_stats().await;
    assert!(memory(&fence).used_bytes >= MIB, "they hold its bytes still");
    drop(heard);
    emptied(&fence).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_nothing_is_counted() {
    let fence = Fence::builder().namespace(generous()).shards(1).build().expect("the catalog is valid");
    assert_eq!(fence.memory(), None);
    assert!(!fence.is_over_budget());
    let mut client = stuck(&fence, &["refuse"]).await;
    for _ in 0..100 {
        assert_eq!(publish(&fence, "refuse", 100_000).await.admitted, 1);
    }
    client.set_capacity(1);
    client.recv().await;
    fence.shutdown(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_becomes_less_is_kept_though_nobody_publishes_and_more_is_room_at_once() {
    let fence = Fence::builder().namespace(generous()).shards(2).memory_budget(16 * MIB);
    let fence = fence.build().expect("the catalog is valid");
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(stuck(&fence, &["drop", "refuse"]).await);
    }
    for _ in 0..8 {
        publish(&fence, "drop", MIB).await;
    }
    let kept = publish(&fence, "refuse", 1_000).await;
    assert_eq!((kept.admitted, memory(&fence).budget_bytes), (4, 16 * MIB));
    assert!(memory(&fence).used_bytes > 8 * MIB);

    assert!(fence.set_memory_budget(4 * MIB).await);
    assert_eq!(memory(&fence).budget_bytes, 4 * MIB);
    let began = tokio::time::Instant::now();
    while memory(&fence).used_bytes > 4 * MIB {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing gives way: {:?}", memory(&fence));
        tokio::task::yield_now().await;
    }
    assert_eq!(publish(&fence, "refuse", 4 * MIB).await.rejected, 4, "there is no room for it");
    assert!(fence.set_memory_budget(32 * MIB).await);
    assert_eq!(publish(&fence, "refuse", 4 * MIB).await.admitted, 4);

    let without = Fence::builder().namespace(generous()).build().expect("the catalog is valid");
    assert!(!without.set_memory_budget(MIB).await && without.memory().is_none());
}
