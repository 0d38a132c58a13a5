//! Who counts as slow, and by what: only whoever does not take what could be sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::*;

/// One client that reads all it is sent, of a topic `held` with an interval of ten seconds and a topic `acked` at least once.
struct Stage {
    hub: Hub,
    link: LinkKey,
    session: SessionKey,
    now: Instant,
    offset: u64,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn new(promise: AtLeastOnce) -> Self {
        let namespace = Namespace::new("/a")
            .topic_with(Topic::new("held").best_effort(Overflow::SnapshotOnly).max_frequency(0.1))
            .topic_with(Topic::new("acked").at_least_once(promise));
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
        let (mut hub, now) = (Hub::new(catalog, Epoch(7)), Instant::now());
        let link = hub.open(now);
        let session =
            hub.join(link, NamespaceId(0), ClientId([0; 12]), Transport::WebSocket, now).expect("the link is open");
        let mut stage = Self { hub, link, session, now, offset: 0 };
        for topic in ["held", "acked"] {
            let topic = stage.topic(topic);
            stage.hub.subscribe(session, &topic, Wishes::default(), None, now);
        }
        stage.read();
        stage
    }

    fn topic(&self, name: &str) -> Arc<TopicEntry> {
        let catalog = self.hub.catalog();
        catalog.topics().map(|id| catalog.entry(id)).find(|topic| &*topic.name == name).expect("it is there").clone()
    }

    fn read(&mut self) {
        self.hub.handle_room(self.link, Room { frames: 99, bytes: 1 << 20, is_empty: true }, self.now);
        while self.hub.poll_output(self.now).is_some() {}
    }

    fn publish(&mut self, name: &str) -> MessageId {
        self.offset += 1;
        let id = MessageId { epoch: Epoch(7), offset: Offset(self.offset) };
        let (topic, body) = (self.topic(name), Body::plain((&b"x"[..]).into()));
        let message = Message { topic, id, key: None, published: self.now, expires: None, trace: None, body };
        let _ = self.hub.publish_to(self.session, &Arc::new(message), self.now);
        self.read();
        id
    }

    /// After so many seconds, in each of which it was looked at: whatever it was seen by, without repeats.
    fn seen_within(&mut self, seconds: u32) -> Vec<SlowReason> {
        let mut seen = Vec::new();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.hub.handle_timeout(self.now);
            self.hub.expire(self.now);
            let detail = self.hub.client(self.session, self.now).expect("it is here");
            seen.extend(detail.summary.figures.slow.map(|slow| slow.reason));
            self.read();
        }
        seen.dedup();
        seen
    }
}

#[test]
fn a_value_that_waits_for_its_interval_makes_nobody_slow() {
    let mut stage = Stage::new(AtLeastOnce::default());
    stage.publish("held");
    stage.publish("held");
    assert_eq!(stage.seen_within(30), []);
}

#[test]
fn an_ack_that_is_owed_makes_slow_and_a_message_that_was_put_off_does_not() {
    let patient = AtLeastOnce::default().window(4).ack_timeout(Duration::from_secs(8)).backoff(2.0, Duration::MAX);
    let mut stage = Stage::new(patient);
    stage.publish("acked");
    assert_eq!(stage.seen_within(5), []);
    assert_eq!(stage.seen_within(1), [SlowReason::Age], "whether or not it is due again");
    // With a window of one, the nack leaves nothing to be acked.
    for window in [1, 4] {
        let mut stage = Stage::new(patient.window(window));
        let (id, topic) = (stage.publish("acked"), stage.topic("acked").id);
        let delay = Duration::from_secs(20);
        assert_eq!(stage.hub.handle_nack(stage.session, topic, id, delay, stage.now), Some(AckOutcome::Nacked));
        assert_eq!(stage.seen_within(20), []);
    }
}

#[test]
fn who_owes_acks_is_told_by_the_age_of_that_lane_alone() {
    let patient = AtLeastOnce::default().window(1).ack_timeout(Duration::from_secs(60));
    let mut stage = Stage::new(patient);
    stage.publish("held");
    stage.publish("held");
    let (mut id, topic) = (stage.publish("acked"), stage.topic("acked").id);
    // Each is acked within two seconds, while a value is held in the other lane for ten.
    for _ in 0..4 {
        assert_eq!(stage.seen_within(2), []);
        assert_eq!(stage.hub.handle_ack(stage.session, topic, id, stage.now), Some(AckOutcome::Released));
        id = stage.publish("acked");
    }
    assert_eq!(stage.seen_within(9), [SlowReason::Unacked], "it acks no more");
}
