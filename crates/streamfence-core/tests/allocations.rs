//! What a message costs in memory: nothing per session, once a lane has reached its size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, CloseReason, Epoch, Hub, LinkKey, LogPosition, Message, MessageId, Namespace,
    Offset, OnSubscribe, Output, Overflow, Room, SessionKey, SlowClient, SpillCommand, SpillCompletion, TopicEntry,
    Transmit, Transport, Wishes,
};

const EPOCH: Epoch = Epoch(7);
const PLENTY: Room = Room { frames: 1_000, bytes: 1 << 20, is_empty: true };

struct Stage {
    hub: Hub,
    topic: Arc<TopicEntry>,
    sessions: Vec<(LinkKey, SessionKey)>,
    now: Instant,
    offset: u64,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn new(namespace: Namespace, sessions: usize) -> Self {
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("the catalog is valid"));
        let topic = catalog.entry(catalog.topics().next().expect("the namespace has a topic")).clone();
        let mut stage =
            Self { hub: Hub::new(catalog, EPOCH), topic, sessions: Vec::new(), now: Instant::now(), offset: 0 };
        for index in 0..sessions {
            stage.join(index);
        }
        stage
    }

    fn join(&mut self, index: usize) {
        let mut client = [0; 12];
        client[..8].copy_from_slice(&index.to_be_bytes());
        let namespace = self.topic.class.namespace;
        let link = self.hub.open(self.now);
        let joined = self.hub.join(link, namespace, ClientId(client), Transport::Other, self.now);
        let session = joined.expect("the link is open");
        self.hub.subscribe(session, &self.topic, Wishes::default(), None, self.now);
        self.sessions.push((link, session));
    }

    fn message(&mut self, key: Option<&str>) -> Arc<Message> {
        self.offset += 1;
        let id = MessageId { epoch: EPOCH, offset: Offset(self.offset) };
        let body = Body::plain(Bytes::from_static(b"tick"));
        Arc::new(Message {
            topic: self.topic.clone(),
            id,
            key: key.map(Into::into),
            published: self.now,
            expires: None,
            trace: None,
            body,
        })
    }

    fn publish(&mut self, message: &Arc<Message>) {
        let _ = self.hub.publish(message, None, self.now);
    }

    /// Stops the clock of every link and starts it again.
    fn give_room(&mut self) {
        for room in [Room::NONE, PLENTY] {
            for &(link, _) in &self.sessions {
                self.hub.handle_room(link, room, self.now);
            }
        }
    }

    fn ack(&mut self, id: MessageId) {
        for &(_, session) in &self.sessions {
            self.hub.handle_ack(session, self.topic.id, id, self.now);
        }
    }

    /// Takes all outputs, and says how many messages left. The disk has room for everything and forgets it at once.
    fn drain(&mut self) -> usize {
        let mut messages = 0;
        while let Some(output) = self.hub.poll_output(self.now) {
            match output {
                Output::Transmit(_, mut batch) => {
                    messages += batch.iter().filter(|what| matches!(what, Transmit::Message { .. })).count();
                    batch.clear();
                    self.hub.recycle(batch);
                }
                Output::Spill(SpillCommand::Open { log, .. }) => {
                    self.hub.handle_spill(SpillCompletion::Granted { log, bytes: 1 << 40 }, self.now);
                }
                Output::Spill(SpillCommand::Append { log, records }) => {
                    let upto = LogPosition(records.last().expect("an append is something").position.0 + 1);
                    self.hub.handle_spill(SpillCompletion::Appended { log, upto }, self.now);
                }
                _ => {}
            }
        }
        messages
    }
}

fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

#[test]
fn publish_poll_and_ack_cost_nothing_per_session() {
    let namespaces = [
        Namespace::new("/a").topic("t").best_effort(Overflow::RejectNew),
        Namespace::new("/a").topic("t").best_effort(Overflow::DropOldest),
        Namespace::new("/a").topic("t").best_effort(Overflow::Coalesce),
        Namespace::new("/a").topic("t").best_effort(Overflow::SnapshotOnly),
        Namespace::new("/a").topic("t").best_effort(Overflow::Coalesce).on_subscribe(OnSubscribe::Last),
        Namespace::new("/a").topic("t").at_least_once(AtLeastOnce::default().window(4)),
        // Above the soft limit in every round.
        Namespace::new("/a").topic("t").slow_client(SlowClient::default().soft_messages(1).hard_messages(2)),
    ];
    for namespace in namespaces {
        let told = format!("{namespace:?}");
        let mut stage = Stage::new(namespace, 100);
        // The first rounds bring every buffer to its size.
        for round in 0..20 {
            let messages = [(); 3].map(|()| stage.message(None));
            let count = allocations(|| {
                stage.give_room();
                for message in &messages {
                    stage.publish(message);
                }
                assert!(stage.drain() >= 100, "something leaves for every session");
                for message in &messages {
                    stage.ack(message.id);
                }
            });
            assert!(round < 10 || count == 0, "{count} allocations in round {round} of {told}");
        }
    }
}

#[test]
fn values_that_are_held_for_their_interval_cost_nothing_per_session() {
    let mut stage = Stage::new(Namespace::new("/a").topic("t").max_frequency(10.0), 100);
    for round in 0..40 {
        // Two values within an interval: one goes, the other is held, and a third takes its place.
        let messages = [(); 3].map(|()| stage.message(Some(if round % 2 == 0 { "even" } else { "odd" })));
        let count = allocations(|| {
            stage.give_room();
            stage.publish(&messages[0]);
            let at_once = stage.drain();
            stage.publish(&messages[1]);
            stage.publish(&messages[2]);
            assert_eq!(stage.drain(), 0, "they wait");
            stage.now += Duration::from_millis(100);
            stage.hub.handle_timeout(stage.now);
            assert_eq!((at_once, stage.drain()), (100, 100), "one at once, and the newest of the others");
            stage.now += Duration::from_millis(100);
        });
        assert!(round < 10 || count == 0, "{count} allocations in round {round}");
    }
}

#[test]
fn ten_thousand_values_due_at_once_go_in_one_walk() {
    let namespace = Namespace::new("/a").topic("t").max_frequency(1.0).max_queued_messages(10_000);
    let mut stage = Stage::new(namespace.max_queued_bytes(1 << 30), 1);
    let mut sent = 0;
    for round in 0..3 {
        for key in 0..10_000 {
            let message = stage.message(Some(&key.to_string()));
            stage.publish(&message);
        }
        assert_eq!(stage.hub.resident(), 10_000);
        stage.now += Duration::from_secs(1);
        stage.hub.handle_timeout(stage.now);
        let before = sent;
        while sent - before < 10_000 {
            stage.give_room();
            sent += stage.drain();
        }
        assert_eq!((stage.hub.resident(), sent), (0, (round + 1) * 10_000));
    }
}

#[test]
fn a_full_lane_that_displaces_costs_nothing() {
    let namespace = Namespace::new("/a").topic("t").best_effort(Overflow::DropOldest).max_queued_messages(8);
    let mut stage = Stage::new(namespace, 100);
    for round in 0..50 {
        let message = stage.message(None);
        let count = allocations(|| stage.publish(&message));
        // The first displaced message of each lane is an event.
        assert!(round <= 9 || count == 0, "{count} allocations in round {round}");
    }
}

#[test]
fn a_lane_forgets_the_keys_of_what_has_left() {
    let namespaces = [
        Namespace::new("/a").topic("t").best_effort(Overflow::Coalesce),
        Namespace::new("/a").topic("t").best_effort(Overflow::DropOldest).coalesce(true).max_queued_messages(4),
        Namespace::new("/a").topic("t").best_effort(Overflow::SnapshotOnly).coalesce(true),
        Namespace::new("/a").topic("t").best_effort(Overflow::DropOldest).max_frequency(1_000.0),
    ];
    for namespace in namespaces {
        let told = format!("{namespace:?}");
        let mut stage = Stage::new(namespace, 1);
        let mut run = |keys: std::ops::Range<u32>| {
            for key in keys {
                let message = stage.message(Some(&key.to_string()));
                stage.publish(&message);
                // Now and then the client reads; in between the lane makes way on its own.
                if key % 16 == 0 {
                    stage.now += Duration::from_millis(1);
                    stage.give_room();
                    stage.drain();
                }
            }
        };
        run(0..1_000);
        let kept = allocation_counter::measure(|| run(1_000..10_000)).bytes_current;
        assert!(kept < 4_096, "{kept} bytes for keys that have left, in {told}");
    }
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    let namespace = Namespace::new("/a").topic("t").at_least_once(AtLeastOnce::default());
    let mut stage = Stage::new(namespace, 10);
    let mut run = |clients: std::ops::Range<usize>| {
        for index in clients {
            stage.join(index);
            let message = stage.message(None);
            stage.give_room();
            stage.publish(&message);
            stage.drain();
            let (link, _) = stage.sessions.remove(0);
            stage.hub.close(link, CloseReason::Client, stage.now);
        }
    };
    run(10..2_000);
    let kept = allocation_counter::measure(|| run(2_000..20_000)).bytes_current;
    assert!(kept < 16_384, "{kept} bytes for clients that are gone");
}

#[test]
fn a_message_costs_the_same_whether_one_lane_has_spilled_or_ten_thousand() {
    let cost = |lanes| {
        let namespace = Namespace::new("/a").topic("t").best_effort(Overflow::Spill).max_queued_messages(1);
        let mut stage = Stage::new(namespace, lanes);
        // The first fills every lane, and with the second all of them spill.
        let publish = |stage: &mut Stage| {
            let message = stage.message(None);
            let count = allocations(|| {
                stage.publish(&message);
                stage.drain();
            });
            stage.now += Duration::from_millis(1);
            count
        };
        for _ in 0..5_000 {
            publish(&mut stage);
        }
        assert_eq!(stage.hub.survey(stage.topic.id, stage.now).spilled_lanes, lanes as u64);
        (0..1_000).map(|_| publish(&mut stage)).sum::<u64>()
    };
    let [one, many] = [1, 10_000].map(cost);
    assert!(many <= one + one / 10, "{many} allocations for 10,000 lanes, and {one} for one");
    assert!(one < 500, "{one} allocations for a thousand messages: a batch for many, and next to nothing for each");
}

#[test]
fn lanes_that_spill_and_catch_up_leave_nothing_behind() {
    let namespace = Namespace::new("/a").topic("t").best_effort(Overflow::Spill).max_queued_messages(2);
    let mut stage = Stage::new(namespace, 10);
    let mut run = |rounds: u32| {
        for _ in 0..rounds {
            for _ in 0..10 {
                let message = stage.message(None);
                stage.publish(&message);
            }
            stage.drain();
            stage.now += Duration::from_millis(7);
            stage.hub.handle_timeout(stage.now);
            while stage.hub.resident() > 0 {
                stage.give_room();
                stage.drain();
            }
            stage.hub.expire(stage.now);
        }
    };
    run(500);
    let kept = allocation_counter::measure(|| run(5_000)).bytes_current;
    assert!(kept < 16_384, "{kept} bytes for what was spilled and sent");
}
