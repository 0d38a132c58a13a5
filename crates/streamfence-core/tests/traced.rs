//! What became of a recorded message is told once per client, however it leaves its lane.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, CloseReason, DeliveryOutcome, Epoch, GiveUpReason, Hub, LinkKey, Message,
    MessageId, Namespace, Offset, OnSubscribe, Overflow, Rejection, Room, SessionKey, TopicEntry, TraceContext,
    TracedDelivery, Transport, Wishes,
};

const ROOM: Room = Room { frames: 32, bytes: 1 << 16, is_empty: true };

struct Stage {
    hub: Hub,
    topic: Arc<TopicEntry>,
    link: LinkKey,
    session: SessionKey,
    now: Instant,
    offset: u64,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn new(namespace: Namespace) -> Self {
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("the catalog is valid"));
        let topic = catalog.entry(catalog.topics().next().expect("the namespace has a topic")).clone();
        let (mut hub, now) = (Hub::new(catalog, Epoch(7)), Instant::now());
        let link = hub.open(now);
        let session = hub.join(link, topic.class.namespace, ClientId([1; 12]), Transport::Other, now);
        let session = session.expect("the link is open");
        hub.subscribe(session, &topic, Wishes::default(), None, now);
        let mut stage = Self { hub, topic, link, session, now, offset: 0 };
        stage.room(ROOM);
        stage.room(Room::NONE);
        stage
    }

    fn room(&mut self, room: Room) {
        self.hub.handle_room(self.link, room, self.now);
        while self.hub.poll_output(self.now).is_some() {}
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.hub.handle_timeout(self.now);
        while self.hub.poll_output(self.now).is_some() {}
    }

    fn publish(&mut self, is_recorded: bool, ttl: Option<Duration>) -> MessageId {
        self.offset += 1;
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().expect("it is one");
        let message = Message {
            topic: self.topic.clone(),
            id: MessageId { epoch: Epoch(7), offset: Offset(self.offset) },
            key: None,
            published: self.now,
            expires: ttl.map(|ttl| self.now + ttl),
            trace: Some(Arc::new(TraceContext { is_recorded, ..context })),
            body: Body::plain("12345678".into()),
        };
        let message = Arc::new(message);
        let _ = self.hub.publish(&message, None, self.now);
        message.id
    }

    /// Which messages are told of, how often they were sent, and how they ended.
    fn told(&mut self) -> Vec<(u64, u32, DeliveryOutcome)> {
        let mut told = Vec::new();
        while let Some(delivery) = self.hub.poll_traced() {
            let TracedDelivery { id, attempts, outcome, sent, published, ended, .. } = *delivery;
            assert_eq!(sent.is_some(), attempts > 0, "what was sent was sent at some time");
            assert!(published <= sent.unwrap_or(ended) && sent.is_none_or(|sent| sent <= ended));
            assert_eq!(delivery.client, ClientId([1; 12]));
            told.push((id.offset.0, attempts, outcome));
        }
        told
    }
}

fn best_effort(overflow: Overflow) -> Namespace {
    Namespace::new("/feed").topic("tick").best_effort(overflow).max_queued_messages(2)
}

fn at_least_once() -> Namespace {
    let promise = AtLeastOnce::default().window(8).ack_timeout(Duration::from_secs(1)).max_retries(1);
    Namespace::new("/feed").topic("tick").at_least_once(promise)
}

#[test]
fn what_is_sent_once_ends_there() {
    let mut stage = Stage::new(best_effort(Overflow::RejectNew));
    stage.publish(true, None);
    stage.publish(false, None);
    stage.publish(true, None);
    assert_eq!(stage.told(), [(3, 0, DeliveryOutcome::Rejected(Rejection::Full))]);
    stage.room(ROOM);
    assert_eq!(stage.told(), [(1, 1, DeliveryOutcome::Sent)], "nobody records the second");
}

#[test]
fn what_gives_way_to_newer_messages_is_told_of() {
    let mut stage = Stage::new(best_effort(Overflow::DropOldest));
    for _ in 0..3 {
        stage.publish(true, None);
    }
    assert_eq!(stage.told(), [(1, 0, DeliveryOutcome::Displaced)]);
    let mut stage = Stage::new(best_effort(Overflow::SnapshotOnly));
    stage.publish(true, None);
    stage.publish(true, None);
    assert_eq!(stage.told(), [(1, 0, DeliveryOutcome::Coalesced)]);
    let mut stage = Stage::new(best_effort(Overflow::Coalesce));
    stage.publish(true, None);
    stage.publish(true, None);
    assert_eq!(stage.told(), [(1, 0, DeliveryOutcome::Coalesced)]);
}

#[test]
fn what_is_too_old_is_told_of() {
    let mut stage = Stage::new(best_effort(Overflow::DropOldest));
    stage.publish(true, Some(Duration::from_secs(1)));
    stage.pass(Duration::from_secs(2));
    stage.room(ROOM);
    assert_eq!(stage.told(), [(1, 0, DeliveryOutcome::Expired)]);
}

#[test]
fn what_is_acked_or_given_up_is_told_of_with_its_attempts() {
    let mut stage = Stage::new(at_least_once());
    stage.room(ROOM);
    let first = stage.publish(true, None);
    stage.publish(true, None);
    stage.room(ROOM);
    assert_eq!(stage.told(), [], "both are still on their way");
    let _ = stage.hub.handle_ack(stage.session, stage.topic.id, first, stage.now);
    assert_eq!(stage.told(), [(1, 1, DeliveryOutcome::Acked)]);
    for _ in 0..4 {
        stage.pass(Duration::from_secs(2));
        stage.room(ROOM);
    }
    assert_eq!(stage.told(), [(2, 2, DeliveryOutcome::GivenUp(GiveUpReason::Exhausted))]);
}

#[test]
fn what_a_newcomer_is_given_has_no_part_in_the_trace() {
    let mut stage = Stage::new(best_effort(Overflow::DropOldest).on_subscribe(OnSubscribe::Last));
    stage.publish(true, None);
    stage.room(ROOM);
    assert_eq!(stage.told().len(), 1);
    let client = ClientId([2; 12]);
    let newcomer = stage.hub.join(stage.link, stage.topic.class.namespace, client, Transport::Other, stage.now);
    stage.hub.subscribe(newcomer.expect("the link is open"), &stage.topic, Wishes::default(), None, stage.now);
    stage.room(ROOM);
    assert_eq!((stage.hub.stats(stage.topic.id).sent, stage.told()), (2, vec![]));
}

#[test]
fn what_a_client_leaves_behind_is_told_of() {
    let mut stage = Stage::new(at_least_once());
    let window = NonZeroU16::new(8);
    assert_eq!(stage.hub.session(stage.session).map(|s| s.lanes().map(|l| l.window().1).collect()), Some(vec![window]));
    stage.publish(true, None);
    stage.room(ROOM);
    stage.room(Room::NONE);
    stage.publish(true, None);
    stage.hub.close(stage.link, CloseReason::Client, stage.now);
    let abandoned = DeliveryOutcome::Abandoned;
    assert_eq!(stage.told(), [(1, 1, abandoned), (2, 0, abandoned)]);
}
