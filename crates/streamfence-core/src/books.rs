//! What happened, counted once: the totals of every topic and the edges worth an event.
//!
//! Sessions write into the books of whoever drives them, so a session alone keeps the same books as a hub of many.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::awaited::Awaited;
use crate::catalog::Catalog;
use crate::delays::Delay;
use crate::event::{Event, GiveUpReason};
use crate::in_flight::Departed;
use crate::lane::{Admission, Rejection};
use crate::message::{ClientId, Message, TopicId};
use crate::output::GivenUp;
use crate::stats::{AckOutcome, TopicStats};
use crate::topic::TopicEntry;
use crate::trace::{DeliveryOutcome, Ending, Traces};

/// Totals per topic, and events not yet handed out.
#[derive(Debug)]
pub struct Books {
    catalog: Arc<Catalog>,
    stats: Vec<TopicStats>,
    events: VecDeque<Event>,
    given_up: VecDeque<Box<GivenUp>>,
    /// Messages whose acks somebody waits for.
    pub(crate) awaited: Awaited,
    /// What is to be told of messages whose ways are recorded.
    pub(crate) traces: Traces,
    /// Messages held by lanes now: queued, in flight and spilled, each counted once per lane.
    resident: u64,
    /// Of those, messages that have spilled and that their lanes have not taken in.
    spilled: u64,
    /// From when until when the message waited that was sent last, and how long that is.
    last_wait: Option<(Instant, Instant, Delay)>,
    /// What lanes that are gone had counted of their own, so that a check can compare.
    #[cfg(any(test, feature = "test-util"))]
    closed: std::collections::BTreeMap<u32, crate::lane::LaneTotals>,
}

impl Books {
    /// Empty books for the topics of a catalog.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let mut books = Self {
            catalog,
            stats: Vec::new(),
            events: VecDeque::new(),
            given_up: VecDeque::new(),
            awaited: Awaited::default(),
            traces: Traces::default(),
            resident: 0,
            spilled: 0,
            last_wait: None,
            #[cfg(any(test, feature = "test-util"))]
            closed: Default::default(),
        };
        books.make_room();
        books
    }

    /// The catalog the books are kept for.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Goes on with a catalog that follows the one the books were kept for.
    pub fn reload(&mut self, catalog: Arc<Catalog>) {
        self.catalog = catalog;
        self.make_room();
    }

    fn make_room(&mut self) {
        self.stats.resize_with(self.stats.len().max(self.catalog.topics().count()), TopicStats::default);
    }

    /// The totals of a topic; all topics made from one pattern have the same.
    #[must_use]
    pub fn stats(&self, topic: TopicId) -> &TopicStats {
        &self.stats[topic.index as usize]
    }

    /// The totals of a topic, to be written on.
    pub fn stats_mut(&mut self, topic: TopicId) -> &mut TopicStats {
        &mut self.stats[topic.index as usize]
    }

    /// Messages held by lanes now.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.resident
    }

    /// Of those, messages that lanes hold themselves, in memory.
    #[must_use]
    pub fn in_memory(&self) -> u64 {
        self.resident - self.spilled
    }

    /// The next event, if there is one.
    pub fn pop_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next message that was given up and is to be kept, if there is one.
    pub fn pop_given_up(&mut self) -> Option<Box<GivenUp>> {
        self.given_up.pop_front()
    }

    /// Notes an event.
    pub fn push_event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn offered(&mut self, topic: TopicId, admission: Admission) {
        match admission {
            Admission::Admitted { coalesced, displaced } => {
                let stats = self.stats_mut(topic);
                stats.offered += 1;
                stats.coalesced += u64::from(coalesced);
                stats.displaced += u64::from(displaced);
                self.resident = self.resident + 1 - u64::from(coalesced) - u64::from(displaced);
            }
            Admission::Spilled => self.offered_to_all(topic, 1, Ok(())),
            Admission::Rejected(why) => self.offered_to_all(topic, 1, Err(why)),
        }
    }

    /// A message was offered to so many lanes, and the same became of it in all of them: it is to come from disk, or was
    /// refused for one reason.
    pub(crate) fn offered_to_all(&mut self, topic: TopicId, lanes: u64, answer: Result<(), Rejection>) {
        let stats = self.stats_mut(topic);
        stats.offered += lanes;
        match answer {
            Ok(()) => {
                stats.spilled += lanes;
                self.resident += lanes;
                self.spilled += lanes;
            }
            Err(Rejection::Full) => stats.rejected += lanes,
            Err(Rejection::NotSpilled(why)) => {
                stats.rejected += lanes;
                stats.spill_refusals[why as usize] += lanes;
            }
            Err(Rejection::TooLarge) => stats.too_large += lanes,
            Err(Rejection::Expired) => stats.expired += lanes,
            Err(Rejection::OverBudget) => stats.over_budget += lanes,
        }
    }

    /// Queued messages gave way, because memory was short and not because anything came into their lane.
    pub(crate) fn shed(&mut self, topic: TopicId, messages: u64) {
        self.stats_mut(topic).displaced += messages;
        self.resident -= messages;
    }

    /// A lane that has spilled took in so many, came too late for others, and others could not be read.
    pub(crate) fn refilled(&mut self, topic: TopicId, taken: u64, expired: u64, lost: u64) {
        let stats = self.stats_mut(topic);
        stats.expired += expired;
        stats.lost_on_disk += lost;
        self.spilled -= taken + expired + lost;
        self.resident -= expired + lost;
    }

    /// A lane that had spilled is gone.
    pub(crate) fn abandoned_on_disk(&mut self, topic: TopicId, messages: u64) {
        self.spilled -= messages;
        self.abandoned(topic, messages);
    }

    /// A message was sent now; whether how long it has waited is to be told.
    pub(crate) fn sent(
        &mut self,
        client: ClientId,
        message: &Message,
        attempt: u32,
        awaits_ack: bool,
        now: Instant,
        has_waited: bool,
    ) {
        let waited = has_waited.then(|| self.wait(message.published, now));
        let topic = message.topic.id;
        let stats = self.stats_mut(topic);
        stats.sent += 1;
        stats.sent_bytes += message.size_bytes();
        if let Some(waited) = waited {
            stats.sent_after.count_one(waited);
        }
        if attempt > 1 {
            stats.retries += 1;
            let (namespace, topic) = names(&message.topic);
            let retried = Event::Retried { namespace, topic, client, id: message.id, retry: attempt - 1 };
            self.events.push_back(retried);
        }
        if !awaits_ack {
            self.stats_mut(topic).delivered += 1;
            self.resident -= 1;
            let outcome = DeliveryOutcome::Sent;
            self.traces.end(message, || Ending { client, sent: Some(now), attempts: attempt, outcome });
        }
    }

    /// How long a message has waited. Most were published with the one before them, since that is the same for another
    /// client: those cost two comparisons.
    #[inline]
    fn wait(&mut self, published: Instant, now: Instant) -> Delay {
        match self.last_wait {
            Some((since, until, delay)) if since == published && until == now => delay,
            last => {
                // A client that is behind gets one after the other, and they have waited about as long.
                let like = last.map_or_else(Delay::default, |(.., delay)| delay);
                let delay = like.next(now.saturating_duration_since(published));
                self.last_wait = Some((published, now, delay));
                delay
            }
        }
    }

    pub(crate) fn acked(&mut self, topic: TopicId, outcome: AckOutcome, count: u32) {
        let stats = self.stats_mut(topic);
        stats.acks[outcome as usize] += u64::from(count);
        if outcome == AckOutcome::Released {
            stats.delivered += u64::from(count);
            self.resident -= u64::from(count);
        }
    }

    /// An ack released a message.
    pub(crate) fn released(&mut self, client: ClientId, departed: &Departed, now: Instant) {
        let Departed { message, sent, attempts } = departed;
        self.stats_mut(message.topic.id).acked_after.count(now.saturating_duration_since(*sent));
        let (outcome, attempts) = (DeliveryOutcome::Acked, *attempts);
        self.traces.end(message, || Ending { client, sent: Some(*sent), attempts, outcome });
    }

    /// A message that was in flight had its time.
    pub(crate) fn overdue(&mut self, client: ClientId, departed: &Departed) {
        let Departed { message, sent, attempts } = departed;
        let (outcome, attempts) = (DeliveryOutcome::Expired, *attempts);
        self.traces.end(message, || Ending { client, sent: Some(*sent), attempts, outcome });
        self.expired(message.topic.id, 1);
    }

    pub(crate) fn exhausted(&mut self, client: ClientId, departed: Departed, reason: GiveUpReason) {
        let Departed { message, sent, attempts } = departed;
        let outcome = DeliveryOutcome::GivenUp(reason);
        self.traces.end(&message, || Ending { client, sent: Some(sent), attempts, outcome });
        self.stats_mut(message.topic.id).exhausted += 1;
        self.resident -= 1;
        let (namespace, topic) = names(&message.topic);
        self.events.push_back(Event::RetriesExhausted { namespace, topic, client, id: message.id, attempts });
        if message.topic.class.dead_letters > 0 {
            self.given_up.push_back(Box::new(GivenUp { client, message, attempts, reason }));
        }
    }

    pub(crate) fn expired(&mut self, topic: TopicId, messages: u64) {
        self.stats_mut(topic).expired += messages;
        self.resident -= messages;
    }

    pub(crate) fn abandoned(&mut self, topic: TopicId, messages: u64) {
        self.stats_mut(topic).abandoned += messages;
        self.resident -= messages;
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn lane_closed(&mut self, topic: TopicId, totals: crate::lane::LaneTotals) {
        *self.closed.entry(topic.index).or_default() += totals;
    }

    /// What the lanes of a class that are gone had counted of their own.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn closed(&self, class: u32) -> crate::lane::LaneTotals {
        self.closed.get(&class).copied().unwrap_or_default()
    }

    pub(crate) fn spill_began(&mut self, topic: &TopicEntry, client: ClientId) {
        let (namespace, topic) = names(topic);
        self.events.push_back(Event::SpillBegan { namespace, topic, client });
    }

    pub(crate) fn spill_ended(&mut self, topic: &TopicEntry, client: ClientId, (messages, lasted): (u64, Duration)) {
        let (namespace, topic) = names(topic);
        self.events.push_back(Event::SpillEnded { namespace, topic, client, messages, lasted });
    }

    pub(crate) fn overflow_began(&mut self, topic: &TopicEntry, client: ClientId) {
        let (namespace, topic) = names(topic);
        self.events.push_back(Event::OverflowBegan { namespace, topic, client });
    }

    pub(crate) fn overflow_ended(&mut self, topic: &TopicEntry, client: ClientId, lost: u64) {
        let (namespace, topic) = names(topic);
        self.events.push_back(Event::OverflowEnded { namespace, topic, client, lost });
    }
}

/// The names of a topic: its namespace's path and its own.
pub(crate) fn names(topic: &TopicEntry) -> (Arc<str>, Arc<str>) {
    (topic.class.path.clone(), topic.name.clone())
}
