//! What a message costs per session: published, sent, acked, on a shard of 10,000 clients.
//!
//! `cargo bench -p streamfence-core`; the throughput column is sessions per second.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, Epoch, Hub, LinkKey, LogPosition, Message, MessageId, Namespace, NamespaceId,
    Offset, Output, Overflow, Room, SessionKey, SpillCommand, SpillCompletion, TopicId, Transport, Wishes,
};

const SESSIONS: usize = 10_000;
const EPOCH: Epoch = Epoch(7);
const TOPIC: TopicId = TopicId { index: 0, generation: 0 };
const PLENTY: Room = Room { frames: 1_000, bytes: 1 << 20, is_empty: true };

fn main() {
    divan::main();
}

/// A message is published to all sessions of the shard, whose links have no room.
#[divan::bench(args = [Overflow::DropOldest, Overflow::Coalesce, Overflow::SnapshotOnly])]
fn publish(bencher: Bencher<'_, '_>, overflow: Overflow) {
    let mut shard = Shard::new(Namespace::new("/a").topic("t").best_effort(overflow));
    shard.warm_up();
    shard.give_room(Room::NONE);
    bencher.counter(ItemsCount::new(SESSIONS)).bench_local(|| shard.publish());
}

/// A message that waits for all of them leaves.
#[divan::bench]
fn poll(bencher: Bencher<'_, '_>) {
    let shard = std::cell::RefCell::new(Shard::new(Namespace::new("/a").topic("t")));
    shard.borrow_mut().warm_up();
    let waiting = || {
        let mut shard = shard.borrow_mut();
        shard.give_room(PLENTY);
        shard.publish();
    };
    bencher.counter(ItemsCount::new(SESSIONS)).with_inputs(waiting).bench_local_values(|()| shard.borrow_mut().drain());
}

/// All links say that they have room again.
#[divan::bench]
fn room(bencher: Bencher<'_, '_>) {
    let mut shard = Shard::new(Namespace::new("/a").topic("t"));
    shard.warm_up();
    bencher.counter(ItemsCount::new(SESSIONS)).bench_local(|| shard.give_room(PLENTY));
}

/// A message is published to all, leaves, and is acked by all.
#[divan::bench(args = [1, 32])]
fn ack_round_trip(bencher: Bencher<'_, '_>, window: u16) {
    let promise = AtLeastOnce::default().window(window);
    let mut shard = Shard::new(Namespace::new("/a").topic("t").at_least_once(promise));
    shard.warm_up();
    bencher.counter(ItemsCount::new(SESSIONS)).bench_local(|| {
        let id = shard.publish();
        assert_eq!(shard.drain(), SESSIONS);
        shard.ack(id);
    });
}

/// A message is published to so many lanes that have spilled, and written; the throughput column is messages.
#[divan::bench(args = [1, 10_000])]
fn publish_spilled(bencher: Bencher<'_, '_>, lanes: usize) {
    let namespace = Namespace::new("/a").topic("t").best_effort(Overflow::Spill).max_queued_messages(1);
    let mut shard = Shard::of(namespace, lanes);
    shard.give_room(Room::NONE);
    for _ in 0..10_000 {
        shard.publish();
        shard.drain();
    }
    bencher.counter(ItemsCount::new(1_000_usize)).bench_local(|| {
        for _ in 0..1_000 {
            shard.publish();
            shard.drain();
        }
    });
}

struct Shard {
    hub: Hub,
    clients: Vec<(LinkKey, SessionKey)>,
    now: Instant,
    offset: u64,
    body: Bytes,
}

impl Shard {
    fn new(namespace: Namespace) -> Self {
        Self::of(namespace, SESSIONS)
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn of(namespace: Namespace, sessions: usize) -> Self {
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("the catalog is valid"));
        let (mut hub, now) = (Hub::new(catalog, EPOCH), Instant::now());
        let clients = (0..sessions).map(|index| {
            let mut client = [0; 12];
            client[..8].copy_from_slice(&index.to_be_bytes());
            let link = hub.open(now);
            let joined = hub.join(link, NamespaceId(0), ClientId(client), Transport::Other, now);
            (link, joined.expect("the link is open"))
        });
        let clients: Vec<_> = clients.collect();
        let topic = hub.catalog().entry(TOPIC).clone();
        // Neighbours in memory do not subscribe one after the other.
        for index in 0..sessions {
            hub.subscribe(clients[index * 7_919 % sessions].1, &topic, Wishes::default(), None, now);
        }
        Self { hub, clients, now, offset: 0, body: Bytes::from(vec![b'.'; 256]) }
    }

    /// Brings every buffer to its size.
    fn warm_up(&mut self) {
        for _ in 0..8 {
            self.give_room(PLENTY);
            let ids = [(); 4].map(|()| self.publish());
            self.drain();
            for id in ids {
                self.ack(id);
                self.drain();
            }
        }
        self.give_room(PLENTY);
    }

    fn publish(&mut self) -> MessageId {
        self.offset += 1;
        let id = MessageId { epoch: EPOCH, offset: Offset(self.offset) };
        let body = Body::plain(self.body.clone());
        let message = Arc::new(Message {
            topic: self.hub.catalog().entry(TOPIC).clone(),
            id,
            key: None,
            published: self.now,
            expires: None,
            trace: None,
            body,
        });
        let fanout = self.hub.publish(&message, None, self.now);
        assert_eq!((fanout.matched as usize, fanout.rejected), (self.clients.len(), 0));
        id
    }

    fn give_room(&mut self, room: Room) {
        for &(link, _) in &self.clients {
            self.hub.handle_room(link, room, self.now);
        }
    }

    /// Takes all outputs, and says how many things were said.
    fn drain(&mut self) -> usize {
        let mut said = 0;
        while let Some(output) = self.hub.poll_output(self.now) {
            match output {
                Output::Transmit(_, mut batch) => {
                    said += batch.len();
                    batch.clear();
                    self.hub.recycle(batch);
                }
                // The disk has room for everything and forgets it at once: nobody reads.
                Output::Spill(SpillCommand::Open { log, .. }) => {
                    self.hub.handle_spill(SpillCompletion::Granted { log, bytes: 1 << 50 }, self.now);
                }
                Output::Spill(SpillCommand::Append { log, records }) => {
                    let upto = LogPosition(records.last().expect("an append is something").position.0 + 1);
                    self.hub.handle_spill(SpillCompletion::Appended { log, upto }, self.now);
                }
                _ => {}
            }
        }
        said
    }

    fn ack(&mut self, id: MessageId) {
        for &(_, session) in &self.clients {
            self.hub.handle_ack(session, TOPIC, id, self.now);
        }
    }
}
