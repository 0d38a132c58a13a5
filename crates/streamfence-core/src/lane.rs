//! One client's queue for one topic, and what gives way when it is full.
//!
//! Never another lane: a lane decides from its own policy and its own content alone.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::conflation::Conflation;
use crate::gap::{Gap, Gaps, LossReason};
use crate::in_flight::{GiveUp, InFlight};
use crate::message::{Key, Message, MessageId, Offset, TopicId};
use crate::policy::{Delivery, Frequency, Overflow, Policy};
use crate::stats::AckOutcome;

/// A bounded queue with a policy.
///
/// ```text
/// offer --> [ queued ... ] --send--> gone                      best effort
/// offer --> [ queued ... ] --send--> [ in flight ] --ack--> gone   at least once
/// offer --> [ held ] --interval over--> [ queued ... ] --send--> gone   best effort with a frequency
/// ```
#[derive(Debug)]
pub struct Lane {
    topic: TopicId,
    policy: Policy,
    queue: VecDeque<Queued>,
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
    /// Only for lanes with a frequency: what was sent of late, and what is held for it. Invariant: a key is queued or
    /// waits, never both.
    conflation: Option<Box<Conflation>>,
    /// Messages lost since the lane began to overflow; 0 while it does not.
    lost: u64,
    /// What was lost behind the last entry of `queue`.
    gaps: Gaps,
    /// Nothing that is queued or held expires before this: while nothing expires, that costs one comparison.
    nearest_expiry: Option<Instant>,
}

/// A message that waits, and what the client missed just before it.
#[derive(Debug)]
struct Queued {
    message: Arc<Message>,
    gaps: Gaps,
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
    /// Its time was over already.
    Expired,
}

/// What a client asks for when it subscribes; the default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// How many messages may be sent to it and not yet acked, where messages are acked.
    pub window: Option<NonZeroU16>,
    /// How often it gets a value of one key at most, where messages are not acked. A topic without a frequency has
    /// this one for the client.
    pub max_frequency: Option<Frequency>,
}

impl Lane {
    /// An empty lane. Wishes may only lower what the policy gives; `salt` makes its timeouts differ from other lanes'.
    #[must_use]
    pub fn new(topic: TopicId, policy: Policy, wishes: Wishes, salt: u64) -> Self {
        let Wishes { window, max_frequency } = wishes;
        let policy = policy.at_most(max_frequency);
        let in_flight = match policy.delivery {
            Delivery::BestEffort { .. } => None,
            Delivery::AtLeastOnce { window: widest, retry, .. } => {
                Some(Box::new(InFlight::new(window.map_or(widest, |wanted| wanted.min(widest)), retry, salt)))
            }
        };
        let conflation = match policy.delivery {
            Delivery::BestEffort { max_frequency: Some(frequency), .. } => Some(Box::new(Conflation::new(frequency))),
            _ => None,
        };
        Self {
            topic,
            policy,
            queue: VecDeque::new(),
            queued_bytes: 0,
            first: 0,
            newest: policy.coalesces_by_key().then(Box::default),
            in_flight,
            conflation,
            lost: 0,
            gaps: Gaps::default(),
            nearest_expiry: None,
        }
    }

    /// Offers a message to the lane and says what became of it.
    ///
    /// Messages in flight are never displaced or replaced: the client may be acking them now.
    pub fn offer(&mut self, message: &Arc<Message>, now: Instant) -> Admission {
        let admission = self.decide(message, now);
        if let Admission::Rejected(why) = admission {
            let reason = if why == Rejection::Expired { LossReason::Expired } else { LossReason::Rejected };
            self.miss(message.id.offset, reason);
        }
        admission
    }

    /// Lets values go whose interval is over, gives up what waits to be sent and is not worth it any more, and says how
    /// many messages were given up.
    pub fn expire(&mut self, now: Instant) -> u64 {
        self.release(now);
        let overdue = self.in_flight.as_mut().map_or(0, |in_flight| in_flight.expire(now));
        if self.nearest_expiry.is_none_or(|at| at > now) {
            return overdue;
        }
        self.nearest_expiry = None;
        let held = self.expire_held(now);
        let before = self.queue.len();
        let mut gaps = Gaps::default();
        for mut queued in std::mem::take(&mut self.queue) {
            gaps.move_before(&mut queued.gaps);
            if queued.message.is_expired(now) {
                self.queued_bytes -= queued.message.size_bytes();
                gaps = queued.gaps;
                if self.policy.gap_notices {
                    gaps.note(queued.message.id.offset, LossReason::Expired);
                }
            } else {
                self.nearest_expiry = earlier(self.nearest_expiry, queued.message.expires);
                self.queue.push_back(queued);
            }
        }
        gaps.move_before(&mut self.gaps);
        // Every entry has a new place: the index is written anew.
        self.first += before as u64;
        if let Some(newest) = &mut self.newest {
            newest.clear();
            for (number, queued) in (self.first..).zip(&self.queue) {
                newest.insert(queued.message.key.clone(), number);
            }
        }
        overdue + held + (before - self.queue.len()) as u64
    }

    /// Gives up the held values whose time is over, and says how many those were.
    fn expire_held(&mut self, now: Instant) -> u64 {
        let Some(conflation) = &mut self.conflation else { return 0 };
        let (mut expired, gaps, notes) = (0, &mut self.gaps, self.policy.gap_notices);
        conflation.expire(now, |message| {
            expired += 1;
            if notes {
                gaps.note(message.id.offset, LossReason::Expired);
            }
        });
        let nearest = conflation.values().filter_map(|message| message.expires).min();
        self.nearest_expiry = earlier(self.nearest_expiry, nearest);
        expired
    }

    /// Queues the held values whose interval is over.
    fn release(&mut self, now: Instant) {
        while let Some(message) = self.conflation.as_mut().and_then(|conflation| conflation.release(now)) {
            self.push_back(&message);
        }
    }

    /// Sends the next message: what is overdue goes before what is new. Says which attempt it is.
    ///
    /// # Panics
    /// When there is nothing to send: ask [`Lane::next`] first.
    pub fn send(&mut self, clock: Duration, now: Instant) -> (Arc<Message>, u32) {
        if let Some((message, attempt)) = self.in_flight.as_mut().and_then(|in_flight| in_flight.resend(clock)) {
            return (message, attempt);
        }
        let message = self.pop_front().expect("there is a queued message: `next` said so").message;
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.record(message.clone(), clock);
        }
        if let Some(conflation) = &mut self.conflation {
            conflation.sent(pace_key(&self.policy, &message), now);
            // With very many keys the first of them is free before its time.
            self.release(now);
        }
        (message, 1)
    }

    /// Begins again on a new link, whose clock shows this: what is in flight is to be sent again.
    pub fn resume(&mut self, clock: Duration) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.resume(clock);
        }
    }

    /// Releases a message the client says it has.
    pub fn handle_ack(&mut self, id: MessageId) -> AckOutcome {
        self.in_flight.as_mut().map_or(AckOutcome::Unknown, |in_flight| in_flight.handle_ack(id))
    }

    /// Releases every message up to one the client says it has, and says how many those were, or why none.
    ///
    /// # Errors
    /// What the acknowledgement was instead, where it released nothing.
    pub fn handle_ack_up_to(&mut self, id: MessageId) -> Result<u32, AckOutcome> {
        self.in_flight.as_mut().map_or(Err(AckOutcome::Unknown), |in_flight| in_flight.handle_ack_up_to(id))
    }

    /// Takes the client's word that it could not handle a message: it is sent again after the delay.
    pub fn handle_nack(&mut self, id: MessageId, delay: Duration, clock: Duration) -> AckOutcome {
        self.in_flight.as_mut().map_or(AckOutcome::Unknown, |in_flight| in_flight.handle_nack(id, delay, clock))
    }

    /// Looks for overdue messages; `give_up` is told of each whose attempts are used up, or whose time is over.
    pub fn handle_timeout(&mut self, clock: Duration, now: Instant, give_up: impl FnMut(Arc<Message>, GiveUp)) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.handle_timeout(clock, now, give_up);
        }
    }

    /// When to call [`Lane::handle_timeout`], on the link's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.in_flight.as_ref().and_then(|in_flight| in_flight.poll_timeout())
    }

    /// When a held value may be sent: call [`Lane::expire`] then, in real time.
    #[must_use]
    pub fn poll_alarm(&self) -> Option<Instant> {
        self.conflation.as_ref().and_then(|conflation| conflation.due())
    }

    /// The message [`Lane::send`] would send.
    #[must_use]
    pub fn next(&self) -> Option<&Arc<Message>> {
        match &self.in_flight {
            None => self.front(),
            Some(in_flight) => in_flight.next_resend().or_else(|| self.front().filter(|_| in_flight.has_space())),
        }
    }

    /// Takes what the client must be told before [`Lane::send`], if it missed something before the next message.
    pub fn take_gap(&mut self) -> Option<Gap> {
        if !self.has_gap() {
            return None;
        }
        self.queue.front_mut()?.gaps.pop()
    }

    /// Whether the client must be told of a gap before the next message.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        let is_resend = || self.in_flight.as_ref().is_some_and(|in_flight| in_flight.next_resend().is_some());
        self.queue.front().is_some_and(|queued| !queued.gaps.is_empty()) && !is_resend()
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

    /// How many messages it holds: queued, held for their interval, and in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len() + self.held() + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.len())
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it holds: queued, held for their interval, and in flight.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let held = self.conflation.as_ref().map_or(0, |conflation| conflation.bytes());
        self.queued_bytes + held + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.bytes())
    }

    /// The oldest message it holds.
    #[must_use]
    pub fn oldest(&self) -> Option<&Arc<Message>> {
        let sent = self.in_flight.as_ref().and_then(|in_flight| in_flight.oldest());
        let held = || self.conflation.as_ref().and_then(|conflation| conflation.front());
        sent.or_else(|| self.front()).or_else(held)
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
    /// It has caught up when the next message would be sent at once: nothing is queued, and the window is open. Values
    /// held for their interval are no backlog, unless they are what fills the lane.
    pub(crate) fn end_overflow(&mut self) -> Option<u64> {
        let has_caught_up = || {
            self.queue.is_empty()
                && self.in_flight.as_ref().is_none_or(|window| window.has_space())
                && (self.held() == 0 || !self.is_crowded())
        };
        (self.lost > 0 && has_caught_up()).then(|| std::mem::take(&mut self.lost))
    }

    /// Ends an overflow because the lane itself ends.
    pub(crate) fn take_lost(&mut self) -> Option<u64> {
        (self.lost > 0).then(|| std::mem::take(&mut self.lost))
    }

    fn decide(&mut self, message: &Arc<Message>, now: Instant) -> Admission {
        if message.is_expired(now) {
            return Admission::Rejected(Rejection::Expired);
        }
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

    fn admit_or_reject(&mut self, message: &Arc<Message>) -> Admission {
        if !self.fits(message.size_bytes()) {
            return Admission::Rejected(Rejection::Full);
        }
        self.take_in(message);
        Admission::PLAIN
    }

    fn displace_until_admitted(&mut self, message: &Arc<Message>) -> Admission {
        let mut displaced = 0;
        while !self.fits(message.size_bytes()) {
            self.displace_front().expect("an empty best-effort lane fits every message that is not too large");
            displaced += 1;
        }
        self.take_in(message);
        Admission::Admitted { coalesced: 0, displaced }
    }

    fn replace_all(&mut self, message: &Arc<Message>) -> Admission {
        let queued = self.queue.len() as u64;
        let held = self.conflation.as_mut().map_or(0, |conflation| {
            std::iter::from_fn(|| conflation.pop_front()).count() // One at most, since all values share one key.
        });
        // What was missed before the old values is still missed; the old values themselves are not.
        let mut gaps = Gaps::default();
        for mut queued in self.queue.drain(..) {
            gaps.move_before(&mut queued.gaps);
            gaps = queued.gaps;
        }
        gaps.move_before(&mut self.gaps);
        self.first += queued;
        self.queued_bytes = 0;
        self.take_in(message);
        Admission::Admitted { coalesced: queued as u32 + held as u32, displaced: 0 }
    }

    /// Puts the message in the place of the queued or held one with its key, if this lane coalesces and there is one.
    fn replace_same_key(&mut self, message: &Arc<Message>, overflow: Overflow) -> Option<Admission> {
        if let Some(admission) = self.replace_held(message, overflow) {
            return Some(admission);
        }
        let number = *self.newest.as_ref()?.get(&message.key)?;
        let place = number.checked_sub(self.first)? as usize;
        let grown = self.bytes() - self.queue[place].message.size_bytes() + message.size_bytes();
        if grown <= self.policy.limits.bytes.get() {
            self.replace(place, message);
            return Some(Admission::Admitted { coalesced: 1, displaced: 0 });
        }
        if overflow != Overflow::DropOldest {
            return Some(Admission::Rejected(Rejection::Full));
        }
        // The newer value is too large for the place of the older one. The oldest give way, from the front; when that
        // reaches the older value itself, the newer one queues up behind.
        let mut displaced = 0;
        for _ in 0..place {
            self.displace_front().expect("`place` entries are queued before the older value");
            displaced += 1;
            let place = place - displaced as usize;
            let grown = self.bytes() - self.queue[place].message.size_bytes() + message.size_bytes();
            if grown <= self.policy.limits.bytes.get() {
                self.replace(place, message);
                return Some(Admission::Admitted { coalesced: 1, displaced });
            }
        }
        let mut older = self.pop_front().expect("the older value is at the front now");
        older.gaps.move_before(self.queue.front_mut().map_or(&mut self.gaps, |next| &mut next.gaps));
        let Admission::Admitted { displaced: more, .. } = self.displace_until_admitted(message) else {
            unreachable!("displacing always admits a message that is not too large")
        };
        Some(Admission::Admitted { coalesced: 1, displaced: displaced + more })
    }

    /// Holds the message in place of the held one with its key.
    fn replace_held(&mut self, message: &Arc<Message>, overflow: Overflow) -> Option<Admission> {
        let conflation = self.conflation.as_mut()?;
        let older = conflation.held(message.key.as_ref())?.size_bytes();
        if self.queued_bytes + conflation.bytes() - older + message.size_bytes() > self.policy.limits.bytes.get() {
            if overflow != Overflow::DropOldest {
                return Some(Admission::Rejected(Rejection::Full));
            }
            // The older value gives way to the newer one first, and then the others, the oldest before.
            conflation.remove(message.key.as_ref());
            let Admission::Admitted { displaced, .. } = self.displace_until_admitted(message) else {
                unreachable!("displacing always admits a message that is not too large")
            };
            return Some(Admission::Admitted { coalesced: 1, displaced });
        }
        conflation.hold(message.key.as_ref(), message);
        self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
        Some(Admission::Admitted { coalesced: 1, displaced: 0 })
    }

    fn held(&self) -> usize {
        self.conflation.as_ref().map_or(0, |conflation| conflation.len())
    }

    fn front(&self) -> Option<&Arc<Message>> {
        self.queue.front().map(|queued| &queued.message)
    }

    fn fits(&self, more: u64) -> bool {
        let limits = &self.policy.limits;
        (self.len() as u64) < u64::from(limits.messages.get()) && self.bytes() + more <= limits.bytes.get()
    }

    /// Queues the message, or holds it while its key waits.
    fn take_in(&mut self, message: &Arc<Message>) {
        if let Some(conflation) = &mut self.conflation
            && let key = pace_key(&self.policy, message)
            && conflation.is_waiting(key)
        {
            conflation.hold(key, message);
            self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
        } else {
            self.push_back(message);
        }
    }

    fn push_back(&mut self, message: &Arc<Message>) {
        if let Some(newest) = &mut self.newest {
            newest.insert(message.key.clone(), self.first + self.queue.len() as u64);
        }
        self.queued_bytes += message.size_bytes();
        self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
        self.queue.push_back(Queued { message: message.clone(), gaps: std::mem::take(&mut self.gaps) });
    }

    /// Puts a newer value in the place of an older one.
    fn replace(&mut self, place: usize, message: &Arc<Message>) {
        let old = std::mem::replace(&mut self.queue[place].message, message.clone());
        self.queued_bytes = self.queued_bytes - old.size_bytes() + message.size_bytes();
        self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
    }

    /// Gives up the oldest, which is what would be sent first, and notes before the next that the client missed it.
    fn displace_front(&mut self) -> Option<()> {
        let Some(Queued { message, mut gaps }) = self.pop_front() else {
            let message = self.conflation.as_mut()?.pop_front()?;
            self.miss(message.id.offset, LossReason::Displaced);
            return Some(());
        };
        if self.policy.gap_notices {
            gaps.note(message.id.offset, LossReason::Displaced);
        }
        gaps.move_before(self.queue.front_mut().map_or(&mut self.gaps, |next| &mut next.gaps));
        Some(())
    }

    /// Notes behind the last entry that the client missed a message.
    fn miss(&mut self, offset: Offset, reason: LossReason) {
        if self.policy.gap_notices {
            self.gaps.note(offset, reason);
        }
    }

    fn pop_front(&mut self) -> Option<Queued> {
        let queued = self.queue.pop_front()?;
        let message = &queued.message;
        if let Some(newest) = &mut self.newest
            && newest.get(&message.key) == Some(&self.first)
        {
            newest.remove(&message.key);
        }
        self.first += 1;
        self.queued_bytes -= message.size_bytes();
        Some(queued)
    }
}

/// What a frequency is counted by: the key, but for a lane that holds one value whatever the key.
fn pace_key<'a>(policy: &Policy, message: &'a Message) -> Option<&'a Key> {
    message.key.as_ref().filter(|_| policy.coalesces_by_key())
}

pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
