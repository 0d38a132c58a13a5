//! How long messages waited, as the books tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::*;

use crate::{at_least_once, best_effort};

/// A hub, a client of it that has room, and its topic, at an instant.
struct Scene {
    hub: Hub,
    topic: Arc<TopicEntry>,
    start: Instant,
}

impl Scene {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn new(namespace: Namespace) -> Self {
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        Self { hub: Hub::new(Arc::new(catalog), Epoch(7)), topic, start: Instant::now() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn subscribe(&mut self, client: u8, frames: u32, ms: u64) -> (LinkKey, SessionKey) {
        let now = self.at(ms);
        let link = self.hub.open(now);
        let joined = self.hub.join(link, NamespaceId(0), ClientId([client; 12]), Transport::Other, now);
        let session = joined.expect("the link is open");
        self.hub.subscribe(session, &self.topic, Wishes::default(), None, now);
        self.room(link, frames, ms);
        (link, session)
    }

    fn room(&mut self, link: LinkKey, frames: u32, ms: u64) {
        let now = self.at(ms);
        self.hub.handle_room(link, Room { frames, bytes: 1 << 20, is_empty: true }, now);
        self.send(ms);
    }

    fn publish(&mut self, offset: u64, ms: u64) -> MessageId {
        let (id, now) = (MessageId { epoch: Epoch(7), offset: Offset(offset) }, self.at(ms));
        let (topic, body) = (self.topic.clone(), Body::plain("hello".into()));
        let message = Message { topic, id, key: None, published: now, expires: None, trace: None, body };
        let _ = self.hub.publish(&Arc::new(message), None, now);
        self.send(ms);
        id
    }

    fn send(&mut self, ms: u64) {
        let now = self.at(ms);
        self.hub.handle_timeout(now);
        while self.hub.poll_output(now).is_some() {}
    }

    /// How many there were, and how long they took in all, in milliseconds: until they were sent, and until they were
    /// acked.
    fn waits(&self) -> [(u64, u64); 2] {
        let stats = self.hub.stats(self.topic.id);
        [stats.sent_after, stats.acked_after].map(|delays| (delays.total(), delays.sum_us / 1_000))
    }
}

#[test]
fn a_message_waits_from_when_it_is_published_until_there_is_room() {
    let mut scene = Scene::new(best_effort(Overflow::RejectNew));
    let (link, _) = scene.subscribe(1, 3, 0);
    scene.publish(1, 0);
    scene.publish(2, 100);
    assert_eq!(scene.waits(), [(1, 0), (0, 0)]);
    scene.room(link, 1, 850);
    assert_eq!(scene.waits(), [(2, 750), (0, 0)]);
}

#[test]
fn an_ack_takes_from_the_first_time_a_message_is_sent() {
    let mut scene = Scene::new(at_least_once(3));
    let (_, session) = scene.subscribe(1, 9, 0);
    let ids = [1, 2, 3].map(|offset| scene.publish(offset, 0));
    scene.hub.handle_ack(session, scene.topic.id, ids[0], scene.at(30));
    assert_eq!(scene.waits(), [(3, 0), (1, 30)]);
    scene.send(1_500);
    assert_eq!(scene.hub.stats(scene.topic.id).retries, 2);
    assert_eq!(scene.waits(), [(3, 0), (1, 30)], "a retry is no first send");
    // Twice is once.
    for _ in 0..2 {
        scene.hub.handle_ack_up_to(session, scene.topic.id, ids[2], scene.at(1_600));
    }
    assert_eq!(scene.waits(), [(3, 0), (3, 30 + 2 * 1_600)]);
}

#[test]
fn what_a_newcomer_is_told_of_the_past_has_waited_for_nobody() {
    let mut scene = Scene::new(best_effort(Overflow::RejectNew).on_subscribe(OnSubscribe::Last));
    scene.publish(1, 0);
    scene.subscribe(1, 9, 60_000);
    assert_eq!((scene.hub.stats(scene.topic.id).sent, scene.waits()), (1, [(0, 0), (0, 0)]));
    scene.publish(2, 60_000);
    assert_eq!((scene.hub.stats(scene.topic.id).sent, scene.waits()), (2, [(1, 0), (0, 0)]));
}
