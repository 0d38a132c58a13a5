//! The order of what has spilled, whatever happens meanwhile: every short story of two lanes is played.

use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::testing::disk::SimDisk;
use streamfence_core::{
    Body, Catalog, ClientId, Epoch, Hub, LinkKey, Message, MessageId, Namespace, NamespaceId, Offset, Output, Room,
    SessionKey, SpillLimits, TopicEntry, Transmit, Transport, Wishes,
};

use crate::{lossless, spilling};

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    PublishToAnn,
    AnnReads,
    BobReads,
    /// Time passes, and the disk does one thing.
    Disk,
}

const STEPS: [Step; 5] = [Step::Publish, Step::PublishToAnn, Step::AnnReads, Step::BobReads, Step::Disk];
const EPOCH: Epoch = Epoch(7);

struct Client {
    link: LinkKey,
    session: SessionKey,
    owed: Vec<u64>,
    heard: Vec<u64>,
}

struct Story {
    hub: Hub,
    disk: SimDisk,
    topic: Arc<TopicEntry>,
    now: Instant,
    offset: u64,
    clients: [Client; 2],
}

impl Story {
    fn new(catalog: &Arc<Catalog>, now: Instant) -> Self {
        let mut hub = Hub::new(catalog.clone(), EPOCH);
        // Nothing stays in memory that is written, and it is written soon: so much is read back.
        hub.limit_spills(SpillLimits { tail_bytes: 0, open_bytes: 0, append_bytes: 0, ..SpillLimits::default() });
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let clients = [1, 2].map(|name| {
            let link = hub.open(now);
            let joined = hub.join(link, NamespaceId(0), ClientId([name; 12]), Transport::Other, now);
            let session = joined.expect("the link is open");
            hub.subscribe(session, &topic, Wishes::default(), None, now);
            hub.handle_room(link, Room { frames: 9, bytes: 1 << 20, is_empty: true }, now);
            Client { link, session, owed: Vec::new(), heard: Vec::new() }
        });
        let mut story = Self { hub, disk: SimDisk::new(1 << 30, 1 << 20), topic, now, offset: 0, clients };
        story.listen();
        for client in 0..2 {
            story.hub.handle_room(story.clients[client].link, Room::NONE, now);
        }
        story
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Publish => {
                let message = self.message();
                let _ = self.hub.publish(&message, None, self.now);
                self.clients.iter_mut().for_each(|client| client.owed.push(message.id.offset.0));
            }
            Step::PublishToAnn => {
                let message = self.message();
                let _ = self.hub.publish_to(self.clients[0].session, &message, self.now);
                self.clients[0].owed.push(message.id.offset.0);
            }
            Step::AnnReads => self.read(0),
            Step::BobReads => self.read(1),
            Step::Disk => {
                self.now += Duration::from_millis(20);
                self.hub.handle_timeout(self.now);
                self.listen();
                self.run_disk(1);
            }
        }
        self.listen();
    }

    fn message(&mut self) -> Arc<Message> {
        self.offset += 1;
        let id = MessageId { epoch: EPOCH, offset: Offset(self.offset) };
        let (topic, body) = (self.topic.clone(), Body::plain("hello".into()));
        Arc::new(Message { topic, id, key: None, published: self.now, expires: None, trace: None, body })
    }

    /// A client reads one message, and acks all it has heard where that is wanted.
    fn read(&mut self, client: usize) {
        let Client { link, session, heard, .. } = &self.clients[client];
        if let Some(&last) = heard.last() {
            let id = MessageId { epoch: EPOCH, offset: Offset(last) };
            let _ = self.hub.handle_ack_up_to(*session, self.topic.id, id, self.now);
        }
        self.hub.handle_room(*link, Room { frames: 1, bytes: 1 << 20, is_empty: false }, self.now);
    }

    fn run_disk(&mut self, most: usize) {
        for _ in 0..most {
            if self.disk.choices() > 0 {
                for answer in self.disk.carry_out(self.disk.choices() - 1) {
                    self.hub.handle_spill(answer, self.now);
                }
                self.listen();
            }
        }
    }

    fn listen(&mut self) {
        while let Some(output) = self.hub.poll_output(self.now) {
            match output {
                Output::Transmit(link, batch) => {
                    let client = self.clients.iter_mut().find(|client| client.link == link).expect("it is one of two");
                    for what in batch {
                        if let Transmit::Message { message, attempt: 1, .. } = what {
                            client.heard.push(message.id.offset.0);
                        }
                    }
                }
                Output::Spill(command) => self.disk.submit(command),
                _ => {}
            }
        }
    }

    /// Everybody reads all there is, and nothing is missing, twice there, or out of order.
    fn end(&mut self) {
        for _ in 0..2 * self.offset + 2 {
            self.play(Step::Disk);
            self.run_disk(99);
            self.play(Step::AnnReads);
            self.play(Step::BobReads);
        }
        self.hub.check();
        for client in &self.clients {
            assert_eq!(client.heard, client.owed);
        }
        assert_eq!(self.hub.in_memory(), self.hub.resident(), "nothing is left on disk");
    }
}

/// Plays all stories of a length that begin with a publish, since nothing else begins anything; says how much was read.
fn play_all(namespace: Namespace, length: u32) -> u64 {
    let namespace = namespace.max_queued_messages(1);
    let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    let now = Instant::now();
    let mut reads = 0;
    for number in 0..(STEPS.len() as u64).pow(length - 1) {
        let mut story = Story::new(&catalog, now);
        let mut steps = vec![Step::Publish];
        let mut rest = number;
        for _ in 1..length {
            steps.push(STEPS[(rest % STEPS.len() as u64) as usize]);
            rest /= STEPS.len() as u64;
        }
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for &step in &steps {
                story.play(step);
            }
            story.hub.check();
            story.end();
        }));
        assert!(played.is_ok(), "in the story {steps:?}");
        reads += story.disk.reads;
    }
    reads
}

#[test]
fn every_story_of_two_lanes_keeps_the_order() {
    for length in 1..=8 {
        let reads = play_all(spilling(), length);
        assert!(length < 8 || reads > 100_000, "only {reads} reads: these are no stories of a disk");
    }
}

#[test]
fn every_story_of_two_lanes_that_wait_for_acks_keeps_the_order() {
    for length in 1..=7 {
        play_all(lossless(1), length);
    }
}
