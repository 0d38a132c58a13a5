//! Who is subscribed to what on one shard: the topic index of a hub.
//!
//! Never a delivery rule.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::last_values::LastValues;
use crate::catalog::Catalog;
use crate::message::{Epoch, Message, Offset, Position, SessionKey, TopicId};
use crate::topic::TopicEntry;

/// The seats of every topic.
#[derive(Debug)]
pub(super) struct Topics {
    /// Those of the catalog, by class.
    fixed: Vec<Seats>,
    /// Those made from patterns that are held by anybody.
    made: BTreeMap<TopicId, Made>,
    /// The life of the logs of a shard whose topics nobody has published to yet.
    epoch: Epoch,
}

/// Who is subscribed to a topic.
#[derive(Debug)]
pub(super) struct Seats {
    /// Each lane of the topic, by its session and its place there. A lane knows its seat, so leaving is a swap.
    pub(super) lanes: Vec<(SessionKey, u32)>,
    /// The last message taken.
    pub(super) position: Position,
    /// What a newcomer gets at once, where the topic has that.
    pub(super) last: Option<Box<LastValues>>,
    /// Where the hub has its log, which lanes read that have spilled: they stand there and not in `lanes`.
    pub(super) log: Option<u32>,
    /// Whether its lanes go on on disk when they are full.
    pub(super) spills: bool,
}

#[derive(Debug)]
struct Made {
    seats: Seats,
    /// It is forgotten when nobody holds the topic any more, under whatever class; lanes do.
    life: Weak<()>,
}

impl Seats {
    /// Whether a message may have to go by way of a log.
    pub(super) fn goes_by_disk(&self) -> bool {
        self.spills || self.log.is_some()
    }

    fn new(epoch: Epoch) -> Self {
        let position = Position { epoch, offset: Offset(0) };
        Self { lanes: Vec::new(), position, last: None, log: None, spills: false }
    }
}

impl Topics {
    pub(super) fn new(catalog: &Catalog, epoch: Epoch) -> Self {
        let mut topics = Self { fixed: Vec::new(), made: BTreeMap::new(), epoch };
        topics.reload(catalog);
        topics
    }

    /// Makes room for the topics that a new catalog has more, and forgets the values of those that keep none, or others,
    /// from now on.
    pub(super) fn reload(&mut self, catalog: &Catalog) {
        self.fixed.resize_with(self.fixed.len().max(catalog.topics().count()), || Seats::new(self.epoch));
        for (seats, topic) in self.fixed.iter_mut().zip(catalog.topics()) {
            let wanted = LastValues::of(catalog.class(topic));
            if wanted.as_ref().map(LastValues::is_by_key) != seats.last.as_ref().map(|last| last.is_by_key()) {
                seats.last = wanted.map(Box::new);
            }
        }
    }

    /// Forgets last values that are not worth sending any more.
    pub(super) fn expire_last(&mut self, now: Instant) {
        for last in self.fixed.iter_mut().filter_map(|seats| seats.last.as_mut()) {
            last.expire(now);
        }
    }

    /// The seats of a topic that somebody has opened.
    pub(super) fn get_mut(&mut self, id: TopicId) -> Option<&mut Seats> {
        match id.generation {
            0 => self.fixed.get_mut(id.index as usize),
            _ => self.made.get_mut(&id).map(|made| &mut made.seats),
        }
    }

    /// The seats of a topic, which are there from now on.
    pub(super) fn open(&mut self, topic: &Arc<TopicEntry>) -> &mut Seats {
        let (index, epoch) = (topic.id.index as usize, self.epoch);
        if topic.id.generation == 0 {
            if self.fixed.len() <= index {
                // A driver may hear of a topic before it has told its hub of the catalog.
                self.fixed.resize_with(index + 1, || Seats::new(epoch));
            }
            return &mut self.fixed[index];
        }
        let new = || Made { seats: Seats::new(topic.epoch.unwrap_or(epoch)), life: topic.life() };
        &mut self.made.entry(topic.id).or_insert_with(new).seats
    }

    /// Takes the place of a message in its topic's log.
    pub(super) fn take_position(&mut self, message: &Message) -> &mut Seats {
        let seats = self.open(&message.topic);
        seats.position = Position { epoch: message.id.epoch, offset: message.id.offset };
        seats
    }

    /// The seats of all topics of a class, of a pattern those of everything made from it.
    pub(super) fn of_class(&self, class: u32) -> impl Iterator<Item = &Seats> {
        let ids = TopicId { index: class, generation: 0 }..=TopicId { index: class, generation: u32::MAX };
        let made = self.made.range(ids).map(|(_, made)| &made.seats);
        self.fixed.get(class as usize).into_iter().chain(made)
    }

    /// The topic after this one, in an order that stays; the first after none.
    pub(super) fn after(&self, last: Option<TopicId>) -> Option<TopicId> {
        let index = match last {
            None => Some(0),
            Some(last) if last.generation == 0 => Some(last.index + 1),
            Some(_) => None,
        };
        let fixed = index.filter(|index| (*index as usize) < self.fixed.len());
        if let Some(index) = fixed {
            return Some(TopicId { index, generation: 0 });
        }
        let made = last.filter(|last| last.generation > 0).map_or(Bound::Unbounded, Bound::Excluded);
        self.made.range((made, Bound::Unbounded)).next().map(|(id, _)| *id)
    }

    /// The seats of a topic, if somebody has opened it.
    pub(super) fn get(&self, id: TopicId) -> Option<&Seats> {
        match id.generation {
            0 => self.fixed.get(id.index as usize),
            _ => self.made.get(&id).map(|made| &made.seats),
        }
    }

    /// Forgets logs that are closed, by their places.
    pub(super) fn forget_logs(&mut self, closed: &[u32]) {
        let made = self.made.values_mut().map(|made| &mut made.seats);
        for seats in self.fixed.iter_mut().chain(made) {
            seats.log = seats.log.filter(|place| !closed.contains(place));
        }
    }

    /// Forgets the topics that nobody holds any more.
    pub(super) fn forget_unused(&mut self) {
        let is_used = |seats: &Seats| !seats.lanes.is_empty() || seats.log.is_some();
        self.made.retain(|_, made| is_used(&made.seats) || made.life.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    const EPOCH: Epoch = Epoch(7);

    /// A pattern, and a topic after it.
    fn catalog() -> Catalog {
        let namespace = Namespace::new("/a").topic("orders.*").topic("t");
        Catalog::builder().namespace(namespace).build().expect("it is valid")
    }

    fn made(catalog: &Catalog, number: u32) -> Arc<TopicEntry> {
        let pattern = catalog.entry(catalog.topics().next().expect("there is one"));
        TopicEntry::made(&pattern.class, format!("orders.{number}").into(), number, EPOCH)
    }

    #[test]
    fn a_walk_comes_to_every_topic_once() {
        let catalog = catalog();
        let mut topics = Topics::new(&catalog, EPOCH);
        let made = [1, 2].map(|number| made(&catalog, number));
        for topic in &made {
            topics.open(topic);
        }
        let walk = std::iter::successors(topics.after(None), |last| topics.after(Some(*last)));
        let all: Vec<_> = catalog.topics().chain(made.iter().map(|topic| topic.id)).collect();
        assert_eq!(walk.take(all.len() + 1).collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_topic_is_there_before_its_catalog_is() {
        let first = catalog();
        let new = Namespace::new("/a").topic("orders.*").topic("t").topic("u").topic("v");
        let next = Catalog::builder().namespace(new).build().expect("it is valid").following(&first);
        let mut topics = Topics::new(&first, EPOCH);
        let last = next.entry(next.topics().last().expect("there are four"));
        let seats = topics.open(last);
        assert_eq!((seats.lanes.len(), seats.position), (0, Position { epoch: EPOCH, offset: Offset(0) }));
    }

    #[test]
    fn a_topic_keeps_its_place_as_long_as_anybody_holds_it_under_any_class() {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t.*")).build().expect("it is valid");
        let Some(Found::Pattern(class)) = catalog.find(NamespaceId(0), "t.1") else { panic!("there is a pattern") };
        let old = TopicEntry::made(class, "t.1".into(), 1, EPOCH);
        let (id, new) = (old.id, old.under(class));
        let mut topics = Topics::new(&catalog, EPOCH);
        topics.open(&old).position.offset = Offset(5);
        drop(old);
        topics.forget_unused();
        assert_eq!(topics.get(id).map(|seats| seats.position.offset), Some(Offset(5)));
        drop(new);
        topics.forget_unused();
        assert!(topics.get(id).is_none(), "nobody holds it");
    }
}
