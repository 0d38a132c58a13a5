//! Acks of what never was: whose are held against them, and whose are not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::{
    AckOutcome, Body, Catalog, ClientId, CloseReason, Epoch, Event, Hub, LinkKey, Message, MessageId, Namespace,
    Offset, Output, SessionKey, TopicEntry, Transport, UnsubscribeReason, Wishes,
};

use crate::both;

/// Free in any case, and what `both` may have on the way: a window of 2, each sent twice.
const FREE: u32 = 1_000 + 2 * 2;
const EPOCH: Epoch = Epoch(7);

struct Court {
    hub: Hub,
    now: Instant,
    link: LinkKey,
    session: SessionKey,
}

impl Court {
    #[expect(clippy::disallowed_methods, reason = "a hub begins at some instant; only differences show")]
    fn new(namespace: Namespace) -> Self {
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let namespace = catalog.namespace("/a").expect("it was just added");
        let (mut hub, now) = (Hub::new(Arc::new(catalog), EPOCH), Instant::now());
        let link = hub.open(now);
        let session = hub.join(link, namespace, ClientId([1; 12]), Transport::Other, now).expect("the link is open");
        Self { hub, now, link, session }
    }

    fn topic(&self, name: &str) -> Arc<TopicEntry> {
        let namespace = self.hub.catalog().namespace("/a").expect("there is one");
        self.hub.catalog().entry(self.hub.catalog().topic(namespace, name).expect("it is there")).clone()
    }

    fn publish(&mut self, topic: &str, offset: u64) {
        let id = MessageId { epoch: EPOCH, offset: Offset(offset) };
        let (topic, body) = (self.topic(topic), Body::plain("x".into()));
        let message = Message { topic, id, key: None, published: self.now, expires: None, trace: None, body };
        let _ = self.hub.publish(&Arc::new(message), None, self.now);
    }

    fn ack(&mut self, topic: &str, epoch: Epoch, offset: u64) -> Option<AckOutcome> {
        let (topic, id) = (self.topic(topic).id, MessageId { epoch, offset: Offset(offset) });
        self.hub.handle_ack(self.session, topic, id, self.now)
    }

    fn is_in(&self) -> bool {
        self.hub.session(self.session).is_some()
    }

    fn ended(&mut self) -> Option<CloseReason> {
        let (session, link) = (self.session, self.link);
        let mut told = None;
        while let Some(output) = self.hub.poll_output(self.now) {
            match output {
                Output::Disconnect { session: whose, link: where_to, reason, .. } => {
                    assert_eq!((whose, where_to), (session, link));
                    told = Some(reason);
                }
                Output::Event(Event::Disconnected { reason, .. }) => assert_eq!(reason, CloseReason::UnknownAcks),
                _ => {}
            }
        }
        told
    }
}

#[test]
fn made_up_acks_cost_the_session_when_they_are_too_many() {
    for topic in ["t", "u"] {
        let mut court = Court::new(both());
        for number in 0..FREE {
            let outcome = court.ack(topic, EPOCH, 1 + u64::from(number));
            assert_eq!(outcome, Some(AckOutcome::Foreign), "it is not subscribed, and nothing was published");
        }
        assert!(court.is_in());
        court.ack(topic, EPOCH, 1);
        assert!(!court.is_in());
        assert_eq!(court.ended(), Some(CloseReason::UnknownAcks));
        assert_eq!(court.ack(topic, EPOCH, 1), None, "who is gone is not heard");
    }
    let mut court = Court::new(both());
    court.hub.handle_stray_acks(court.session, FREE, court.now);
    assert!(court.is_in());
    court.hub.handle_stray_acks(court.session, 1, court.now);
    assert_eq!(court.ended(), Some(CloseReason::UnknownAcks));
    court.hub.handle_stray_acks(court.session, u32::MAX, court.now);
}

#[test]
fn made_up_acks_are_forgotten_by_the_minute() {
    let mut court = Court::new(both());
    for _ in 0..5 {
        court.hub.handle_stray_acks(court.session, FREE, court.now);
        court.now += Duration::from_secs(60);
    }
    assert!(court.is_in());
}

/// Late, twice, for another subscription than this one, for a topic it has left, for messages that want no ack.
#[test]
fn acks_of_what_was_are_held_against_nobody() {
    let mut court = Court::new(both());
    for topic in ["t", "u"] {
        court.publish(topic, 1);
        for _ in 0..2 {
            for _ in 0..=FREE {
                court.ack(topic, EPOCH, 1);
            }
            let entry = court.topic(topic);
            court.hub.subscribe(court.session, &entry, Wishes::default(), None, court.now);
            for _ in 0..=FREE {
                court.ack(topic, EPOCH, 1);
            }
            court.hub.unsubscribe(court.session, &entry, UnsubscribeReason::Client, None, court.now);
        }
    }
    assert!(court.is_in());
    // What comes next has not been.
    for _ in 0..=FREE {
        court.ack("t", EPOCH, 2);
    }
    assert!(!court.is_in());
}

/// What a client has from a server that is gone it may ack to the next one: as much of it as could be in flight.
#[test]
fn acks_from_before_a_restart_are_as_many_as_could_be_on_the_way() {
    let mut court = Court::new(both());
    court.publish("u", 9);
    for _ in 0..FREE {
        court.ack("u", Epoch(6), 5);
    }
    assert!(court.is_in());
    court.ack("u", Epoch(6), 5);
    assert!(!court.is_in());
}
