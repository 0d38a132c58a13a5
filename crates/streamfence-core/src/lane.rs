//! One client's queue for one topic, and what gives way when it is full.
//!
//! Never another lane: a lane decides from its own policy and its own content alone.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use crate::in_flight::InFlight;
use crate::message::{Key, Message, MessageId, TopicId};
use crate::policy::{Delivery, Overflow, Policy};
use crate::stats::AckOutcome;

/// A bounded queue with a policy.
///
/// ```text
/// offer --> [ queued ... ] --send--> gone                      best effort
/// offer --> [ queued ... ] --send--> [ in flight ] --ack--> gone   at least once
/// ```
#[derive(Debug)]
pub struct Lane {
    topic: TopicId,
    policy: Policy,
    queue: VecDeque<Arc<Message>>,
    /// Sum of `size_bytes` over `queue`.
    queued_bytes: u64,
    /// The number of the first entry of `queue`; each entry keeps its number until it leaves.
    first: u64,
    /// Which entry holds the newest value of a key, by number. Only for lanes that look for it, and only keys that are
    /// queued.
    #[expect(clippy::box_collection, reason = "most lanes do not coalesce, and there are very many lanes")]
    newest: Option<Box<HashMap<Option<Key>, u64>>>,
    /// Only for at-least-once.
    in_flight: Option<Box<InFlight>>,
    /// Messages lost since the lane began to overflow; 0 while it does not.
    lost: u64,
}

/// What became of an offered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// It is queued.
    Admitted {
        /// Queued messages it replaced as a newer value.
        coalesced: u32,
        /// Older messages that gave way to it.
        displaced: u32,
    },
    /// It is not.
    Rejected(Rejection),
}

impl Admission {
    const PLAIN: Self = Self::Admitted { coalesced: 0, displaced: 0 };
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The lane is full.
    Full,
    /// The message alone is larger than the lane.
    TooLarge,
}

impl Lane {
    /// An empty lane. `window` may only lower the policy's.
    #[must_use]
    pub fn new(topic: TopicId, policy: Policy, window: Option<NonZeroU16>) -> Self {
        let in_flight = match policy.delivery {
            Delivery::BestEffort { .. } => None,
            Delivery::AtLeastOnce { window: widest, retry, .. } => {
                Some(Box::new(InFlight::new(window.map_or(widest, |wanted| wanted.min(widest)), retry)))
            }
        };
        let coalesces = match policy.delivery {
            // It holds one value, whatever the key: there is nothing to find by key.
            Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. } | Delivery::AtLeastOnce { .. } => false,
            Delivery::BestEffort { overflow, coalesce } => coalesce || overflow == Overflow::Coalesce,
        };
        Self {
            topic,
            policy,
            queue: VecDeque::new(),
            queued_bytes: 0,
            first: 0,
            newest: coalesces.then(Box::default),
            in_flight,
            lost: 0,
        }
    }

    /// Offers a message to the lane and says what became of it.
    ///
    /// Messages in flight are never displaced or replaced: the client may be acking them now.
    pub fn offer(&mut self, message: &Arc<Message>) -> Admission {
        if message.size_bytes() > self.policy.limits.bytes.get() {
            return Admission::Rejected(Rejection::TooLarge);
        }
        match self.policy.delivery {
            Delivery::AtLeastOnce { .. } => self.admit_or_reject(message),
            Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. } => self.replace_all(message),
            Delivery::BestEffort { overflow, .. } => match (self.replace_same_key(message, overflow), overflow) {
                (Some(admission), _) => admission,
                (None, Overflow::DropOldest) => self.displace_until_admitted(message),
                (None, _) => self.admit_or_reject(message),
            },
        }
    }

    /// Sends the next message: what is overdue goes before what is new. Says which attempt it is.
    ///
    /// # Panics
    /// When there is nothing to send: ask [`Lane::next`] first.
    pub fn send(&mut self, clock: Duration) -> (Arc<Message>, u32) {
        if let Some((message, attempt)) = self.in_flight.as_mut().and_then(|in_flight| in_flight.resend(clock)) {
            return (message, attempt);
        }
        let message = self.pop_front().expect("there is a queued message: `next` said so");
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.record(message.clone(), clock);
        }
        (message, 1)
    }

    /// Releases a message the client says it has.
    pub fn handle_ack(&mut self, id: MessageId) -> AckOutcome {
        self.in_flight.as_mut().map_or(AckOutcome::Unknown, |in_flight| in_flight.handle_ack(id))
    }

    /// Looks for overdue messages; `give_up` is told of each whose attempts are used up.
    pub fn handle_timeout(&mut self, clock: Duration, give_up: impl FnMut(Arc<Message>, u32)) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.handle_timeout(clock, give_up);
        }
    }

    /// When to call [`Lane::handle_timeout`], on the link's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.in_flight.as_ref().and_then(|in_flight| in_flight.poll_timeout())
    }

    /// The message [`Lane::send`] would send.
    #[must_use]
    pub fn next(&self) -> Option<&Arc<Message>> {
        match &self.in_flight {
            None => self.queue.front(),
            Some(in_flight) => in_flight.next_resend().or_else(|| self.queue.front().filter(|_| in_flight.has_space())),
        }
    }

    /// The topic it is of.
    #[must_use]
    pub fn topic(&self) -> TopicId {
        self.topic
    }

    /// The policy it keeps.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many messages it holds, queued and in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len() + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.len())
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it holds, queued and in flight.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.queued_bytes + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.bytes())
    }

    /// The oldest message it holds.
    #[must_use]
    pub fn oldest(&self) -> Option<&Arc<Message>> {
        self.in_flight.as_ref().and_then(|in_flight| in_flight.oldest()).or_else(|| self.queue.front())
    }

    /// Whether it is more than half full: time to let the client drain it before more is published.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let limits = &self.policy.limits;
        self.len() as u64 * 2 > u64::from(limits.messages.get()) || self.bytes() * 2 > limits.bytes.get()
    }

    /// Notes losses; says whether they are the first since the lane last caught up.
    pub(crate) fn begin_overflow(&mut self, lost: u64) -> bool {
        let begins = self.lost == 0 && lost > 0;
        self.lost += lost;
        begins
    }

    /// Ends an overflow once the lane has caught up, and says how many messages it cost.
    ///
    /// It has caught up when the next message would be sent at once: nothing is queued, and the window is open.
    pub(crate) fn end_overflow(&mut self) -> Option<u64> {
        let has_caught_up = || self.queue.is_empty() && self.in_flight.as_ref().is_none_or(|window| window.has_space());
        (self.lost > 0 && has_caught_up()).then(|| std::mem::take(&mut self.lost))
    }

    /// Ends an overflow because the lane itself ends.
    pub(crate) fn take_lost(&mut self) -> Option<u64> {
        (self.lost > 0).then(|| std::mem::take(&mut self.lost))
    }

    fn admit_or_reject(&mut self, message: &Arc<Message>) -> Admission {
        if !self.fits(message.size_bytes()) {
            return Admission::Rejected(Rejection::Full);
        }
        self.push_back(message);
        Admission::PLAIN
    }

    fn displace_until_admitted(&mut self, message: &Arc<Message>) -> Admission {
        let mut displaced = 0;
        while !self.fits(message.size_bytes()) {
            self.pop_front().expect("an empty best-effort lane fits every message that is not too large");
            displaced += 1;
        }
        self.push_back(message);
        Admission::Admitted { coalesced: 0, displaced }
    }

    fn replace_all(&mut self, message: &Arc<Message>) -> Admission {
        let coalesced = self.queue.len() as u32;
        self.queue.clear();
        self.first += u64::from(coalesced);
        self.queued_bytes = 0;
        self.push_back(message);
        Admission::Admitted { coalesced, displaced: 0 }
    }

    /// Puts the message in the place of the queued one with its key, if this lane coalesces and there is one.
    fn replace_same_key(&mut self, message: &Arc<Message>, overflow: Overflow) -> Option<Admission> {
        let number = *self.newest.as_ref()?.get(&message.key)?;
        let place = number.checked_sub(self.first)? as usize;
        let grown = self.bytes() - self.queue[place].size_bytes() + message.size_bytes();
        if grown <= self.policy.limits.bytes.get() {
            let old = std::mem::replace(&mut self.queue[place], message.clone());
            self.queued_bytes = self.queued_bytes - old.size_bytes() + message.size_bytes();
            return Some(Admission::Admitted { coalesced: 1, displaced: 0 });
        }
        if overflow != Overflow::DropOldest {
            return Some(Admission::Rejected(Rejection::Full));
        }
        // The newer value is too large for the place of the older one. The oldest give way, from the front; when that
        // reaches the older value itself, the newer one queues up behind.
        let mut displaced = 0;
        for _ in 0..place {
            self.pop_front().expect("`place` entries are queued before the older value");
            displaced += 1;
            let place = place - displaced as usize;
            let grown = self.queued_bytes - self.queue[place].size_bytes() + message.size_bytes();
            if grown <= self.policy.limits.bytes.get() {
                self.queue[place] = message.clone();
                self.queued_bytes = grown;
                return Some(Admission::Admitted { coalesced: 1, displaced });
            }
        }
        self.pop_front().expect("the older value is at the front now");
        let Admission::Admitted { displaced: more, .. } = self.displace_until_admitted(message) else {
            unreachable!("displacing always admits a message that is not too large")
        };
        Some(Admission::Admitted { coalesced: 1, displaced: displaced + more })
    }

    fn fits(&self, more: u64) -> bool {
        let limits = &self.policy.limits;
        (self.len() as u64) < u64::from(limits.messages.get()) && self.bytes() + more <= limits.bytes.get()
    }

    fn push_back(&mut self, message: &Arc<Message>) {
        if let Some(newest) = &mut self.newest {
            newest.insert(message.key.clone(), self.first + self.queue.len() as u64);
        }
        self.queued_bytes += message.size_bytes();
        self.queue.push_back(message.clone());
    }

    fn pop_front(&mut self) -> Option<Arc<Message>> {
        let message = self.queue.pop_front()?;
        if let Some(newest) = &mut self.newest
            && newest.get(&message.key) == Some(&self.first)
        {
            newest.remove(&message.key);
        }
        self.first += 1;
        self.queued_bytes -= message.size_bytes();
        Some(message)
    }
}
