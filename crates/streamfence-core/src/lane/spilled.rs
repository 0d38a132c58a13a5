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

use super::{Admission, Lane, Rejection};
use crate::gap::{Gap, LossReason};
use crate::message::{ClientId, Message, Offset};
use crate::spill::{LogPosition, LostRecords, Record, SpillRefusal};
use crate::spill_log::{Cursor, SpillLog, Sums};
use crate::topic::TopicEntry;

/// How many of its messages a lane may have in another way than all others of its log; then it takes nothing new for a
/// while.
const MOST_DEVIATIONS: usize = 65_536;

/// A lane's place in its topic's log.
#[derive(Debug)]
pub(crate) struct Spilled {
    pub(crate) cursor: Cursor,
    /// Where it is not as everybody, by growing position. Bounded by `MOST_DEVIATIONS`, and one more.
    deviations: VecDeque<Deviation>,
    /// What it has beside what everybody has, from the cursor on.
    plus: Sums,
    /// What everybody has and it has not, from the cursor on.
    minus: Sums,
    shut: Option<Box<Shut>>,
    /// Since when something is missing that could not be read: after which offset, and how many messages.
    missing: Option<(Offset, u64)>,
    /// Under how many bytes its quota is filed with the log.
    pub(crate) quota: Option<u64>,
    /// Whether it waits for something to be read.
    pub(crate) is_waiting: bool,
    /// What it held in memory when what was read did not fit: until that changes, no read helps.
    stalled: Option<(usize, u64)>,
    since: Instant,
    /// When the next message was published, or one before it.
    oldest: Instant,
    /// How many messages it has had from here.
    messages: u64,
}

/// A place where a lane is not as everybody.
#[derive(Debug)]
enum Deviation {
    /// A message for everybody that is not for it.
    Excepted(LogPosition, u64),
    /// A message for it that is not for everybody.
    Private(LogPosition, u64),
    /// It took nothing for a while.
    Refused(Box<Refused>),
}

impl Deviation {
    fn position(&self) -> LogPosition {
        match self {
            Self::Excepted(at, _) | Self::Private(at, _) => *at,
            Self::Refused(refused) => refused.from.position,
        }
    }
}

/// What a lane did not take, from one place to another.
#[derive(Debug)]
struct Refused {
    from: Cursor,
    to: Cursor,
    gap: Option<Gap>,
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

/// What a lane took from its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refill {
    pub(crate) taken: u64,
    pub(crate) expired: u64,
    /// What could not be read.
    pub(crate) lost: u64,
    /// What was refused in the meantime, and is known to the lane with this.
    pub(crate) missed: u64,
}

/// What was read of a log.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) next: LogPosition,
    pub(crate) records: Vec<Record>,
    pub(crate) lost: Vec<LostRecords>,
    /// The messages made of the records, by their places; whoever takes one first makes it.
    pub(crate) made: Vec<Option<Arc<Message>>>,
    /// What the times of the records are counted from.
    pub(crate) began: Instant,
}

/// A record, wherever it comes from.
struct Passing {
    at: LogPosition,
    is_broadcast: bool,
    bytes: u64,
    offset: Offset,
    is_expired: bool,
}

impl Spilled {
    fn new(cursor: Cursor, message: &Message, is_private: bool, now: Instant) -> Self {
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
    fn end(&self, log: &SpillLog) -> Cursor {
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
    fn close_gap(&mut self, log: &SpillLog) -> Option<Refused> {
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
    fn lose(&mut self, messages: u64, refill: &mut Refill) {
        if messages > 0 {
            refill.lost += messages;
            let (_, missing) = self.missing.get_or_insert((self.cursor.offset, 0));
            *missing += messages;
        }
    }

    /// Whether nothing is left for it. What is left at its end is lost.
    fn is_done(&mut self, log: &SpillLog, refill: &mut Refill) -> bool {
        let end = self.end(log);
        if self.cursor.position >= end.position {
            self.reconcile(end.sums, refill);
        }
        self.backlog(log).messages == 0
    }

    /// Comes to where it is known what lies before: what it has not seen of that is lost.
    fn reconcile(&mut self, before: Sums, refill: &mut Refill) {
        let lost = before.messages.saturating_sub(self.cursor.sums.messages);
        self.lose(lost, refill);
        self.cursor.sums = Sums { messages: self.cursor.sums.messages.max(before.messages), bytes: before.bytes };
    }

    /// Forgets the deviation at the front, which the cursor has come to.
    fn pop_deviation(&mut self) {
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
                // What the client missed before stays behind the last entry, and so before this.
                let cursor = Cursor { offset: Offset(message.id.offset.0.saturating_sub(1)), ..cursor };
                self.spilled = Some(Box::new(Spilled::new(cursor, message, is_private, now)));
                return Admission::Spilled;
            }
            (Admission::Rejected(Rejection::Full), Err(why)) if self.policy.spills() => {
                Admission::Rejected(Rejection::NotSpilled(why))
            }
            (admission, _) => admission,
        };
        self.note_refusal(message, admission);
        admission
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

    /// Takes what is in memory of its log, as far as there is place for it, but no more than `most` messages.
    pub(crate) fn refill_from_memory(&mut self, log: &SpillLog, client: ClientId, most: u64, now: Instant) -> Refill {
        let mut refill = Refill::default();
        let Some(mut spilled) = self.spilled.take() else { return refill };
        loop {
            self.leap(&mut spilled, log, client, &mut refill);
            if spilled.is_done(log, &mut refill) {
                break;
            }
            let at = spilled.cursor.position;
            let Some(slot) = log.slot(at) else { break };
            spilled.reconcile(slot.before, &mut refill);
            let message = &slot.message;
            let passing = Passing {
                at,
                is_broadcast: slot.audience.is_broadcast(),
                bytes: message.size_bytes(),
                offset: message.id.offset,
                is_expired: message.is_expired(now),
            };
            if !self.pass(&mut spilled, log, client, most, &passing, || message.clone(), &mut refill) {
                break;
            }
        }
        self.spilled = Some(spilled);
        refill
    }

    /// Takes what was read of its log, likewise.
    pub(crate) fn refill_from_disk(
        &mut self,
        log: &SpillLog,
        source: &mut Source,
        client: ClientId,
        most: u64,
        now: Instant,
    ) -> Refill {
        let mut refill = Refill::default();
        let Some(mut spilled) = self.spilled.take() else { return refill };
        if source.records.is_empty() && source.lost.is_empty() && source.next <= spilled.cursor.position {
            // There is nothing where there should be something, and no word why: it goes on with what is in memory.
            self.skip_to(&mut spilled, log.memory_start().0, 0, log, client, &mut refill);
            self.spilled = Some(spilled);
            return refill;
        }
        let mut place = source.records.partition_point(|record| record.position < spilled.cursor.position);
        loop {
            self.leap(&mut spilled, log, client, &mut refill);
            let at = spilled.cursor.position;
            if spilled.is_done(log, &mut refill) || log.slot(at).is_some() {
                break;
            }
            while source.records.get(place).is_some_and(|record| record.position < at) {
                place += 1;
            }
            let next = source.records.get(place).map_or(source.next, |record| record.position);
            let lost = source.lost.iter().find(|lost| lost.positions.end > at && lost.positions.start < next.max(at));
            if let Some(LostRecords { positions, messages, .. }) = lost {
                // Of what lies before the cursor it has had its part; all of that may have been for everybody.
                let messages = messages.saturating_sub(at.0.saturating_sub(positions.start.0));
                let messages = messages.min(positions.end.0 - at.0);
                self.skip_to(&mut spilled, positions.end, messages, log, client, &mut refill);
                continue;
            }
            if next > at {
                // Nobody needed what was there, so nothing was.
                self.skip_to(&mut spilled, next, 0, log, client, &mut refill);
                continue;
            }
            let Some(record) = source.records.get(place) else { break };
            let passing = Passing {
                at,
                is_broadcast: record.audience.is_broadcast(),
                bytes: record.body.bytes.len() as u64,
                offset: record.id.offset,
                is_expired: record
                    .expires_us
                    .is_some_and(|us| source.began.checked_add(Duration::from_micros(us)).is_some_and(|at| at <= now)),
            };
            let (made, began, topic) =
                (&mut source.made[place], source.began, log.class_at(at).unwrap_or(&self.topic).clone());
            let make = || made.get_or_insert_with(|| Arc::new(message_of(record, topic, began))).clone();
            if !self.pass(&mut spilled, log, client, most, &passing, make, &mut refill) {
                break;
            }
        }
        self.spilled = Some(spilled);
        refill
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

    /// Lets one record pass by, and takes it if it is for this lane; `false` when there is no place for it.
    #[expect(clippy::too_many_arguments, reason = "it is a step of two loops that have all of these at hand")]
    fn pass(
        &mut self,
        spilled: &mut Spilled,
        log: &SpillLog,
        client: ClientId,
        most: u64,
        record: &Passing,
        message: impl FnOnce() -> Arc<Message>,
        refill: &mut Refill,
    ) -> bool {
        let deviation = spilled.deviations.front().filter(|deviation| deviation.position() == record.at);
        let is_mine = match deviation {
            Some(Deviation::Excepted(..)) => false,
            Some(Deviation::Private(..)) => true,
            Some(Deviation::Refused(_)) | None => record.is_broadcast,
        };
        let deviates = matches!(deviation, Some(Deviation::Excepted(..) | Deviation::Private(..)));
        if is_mine && !record.is_expired {
            // What the lane could not hold even if it were empty was taken before a reload made it smaller.
            let has_place = self.fits(record.bytes) || self.is_empty();
            if !has_place || refill.taken >= most {
                return false;
            }
        }
        self.tell_missing(spilled, record.offset);
        self.hear(spilled, log, client, record.at, None, refill);
        if is_mine {
            spilled.messages += 1;
            if record.is_expired {
                refill.expired += 1;
                self.miss(record.offset, LossReason::Expired);
            } else {
                let message = message();
                refill.taken += 1;
                spilled.oldest = spilled.oldest.max(message.published);
                self.push_back(&message);
            }
        }
        if deviates {
            spilled.pop_deviation();
        }
        if record.is_broadcast {
            spilled.cursor.sums = spilled.cursor.sums + Sums::one(record.bytes);
        }
        spilled.cursor.position = LogPosition(record.at.0 + 1);
        spilled.cursor.offset = spilled.cursor.offset.max(record.offset);
        true
    }

    /// Passes over what it has refused, if that begins where it stands.
    fn leap(&mut self, spilled: &mut Spilled, log: &SpillLog, client: ClientId, refill: &mut Refill) {
        while let Some(Deviation::Refused(refused)) = spilled.deviations.front()
            && refused.from.position <= spilled.cursor.position
        {
            let (from, to) = (refused.from, refused.to);
            self.tell_missing(spilled, Offset(from.offset.0 + 1));
            self.hear(spilled, log, client, from.position, Some(from.refusals), refill);
            spilled.reconcile(from.sums, refill);
            if let Some(Deviation::Refused(refused)) = spilled.deviations.front() {
                self.note_refused(refused, refill);
            }
            spilled.pop_deviation();
            spilled.cursor = Cursor { refusals: to.refusals.max(spilled.cursor.refusals), ..to };
        }
    }

    /// Goes on at a later position: so many messages for everybody before it are lost, and of what it had beside or less
    /// than everybody nothing is left to be had or to be missed.
    fn skip_to(
        &mut self,
        spilled: &mut Spilled,
        to: LogPosition,
        lost: u64,
        log: &SpillLog,
        client: ClientId,
        refill: &mut Refill,
    ) {
        let before = spilled.backlog(log).messages;
        let to = to.min(spilled.end(log).position);
        let mut known = 0;
        spilled.cursor.sums.messages += lost;
        while let Some(deviation) = spilled.deviations.front()
            && deviation.position() < to
        {
            if let Deviation::Refused(_) = deviation {
                spilled.cursor.position = deviation.position();
                let lost = refill.lost;
                self.leap(spilled, log, client, refill);
                known += refill.lost - lost;
            } else {
                spilled.pop_deviation();
            }
        }
        if to > spilled.cursor.position {
            self.hear(spilled, log, client, LogPosition(to.0 - 1), None, refill);
            spilled.cursor.position = to;
        }
        let after = spilled.backlog(log).messages;
        // What it was not to have is gone as well: then less is lost than was said.
        spilled.cursor.sums.messages += after.saturating_sub(before);
        spilled.lose(before.saturating_sub(after).saturating_sub(known), refill);
    }

    /// Notes what its log has refused up to a position, or up to a number.
    fn hear(
        &mut self,
        spilled: &mut Spilled,
        log: &SpillLog,
        client: ClientId,
        upto: LogPosition,
        before: Option<u64>,
        refill: &mut Refill,
    ) {
        let first = spilled.cursor.refusals;
        let end = before.unwrap_or(u64::MAX).min(log.refusals.next());
        if first >= end {
            return;
        }
        for (gap, unplaced) in log.refusals.from(first, end, upto, client) {
            refill.missed += unplaced;
            if self.policy.gap_notices {
                self.gaps.push(gap);
            }
        }
        spilled.cursor.refusals = first.max(log.refusals.after(upto).min(end));
    }

    fn note_refused(&mut self, refused: &Refused, refill: &mut Refill) {
        if let Some(gap) = refused.gap {
            refill.missed += u64::from(gap.count);
            if self.policy.gap_notices {
                self.gaps.push(gap);
            }
        }
    }

    /// Notes what could not be read before an offset.
    fn tell_missing(&mut self, spilled: &mut Spilled, next: Offset) {
        let Some((after, count)) = spilled.missing.take() else { return };
        if self.policy.gap_notices {
            let from = Offset(after.0 + 1);
            let to = Offset(next.0.saturating_sub(1)).max(from);
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.gaps.push(Gap { from, to, count, reason: LossReason::Damaged });
        }
    }
}

impl Spilled {
    /// How many messages it has had from its log, and for how long.
    pub(crate) fn story(&self, now: Instant) -> (u64, Duration) {
        (self.messages, now.saturating_duration_since(self.since))
    }
}

/// A record as a message again.
fn message_of(record: &Record, topic: Arc<TopicEntry>, began: Instant) -> Message {
    // A time that no clock can tell is none.
    let at = |us: u64| began.checked_add(Duration::from_micros(us));
    Message {
        topic,
        id: record.id,
        key: record.key.clone(),
        published: at(record.published_us).unwrap_or(began),
        expires: record.expires_us.and_then(at),
        body: record.body.clone(),
    }
}
