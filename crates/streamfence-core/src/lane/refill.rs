//! What a lane that has spilled takes in: of the records of its log those that are for it, as far as it has place.
//!
//! Records pass by in their order, from memory or from disk; what was refused, has expired or could not be read is told in
//! its place. Never more than is the lane's, whatever a disk says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::spilled::{Deviation, Refused, Spilled};
use super::{Lane, Queued, earlier};
use crate::gap::{Gap, Gaps, LossReason};
use crate::message::{ClientId, Message, Offset};
use crate::spill::{LogPosition, LostRecords, Record};
use crate::spill_log::{Cursor, SpillLog, Sums};
use crate::topic::TopicEntry;
use crate::trace::DeliveryOutcome;

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

/// What was read of a log, as messages again.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) next: LogPosition,
    pub(crate) records: Vec<Read>,
    pub(crate) lost: Vec<LostRecords>,
}

/// A record that was read.
#[derive(Debug)]
pub(crate) struct Read {
    at: LogPosition,
    is_broadcast: bool,
    message: Arc<Message>,
}

impl Read {
    /// A record as a message of a topic again. Its times are counted from `began`.
    pub(crate) fn new(record: Record, topic: Arc<TopicEntry>, began: Instant) -> Self {
        let Record { position: at, audience, id, key, published_us, expires_us, body } = record;
        let published = moment(began, published_us).unwrap_or(began);
        let expires = expires_us.and_then(|us| moment(began, us));
        let message = Arc::new(Message { topic, id, key, published, expires, trace: None, body });
        Self { at, is_broadcast: audience.is_broadcast(), message }
    }
}

/// A record, wherever it comes from.
#[derive(Clone, Copy)]
struct Passing<'a> {
    at: LogPosition,
    is_broadcast: bool,
    message: &'a Arc<Message>,
}

impl Lane {
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
            let passing = Passing { at, is_broadcast: slot.audience.is_broadcast(), message: &slot.message };
            if !self.pass(&mut spilled, log, client, most, passing, now, &mut refill) {
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
        source: &Source,
        client: ClientId,
        most: u64,
        now: Instant,
    ) -> Refill {
        let mut refill = Refill::default();
        let Some(mut spilled) = self.spilled.take() else { return refill };
        let (start, mut is_full) = (spilled.cursor.position, false);
        let mut place = source.records.partition_point(|record| record.at < spilled.cursor.position);
        loop {
            self.leap(&mut spilled, log, client, &mut refill);
            let at = spilled.cursor.position;
            if spilled.is_done(log, &mut refill) || log.slot(at).is_some() {
                break;
            }
            while source.records.get(place).is_some_and(|record| record.at < at) {
                place += 1;
            }
            let run = self.take_run(&mut spilled, log, source, place, most, now, &mut refill);
            if run > 0 {
                place += run;
                continue;
            }
            let next = source.records.get(place).map_or(source.next, |record| record.at);
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
            let passing = Passing { at, is_broadcast: record.is_broadcast, message: &record.message };
            if !self.pass(&mut spilled, log, client, most, passing, now, &mut refill) {
                is_full = true;
                break;
            }
        }
        if spilled.cursor.position == start && !is_full {
            // There is nothing where there should be something, and no word why: it goes on with what is in memory.
            self.skip_to(&mut spilled, log.memory_start().0, 0, log, client, &mut refill);
        }
        self.spilled = Some(spilled);
        refill
    }

    /// Takes what was read as far as nothing is particular about it or about the lane, which is nearly all there is; says
    /// how many records that were. The same as to let each of them pass by, with one look at the log for all.
    #[expect(clippy::too_many_arguments, reason = "it is a step of a loop that has all of these at hand")]
    fn take_run(
        &mut self,
        spilled: &mut Spilled,
        log: &SpillLog,
        source: &Source,
        place: usize,
        most: u64,
        now: Instant,
        refill: &mut Refill,
    ) -> usize {
        if spilled.missing.is_some() || self.newest.is_some() {
            return 0;
        }
        let from = spilled.cursor.position;
        let mut end = spilled.end(log).position.min(log.memory_start().0);
        if let Some(refusal) = log.refusals.place_of(spilled.cursor.refusals) {
            end = end.min(refusal);
        }
        if let Some(deviation) = spilled.deviations.front() {
            end = end.min(deviation.position());
        }
        if let Some(lost) = source.lost.iter().find(|lost| lost.positions.end > from) {
            end = end.min(lost.positions.start);
        }
        let limits = &self.policy.limits;
        let vacant = u64::from(limits.messages.get()).saturating_sub(self.len() as u64);
        let left = end.0.saturating_sub(from.0).min(spilled.backlog(log).messages);
        let most = vacant.min(left).min(most.saturating_sub(refill.taken)) as usize;
        let vacant_bytes = limits.bytes.get().saturating_sub(self.bytes());
        let (mut bytes, mut expiry, mut oldest) = (0, self.nearest_expiry, spilled.oldest);
        let records = source.records[place..].iter().take(most).zip(from.0..);
        let run = records.take_while(|(record, at)| {
            let message = &record.message;
            let is_plain = record.at.0 == *at && record.is_broadcast && !message.is_expired(now);
            let sum = bytes + message.size_bytes();
            if !is_plain || sum > vacant_bytes {
                return false;
            }
            (bytes, expiry, oldest) = (sum, earlier(expiry, message.expires), oldest.max(message.published));
            true
        });
        let run = run.count();
        let Some(last) = run.checked_sub(1).map(|last| source.records[place + last].message.id.offset) else {
            return 0;
        };
        let gaps = std::iter::once(std::mem::take(&mut self.gaps)).chain(std::iter::repeat_with(Gaps::default));
        let taken = source.records[place..place + run].iter().zip(gaps);
        self.queue.extend(taken.map(|(record, gaps)| Queued { message: record.message.clone(), gaps }));
        (self.queued_bytes, self.nearest_expiry) = (self.queued_bytes + bytes, expiry);
        refill.taken += run as u64;
        spilled.messages += run as u64;
        spilled.oldest = oldest;
        let cursor = &mut spilled.cursor;
        cursor.sums = cursor.sums + Sums { messages: run as u64, bytes };
        cursor.position = LogPosition(from.0 + run as u64);
        cursor.offset = cursor.offset.max(last);
        run
    }

    /// Lets one record pass by, and takes it if it is for this lane; `false` when there is no place for it.
    #[expect(clippy::too_many_arguments, reason = "it is a step of two loops that have all of these at hand")]
    fn pass(
        &mut self,
        spilled: &mut Spilled,
        log: &SpillLog,
        client: ClientId,
        most: u64,
        record: Passing<'_>,
        now: Instant,
        refill: &mut Refill,
    ) -> bool {
        let Passing { at, is_broadcast, message } = record;
        let (bytes, offset, is_expired) = (message.size_bytes(), message.id.offset, message.is_expired(now));
        let deviation = spilled.deviations.front().filter(|deviation| deviation.position() == at);
        // What the lane knows of a record counts, and what the record says of itself only where it knows nothing.
        let (is_mine, is_broadcast, deviates) = match deviation {
            Some(Deviation::Excepted(..)) => (false, true, true),
            Some(Deviation::Private(..)) => (true, false, true),
            Some(Deviation::Refused(_)) | None => (is_broadcast, is_broadcast, false),
        };
        if is_mine && !is_expired {
            // What the lane could not hold even if it were empty was taken before a reload made it smaller.
            let has_place = self.fits(bytes) || self.is_empty();
            if !has_place || refill.taken >= most {
                return false;
            }
        }
        self.tell_missing(spilled, offset);
        self.hear(spilled, log, client, at, None, refill);
        if is_mine {
            spilled.messages += 1;
            if is_expired {
                refill.expired += 1;
                self.left.note(message, DeliveryOutcome::Expired);
                self.miss(offset, LossReason::Expired);
            } else {
                refill.taken += 1;
                spilled.oldest = spilled.oldest.max(message.published);
                self.push_back(message.clone());
            }
        }
        if deviates {
            spilled.pop_deviation();
        }
        if is_broadcast {
            spilled.cursor.sums = spilled.cursor.sums + Sums::one(bytes);
        }
        spilled.cursor.position = LogPosition(at.0 + 1);
        spilled.cursor.offset = spilled.cursor.offset.max(offset);
        true
    }

    /// Passes over what it has refused, if that begins where it stands.
    pub(super) fn leap(&mut self, spilled: &mut Spilled, log: &SpillLog, client: ClientId, refill: &mut Refill) {
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
    pub(super) fn skip_to(
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

    /// Notes what its log has refused up to a position, or up to a number. Mostly that is nothing.
    #[inline]
    pub(super) fn hear(
        &mut self,
        spilled: &mut Spilled,
        log: &SpillLog,
        client: ClientId,
        upto: LogPosition,
        before: Option<u64>,
        refill: &mut Refill,
    ) {
        let end = before.unwrap_or(u64::MAX).min(log.refusals.next());
        if spilled.cursor.refusals < end {
            self.hear_refusals(spilled, log, client, upto, end, refill);
        }
    }

    #[cold]
    fn hear_refusals(
        &mut self,
        spilled: &mut Spilled,
        log: &SpillLog,
        client: ClientId,
        upto: LogPosition,
        end: u64,
        refill: &mut Refill,
    ) {
        let first = spilled.cursor.refusals;
        for (gap, unplaced) in log.refusals.from(first, end, upto, client) {
            refill.missed += unplaced;
            if self.policy.gap_notices {
                self.gaps.push(gap);
            }
        }
        spilled.cursor.refusals = first.max(log.refusals.after(upto).min(end));
    }

    pub(super) fn note_refused(&mut self, refused: &Refused, refill: &mut Refill) {
        if let Some(gap) = refused.gap {
            refill.missed += u64::from(gap.count);
            if self.policy.gap_notices {
                self.gaps.push(gap);
            }
        }
    }

    /// Notes what could not be read before an offset.
    pub(super) fn tell_missing(&mut self, spilled: &mut Spilled, next: Offset) {
        let Some((after, count)) = spilled.missing.take() else { return };
        if self.policy.gap_notices {
            let from = Offset(after.0 + 1);
            let to = Offset(next.0.saturating_sub(1)).max(from);
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.gaps.push(Gap { from, to, count, reason: LossReason::Damaged });
        }
    }
}

/// When that is; a time that no clock can tell is none.
fn moment(began: Instant, us: u64) -> Option<Instant> {
    began.checked_add(Duration::from_micros(us))
}
