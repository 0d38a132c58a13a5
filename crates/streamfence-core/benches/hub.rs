//! What a message costs per session: published, sent, acked, on a shard of 10,000 clients.
//!
//! `cargo bench -p streamfence-core`; the throughput column is sessions per second.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, Epoch, Hub, LinkKey, Message, MessageId, Namespace, NamespaceId, Offset,
    Output, Overflow, Room, SessionKey, TopicId, Transport, Wishes,
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

struct Shard {
    hub: Hub,
    clients: Vec<(LinkKey, SessionKey)>,
    now: Instant,
    offset: u64,
    body: Bytes,
}

impl Shard {
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn new(namespace: Namespace) -> Self {
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("the catalog is valid"));
        let (mut hub, now) = (Hub::new(catalog, EPOCH), Instant::now());
        let clients = (0..SESSIONS).map(|index| {
            let mut client = [0; 12];
            client[..8].copy_from_slice(&index.to_be_bytes());
            let link = hub.open(now);
            let joined = hub.join(link, NamespaceId(0), ClientId(client), Transport::Other, now);
            (link, joined.expect("the link is open"))
        });
        let clients: Vec<_> = clients.collect();
        let topic = hub.catalog().entry(TOPIC).clone();
        // Neighbours in memory do not subscribe one after the other.
        for index in 0..SESSIONS {
            hub.subscribe(clients[index * 7_919 % SESSIONS].1, &topic, Wishes::default(), None, now);
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
            body,
        });
        let fanout = self.hub.publish(&message, None, self.now);
        assert_eq!(fanout.matched as usize, SESSIONS);
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
            if let Output::Transmit(_, mut batch) = output {
                said += batch.len();
                batch.clear();
                self.hub.recycle(batch);
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
