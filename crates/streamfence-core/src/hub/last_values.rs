//! The newest values of a topic, for whoever subscribes next.
//!
//! Only for topics that were asked to keep them. What is kept is a share in messages that were published anyway, and of
//! no more keys than [`VALUES_KEPT`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::Hub;
use crate::catalog::Class;
use crate::message::{Key, Message, MessageId, SessionKey};
use crate::namespace::OnSubscribe;
use crate::topic::TopicEntry;

/// Of how many keys a topic keeps the newest value; then the key gives way that was published least recently.
pub const VALUES_KEPT: usize = 10_000;
/// How many stale places are too few to be worth a look.
const SPARE_PLACES: usize = 16;

#[derive(Debug)]
pub(super) struct LastValues {
    /// Whether there is a value for each key; otherwise there is one.
    is_by_key: bool,
    newest: HashMap<Option<Key>, Arc<Message>>,
    /// Where each value stands in the topic's order. A place counts only while its message is the newest of its key.
    /// Invariant: a push leaves at most two per value, and `SPARE_PLACES`.
    order: VecDeque<(MessageId, Option<Key>)>,
}

impl LastValues {
    /// What a topic of this class has to remember; `None` is nothing.
    pub(super) fn of(class: &Class) -> Option<Self> {
        let is_by_key = class.policy.coalesces_by_key();
        (class.on_subscribe == OnSubscribe::Last && !class.is_removed).then(|| Self {
            is_by_key,
            newest: HashMap::new(),
            order: VecDeque::new(),
        })
    }

    pub(super) fn is_by_key(&self) -> bool {
        self.is_by_key
    }

    /// Takes in a message that was published to everyone.
    pub(super) fn remember(&mut self, message: &Arc<Message>) {
        let key = message.key.clone().filter(|_| self.is_by_key);
        self.order.push_back((message.id, key.clone()));
        // Whoever subscribes some day has no part in the trace of a publish that is long over.
        self.newest.insert(key, message.unrecorded());
        if self.newest.len() > VALUES_KEPT {
            while !self.forget_first() {}
        }
        self.forget_stale_places();
    }

    /// Forgets what is not worth sending any more, as far as that is what stands first.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(place) = self.order.front() {
            if is_newest(&self.newest, place) && !self.newest[&place.1].is_expired(now) {
                break;
            }
            self.forget_first();
        }
    }

    /// The values, in the topic's order.
    fn values(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.order.iter().filter(|place| is_newest(&self.newest, place)).map(|(_, key)| &self.newest[key])
    }

    /// Drops the places of older values, once those are at least half of all, so that a push pays for it.
    fn forget_stale_places(&mut self) {
        if self.order.len() <= 2 * self.newest.len() + SPARE_PLACES {
            return;
        }
        let newest = &self.newest;
        self.order.retain(|place| is_newest(newest, place));
    }

    /// Drops the first place, and says whether that was a value.
    fn forget_first(&mut self) -> bool {
        let place = self.order.pop_front().expect("every value has a place");
        is_newest(&self.newest, &place) && self.newest.remove(&place.1).is_some()
    }
}

fn is_newest(newest: &HashMap<Option<Key>, Arc<Message>>, (id, key): &(MessageId, Option<Key>)) -> bool {
    newest.get(key).is_some_and(|message| message.id == *id)
}

impl Hub {
    /// Offers a new lane what its topic remembers. What the lane has no place for is lost as anything else is: it is
    /// counted, and told where gaps are told, so that a client knows that its picture is not whole.
    pub(super) fn offer_last(&mut self, key: SessionKey, place: u32, topic: &Arc<TopicEntry>, now: Instant) {
        let Some(last) = &self.topics.open(topic).last else { return };
        let values: Vec<_> = last.values().filter(|message| !message.is_expired(now)).cloned().collect();
        for message in values {
            // Nobody waits for a report: whoever published it has had one.
            let _ = self.offer(key, place, &message, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::*;

    fn message(topic: &Arc<TopicEntry>, offset: u64, key: u64, now: Instant) -> Arc<Message> {
        expiring(topic, offset, key, now, None)
    }

    fn expiring(topic: &Arc<TopicEntry>, offset: u64, key: u64, now: Instant, secs: Option<u64>) -> Arc<Message> {
        Arc::new(Message {
            topic: topic.clone(),
            id: MessageId { epoch: Epoch(7), offset: Offset(offset) },
            key: Some(key.to_string().into()),
            published: now,
            expires: secs.map(|secs| now + Duration::from_secs(secs)),
            trace: None,
            body: Body::default(),
        })
    }

    fn remembering() -> (Arc<TopicEntry>, LastValues) {
        let namespace = Namespace::new("/a").topic("t").coalesce(true).on_subscribe(OnSubscribe::Last);
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let last = LastValues::of(&topic.class).expect("it remembers");
        (topic, last)
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn the_key_published_least_recently_gives_way_and_memory_has_an_end() {
        let ((topic, mut last), now) = (remembering(), Instant::now());
        let topic = &topic;
        let kept = VALUES_KEPT as u64;
        for key in 0..kept {
            last.remember(&message(topic, key + 1, key, now));
        }
        // Keys 0 and 1 are published again and again: they are not the ones to go.
        for round in 0..5 * kept {
            last.remember(&message(topic, kept + 1 + round, 1 - round % 2, now));
            assert!(last.order.len() <= 2 * VALUES_KEPT + SPARE_PLACES);
        }
        last.remember(&message(topic, 7 * kept, kept, now));
        let keys: Vec<_> =
            last.values().map(|message| message.key.as_deref().expect("each has one").to_owned()).collect();
        assert_eq!((keys.len(), last.newest.len()), (VALUES_KEPT, VALUES_KEPT));
        assert_eq!((keys[0].as_str(), keys[VALUES_KEPT - 2].as_str()), ("3", "0"), "key 2 has gone");
        let offsets: Vec<_> = last.values().map(|message| message.id.offset).collect();
        assert!(offsets.is_sorted(), "in the topic's order");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn what_stands_first_and_is_not_worth_sending_is_forgotten() {
        let ((topic, mut last), start) = (remembering(), Instant::now());
        for (offset, key, secs) in [(1, 0, Some(1)), (2, 1, Some(2)), (3, 2, None), (4, 0, Some(1))] {
            last.remember(&expiring(&topic, offset, key, start, secs));
        }
        let mut kept_after = |secs| {
            last.expire(start + Duration::from_secs(secs));
            assert_eq!(last.order.len(), last.newest.len(), "the place of the older value went first");
            last.values().map(|message| message.id.offset.0).collect::<Vec<_>>()
        };
        assert_eq!(kept_after(0), [2, 3, 4]);
        assert_eq!(kept_after(1), [2, 3, 4], "the last is behind others");
        assert_eq!(kept_after(2), [3, 4]);
        assert_eq!(kept_after(9), [3, 4]);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn the_tick_lets_go_of_what_nobody_would_be_sent_any_more() {
        let namespace = Namespace::new("/a").topic("t").on_subscribe(OnSubscribe::Last);
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let (mut hub, start) = (Hub::new(catalog, Epoch(7)), Instant::now());
        let message = expiring(&topic, 1, 0, start, Some(1));
        let _ = hub.publish(&message, None, start);
        hub.expire(start);
        assert_eq!(Arc::strong_count(&message), 2);
        hub.expire(start + Duration::from_secs(1));
        assert_eq!(Arc::strong_count(&message), 1);
    }
}
