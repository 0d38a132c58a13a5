//! A lane that was full and goes on on disk: where it stands in its topic's log, and what it takes from there.
//!
//! ```text
//!       does not fit, the log takes it                 nothing left for it up to the end
//! hot ---------------------------------> spilled ---------------------------------------> hot
//!                                         |   ^
//!                   has all it may have   v   | half of it is left
//!                                         shut
//! ```
//!
//! From its first message on disk on, everything comes from there: else a new message would overtake old ones. Never what
//! lies in the log; only what of it is this lane's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::refill::Refill;
use super::{Admission, Lane, Rejection};
use crate::gap::{Gap, LossReason};
use crate::message::{ClientId, Message, Offset};
use crate::spill::{LogPosition, SpillRefusal};
use crate::spill_log::{Cursor, SpillLog, Sums};

/// How many of its messages a lane may have in another way than all others of its log; then it takes nothing new for a
/// while.
const MOST_DEVIATIONS: usize = 65_536;

/// A lane's place in its topic's log.
#[derive(Debug)]
pub(crate) struct Spilled {
    pub(crate) cursor: Cursor,
    /// Where it is not as everybody, by growing position. Bounded by `MOST_DEVIATIONS`, and one more.
    pub(super) deviations: VecDeque<Deviation>,
    /// What it has beside what everybody has, from the cursor on.
    pub(super) plus: Sums,
    /// What everybody has and it has not, from the cursor on.
    pub(super) minus: Sums,
    shut: Option<Box<Shut>>,
    /// Since when something is missing that could not be read: after which offset, and how many messages.
    pub(super) missing: Option<(Offset, u64)>,
    /// Under how many bytes its quota is filed with the log.
    pub(crate) quota: Option<u64>,
    /// Whether it waits for something to be read.
    pub(crate) is_waiting: bool,
    /// What it held in memory when what was read did not fit: until that changes, no read helps.
    pub(super) stalled: Option<(usize, u64)>,
    since: Instant,
    /// When the next message was published, or one before it.
    pub(super) oldest: Instant,
    /// How many messages it has had from here.
    pub(super) messages: u64,
}

/// A place where a lane is not as everybody.
#[derive(Debug)]
pub(super) enum Deviation {
    /// A message for everybody that is not for it.
    Excepted(LogPosition, u64),
    /// A message for it that is not for everybody.
    Private(LogPosition, u64),
    /// It took nothing for a while.
    Refused(Box<Refused>),
}

impl Deviation {
    pub(super) fn position(&self) -> LogPosition {
        match self {
            Self::Excepted(at, _) | Self::Private(at, _) => *at,
            Self::Refused(refused) => refused.from.position,
        }
    }
}

/// What a lane did not take, from one place to another.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) from: Cursor,
    pub(super) to: Cursor,
    pub(super) gap: Option<Gap>,
}

/// A lane that has as much on disk as it may have.
#[derive(Debug)]
struct Shut {
    at: Cursor,
    /// How many messages had been offered to everybody.
    offered: u64,
    /// The first message it missed.
    first: Option<Offset>,
    /// How many of those for everybody were not for it.
    excepted: u64,
    /// How many for it alone it missed, and the last of them.
    private: u64,
    last_private: Option<Offset>,
    /// The last that was not for it, and the last one before that which was.
    skipped: Option<(Offset, Offset)>,
}

impl Spilled {
    pub(super) fn new(cursor: Cursor, message: &Message, is_private: bool, now: Instant) -> Self {
        let mut spilled = Self {
            cursor,
            deviations: VecDeque::new(),
            plus: Sums::default(),
            minus: Sums::default(),
            shut: None,
            missing: None,
            quota: None,
            is_waiting: false,
            stalled: None,
            since: now,
            oldest: message.published,
            messages: 0,
        };
        if is_private {
            spilled.add_private(cursor.position, message.size_bytes());
        }
        spilled
    }

    /// What it still has to get, up to the end or to where it takes nothing more.
    pub(crate) fn backlog(&self, log: &SpillLog) -> Sums {
        self.end(log).sums + self.plus - (self.cursor.sums + self.minus)
    }

    /// Where it stops: at the end, or where it takes nothing more.
    pub(super) fn end(&self, log: &SpillLog) -> Cursor {
        self.shut.as_ref().map_or(log.tail(), |shut| shut.at)
    }

    /// At how many bytes for everybody it has so many bytes to get.
    pub(crate) fn limit_at(&self, bytes: u64) -> u64 {
        (self.cursor.sums + self.minus).bytes.saturating_add(bytes).saturating_sub(self.plus.bytes)
    }

    /// Whether one more place may be noted where it is not as everybody.
    pub(crate) fn takes_deviations(&self) -> bool {
        self.deviations.len() < MOST_DEVIATIONS
    }

    pub(crate) fn add_private(&mut self, at: LogPosition, bytes: u64) {
        self.deviations.push_back(Deviation::Private(at, bytes));
        self.plus = self.plus + Sums::one(bytes);
    }

    pub(crate) fn add_excepted(&mut self, at: LogPosition, bytes: u64) {
        self.deviations.push_back(Deviation::Excepted(at, bytes));
        self.minus = self.minus + Sums::one(bytes);
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.shut.is_some()
    }

    /// Takes nothing more from here on. `missed` is the message that it was too much for.
    pub(crate) fn shut(&mut self, log: &SpillLog, missed: Option<Offset>) {
        let shut = Shut {
            at: log.tail(),
            offered: log.offered.0 - u64::from(missed.is_some()),
            first: missed,
            excepted: 0,
            private: 0,
            last_private: None,
            skipped: None,
        };
        self.shut = Some(Box::new(shut));
    }

    /// A message for everybody was not for it, while it is shut. `before` is the last one before that.
    pub(crate) fn skip(&mut self, offset: Offset, before: Offset) {
        if let Some(shut) = &mut self.shut {
            shut.excepted += 1;
            shut.first = shut.first.filter(|first| *first != offset);
            let before = shut.skipped.filter(|(last, _)| *last == before).map_or(before, |(_, before)| before);
            shut.skipped = Some((offset, before));
        }
    }

    /// A message for it alone came while it is shut.
    pub(crate) fn miss_private(&mut self, offset: Offset) {
        if let Some(shut) = &mut self.shut {
            shut.private += 1;
            shut.first.get_or_insert(offset);
            shut.last_private = Some(offset);
        }
    }

    /// Whether it is time to take new messages again.
    pub(crate) fn may_open(&self, log: &SpillLog, quota: Option<u64>) -> bool {
        let is_low = quota.is_none_or(|quota| self.backlog(log).bytes <= quota / 2);
        self.shut.is_some() && is_low && self.deviations.len() <= MOST_DEVIATIONS / 2
    }

    /// Takes new messages again.
    pub(crate) fn open(&mut self, log: &SpillLog) {
        if let Some(refused) = self.close_gap(log) {
            self.minus = self.minus + (refused.to.sums - refused.from.sums);
            self.deviations.push_back(Deviation::Refused(Box::new(refused)));
        }
    }

    /// Ends the time in which it takes nothing, and says what it missed.
    pub(super) fn close_gap(&mut self, log: &SpillLog) -> Option<Refused> {
        let shut = self.shut.take()?;
        let (offered, last) = log.offered;
        let last = shut.skipped.filter(|(skipped, _)| *skipped == last).map_or(last, |(_, before)| before);
        let count = (offered - shut.offered).saturating_sub(shut.excepted) + shut.private;
        let from = shut.first.unwrap_or(Offset(shut.at.offset.0 + 1));
        let to = shut.last_private.map_or(last, |private| private.max(last)).max(from);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let gap = (count > 0).then_some(Gap { from, to, count, reason: LossReason::Rejected });
        Some(Refused { from: shut.at, to: log.tail(), gap })
    }

    /// It stands somewhere else, and waits no more.
    pub(crate) fn has_moved(&mut self) {
        self.is_waiting = false;
        self.stalled = None;
    }

    /// Notes that so much is missing, from the cursor on.
    pub(super) fn lose(&mut self, messages: u64, refill: &mut Refill) {
        if messages > 0 {
            refill.lost += messages;
            let (_, missing) = self.missing.get_or_insert((self.cursor.offset, 0));
            *missing += messages;
        }
    }

    /// Whether nothing is left for it. What is left at its end is lost.
    pub(super) fn is_done(&mut self, log: &SpillLog, refill: &mut Refill) -> bool {
        let end = self.end(log);
        if self.cursor.position >= end.position {
            self.reconcile(end.sums, refill);
        }
        self.backlog(log).messages == 0
    }

    /// Comes to where it is known what lies before: what it has not seen of that is lost.
    pub(super) fn reconcile(&mut self, before: Sums, refill: &mut Refill) {
        let lost = before.messages.saturating_sub(self.cursor.sums.messages);
        self.lose(lost, refill);
        self.cursor.sums = Sums { messages: self.cursor.sums.messages.max(before.messages), bytes: before.bytes };
    }

    /// Forgets the deviation at the front, which the cursor has come to.
    pub(super) fn pop_deviation(&mut self) {
        match self.deviations.pop_front() {
            Some(Deviation::Excepted(_, bytes)) => self.minus = self.minus - Sums::one(bytes),
            Some(Deviation::Private(_, bytes)) => self.plus = self.plus - Sums::one(bytes),
            Some(Deviation::Refused(refused)) => self.minus = self.minus - (refused.to.sums - refused.from.sums),
            None => {}
        }
        if self.deviations.is_empty() {
            self.deviations = VecDeque::new();
        }
    }
}

impl Spilled {
    /// How many messages it has had from its log, and for how long.
    pub(crate) fn story(&self, now: Instant) -> (u64, Duration) {
        (self.messages, now.saturating_duration_since(self.since))
    }
}

impl Lane {
    /// Offers a message to a lane that is hot. Where it is full, the lane goes on at `vacancy`, if there is one.
    pub(crate) fn offer_or_spill(
        &mut self,
        message: &Arc<Message>,
        vacancy: Result<Cursor, SpillRefusal>,
        is_private: bool,
        now: Instant,
    ) -> Admission {
        let admission = match (self.decide(message, now), vacancy) {
            (Admission::Rejected(Rejection::Full), Ok(cursor)) if self.policy.spills() => {
                return self.begin_spill(message, cursor, is_private, now);
            }
            (Admission::Rejected(Rejection::Full), Err(why)) if self.policy.spills() => {
                Admission::Rejected(Rejection::NotSpilled(why))
            }
            (admission, _) => admission,
        };
        self.note_refusal(message, admission);
        admission
    }

    /// Goes on in its log from this message on.
    pub(super) fn begin_spill(
        &mut self,
        message: &Message,
        vacancy: Cursor,
        is_private: bool,
        now: Instant,
    ) -> Admission {
        // What the client missed before stays behind the last entry, and so before this.
        let cursor = Cursor { offset: Offset(message.id.offset.0.saturating_sub(1)), ..vacancy };
        self.spilled = Some(Box::new(Spilled::new(cursor, message, is_private, now)));
        Admission::Spilled
    }

    /// Where it stands in its log, if it has spilled.
    pub(crate) fn spilled(&self) -> Option<&Spilled> {
        self.spilled.as_deref()
    }

    pub(crate) fn spilled_mut(&mut self) -> Option<&mut Spilled> {
        self.spilled.as_deref_mut()
    }

    /// Whether it gets its messages from disk: from then on until it has caught up.
    #[must_use]
    pub fn has_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Why no lane of this policy takes a message, however empty it is.
    pub(crate) fn refuses(&self, message: &Message, now: Instant) -> Option<Rejection> {
        self.never_takes(message, now)
    }

    /// Whether it is at most half full, so that it can go on with what lies on disk.
    pub(crate) fn wants_refill(&self) -> bool {
        self.spilled.is_some() && !self.is_crowded()
    }

    /// Whether a read would help: the last one did, or something has left since.
    pub(crate) fn is_stalled(&self) -> bool {
        let held = (self.len(), self.bytes());
        self.spilled.as_ref().is_some_and(|spilled| spilled.stalled == Some(held))
    }

    /// Notes that what was read did not fit.
    pub(crate) fn stall(&mut self) {
        let held = (self.len(), self.bytes());
        if let Some(spilled) = &mut self.spilled {
            spilled.stalled = Some(held);
        }
    }

    /// How many messages and bytes it has room for.
    pub(crate) fn vacant(&self) -> (u64, u64) {
        let limits = &self.policy.limits;
        let messages = u64::from(limits.messages.get()).saturating_sub(self.len() as u64);
        (messages.max(1), limits.bytes.get().saturating_sub(self.bytes()).max(1))
    }

    /// When the oldest message it holds was published, in memory or on disk; of the latter that is a guess, and never too
    /// late.
    pub(crate) fn oldest_published(&self) -> Option<Instant> {
        let spilled = || self.spilled.as_ref().map(|spilled| spilled.oldest);
        self.oldest().map(|oldest| oldest.published).or_else(spilled)
    }

    /// Whether nothing is left for it in its log.
    pub(crate) fn has_caught_up(&self, log: &SpillLog) -> bool {
        self.spilled.as_ref().is_some_and(|spilled| spilled.backlog(log).messages == 0)
    }

    /// Is hot again, because it has caught up: what it missed up to the end is noted behind the last entry. Says what was
    /// missed, how many messages it has had from its log, and how long that took.
    pub(crate) fn land(&mut self, log: &SpillLog, client: ClientId) -> Option<(Box<Spilled>, Refill)> {
        let mut spilled = self.spilled.take()?;
        let mut refill = Refill::default();
        let end = spilled.end(log);
        let upto = log.tail().offset;
        self.tell_missing(&mut spilled, Offset(upto.0 + 1));
        // Behind the last message for it there may be some that it did not want.
        for deviation in std::mem::take(&mut spilled.deviations) {
            if let Deviation::Refused(refused) = deviation {
                self.hear(&mut spilled, log, client, refused.from.position, Some(refused.from.refusals), &mut refill);
                self.note_refused(&refused, &mut refill);
                spilled.cursor.refusals = spilled.cursor.refusals.max(refused.to.refusals);
            }
        }
        if let Some(refused) = spilled.close_gap(log) {
            self.hear(&mut spilled, log, client, end.position, Some(refused.from.refusals), &mut refill);
            self.note_refused(&refused, &mut refill);
        } else {
            self.hear(&mut spilled, log, client, end.position, None, &mut refill);
        }
        Some((spilled, refill))
    }

    /// Gives up its place in its log.
    pub(crate) fn take_spilled(&mut self) -> Option<Box<Spilled>> {
        self.spilled.take()
    }
}
