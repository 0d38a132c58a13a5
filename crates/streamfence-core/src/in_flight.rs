//! What was sent and is not yet acked.
//!
//! Never an unsent message, and never a clock: time here is the link's, which stands still while the link has no room,
//! so that a client that is merely slow is never retried into exhaustion.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::GiveUpReason;
use crate::gap::{Gap, put_before};
use crate::message::{Message, MessageId};
use crate::policy::Retry;
use crate::stats::AckOutcome;

/// The window of an at-least-once lane.
///
/// ```text
///            record                   due, attempts left             resend
/// unsent ---------------> waiting ---------------------> overdue ---------------> waiting
///                            | ack                          | ack      due, none left | handle_timeout
///                            v                              v                         v
///                         released                       released                 given up
/// ```
#[derive(Debug)]
pub struct InFlight {
    /// In offset order, which is the order of first send but for what a reload has mixed. Invariant: it grows only while it has less than `window` entries.
    sent: VecDeque<Sent>,
    /// Sum of `size_bytes` over `sent`, kept so that admission never walks the window.
    bytes: u64,
    /// How many of `sent` wait to be sent again.
    overdue: u32,
    /// Since when some of them have: none after a new link, which did not let them wait.
    overdue_since: Option<Instant>,
    /// No entry is due before this. Too early costs one look; it is made exact by that look.
    nearest: Duration,
    window: NonZeroU16,
    retry: Retry,
    /// What makes this client's timeouts differ from another's.
    salt: u64,
    /// The newest message ever sent: what tells a late ack from an unknown one.
    newest: Option<MessageId>,
    /// What the client was told it missed, since the last message was sent.
    told: Vec<Gap>,
    /// The same on a link that was lost, and perhaps with it: to be told again.
    untold: VecDeque<Gap>,
}

#[derive(Debug)]
struct Sent {
    message: Arc<Message>,
    /// From 1. Only real sends count.
    attempts: u32,
    /// On the link's clock; `None` while it waits to be sent again.
    due: Option<Duration>,
    /// Whether the client has refused the last attempt.
    is_nacked: bool,
    /// When it was sent for the first time.
    sent: Instant,
    /// What was told before it and no ack says has come.
    told: Vec<Gap>,
}

/// Why a message is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// It was sent as often as it may be.
    Exhausted {
        /// What the client had to say to the last attempt.
        reason: GiveUpReason,
    },
    /// Its time is over.
    Expired,
}

/// A message that was in flight and is not any more.
#[derive(Clone, Debug)]
pub struct Departed {
    /// The message.
    pub message: Arc<Message>,
    /// When it was sent for the first time.
    pub sent: Instant,
    /// How often it was sent.
    pub attempts: u32,
}

impl InFlight {
    /// An empty window.
    #[must_use]
    pub fn new(window: NonZeroU16, retry: Retry, salt: u64) -> Self {
        Self {
            sent: VecDeque::new(),
            bytes: 0,
            overdue: 0,
            overdue_since: None,
            nearest: Duration::MAX,
            window,
            retry,
            salt,
            newest: None,
            told: Vec::new(),
            untold: VecDeque::new(),
        }
    }

    /// Goes on with other settings: for what is sent from now on. What is due already stays due when it was.
    pub fn reload(&mut self, window: NonZeroU16, retry: Retry) {
        self.window = window;
        self.retry = retry;
    }

    /// Takes in a message that is being sent for the first time.
    ///
    /// # Panics
    /// When the window is full: ask [`InFlight::has_space`] first.
    pub fn record(&mut self, message: Arc<Message>, clock: Duration, now: Instant) {
        assert!(self.has_space(), "the window of {} is full", self.window);
        // Where the lane coalesces since a reload, a message from before it may have taken the place of an older one.
        let place = self.sent.partition_point(|sent| sent.message.id <= message.id);
        self.bytes += message.size_bytes();
        self.newest = self.newest.max(Some(message.id));
        let due = clock.saturating_add(self.timeout(message.id, 1));
        self.nearest = self.nearest.min(due);
        let told = std::mem::take(&mut self.told);
        self.sent.insert(place, Sent { message, attempts: 1, due: Some(due), is_nacked: false, sent: now, told });
    }

    /// Sends the oldest overdue message again and says which attempt that is.
    pub fn resend(&mut self, clock: impl Fn() -> Duration) -> Option<(Arc<Message>, u32)> {
        let place = self.next_place()?;
        let Sent { message, attempts, .. } = &self.sent[place];
        let due = clock().saturating_add(self.timeout(message.id, attempts + 1));
        let sent = &mut self.sent[place];
        sent.attempts += 1;
        sent.due = Some(due);
        sent.is_nacked = false;
        // In this order: what it has of its own was told again too.
        sent.told.splice(0..0, self.told.drain(..));
        self.overdue -= 1;
        self.nearest = self.nearest.min(due);
        Some((sent.message.clone(), sent.attempts))
    }

    /// Notes what the client is told it missed. It is known to have heard it when it acks what is sent next.
    pub fn tell(&mut self, gap: Gap) {
        self.told.push(gap);
    }

    /// Takes what is to be told again, since it may have been lost with its link; the oldest first.
    pub fn take_untold(&mut self) -> Option<Gap> {
        let gap = self.untold.pop_front()?;
        self.told.push(gap);
        Some(gap)
    }

    /// Whether there is something to be told again, before anything is sent.
    #[must_use]
    pub fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Begins again on a new link: everything is to be told and sent again, in order. What was sent as often as it may be
    /// gets one more ack timeout, since the client may have it.
    pub fn resume(&mut self, clock: Duration) {
        let untold = std::mem::take(&mut self.untold);
        let told = self.sent.iter_mut().flat_map(|sent| std::mem::take(&mut sent.told)).chain(self.told.drain(..));
        // What had not been told again yet on the last link comes after what had.
        self.untold = told.chain(untold).collect();
        self.nearest = Duration::MAX;
        self.overdue = 0;
        self.overdue_since = None;
        for sent in &mut self.sent {
            if sent.attempts > self.retry.max_retries.get() {
                let due = clock.saturating_add(self.retry.ack_timeout);
                sent.due = Some(due);
                self.nearest = self.nearest.min(due);
            } else {
                sent.due = None;
                self.overdue += 1;
            }
        }
    }

    /// Releases a message the client says it has; `released` is told of it.
    pub fn handle_ack(&mut self, id: MessageId, released: impl FnOnce(&Departed)) -> AckOutcome {
        let Ok(place) = self.sent.binary_search_by_key(&id, |sent| sent.message.id) else {
            return self.outcome_of_absent(id);
        };
        released(&self.remove(place));
        AckOutcome::Released
    }

    /// Releases every message up to and including one that the client says it has, and says what that was, and of
    /// how many messages; `on_release` is told of each.
    pub fn handle_ack_up_to(&mut self, id: MessageId, mut on_release: impl FnMut(&Departed)) -> (AckOutcome, u32) {
        if self.newest.is_none_or(|newest| newest.epoch != id.epoch || newest.offset < id.offset) {
            return (AckOutcome::Unknown, 1);
        }
        let released = self.sent.partition_point(|sent| sent.message.id <= id);
        for _ in 0..released {
            on_release(&self.remove(0));
        }
        if released == 0 { (AckOutcome::Late, 1) } else { (AckOutcome::Released, released as u32) }
    }

    /// Takes the client's word that it could not handle a message: it is sent again after the delay, as one more
    /// attempt, or given up when that was the last.
    pub fn handle_nack(&mut self, id: MessageId, delay: Duration, clock: Duration) -> AckOutcome {
        let due = clock.saturating_add(delay);
        let Ok(place) = self.sent.binary_search_by_key(&id, |sent| sent.message.id) else {
            return self.outcome_of_absent(id);
        };
        let sent = &mut self.sent[place];
        if sent.due.is_none() {
            self.overdue -= 1;
        }
        sent.due = Some(due);
        sent.is_nacked = true;
        self.nearest = self.nearest.min(due);
        AckOutcome::Nacked
    }

    /// Marks what is due to be sent again, and gives up what has been sent often enough.
    pub fn handle_timeout(&mut self, clock: Duration, now: Instant, mut give_up: impl FnMut(Departed, GiveUp)) {
        if clock < self.nearest {
            return;
        }
        self.nearest = Duration::MAX;
        let mut place = 0;
        while let Some(sent) = self.sent.get_mut(place) {
            match sent.due {
                Some(due) if due > clock => self.nearest = self.nearest.min(due),
                // Not worth sending again; an ack that is on its way will be late.
                Some(_) if sent.message.is_expired(now) => {
                    give_up(self.abandon(place), GiveUp::Expired);
                    continue;
                }
                Some(_) if sent.attempts > self.retry.max_retries.get() => {
                    let reason = if sent.is_nacked { GiveUpReason::Nacked } else { GiveUpReason::Exhausted };
                    give_up(self.abandon(place), GiveUp::Exhausted { reason });
                    continue;
                }
                Some(_) => {
                    sent.due = None;
                    if self.overdue == 0 {
                        self.overdue_since = Some(now);
                    }
                    self.overdue += 1;
                }
                None => {}
            }
            place += 1;
        }
    }

    /// Gives up what would be sent again next and is not worth it any more, and says how many messages those were; `gone` is
    /// told of each. It may have waited for room, or for its client to come back.
    pub fn expire(&mut self, now: Instant, mut gone: impl FnMut(&Departed)) -> u64 {
        let mut expired = 0;
        while self.next_resend().is_some_and(|message| message.is_expired(now)) {
            let place = self.next_place().expect("something is overdue: `next_resend` said so");
            gone(&self.abandon(place));
            expired += 1;
        }
        expired
    }

    /// When to call [`InFlight::handle_timeout`], on the link's clock; never too late, perhaps too early.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        (self.nearest != Duration::MAX).then_some(self.nearest)
    }

    /// The message that would be sent again next.
    #[must_use]
    pub fn next_resend(&self) -> Option<&Arc<Message>> {
        self.next_place().map(|place| &self.sent[place].message)
    }

    /// Whether another message may be sent.
    #[must_use]
    pub fn has_space(&self) -> bool {
        self.sent.len() < usize::from(self.window.get())
    }

    /// How many messages may be sent and not yet acked.
    #[must_use]
    pub fn window(&self) -> NonZeroU16 {
        self.window
    }

    /// How many messages are sent and not acked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether nothing is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// The bytes of what is in flight.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a message is in flight.
    #[must_use]
    pub fn contains(&self, id: MessageId) -> bool {
        self.sent.binary_search_by_key(&id, |sent| sent.message.id).is_ok()
    }

    /// Everything in flight, in order: each message, when it was sent for the first time, and how often it was.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Arc<Message>, Instant, u32)> {
        self.sent.iter().map(|sent| (&sent.message, sent.sent, sent.attempts))
    }

    /// The oldest message in flight.
    #[must_use]
    pub fn oldest(&self) -> Option<&Arc<Message>> {
        self.sent.front().map(|sent| &sent.message)
    }

    /// Since when something could be sent again: before that, the policy or its client's nack held it back.
    pub(crate) fn overdue_since(&self) -> Option<Instant> {
        self.next_resend().map(|message| self.overdue_since.unwrap_or(message.published))
    }

    /// When the oldest was sent whose ack its client owes: not one of which it has said that it could not handle it.
    pub(crate) fn unacked_since(&self) -> Option<Instant> {
        self.sent.iter().find(|sent| !sent.is_nacked).map(|sent| sent.sent)
    }

    /// Where the message stands that would be sent again next; no walk while there is none.
    fn next_place(&self) -> Option<usize> {
        debug_assert_eq!(self.overdue as usize, self.sent.iter().filter(|sent| sent.due.is_none()).count());
        if self.overdue == 0 {
            return None;
        }
        self.sent.iter().position(|sent| sent.due.is_none())
    }

    fn timeout(&self, id: MessageId, attempt: u32) -> Duration {
        let luck = [id.offset.0, attempt.into()].into_iter().fold(self.salt, |luck, part| mix(luck ^ part));
        self.retry.timeout(attempt, luck)
    }

    fn outcome_of_absent(&self, id: MessageId) -> AckOutcome {
        match self.newest {
            Some(newest) if newest.epoch == id.epoch && id.offset <= newest.offset => AckOutcome::Late,
            _ => AckOutcome::Unknown,
        }
    }

    /// Takes out what was not acked. What was told before it is known to have been heard when the next is acked.
    fn abandon(&mut self, place: usize) -> Departed {
        let told = std::mem::take(&mut self.sent[place].told);
        let departed = self.remove(place);
        put_before(told, self.sent.get_mut(place).map_or(&mut self.told, |next| &mut next.told));
        departed
    }

    fn remove(&mut self, place: usize) -> Departed {
        let sent = self.sent.remove(place).expect("the place was found in the window just now");
        self.bytes -= sent.message.size_bytes();
        if sent.due.is_none() {
            self.overdue -= 1;
        }
        if self.is_empty() {
            self.nearest = Duration::MAX;
        }
        Departed { message: sent.message, sent: sent.sent, attempts: sent.attempts }
    }
}

/// Spreads a number over all numbers: the finaliser of SplitMix64.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn nothing_is_due_while_nothing_is_in_flight() {
        let promise = AtLeastOnce::default().window(2).ack_timeout(Duration::from_secs(1));
        let namespace = Namespace::new("/a").topic("t").at_least_once(promise);
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let topic = catalog.entry(catalog.topics().next().expect("there is one"));
        let Delivery::AtLeastOnce { window, retry, .. } = topic.class.policy.delivery else { unreachable!("it is") };
        let (mut in_flight, now) = (InFlight::new(window, retry, 0), Instant::now());
        assert_eq!((in_flight.is_empty(), in_flight.poll_timeout()), (true, None));
        let ids = [1, 2].map(|offset| MessageId { epoch: Epoch(7), offset: Offset(offset) });
        for (id, at) in ids.into_iter().zip([Duration::ZERO, Duration::from_millis(500)]) {
            let (topic, body) = (topic.clone(), Body::plain("hello".into()));
            let message = Message { topic, id, key: None, published: now, expires: None, trace: None, body };
            in_flight.record(Arc::new(message), at, now);
        }
        assert_eq!(in_flight.handle_ack(ids[0], |_| {}), AckOutcome::Released);
        assert_eq!((in_flight.is_empty(), in_flight.len(), in_flight.bytes()), (false, 1, 5));
        assert!(in_flight.poll_timeout().is_some_and(|due| due <= Duration::from_millis(1_500)));
        assert_eq!(in_flight.handle_ack(ids[1], |_| {}), AckOutcome::Released);
        assert_eq!((in_flight.is_empty(), in_flight.poll_timeout()), (true, None));
    }
}
