//! A fence whose lanes spill, to a store in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use streamfence_core::{
    Body, Event, LogId, LosslessOverflow, Observer, Record, SpillBackend, SpillCommand, SpillCompletion, SpillHealth,
    SpillRefusal, SpillRules, SpillStats, StoreId, TopicId, TopicStats,
};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{
    AtLeastOnce, BuildError, Catalog, Charge, Fence, FenceBuilder, Listener, Namespace, Overflow, Payload,
    PublishReport,
};
use tokio::sync::mpsc;

const STORE: StoreId = StoreId(3);
/// As much as any test needs.
const PLENTY: u64 = 1 << 40;
/// How many messages a lane holds.
const LANE: u32 = 4;

/// A store in memory. Clones are the same one.
#[derive(Clone)]
struct MemoryStore(Arc<Mutex<Desk>>);

struct Desk {
    /// What may still be granted, and whether that is all there is.
    room: u64,
    logs: BTreeMap<u64, Vec<Record>>,
    /// By shard.
    outboxes: BTreeMap<u16, Outbox>,
}

#[derive(Default)]
struct Outbox {
    said: VecDeque<SpillCompletion>,
    waker: Option<Waker>,
}

impl MemoryStore {
    fn with_room(room: u64) -> Self {
        Self(Arc::new(Mutex::new(Desk { room, logs: BTreeMap::new(), outboxes: BTreeMap::new() })))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().expect("no test panics here")
    }

    /// Gives it to a fence.
    fn serve(&self, fence: FenceBuilder) -> FenceBuilder {
        let store = self.clone();
        fence.spill(STORE, move |shard, charge| store.backend(shard, charge))
    }

    fn backend(&self, shard: u16, charge: Option<Charge>) -> Box<dyn SpillBackend> {
        Box::new(MemoryBackend { store: self.clone(), shard, charge })
    }

    /// There is so much more room, and every log hears of it.
    fn make_room(&self, bytes: u64) {
        let mut desk = self.desk();
        desk.room += bytes;
        let logs: Vec<_> = desk.logs.keys().map(|&number| LogId { store: STORE, number }).collect();
        for log in logs {
            desk.say(SpillCompletion::Health { log, health: SpillHealth::Healthy });
            desk.grant(log);
        }
    }
}

impl Desk {
    fn say(&mut self, said: SpillCompletion) {
        let (SpillCompletion::Granted { log, .. }
        | SpillCompletion::Appended { log, .. }
        | SpillCompletion::Records { log, .. }
        | SpillCompletion::Health { log, .. }) = &said;
        let outbox = self.outboxes.entry((log.number >> 48) as u16).or_default();
        outbox.said.push_back(said);
        if let Some(waker) = outbox.waker.take() {
            waker.wake();
        }
    }

    /// All the room there is to the log that asks first.
    fn grant(&mut self, log: LogId) {
        let bytes = std::mem::take(&mut self.room);
        let said = match bytes {
            0 => SpillCompletion::Health { log, health: SpillHealth::Full },
            bytes => SpillCompletion::Granted { log, bytes },
        };
        self.say(said);
    }
}

struct MemoryBackend {
    store: MemoryStore,
    shard: u16,
    charge: Option<Charge>,
}

impl SpillBackend for MemoryBackend {
    fn submit(&mut self, command: SpillCommand) -> Result<(), SpillCommand> {
        let mut desk = self.store.desk();
        assert_eq!(command.log().store, STORE);
        assert_eq!((command.log().number >> 48) as u16, self.shard, "a log has the number of its shard");
        match command {
            SpillCommand::Open { log, .. } => {
                desk.logs.insert(log.number, Vec::new());
                desk.grant(log);
            }
            SpillCommand::Append { log, records } => {
                let upto = records.last().map(|record| streamfence_core::LogPosition(record.position.0 + 1));
                // As on disk: what is kept shares no memory with what was appended.
                let copied = records.into_iter().map(|record| {
                    let body = Body { bytes: Bytes::copy_from_slice(&record.body.bytes), ..record.body.clone() };
                    Record { body, ..record }
                });
                desk.logs.entry(log.number).or_default().extend(copied);
                desk.say(SpillCompletion::Appended { log, upto: upto.expect("an append has records") });
            }
            SpillCommand::Read { log, from, most_bytes } => {
                let kept = desk.logs.get(&log.number).map(Vec::as_slice).unwrap_or_default();
                let begin = kept.partition_point(|record| record.position < from);
                let mut bytes = 0;
                let records: Vec<_> = kept[begin..]
                    .iter()
                    .take_while(|record| {
                        let is_first = bytes == 0;
                        bytes += record.body.bytes.len() as u64;
                        is_first || bytes <= u64::from(most_bytes)
                    })
                    .cloned()
                    .collect();
                let next = records.last().map_or(from, |record| streamfence_core::LogPosition(record.position.0 + 1));
                let records = self.as_one_block(records);
                desk.say(SpillCompletion::Records { log, from, next, records, lost: Vec::new() });
            }
            SpillCommand::Release { log, upto } => {
                let kept = desk.logs.entry(log.number).or_default();
                kept.retain(|record| record.position >= upto);
            }
            SpillCommand::Close { log } => {
                desk.logs.remove(&log.number);
            }
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SpillCompletion> {
        let mut desk = self.store.desk();
        let outbox = desk.outboxes.entry(self.shard).or_default();
        match outbox.said.pop_front() {
            Some(said) => Poll::Ready(said),
            None => {
                outbox.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn stats(&self) -> SpillStats {
        let desk = self.store.desk();
        let bytes = desk.logs.values().flatten().map(|record| record.body.bytes.len() as u64).sum();
        SpillStats { bytes, ..SpillStats::default() }
    }
}

impl MemoryBackend {
    /// Bodies are slices of one buffer, as they are of a block that was read.
    fn as_one_block(&self, mut records: Vec<Record>) -> Vec<Record> {
        let mut block = BytesMut::new();
        records.iter().for_each(|record| block.extend_from_slice(&record.body.bytes));
        let mut block = block.freeze();
        if let Some(charge) = &self.charge {
            block = charge(block);
        }
        for record in &mut records {
            let rest = block.split_off(record.body.bytes.len());
            record.body.bytes = std::mem::replace(&mut block, rest);
        }
        records
    }
}

fn rules() -> SpillRules {
    SpillRules { store: STORE, ..SpillRules::default() }
}

/// Topics `plain` and `acked`, both with lanes of [`LANE`] messages that spill.
fn spilling() -> Namespace {
    let promise = AtLeastOnce::default().window(2).overflow(LosslessOverflow::Spill);
    Namespace::new("/feed")
        .topic_with(streamfence_runtime::Topic::new("plain").best_effort(Overflow::Spill))
        .topic_with(streamfence_runtime::Topic::new("acked").at_least_once(promise))
        .max_queued_messages(LANE)
        .max_queued_bytes(1 << 30)
        .gap_notices(true)
        .spill(rules())
}

fn number(n: u32) -> Payload {
    Payload::serialize(&n).expect("a number is JSON")
}

async fn publish(fence: &Fence, topic: &str, payload: Payload) -> PublishReport {
    let report = fence.publish("/feed", topic, payload).await.expect("the topic exists");
    assert_eq!(report.matched, report.admitted + report.rejected);
    report
}

/// A client that is subscribed and reads no more.
async fn stuck(fence: &Fence, topic: &str) -> MemoryClient {
    let mut client = MemoryClient::connect(fence, "/feed", 1);
    client.subscribe(topic).await;
    client.set_capacity(0);
    client
}

/// Reads numbers in their order, and acks them.
async fn reads(client: &mut MemoryClient, topic: &str, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let heard = client.recv().await;
        assert_eq!(heard.text(), n.to_string());
        if topic == "acked" {
            client.ack(topic, heard.id);
        }
    }
}

/// Whatever an observer and a listener are told.
#[derive(Default)]
struct Numbers(Mutex<(TopicStats, Vec<(StoreId, SpillStats)>)>);

impl Observer for Numbers {
    fn on_stats(&self, _: TopicId, since_last: &TopicStats) {
        let stats = &mut self.0.lock().expect("no test panics here").0;
        stats.spilled += since_last.spilled;
        stats.delivered += since_last.delivered;
        for (sum, more) in stats.spill_refusals.iter_mut().zip(since_last.spill_refusals) {
            *sum += more;
        }
    }

    fn on_spill(&self, store: StoreId, stats: &SpillStats) {
        self.0.lock().expect("no test panics here").1.push((store, *stats));
    }
}

struct Recorder(mpsc::UnboundedSender<Event>);

impl Listener for Recorder {
    fn on_event(&self, event: &Event) {
        if let Event::SpillBegan { .. } | Event::SpillEnded { .. } | Event::SpillHealthChanged { .. } = event {
            let _ = self.0.send(event.clone());
        }
    }
}

#[tokio::test]
async fn what_a_stuck_client_has_no_place_for_goes_to_the_store_and_comes_back_in_order() {
    for topic in ["plain", "acked"] {
        let numbers = Arc::new(Numbers::default());
        let (tell, mut events) = mpsc::unbounded_channel();
        let builder =
            Fence::builder().namespace(spilling()).shards(2).observer(numbers.clone()).listener(Recorder(tell));
        let store = MemoryStore::with_room(PLENTY);
        let fence = store.serve(builder).build().expect("it has its store");
        let mut behind = stuck(&fence, topic).await;
        let mut quick = MemoryClient::connect(&fence, "/feed", 100);
        quick.subscribe(topic).await;
        for n in 0..1_000 {
            let report = publish(&fence, topic, number(n)).await;
            let wanted = (2, u32::from(n >= LANE), None);
            assert_eq!((report.admitted, report.spilled, report.spill_refused), wanted, "message {n}");
            reads(&mut quick, topic, n..n + 1).await;
        }
        let began = events.recv().await;
        assert!(
            matches!(&began, Some(Event::SpillBegan { client, .. }) if *client == behind.id()),
            "it is told of once: {began:?}"
        );
        behind.set_capacity(7);
        reads(&mut behind, topic, 0..500).await;
        // What is published now comes after all that waits.
        publish(&fence, topic, number(1_000)).await;
        reads(&mut quick, topic, 1_000..1_001).await;
        reads(&mut behind, topic, 500..1_001).await;
        let ended = events.recv().await;
        assert!(matches!(ended, Some(Event::SpillEnded { messages: 997, .. })), "{ended:?}");

        let report = publish(&fence, topic, number(1_001)).await;
        assert_eq!((report.admitted, report.spilled), (2, 0), "it has caught up");
        fence.flush_stats().await;
        let (stats, seen) = &*numbers.0.lock().expect("no test panics here");
        assert_eq!(stats.spilled, 997);
        assert!(seen.iter().all(|(store, _)| *store == STORE) && !seen.is_empty(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_report_says_why_nothing_more_is_spilled_and_room_that_comes_back_is_used() {
    let (tell, mut events) = mpsc::unbounded_channel();
    let numbers = Arc::new(Numbers::default());
    let builder = Fence::builder().namespace(spilling()).shards(2).listener(Recorder(tell)).observer(numbers.clone());
    // No room at all: not even for what may wait in memory until there is.
    let store = MemoryStore::with_room(0);
    let fence = store.serve(builder).build().expect("it has its store");
    // One on each shard.
    let mut clients = [stuck(&fence, "plain").await, stuck(&fence, "plain").await];
    let pad = "x".repeat(100_000);
    let mut taken = 0;
    let refused = loop {
        let report = publish(&fence, "plain", Payload::serialize(&(taken, &pad)).expect("a pair is JSON")).await;
        if report.rejected == 2 {
            break report;
        }
        taken += 1 - report.rejected / 2;
        assert!(taken < 100, "memory is no disk");
    };
    assert_eq!((refused.admitted, refused.spilled, refused.spill_refused), (0, 0, Some(SpillRefusal::Full)));
    let json = serde_json::to_value(refused).expect("a report is JSON");
    assert_eq!(json["spillRefused"], "disk_full");
    assert_eq!((json["rejected"].as_u64(), json["spilled"].as_u64()), (Some(2), Some(0)));

    loop {
        match events.recv().await.expect("the fence is there") {
            Event::SpillHealthChanged { store, health } => {
                assert_eq!((store, health), (STORE, SpillHealth::Full));
                break;
            }
            Event::SpillBegan { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    // The first of the two takes all of it.
    for _ in &clients {
        store.make_room(PLENTY);
    }
    let health = loop {
        match events.recv().await.expect("the fence is there") {
            Event::SpillHealthChanged { health, .. } => break health,
            Event::SpillBegan { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(health, SpillHealth::Healthy, "each edge is told once, whatever the number of shards");
    fence.flush_stats().await;
    let stats = numbers.0.lock().expect("no test panics here").0;
    assert!(stats.spill_refusals[SpillRefusal::Full as usize] >= 2, "{stats:?}");
    for client in &mut clients {
        client.set_capacity(5);
        assert!(client.recv().await.text().starts_with("[0,"));
    }
    let json = serde_json::to_value(publish(&fence, "acked", number(0)).await).expect("a report is JSON");
    assert_eq!(json.get("spillRefused"), None, "there is nothing to say: {json}");
}

#[tokio::test]
async fn a_topic_that_spills_to_a_store_that_is_not_there_is_refused() {
    let error = Fence::builder().namespace(spilling()).build().expect_err("there is no store");
    assert!(matches!(&error, BuildError::NoStore { store: STORE, .. }), "{error}");
    let wanted =
        "topic `/feed plain` spills to store 3, which the fence does not have; wanted FenceBuilder::spill with it";
    assert_eq!(error.to_string(), wanted);
}

#[tokio::test]
async fn memory_counts_what_was_read_back_and_not_what_lies_on_disk() {
    const MIB: u64 = 1 << 20;
    let builder = Fence::builder().namespace(spilling()).shards(1).memory_budget(4 * MIB);
    let store = MemoryStore::with_room(PLENTY);
    let fence = store.serve(builder).build().expect("it has its store");
    let mut behind = stuck(&fence, "plain").await;
    let used = || fence.memory().expect("it has a budget").used_bytes;
    let pad = "x".repeat(10_000);
    for n in 0..2_000 {
        let report = publish(&fence, "plain", Payload::serialize(&(n, &pad)).expect("a pair is JSON")).await;
        assert_eq!(report.admitted, 1, "20 MB go over disk: message {n}, {} in memory, {report:?}", used());
        assert!(used() <= 4 * MIB, "{} after message {n}", used());
    }
    assert!(!fence.is_over_budget());

    behind.set_capacity(50);
    let mut held = Vec::new();
    for n in 0..2_000 {
        let heard = behind.recv().await;
        assert!(heard.text().starts_with(&format!("[{n},")), "message {n}");
        assert!(used() <= 5 * MIB, "{} after message {n}", used());
        // Of the tail, which memory has, and of what was read.
        if n == 1_000 {
            held.push(heard);
        }
    }
    fence.flush_stats().await;
    let with_one = used();
    held.clear();
    assert!(
        with_one >= used() + 10_000,
        "one message holds the whole block that it was read with: {with_one}, {}",
        used()
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_lies_on_disk_until_its_deadline() {
    for reads_on in [true, false] {
        let store = MemoryStore::with_room(PLENTY);
        let builder = Fence::builder().namespace(spilling()).shards(1);
        let fence = store.serve(builder).build().expect("it has its store");
        let mut behind = stuck(&fence, "plain").await;
        for n in 0..1_000 {
            publish(&fence, "plain", number(n)).await;
        }
        let began = tokio::time::Instant::now();
        let drain = tokio::spawn(async move { fence.shutdown(Duration::from_secs(60)).await });
        if reads_on {
            behind.set_capacity(3);
            reads(&mut behind, "plain", 0..1_000).await;
        }
        drain.await.expect("a drain does not panic");
        assert_eq!(began.elapsed() < Duration::from_secs(50), reads_on, "it took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_store_that_comes_with_a_reload_is_spilled_to() {
    let fence =
        Fence::builder().namespace(Namespace::new("/feed").topic("other")).shards(2).build().expect("it is valid");
    let store = MemoryStore::with_room(PLENTY);
    fence.add_store(STORE, |shard, charge| store.backend(shard, charge)).await;
    fence.reload(&Catalog::builder().namespace(spilling()).build().expect("it is valid")).await;
    let mut behind = stuck(&fence, "plain").await;
    for n in 0..100 {
        assert_eq!(publish(&fence, "plain", number(n)).await.admitted, 1, "message {n}");
    }
    behind.set_capacity(5);
    reads(&mut behind, "plain", 0..100).await;
}

#[tokio::test]
async fn a_reload_to_a_store_that_is_not_there_refuses_what_does_not_fit() {
    let fence =
        Fence::builder().namespace(Namespace::new("/feed").topic("other")).shards(1).build().expect("it is valid");
    fence.reload(&Catalog::builder().namespace(spilling()).build().expect("it is valid")).await;
    let mut behind = stuck(&fence, "plain").await;
    let mut reports = Vec::new();
    // What the store is not asked for is in memory.
    let pad = "x".repeat(100_000);
    for n in 0..100 {
        reports.push(publish(&fence, "plain", Payload::serialize(&(n, &pad)).expect("a pair is JSON")).await);
    }
    let last = reports.last().expect("there are some");
    assert_eq!((last.rejected, last.spill_refused), (1, Some(SpillRefusal::Failed)));
    behind.set_capacity(5);
    assert!(behind.recv().await.text().starts_with("[0,"), "it goes on with what it has");
}

#[tokio::test]
async fn what_is_larger_than_a_record_may_be_is_refused_and_the_rest_goes_on() {
    let store = MemoryStore::with_room(PLENTY);
    let fence = store.serve(Fence::builder().namespace(spilling()).shards(1)).build().expect("it has its store");
    let mut behind = stuck(&fence, "plain").await;
    let huge = || Payload::serialize(&"x".repeat(Record::MAX_STORED_BYTES as usize)).expect("a text is JSON");
    assert_eq!(publish(&fence, "plain", huge()).await.admitted, 1, "the lane holds it");
    for n in 1..LANE {
        publish(&fence, "plain", number(n)).await;
    }
    let refused = publish(&fence, "plain", huge()).await;
    assert_eq!((refused.rejected, refused.spill_refused), (1, Some(SpillRefusal::TooLarge)));
    assert_eq!(publish(&fence, "plain", number(LANE)).await.spilled, 1);
    behind.set_capacity(9);
    assert!(behind.recv().await.text().len() > 1 << 20);
    reads(&mut behind, "plain", 1..LANE + 1).await;
}
