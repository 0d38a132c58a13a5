//! Very many clients that are behind, over one store: what they cost, and that each has its messages in order.

#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use streamfence_core::{
    Body, Catalog, ClientId, Epoch, Hub, LinkKey, Message, MessageId, Namespace, NamespaceId, Offset, Output, Overflow,
    Room, SpillBackend, TopicId, Transmit, Transport, Wishes,
};
use streamfence_spill::{Store, StoreConfig};

const LANES: usize = 10_000;
const HELD: u32 = 16;
const MESSAGES: u64 = 20_000;
const TURNS: u64 = 3;
const MIB: u64 = 1 << 20;
const TOPIC: TopicId = TopicId { index: 0, generation: 0 };

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

struct Shard {
    hub: Hub,
    backend: Box<dyn SpillBackend>,
    waker: Waker,
    /// The offset of the last message each link has had, by the link's index.
    last: Vec<u64>,
    sent: u64,
}

impl Shard {
    /// Does what the hub says and takes what the store says, until neither says anything.
    fn pump(&mut self) {
        loop {
            let now = Instant::now();
            self.hub.handle_timeout(now);
            while let Some(output) = self.hub.poll_output(now) {
                match output {
                    Output::Transmit(link, mut batch) => {
                        for what in batch.drain(..) {
                            if let Transmit::Message { message, .. } = what {
                                let last = &mut self.last[link.index()];
                                assert_eq!(message.id.offset.0, *last + 1, "each gets all of it, in order");
                                *last += 1;
                                self.sent += 1;
                            }
                        }
                        self.hub.recycle(batch);
                    }
                    Output::Spill(command) => self.backend.submit(command).expect("a hub has few under way"),
                    _ => {}
                }
            }
            let mut is_quiet = true;
            while let Poll::Ready(completion) = self.backend.poll(&mut Context::from_waker(&self.waker)) {
                self.hub.handle_spill(completion, Instant::now());
                is_quiet = false;
            }
            if is_quiet {
                return;
            }
        }
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says what is resident");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("this is Linux").count()
}

#[test]
fn ten_thousand_clients_that_are_behind_cost_their_lanes_and_one_log() {
    let directory = tempfile::tempdir().expect("there is room");
    let config = StoreConfig { min_free_bytes: 0, ..StoreConfig::new(directory.path().join("spill")) };
    let store = Store::open(config).expect("nobody has it");
    let namespace = Namespace::new("/feed").topic("tick").best_effort(Overflow::Spill).max_queued_messages(HELD);
    let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
    let topic = catalog.entry(TOPIC).clone();
    let (mut hub, start) = (Hub::new(catalog, Epoch(7)), Instant::now());
    let links: Vec<LinkKey> = (0..LANES)
        .map(|index| {
            let mut client = [0; 12];
            client[..8].copy_from_slice(&index.to_be_bytes());
            let link = hub.open(start);
            let joined = hub.join(link, NamespaceId(0), ClientId(client), Transport::Other, start);
            hub.subscribe(joined.expect("the link is open"), &topic, Wishes::default(), None, start);
            // For the answer; then the client reads no more.
            hub.handle_room(link, Room { frames: 1, bytes: MIB, is_empty: true }, start);
            link
        })
        .collect();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut shard = Shard { hub, backend: store.backend(0, None), waker, last: vec![0; LANES], sent: 0 };
    shard.pump();
    let (memory, files) = (resident_bytes(), descriptors());

    let body: bytes::Bytes = vec![b'.'; 1024].into();
    for offset in 1..=MESSAGES {
        let id = MessageId { epoch: Epoch(7), offset: Offset(offset) };
        loop {
            let now = Instant::now();
            let body = Body::plain(bytes::Bytes::copy_from_slice(&body));
            let message =
                Message { topic: topic.clone(), id, key: None, published: now, expires: None, trace: None, body };
            let fanout = shard.hub.publish(&Arc::new(message), None, now);
            shard.pump();
            if fanout.rejected == 0 {
                assert_eq!(fanout.matched as usize, LANES);
                break;
            }
            // It is refused to all or to none, so it may be offered again.
            assert_eq!(fanout.admitted, 0);
            thread::park_timeout(Duration::from_millis(5));
            shard.pump();
        }
    }
    // Entries of lanes, the end of the log that is in memory, and what the store holds.
    let lanes = (LANES as u64) * (u64::from(HELD) * 64 + 1024);
    let grown = resident_bytes().saturating_sub(memory);
    assert!(grown < lanes + 64 * MIB, "{} MiB for {} MiB that are behind", grown / MIB, MESSAGES * LANES as u64 / 1024);
    assert!(descriptors() < files + 16, "{} files", descriptors() - files);

    for turn in 1..=TURNS {
        for link in &links {
            shard.hub.handle_room(*link, Room { frames: HELD, bytes: MIB, is_empty: true }, Instant::now());
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while shard.sent < turn * u64::from(HELD) * LANES as u64 {
            thread::park_timeout(Duration::from_millis(5));
            shard.pump();
            assert!(Instant::now() < deadline, "they are served: {} in turn {turn}", shard.sent);
        }
    }
    assert!(resident_bytes().saturating_sub(memory) < lanes + 128 * MIB, "what was read is let go of");
}
