//! Which keys must wait before their next value, and until when.
//!
//! Every key waits for the same interval after a value of it was sent, so keys become free in the order in which they
//! were sent: a queue, not a heap of timers. A key that waits may hold one value, the newest. Never a decision about what
//! gives way: that is the lane's.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::message::{Key, Message};
use crate::policy::Frequency;

/// How many keys of one lane may wait. With more, the one that has waited longest is free before its time.
pub const KEYS_WAITING: usize = 10_000;

/// The keys of one lane that had a value sent less than an interval ago.
#[derive(Debug)]
pub(crate) struct Conflation {
    interval: Duration,
    /// In the order in which they become free, each key once.
    waits: VecDeque<Wait>,
    /// The number of the first entry of `waits`; each entry keeps its number until it leaves.
    first: u64,
    by_key: HashMap<Option<Key>, u64>,
    /// The numbers of the entries that hold a value. Invariant: exactly those, each once.
    holding: BinaryHeap<Reverse<u64>>,
    /// Sum of `size_bytes` over what is held.
    bytes: u64,
}

#[derive(Debug)]
struct Wait {
    key: Option<Key>,
    until: Instant,
    held: Option<Arc<Message>>,
}

impl Conflation {
    pub(crate) fn new(frequency: Frequency) -> Self {
        Self {
            interval: frequency.interval(),
            waits: VecDeque::new(),
            first: 0,
            by_key: HashMap::new(),
            holding: BinaryHeap::new(),
            bytes: 0,
        }
    }

    /// Goes on with another interval, counted from when the values were sent.
    pub(crate) fn reload(&mut self, frequency: Frequency) {
        let interval = frequency.interval();
        for wait in &mut self.waits {
            wait.until = wait.until + interval - self.interval;
        }
        self.interval = interval;
    }

    /// Notes that a value of a key is being sent: the next one waits.
    pub(crate) fn sent(&mut self, key: Option<&Key>, now: Instant) {
        let number = self.first + self.waits.len() as u64;
        let key = key.cloned();
        if self.by_key.contains_key(&key) {
            // Two values of it were queued when the lane had no frequency yet. The first began the interval.
            return;
        }
        self.by_key.insert(key.clone(), number);
        self.waits.push_back(Wait { key, until: now + self.interval, held: None });
    }

    /// Lets keys go whose time has come, up to the first that held a value, and gives that value.
    pub(crate) fn release(&mut self, now: Instant) -> Option<Arc<Message>> {
        while self.waits.front().is_some_and(|wait| wait.until <= now || self.waits.len() > KEYS_WAITING) {
            let wait = self.waits.pop_front().expect("it was there just now");
            self.by_key.remove(&wait.key);
            self.first += 1;
            if let Some(message) = wait.held {
                // Its number is the lowest of all, so it is the one on top.
                self.holding.pop();
                self.bytes -= message.size_bytes();
                return Some(message);
            }
        }
        None
    }

    /// How long a key waits after a value of it was sent, and thus how long a value is held at most.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// When the next held value may be sent; `None` while none is held.
    pub(crate) fn due(&self) -> Option<Instant> {
        let Reverse(number) = self.holding.peek()?;
        Some(self.waits[(number - self.first) as usize].until)
    }

    /// Whether values of a key have to wait.
    pub(crate) fn is_waiting(&self, key: Option<&Key>) -> bool {
        self.number(key).is_some()
    }

    /// The value held for a key.
    pub(crate) fn held(&self, key: Option<&Key>) -> Option<&Arc<Message>> {
        self.waits[self.number(key)?].held.as_ref()
    }

    /// Holds a value for a key that waits, in place of the one held before, which it gives up.
    pub(crate) fn hold(&mut self, key: Option<&Key>, message: &Arc<Message>) -> Option<Arc<Message>> {
        let place = self.number(key).expect("the key waits: `is_waiting` said so");
        self.bytes += message.size_bytes();
        let older = self.waits[place].held.replace(message.clone());
        match &older {
            Some(older) => self.bytes -= older.size_bytes(),
            None => self.holding.push(Reverse(self.first + place as u64)),
        }
        older
    }

    /// Gives up the value held for a key. A walk over what is held: for a value too large for its place, which is rare.
    pub(crate) fn remove(&mut self, key: Option<&Key>) -> Option<Arc<Message>> {
        let place = self.number(key)?;
        let message = self.waits[place].held.take()?;
        self.bytes -= message.size_bytes();
        let number = self.first + place as u64;
        self.holding.retain(|&Reverse(other)| other != number);
        Some(message)
    }

    /// Gives up the value that would be sent first.
    pub(crate) fn pop_front(&mut self) -> Option<Arc<Message>> {
        let Reverse(number) = self.holding.pop()?;
        let message = self.waits[(number - self.first) as usize].held.take().expect("this one holds a value");
        self.bytes -= message.size_bytes();
        Some(message)
    }

    /// Gives up what is not worth sending any more, and tells of each.
    pub(crate) fn expire(&mut self, now: Instant, mut give_up: impl FnMut(&Arc<Message>)) {
        let (waits, first, bytes) = (&mut self.waits, self.first, &mut self.bytes);
        self.holding.retain(|Reverse(number)| {
            let held = &mut waits[(number - first) as usize].held;
            let overdue = held.take_if(|message| message.is_expired(now));
            if let Some(message) = &overdue {
                *bytes -= message.size_bytes();
                give_up(message);
            }
            overdue.is_none()
        });
    }

    /// The value that would be sent first.
    pub(crate) fn front(&self) -> Option<&Arc<Message>> {
        let Reverse(number) = self.holding.peek()?;
        self.waits[(number - self.first) as usize].held.as_ref()
    }

    /// All values held, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.holding.iter().filter_map(|Reverse(number)| self.waits[(number - self.first) as usize].held.as_ref())
    }

    /// How many values are held.
    pub(crate) fn len(&self) -> usize {
        self.holding.len()
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn number(&self, key: Option<&Key>) -> Option<usize> {
        // A look-up by reference would want a key of the map's own type, and that is a clone of a pointer.
        let number = *self.by_key.get(&key.cloned())?;
        Some((number - self.first) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::message::{Body, Epoch, MessageId, Offset};
    use crate::namespace::Namespace;
    use crate::topic::TopicEntry;

    fn topic() -> Arc<TopicEntry> {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t")).build().expect("it is valid");
        catalog.entry(catalog.topics().next().expect("there is one")).clone()
    }

    fn value(key: u64, now: Instant) -> Arc<Message> {
        Arc::new(Message {
            topic: topic(),
            id: MessageId { epoch: Epoch(7), offset: Offset(key + 1) },
            key: Some(key.to_string().into()),
            published: now,
            expires: None,
            trace: None,
            body: Body::plain("value".into()),
        })
    }

    fn conflation(hertz: f64) -> Conflation {
        Conflation::new(Frequency::hertz(hertz).expect("it is above zero"))
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn a_key_is_forgotten_when_its_time_is_over_and_nothing_is_held() {
        let (mut conflation, start) = (conflation(10.0), Instant::now());
        for key in 0..100 {
            conflation.sent(value(key, start).key.as_ref(), start);
        }
        assert_eq!(conflation.due(), None, "nothing is held, so nothing is due");
        assert!(conflation.release(start + Duration::from_millis(99)).is_none());
        assert_eq!(conflation.by_key.len(), 100);
        assert!(conflation.release(start + Duration::from_millis(100)).is_none());
        assert!(conflation.by_key.is_empty() && conflation.waits.is_empty());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn no_more_keys_wait_than_may_and_the_oldest_goes_first() {
        let (mut conflation, start) = (conflation(0.001), Instant::now());
        let values: Vec<_> = (0..KEYS_WAITING as u64 + 2).map(|key| value(key, start)).collect();
        for value in &values[..KEYS_WAITING] {
            conflation.sent(value.key.as_ref(), start);
        }
        conflation.hold(values[0].key.as_ref(), &values[0]);
        assert!(conflation.release(start).is_none(), "they may all wait");
        conflation.sent(values[KEYS_WAITING].key.as_ref(), start);
        assert!(Arc::ptr_eq(&conflation.release(start).expect("the first has to go"), &values[0]));
        assert_eq!((conflation.by_key.len(), conflation.len(), conflation.bytes()), (KEYS_WAITING, 0, 0));
        conflation.sent(values[KEYS_WAITING + 1].key.as_ref(), start);
        assert!(conflation.release(start).is_none(), "the second held nothing");
        assert_eq!(conflation.by_key.len(), KEYS_WAITING);
        assert!(!conflation.is_waiting(values[1].key.as_ref()));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn what_is_given_up_is_held_no_more_and_may_be_held_again() {
        let (mut conflation, start) = (conflation(1.0), Instant::now());
        let values: Vec<_> = (0..3).map(|key| value(key, start)).collect();
        for (ms, value) in values.iter().enumerate() {
            conflation.sent(value.key.as_ref(), start + Duration::from_millis(ms as u64));
        }
        // Held in another order than sent: what became free first goes first.
        for place in [2, 0, 1] {
            conflation.hold(values[place].key.as_ref(), &values[place]);
        }
        assert!(Arc::ptr_eq(&conflation.pop_front().expect("it holds three"), &values[0]));
        conflation.hold(values[0].key.as_ref(), &values[0]);
        assert_eq!(conflation.due(), Some(start + Duration::from_secs(1)));
        let released = std::iter::from_fn(|| conflation.release(start + Duration::from_secs(2)));
        let offsets: Vec<_> = released.map(|message| message.id.offset.0).collect();
        assert_eq!(offsets, [1, 2, 3]);
        assert_eq!((conflation.len(), conflation.bytes(), conflation.due()), (0, 0, None));
    }
}
