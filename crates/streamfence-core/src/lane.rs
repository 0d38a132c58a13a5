//! One client's queue for one topic, and what gives way when it is full.
//!
//! Never another lane: a lane decides from its own policy and its own content alone.

mod acks;
mod admission;
mod ahead;
mod expiry;
mod held;
mod overflow;
mod refill;
mod reload;
mod spilled;
mod tally;
mod tight;
mod traced;
mod waiting;

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::acks::AckedUpTo;
pub use self::admission::{Admission, Rejection};
pub(crate) use self::refill::{Read, Refill, Source};
pub(crate) use self::spilled::Spilled;
pub use self::tally::LaneTotals;
use self::tally::Tally;
pub use self::tight::{ENTRY_BYTES, MESSAGE_BYTES};
pub(crate) use self::tight::{Shed, WayOut};
use crate::conflation::Conflation;
use crate::gap::{Gap, Gaps, LossReason};
use crate::in_flight::{Departed, GiveUp, InFlight};
use crate::message::{Key, Message, MessageId, Offset, TopicId};
use crate::policy::{Delivery, Frequency, Overflow, Policy};
use crate::receipts::Receipts;
use crate::topic::TopicEntry;
use crate::trace::{DeliveryOutcome, LeftBehind};

/// A bounded queue with a policy.
///
/// ```text
/// offer --> [ queued ... ] --send--> gone                      best effort
/// offer --> [ queued ... ] --send--> [ in flight ] --ack--> gone   at least once
/// offer --> [ held ] --interval over--> [ queued ... ] --send--> gone   best effort with a frequency
/// ```
#[derive(Debug)]
pub struct Lane {
    topic: Arc<TopicEntry>,
    policy: Policy,
    queue: VecDeque<Queued>,
    /// Sum of `size_bytes` over `queue`.
    queued_bytes: u64,
    /// The number of the first entry of `queue`; each entry keeps its number until it leaves, or `newest` is written anew.
    first: u64,
    /// Which entry holds the newest value of a key, by number. Only for lanes that look for it, and only keys that are
    /// queued.
    #[expect(clippy::box_collection, reason = "most lanes do not coalesce, and there are very many lanes")]
    newest: Option<Box<HashMap<Option<Key>, u64>>>,
    /// Only for at-least-once, and for what was sent while the lane was that.
    in_flight: Option<Box<InFlight>>,
    /// Only for lanes with a frequency: what was sent of late, and what is held for it.
    conflation: Option<Box<Conflation>>,
    /// Only for best effort with a receipt window.
    receipts: Option<Box<Receipts>>,
    /// Only for a lane that gets its messages from its topic's log, until it has caught up.
    spilled: Option<Box<Spilled>>,
    /// What its client asked for, which may only lower what the policy gives.
    wishes: Wishes,
    /// Messages lost since the lane began to overflow; 0 while it does not.
    lost: u64,
    /// What was lost behind the last entry of `queue`.
    gaps: Gaps,
    /// Recorded messages that have left otherwise than by being sent or acked, and are to be told of.
    left: LeftBehind,
    /// Nothing that is queued or held expires before this: while nothing expires, that costs one comparison.
    nearest_expiry: Option<Instant>,
    /// What was not simply delivered.
    tally: Tally,
}

/// A message that waits, and what the client missed just before it.
#[derive(Debug)]
struct Queued {
    message: Arc<Message>,
    gaps: Gaps,
}

/// A message that leaves its lane.
#[derive(Debug)]
pub struct Sending {
    /// The message.
    pub message: Arc<Message>,
    /// How often it has been sent with this, from 1.
    pub attempt: u32,
    /// Whether it stays in flight until its client acks it; else it is delivered with this.
    pub awaits_ack: bool,
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
    pub fn new(topic: Arc<TopicEntry>, wishes: Wishes, salt: u64) -> Self {
        let policy = topic.class.policy.at_most(wishes.max_frequency);
        let mut lane = Self {
            topic,
            policy,
            queue: VecDeque::new(),
            queued_bytes: 0,
            first: 0,
            newest: None,
            in_flight: None,
            conflation: None,
            receipts: None,
            spilled: None,
            wishes,
            lost: 0,
            gaps: Gaps::default(),
            left: LeftBehind::default(),
            nearest_expiry: None,
            tally: Tally::default(),
        };
        lane.follow_policy(salt);
        lane
    }

    /// Offers a message to the lane and says what became of it.
    ///
    /// Messages in flight are never displaced or replaced: the client may be acking them now.
    pub fn offer(&mut self, message: &Arc<Message>, now: Instant) -> Admission {
        let admission = self.decide(message, now);
        self.note_refusal(message, admission);
        admission
    }

    /// Sends the next message: what is overdue goes before what is new. Says which attempt it is. What the link's clock
    /// shows is asked for only where the client is to ack it.
    ///
    /// # Panics
    /// When there is nothing to send: ask [`Lane::next`] first.
    #[inline]
    pub fn send(&mut self, clock: impl Fn() -> Duration, now: Instant) -> Sending {
        if let Some((message, attempt)) = self.in_flight.as_mut().and_then(|in_flight| in_flight.resend(&clock)) {
            return Sending { message, attempt, awaits_ack: true };
        }
        let message = self.pop_front().expect("there is a queued message: `next` said so").message;
        match &mut self.in_flight {
            Some(in_flight) if message.is_at_least_once() => {
                in_flight.record(message.clone(), clock(), now);
                Sending { message, attempt: 1, awaits_ack: true }
            }
            _ => {
                self.begin_interval(&message, now);
                if let Some(receipts) = self.receipts.as_mut().filter(|_| message.wants_ack()) {
                    receipts.record(message.id);
                }
                Sending { message, attempt: 1, awaits_ack: false }
            }
        }
    }

    /// Begins again on a new link, whose clock shows this: what is in flight is to be sent again, and what was only
    /// waiting for a receipt is waited for no more.
    pub fn resume(&mut self, clock: Duration) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.resume(clock);
        }
        if let Some(receipts) = &mut self.receipts {
            receipts.clear();
        }
    }

    /// Looks for overdue messages; `give_up` is told of each whose attempts are used up, or whose time is over.
    pub fn handle_timeout(&mut self, clock: Duration, now: Instant, mut give_up: impl FnMut(Departed, GiveUp)) {
        let Some(in_flight) = &mut self.in_flight else { return };
        let (mut exhausted, mut expired) = (0, 0);
        in_flight.handle_timeout(clock, now, |departed, why| {
            match why {
                GiveUp::Exhausted { .. } => exhausted += 1,
                GiveUp::Expired => expired += 1,
            }
            give_up(departed, why);
        });
        self.count_given_up(exhausted, expired);
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
    #[inline]
    pub fn next(&self) -> Option<&Arc<Message>> {
        let overdue = self.in_flight.as_ref().and_then(|in_flight| in_flight.next_resend());
        overdue.or_else(|| self.front().filter(|message| self.may_send(message)))
    }

    /// Takes what the client must be told before [`Lane::send`], if it missed something before the next message.
    pub fn take_gap(&mut self) -> Option<Gap> {
        if !self.has_gap() {
            return None;
        }
        if let Some(gap) = self.in_flight.as_mut().and_then(|in_flight| in_flight.take_untold()) {
            return Some(gap);
        }
        let front = self.queue.front_mut()?;
        let gap = front.gaps.pop();
        if let (Some(in_flight), true) = (&mut self.in_flight, front.message.is_at_least_once()) {
            gap.into_iter().for_each(|gap| in_flight.tell(gap));
        }
        gap
    }

    /// Whether the client must be told of a gap before the next message.
    #[must_use]
    #[inline]
    pub fn has_gap(&self) -> bool {
        if self.in_flight.as_ref().is_some_and(|in_flight| in_flight.has_untold()) {
            return self.next().is_some();
        }
        let is_resend = || self.in_flight.as_ref().is_some_and(|in_flight| in_flight.next_resend().is_some());
        self.queue.front().is_some_and(|queued| !queued.gaps.is_empty()) && !is_resend()
    }

    /// The topic it is of.
    #[must_use]
    pub fn topic(&self) -> TopicId {
        self.topic.id
    }

    /// The topic it is of, with its name and class.
    #[must_use]
    pub fn entry(&self) -> &Arc<TopicEntry> {
        &self.topic
    }

    /// The policy it keeps.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many messages it holds in memory: queued, held for their interval, and in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len() + self.held() + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.len())
    }

    /// Whether it holds nothing in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it holds in memory: queued, held for their interval, and in flight.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let held = self.conflation.as_ref().map_or(0, |conflation| conflation.bytes());
        self.queued_bytes + held + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.bytes())
    }

    /// The oldest message it holds in memory.
    #[must_use]
    pub fn oldest(&self) -> Option<&Arc<Message>> {
        let sent = self.in_flight.as_ref().and_then(|in_flight| in_flight.oldest());
        let held = || self.conflation.as_ref().and_then(|conflation| conflation.front());
        sent.or_else(|| self.front()).or_else(held)
    }

    /// Whether it holds a message in memory, queued or in flight, of those that are to be acked: those are queued in the
    /// order of their offsets.
    #[must_use]
    pub fn holds(&self, id: MessageId) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.contains(id))
            || self.queue.binary_search_by_key(&id, |queued| queued.message.id).is_ok()
    }

    /// Whether it is more than half full: time to let the client drain it before more is published.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let limits = &self.policy.limits;
        self.len() as u64 * 2 > u64::from(limits.messages.get()) || self.bytes() * 2 > limits.bytes.get()
    }

    /// How many messages were sent and wait for their ack, and how many of them may.
    #[must_use]
    pub fn window(&self) -> (usize, Option<NonZeroU16>) {
        match (&self.in_flight, &self.receipts) {
            (Some(in_flight), _) => (in_flight.len(), Some(in_flight.window())),
            (None, Some(receipts)) => (receipts.len(), Some(receipts.window())),
            (None, None) => (0, None),
        }
    }

    /// Whether it may send no more before its client acks, on a topic that is at least once.
    #[must_use]
    pub fn waits_for_acks(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|window| !window.has_space())
    }

    /// Whether the window that a queued message needs takes another one.
    #[inline]
    pub(super) fn may_send(&self, message: &Message) -> bool {
        match &self.in_flight {
            Some(window) if message.is_at_least_once() => window.has_space(),
            // A lane that opened after its topic had ceased to be at-least-once has no other window.
            _ => self.receipts.as_ref().is_none_or(|window| window.has_space() || !message.wants_ack()),
        }
    }

    /// Writes anew which entry holds the newest value of a key.
    fn index_newest(&mut self) {
        if let Some(newest) = &mut self.newest {
            newest.clear();
            for (number, queued) in (self.first..).zip(&self.queue) {
                newest.insert(queued.message.key.clone(), number);
            }
        }
    }

    fn decide(&mut self, message: &Arc<Message>, now: Instant) -> Admission {
        if let Some(why) = self.never_takes(message, now) {
            return Admission::Rejected(why);
        }
        match self.policy.delivery {
            Delivery::AtLeastOnce { .. } => self.admit_or_reject(message),
            // What is in flight from a time when the lane was at-least-once does not give way.
            Delivery::BestEffort { .. } if !self.fits_beside_in_flight(message.size_bytes()) => {
                Admission::Rejected(Rejection::Full)
            }
            Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. } => self.replace_all(message),
            Delivery::BestEffort { overflow, .. } => match (self.replace_same_key(message, overflow), overflow) {
                (Some(admission), _) => admission,
                (None, Overflow::DropOldest) => self.displace_until_admitted(message),
                (None, _) => self.admit_or_reject(message),
            },
        }
    }

    /// Why no lane of this policy takes the message, however empty it is.
    fn never_takes(&self, message: &Message, now: Instant) -> Option<Rejection> {
        if message.is_expired(now) {
            return Some(Rejection::Expired);
        }
        (message.size_bytes() > self.policy.limits.bytes.get()).then_some(Rejection::TooLarge)
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
        let held = self.drop_held();
        // What was missed before the old values is still missed; the old values themselves are not.
        let mut gaps = Gaps::default();
        for mut queued in self.queue.drain(..) {
            self.left.note(&queued.message, DeliveryOutcome::Coalesced);
            gaps.move_before(&mut queued.gaps);
            gaps = queued.gaps;
        }
        gaps.move_before(&mut self.gaps);
        self.queued_bytes = 0;
        self.take_in(message);
        Admission::Admitted { coalesced: queued as u32 + held as u32, displaced: 0 }
    }

    /// Puts the message in the place of the queued or held one with its key, if this lane coalesces and there is one.
    fn replace_same_key(&mut self, message: &Arc<Message>, overflow: Overflow) -> Option<Admission> {
        if let Some(admission) = self.replace_held(message, overflow) {
            return Some(admission);
        }
        let place = self.older_value(message)?;
        let older = self.queue[place].message.size_bytes();
        let grown = self.bytes() - older + message.size_bytes();
        // A lane whose limit was lowered may hold too much already; this does not make it more.
        if grown <= self.policy.limits.bytes.get() || message.size_bytes() <= older {
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
        self.left.note(&older.message, DeliveryOutcome::Coalesced);
        self.tally.unsent += 1;
        older.gaps.move_before(self.queue.front_mut().map_or(&mut self.gaps, |next| &mut next.gaps));
        let Admission::Admitted { displaced: more, .. } = self.displace_until_admitted(message) else {
            unreachable!("displacing always admits a message that is not too large")
        };
        Some(Admission::Admitted { coalesced: 1, displaced: displaced + more })
    }

    /// Where the queued message with its key stands, if this lane coalesces and there is one.
    fn older_value(&self, message: &Message) -> Option<usize> {
        let number = *self.newest.as_ref()?.get(&message.key)?;
        number.checked_sub(self.first).map(|place| place as usize)
    }

    fn front(&self) -> Option<&Arc<Message>> {
        self.queue.front().map(|queued| &queued.message)
    }

    fn fits(&self, more: u64) -> bool {
        let limits = &self.policy.limits;
        (self.len() as u64) < u64::from(limits.messages.get()) && self.bytes() + more <= limits.bytes.get()
    }

    /// Whether it would fit if nothing were queued.
    fn fits_beside_in_flight(&self, size: u64) -> bool {
        let limits = &self.policy.limits;
        self.in_flight.as_ref().is_none_or(|in_flight| {
            (in_flight.len() as u64) < u64::from(limits.messages.get())
                && in_flight.bytes() + size <= limits.bytes.get()
        })
    }

    fn push_back(&mut self, message: Arc<Message>) {
        if let Some(newest) = &mut self.newest {
            newest.insert(message.key.clone(), self.first + self.queue.len() as u64);
        }
        self.queued_bytes += message.size_bytes();
        self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
        self.queue.push_back(Queued { message, gaps: std::mem::take(&mut self.gaps) });
    }

    /// Puts a newer value in the place of an older one.
    fn replace(&mut self, place: usize, message: &Arc<Message>) {
        let old = std::mem::replace(&mut self.queue[place].message, message.clone());
        self.left.note(&old, DeliveryOutcome::Coalesced);
        self.queued_bytes = self.queued_bytes - old.size_bytes() + message.size_bytes();
        self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
    }

    /// Gives up the oldest, which is what would be sent first, and notes before the next that the client missed it.
    fn displace_front(&mut self) -> Option<()> {
        let Some(Queued { message, mut gaps }) = self.pop_front() else {
            let message = self.conflation.as_mut()?.pop_front()?;
            self.left.note(&message, DeliveryOutcome::Displaced);
            self.miss(message.id.offset, LossReason::Displaced);
            return Some(());
        };
        self.left.note(&message, DeliveryOutcome::Displaced);
        self.tally.unsent += 1;
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

    #[inline]
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
        if self.queue.is_empty() {
            // Begins at its beginning again, in memory that was looked at lately.
            self.queue.clear();
        }
        Some(queued)
    }
}

pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
