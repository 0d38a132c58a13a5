//! What it costs to bring 10,000 clients forward, each of which is behind in a place of its own: CPU time of the whole
//! process for each message that a lane gets from disk, beside what the same message costs a lane that has it in memory.
//!
//! `cargo bench -p streamfence-spill --bench lanes [-- DIRECTORY]`. The best of some rounds counts.

#![expect(clippy::print_stdout, reason = "a report")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use streamfence_core::{
    Body, Catalog, ClientId, Epoch, Fanout, Hub, LinkKey, Message, MessageId, Namespace, NamespaceId, Offset, Output,
    Overflow, Room, SessionKey, SpillBackend, TopicId, Transport, Wishes,
};
use streamfence_spill::{Store, StoreConfig};

const LANES: usize = 10_000;
/// How many messages are published from one lane's first to the next one's.
const APART: usize = 4;
/// How many messages each client takes in a turn: half of what its lane holds.
const TURN: u32 = 32;
const TURNS: usize = 10;
const ROUNDS: usize = 3;
const TARGET_NS: f64 = 120.0;
const TOPIC: TopicId = TopicId { index: 0, generation: 0 };

fn main() {
    let root = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let root = tempfile::tempdir_in(root.unwrap_or_else(std::env::temp_dir)).expect("the directory can be written to");
    let (mut disk, mut memory) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        disk = disk.min(from_disk(root.path()));
        memory = memory.min(from_memory(root.path()));
    }
    println!("a message of 1 KiB to each of {LANES} lanes, {APART} messages apart, CPU ns a lane and message");
    println!("sent from memory            {memory:>8.1}");
    println!("sent after a refill         {disk:>8.1}");
    let refill = disk - memory;
    let verdict = if refill <= TARGET_NS { "" } else { "  missed" };
    println!("so the refill costs         {refill:>8.1}   wanted {TARGET_NS}{verdict}");
}

/// Lanes that are behind take what they missed, a turn each after the other.
fn from_disk(path: &Path) -> f64 {
    let mut shard = Shard::new(path);
    for lane in 0..LANES {
        shard.subscribe(lane);
        for _ in 0..APART {
            let _ = shard.publish();
            shard.pump(|_| true);
        }
    }
    // The last of them has as much to take as there are turns for.
    for _ in 0..(TURNS + 2) * TURN as usize {
        let _ = shard.publish();
        shard.pump(|_| true);
    }
    // What it has in memory goes first, and makes place for what is read back.
    shard.turn();
    let begun = cpu_time();
    for _ in 0..TURNS {
        shard.turn();
    }
    per_message(begun)
}

/// Lanes that have it all in memory, beside.
fn from_memory(path: &Path) -> f64 {
    let mut shard = Shard::new(path);
    (0..LANES).for_each(|lane| shard.subscribe(lane));
    let mut cpu = Duration::ZERO;
    for _ in 0..TURNS {
        for _ in 0..TURN {
            assert_eq!(shard.publish().spilled, 0, "it fits");
        }
        let begun = cpu_time();
        shard.turn();
        cpu += cpu_time().saturating_sub(begun);
    }
    per_message(cpu_time().saturating_sub(cpu))
}

fn per_message(begun: Duration) -> f64 {
    cpu_time().saturating_sub(begun).as_nanos() as f64 / (LANES * TURNS * TURN as usize) as f64
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A hub and its store, driven as a shard does it.
struct Shard {
    hub: Hub,
    clients: Vec<(LinkKey, SessionKey)>,
    /// Last, so that it outlives its backend.
    backend: Box<dyn SpillBackend>,
    _store: Store,
    waker: Waker,
    body: Bytes,
    offset: u64,
    sent: usize,
}

impl Shard {
    fn new(path: &Path) -> Self {
        let namespace = Namespace::new("/feed").topic("tick").best_effort(Overflow::Spill);
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let (mut hub, now) = (Hub::new(Arc::new(catalog), Epoch(7)), Instant::now());
        let clients = (0..LANES).map(|index| {
            let mut client = [0; 12];
            client[..8].copy_from_slice(&index.to_be_bytes());
            let link = hub.open(now);
            let joined = hub.join(link, NamespaceId(0), ClientId(client), Transport::Other, now);
            (link, joined.expect("the link is open"))
        });
        let clients = clients.collect();
        let config = StoreConfig { min_free_bytes: 0, ..StoreConfig::new(path.join("spill")) };
        let store = Store::open(config).expect("it is ours");
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let body = vec![b'.'; 1024].into();
        Self { hub, clients, backend: store.backend(0, None), _store: store, waker, body, offset: 0, sent: 0 }
    }

    /// Subscribes the next client; neighbours in memory do not come one after the other.
    fn subscribe(&mut self, lane: usize) {
        let (link, session) = self.clients[lane * 7_919 % LANES];
        let (topic, now) = (self.hub.catalog().entry(TOPIC).clone(), Instant::now());
        self.hub.subscribe(session, &topic, Wishes::default(), None, now);
        self.hub.handle_room(link, Room { frames: 1, bytes: 1 << 20, is_empty: true }, now);
        self.pump(|_| true);
    }

    /// Publishes until one is taken by all: a disk that cannot keep up for a moment is not what is measured.
    fn publish(&mut self) -> Fanout {
        loop {
            self.offset += 1;
            let now = Instant::now();
            let message = Arc::new(Message {
                topic: self.hub.catalog().entry(TOPIC).clone(),
                id: MessageId { epoch: Epoch(7), offset: Offset(self.offset) },
                key: None,
                published: now,
                expires: None,
                trace: None,
                body: Body::plain(self.body.clone()),
            });
            let fanout = self.hub.publish(&message, None, now);
            if fanout.rejected == 0 {
                return fanout;
            }
            thread::park_timeout(Duration::from_millis(20));
            self.pump(|_| true);
        }
    }

    /// Every client takes as many messages as fit a turn.
    fn turn(&mut self) {
        let wanted = self.sent + LANES * TURN as usize;
        let room = Room { frames: TURN, bytes: 1 << 20, is_empty: true };
        let now = Instant::now();
        for index in 0..LANES {
            self.hub.handle_room(self.clients[index].0, room, now);
        }
        self.pump(|shard| {
            if shard.sent < wanted {
                thread::park_timeout(Duration::from_millis(20));
            }
            shard.hear();
            shard.sent >= wanted
        });
        assert_eq!(self.sent, wanted, "each has had its turn");
    }

    /// Does what the hub says, until `is_done` says so when it says nothing.
    fn pump(&mut self, mut is_done: impl FnMut(&mut Self) -> bool) {
        loop {
            let now = Instant::now();
            self.hub.handle_timeout(now);
            while let Some(output) = self.hub.poll_output(now) {
                match output {
                    Output::Transmit(_, batch) => {
                        self.sent += batch.len();
                        self.hub.recycle(batch);
                    }
                    Output::Spill(command) => self.backend.submit(command).expect("there is room"),
                    _ => {}
                }
            }
            if self.hear() {
                continue;
            }
            if is_done(self) {
                return;
            }
        }
    }

    /// Takes what the store has to say, and says whether that was anything.
    fn hear(&mut self) -> bool {
        let mut any = false;
        while let Poll::Ready(completion) = self.backend.poll(&mut Context::from_waker(&self.waker)) {
            self.hub.handle_spill(completion, Instant::now());
            any = true;
        }
        any
    }
}
