//! A lane as anyone would write it first: two vectors, walked whenever there is a question.

use std::time::Duration;

use streamfence_core::{AckOutcome, LossReason, Overflow, TopicStats};

use super::world::{Draft, Promise, Rule};

#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) offset: u64,
    pub(crate) draft: Draft,
    /// In milliseconds of the run.
    pub(crate) published: u64,
    pub(crate) expires: Option<u64>,
    /// What the client missed just before it, one by one.
    pub(crate) missed: Vec<Missed>,
}

pub(crate) type Missed = (u64, LossReason);

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) letter: Letter,
    pub(crate) attempts: u32,
    /// On the link's clock; `None` while it waits to be sent again.
    pub(crate) due: Option<u64>,
    /// When it was sent for the first time, in milliseconds of the run.
    at: u64,
    /// What was told before it, and may have been lost with its link.
    told: Vec<Gap>,
}

/// The first and the last that were missed for one reason, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    from: u64,
    to: u64,
    count: usize,
    reason: LossReason,
}

/// What a lane says next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    Letter(&'a Letter, u32),
    /// The first and the last that were missed for one reason, and how many.
    Gap {
        from: u64,
        to: u64,
        count: usize,
        reason: LossReason,
    },
}

impl PartialEq for Letter {
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset
    }
}

impl Eq for Letter {}

/// A key that had a value sent of late, and the newest one since.
#[derive(Clone, Debug)]
struct Wait {
    key: Option<u8>,
    /// In milliseconds of the run.
    until: u64,
    held: Option<Letter>,
}

#[derive(Clone, Debug)]
pub(crate) struct Lane {
    rule: Rule,
    window: u16,
    queue: Vec<Letter>,
    /// In the order in which their values were sent.
    waits: Vec<Wait>,
    pub(crate) sent: Vec<Sent>,
    /// What the client missed behind the last letter of the queue.
    missed: Vec<Missed>,
    /// What was told since the last letter was sent.
    told: Vec<Gap>,
    /// What is to be told again on a new link.
    untold: Vec<Gap>,
    /// The highest offset sent, and that of each key where values have a rhythm.
    newest: u64,
    newest_sent: Vec<(Option<u8>, u64)>,
}

impl Lane {
    pub(crate) fn new(rule: Rule, wanted: Option<u16>) -> Self {
        let window = match rule.promise {
            Promise::BestEffort { .. } => 0,
            Promise::AtLeastOnce { window, .. } => wanted.unwrap_or(window).min(window),
        };
        Self {
            rule,
            window,
            queue: Vec::new(),
            waits: Vec::new(),
            sent: Vec::new(),
            missed: Vec::new(),
            told: Vec::new(),
            untold: Vec::new(),
            newest: 0,
            newest_sent: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len() + self.held().count() + self.sent.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        let size = |letter: &Letter| letter.draft.size as u64;
        let waiting = self.queue.iter().chain(self.held());
        waiting.map(size).sum::<u64>() + self.sent.iter().map(|sent| size(&sent.letter)).sum::<u64>()
    }

    /// Offers a letter; `false` when it is refused.
    pub(crate) fn offer(&mut self, letter: Letter, now: u64, stats: &mut TopicStats) -> bool {
        self.expire(now, stats);
        stats.offered += 1;
        let offset = letter.offset;
        if letter.is_expired(now) {
            stats.expired += 1;
            self.miss((offset, LossReason::Expired));
            return false;
        }
        if letter.draft.size as u64 > self.rule.max_bytes {
            stats.too_large += 1;
            self.miss((offset, LossReason::Rejected));
            return false;
        }
        let (overflow, coalesce) = match self.rule.promise {
            Promise::AtLeastOnce { .. } => (Overflow::RejectNew, false),
            Promise::BestEffort { overflow, coalesce, pace_ms } => {
                (overflow, coalesce || overflow == Overflow::Coalesce || pace_ms.is_some())
            }
        };
        if overflow == Overflow::SnapshotOnly {
            stats.coalesced += self.len() as u64;
            let mut missed: Vec<Missed> = self.queue.drain(..).flat_map(|older| older.missed).collect();
            missed.append(&mut self.missed);
            self.missed = missed;
            self.waits.iter_mut().for_each(|wait| wait.held = None);
            self.take_in(letter);
            return true;
        }
        if let Some(place) = self.waits.iter().position(|wait| wait.held.is_some() && wait.key == letter.draft.key) {
            let older = self.waits[place].held.replace(letter.clone());
            if self.bytes() <= self.rule.max_bytes {
                stats.coalesced += 1;
                return true;
            }
            if overflow != Overflow::DropOldest {
                self.waits[place].held = older;
                stats.rejected += 1;
                self.miss((offset, LossReason::Rejected));
                return false;
            }
            // It is replaced all the same, and others give way beside.
            self.waits[place].held = None;
            stats.coalesced += 1;
        }
        let older = self.queue.iter().position(|other| coalesce && other.draft.key == letter.draft.key);
        if let Some(mut older) = older {
            loop {
                let kept = self.queue[older].clone();
                self.queue[older] = Letter { missed: kept.missed.clone(), ..letter.clone() };
                if self.bytes() <= self.rule.max_bytes {
                    stats.coalesced += 1;
                    return true;
                }
                self.queue[older] = kept;
                if overflow != Overflow::DropOldest {
                    stats.rejected += 1;
                    self.miss((offset, LossReason::Rejected));
                    return false;
                }
                if older == 0 {
                    // The older value gives way too: it is replaced all the same, but not in its place.
                    self.remove(0, None);
                    stats.coalesced += 1;
                    break;
                }
                self.remove(0, Some(LossReason::Displaced));
                stats.displaced += 1;
                older -= 1;
            }
        }
        while self.len() >= self.rule.max_messages as usize
            || self.bytes() + letter.draft.size as u64 > self.rule.max_bytes
        {
            if overflow != Overflow::DropOldest {
                stats.rejected += 1;
                self.miss((offset, LossReason::Rejected));
                return false;
            }
            stats.displaced += 1;
            if self.queue.is_empty() {
                let first = self.waits.iter_mut().find_map(|wait| wait.held.take()).expect("the lane is not empty");
                self.miss((first.offset, LossReason::Displaced));
            } else {
                self.remove(0, Some(LossReason::Displaced));
            }
        }
        self.take_in(letter);
        true
    }

    /// Lets the keys go whose interval is over, and queues what they held.
    pub(crate) fn release(&mut self, now: u64) {
        while self.waits.first().is_some_and(|wait| wait.until <= now) {
            if let Some(letter) = self.waits.remove(0).held {
                self.push(letter);
            }
        }
    }

    /// When the next held value may go.
    pub(crate) fn alarm(&self) -> Option<u64> {
        self.waits.iter().filter(|wait| wait.held.is_some()).map(|wait| wait.until).min()
    }

    fn take_in(&mut self, letter: Letter) {
        let key = self.pace_key(&letter);
        match self.waits.iter_mut().find(|wait| wait.key == key) {
            Some(wait) => wait.held = Some(letter),
            None => self.push(letter),
        }
    }

    fn push(&mut self, mut letter: Letter) {
        letter.missed = std::mem::take(&mut self.missed);
        self.queue.push(letter);
    }

    fn held(&self) -> impl Iterator<Item = &Letter> {
        self.waits.iter().filter_map(|wait| wait.held.as_ref())
    }

    /// A lane that holds one value has one rhythm, whatever the key.
    fn pace_key(&self, letter: &Letter) -> Option<u8> {
        let is_snapshot = matches!(self.rule.promise, Promise::BestEffort { overflow: Overflow::SnapshotOnly, .. });
        letter.draft.key.filter(|_| !is_snapshot)
    }

    /// Gives up what waits to be sent and is not worth it any more.
    pub(crate) fn expire(&mut self, now: u64, stats: &mut TopicStats) {
        self.release(now);
        let overdue = self.waits.iter_mut().filter_map(|wait| wait.held.take_if(|letter| letter.is_expired(now)));
        let overdue: Vec<u64> = overdue.map(|letter| letter.offset).collect();
        stats.expired += overdue.len() as u64;
        overdue.into_iter().for_each(|offset| self.miss((offset, LossReason::Expired)));
        while let Some(place) = self.sent.iter().position(|sent| sent.due.is_none())
            && self.sent[place].letter.is_expired(now)
        {
            let told = self.sent.remove(place).told;
            self.pass_on(place, told);
            stats.expired += 1;
        }
        while let Some(place) = self.queue.iter().position(|letter| letter.is_expired(now)) {
            self.remove(place, Some(LossReason::Expired));
            stats.expired += 1;
        }
    }

    /// The lane as it is once somebody has looked at it.
    pub(crate) fn looked_at(&self, now: u64) -> Self {
        let mut lane = self.clone();
        lane.expire(now, &mut TopicStats::default());
        lane
    }

    /// What would leave next.
    pub(crate) fn next(&self) -> Option<Next<'_>> {
        let next = self.next_of_its_own();
        let again =
            next.and(self.untold.first()).map(|&Gap { from, to, count, reason }| Next::Gap { from, to, count, reason });
        again.or(next)
    }

    /// The same without what is told again.
    fn next_of_its_own(&self) -> Option<Next<'_>> {
        if let Some(overdue) = self.sent.iter().find(|sent| sent.due.is_none()) {
            return Some(Next::Letter(&overdue.letter, overdue.attempts + 1));
        }
        let is_open = self.wants_ack().is_none() || self.sent.len() < usize::from(self.window);
        let first = self.queue.first().filter(|_| is_open)?;
        let Some(&(_, reason)) = first.missed.first() else { return Some(Next::Letter(first, 1)) };
        // Where values take the places of older ones, what was missed need not be in the order of offsets.
        let missed = || first.missed.iter().take_while(|(_, other)| *other == reason).map(|(offset, _)| *offset);
        let (from, to) = (missed().min()?, missed().max()?);
        Some(Next::Gap { from, to, count: missed().count(), reason })
    }

    /// The client is told of the first gap.
    pub(crate) fn tell(&mut self) {
        let Some(Next::Gap { from, to, count, reason }) = self.next() else { unreachable!("a gap was to be told") };
        if self.untold.is_empty() {
            self.queue[0].missed.drain(..count);
        } else {
            self.untold.remove(0);
        }
        if self.wants_ack().is_some() {
            self.told.push(Gap { from, to, count, reason });
        }
    }

    /// Whoever acks what is sent next has heard what was told before it.
    fn pass_on(&mut self, place: usize, mut told: Vec<Gap>) {
        let later = self.sent.get_mut(place).map_or(&mut self.told, |next| &mut next.told);
        told.append(later);
        while told.len() > 16 {
            let (last, one) = (told.pop().expect("there are 17"), told.last_mut().expect("there are 16"));
            let (from, to) = (one.from.min(last.from), one.to.max(last.to));
            *one = Gap { from, to, count: one.count + last.count, reason: last.reason };
        }
        *later = told;
    }

    pub(crate) fn send(&mut self, clock: u64, now: u64, stats: &mut TopicStats) {
        let due = self.wants_ack().map(|timeout| clock + timeout);
        let keeps_order = !matches!(
            self.rule.promise,
            Promise::BestEffort { coalesce: true, .. }
                | Promise::BestEffort { overflow: Overflow::Coalesce, .. }
                | Promise::BestEffort { pace_ms: Some(_), .. }
        );
        stats.sent += 1;
        if let Some(overdue) = self.sent.iter_mut().find(|sent| sent.due.is_none()) {
            overdue.attempts += 1;
            overdue.due = due;
            stats.retries += 1;
            stats.sent_bytes += overdue.letter.draft.size as u64;
            let mut told = std::mem::take(&mut self.told);
            told.append(&mut overdue.told);
            overdue.told = told;
            return;
        }
        let letter = self.queue.remove(0);
        assert!(letter.missed.is_empty(), "a gap is told before what comes after it");
        assert!(!keeps_order || letter.offset > self.newest, "first attempts leave in order");
        self.newest = self.newest.max(letter.offset);
        stats.sent_bytes += letter.draft.size as u64;
        stats.sent_after.count(Duration::from_millis(now - letter.published));
        if let Promise::BestEffort { pace_ms: Some(pace), .. } = self.rule.promise {
            let key = self.pace_key(&letter);
            assert!(self.waits.iter().all(|wait| wait.key != key), "a value is sent only when its key does not wait");
            assert!(
                self.newest_of(key).is_none_or(|newest| letter.offset > newest),
                "a value is never older than the one before it"
            );
            self.newest_sent.retain(|(of, _)| *of != key);
            self.newest_sent.push((key, letter.offset));
            self.waits.push(Wait { key, until: now + pace, held: None });
        }
        if due.is_some() {
            self.sent.push(Sent { letter, attempts: 1, due, at: now, told: std::mem::take(&mut self.told) });
        } else {
            stats.delivered += 1;
        }
    }

    pub(crate) fn ack(&mut self, offset: u64, now: u64, stats: &mut TopicStats) -> AckOutcome {
        let Some(place) = self.place(offset) else { return self.outcome_of_absent(offset) };
        let sent = self.sent.remove(place);
        stats.delivered += 1;
        stats.acked_after.count(Duration::from_millis(now - sent.at));
        AckOutcome::Released
    }

    /// Says what it was and how many it released, at least one where it was anything.
    pub(crate) fn ack_up_to(&mut self, offset: u64, now: u64, stats: &mut TopicStats) -> (AckOutcome, u64) {
        if self.outcome_of_absent(offset) == AckOutcome::Unknown {
            return (AckOutcome::Unknown, 1);
        }
        let before = self.sent.len();
        for sent in self.sent.iter().filter(|sent| sent.letter.offset <= offset) {
            stats.acked_after.count(Duration::from_millis(now - sent.at));
        }
        self.sent.retain(|sent| sent.letter.offset > offset);
        let released = (before - self.sent.len()) as u64;
        stats.delivered += released;
        if released > 0 { (AckOutcome::Released, released) } else { (AckOutcome::Late, 1) }
    }

    pub(crate) fn nack(&mut self, offset: u64, due: u64) -> AckOutcome {
        let Some(place) = self.place(offset) else { return self.outcome_of_absent(offset) };
        self.sent[place].due = Some(due);
        AckOutcome::Nacked
    }

    pub(crate) fn pass(&mut self, clock: u64, now: u64, stats: &mut TopicStats) {
        let Promise::AtLeastOnce { max_retries, .. } = self.rule.promise else { return };
        let mut place = 0;
        while let Some(sent) = self.sent.get_mut(place) {
            if sent.due.is_none_or(|due| due > clock) {
                place += 1;
                continue;
            }
            if !sent.letter.is_expired(now) && sent.attempts <= max_retries {
                sent.due = None;
                place += 1;
                continue;
            }
            stats.expired += u64::from(sent.letter.is_expired(now));
            stats.exhausted += u64::from(!sent.letter.is_expired(now));
            let told = self.sent.remove(place).told;
            self.pass_on(place, told);
        }
    }

    /// Begins again on a link whose clock shows this.
    pub(crate) fn resume(&mut self, clock: u64) {
        let Promise::AtLeastOnce { max_retries, ack_timeout_ms, .. } = self.rule.promise else { return };
        let mut told: Vec<Gap> = self.sent.iter_mut().flat_map(|sent| std::mem::take(&mut sent.told)).collect();
        told.append(&mut self.told);
        told.append(&mut self.untold);
        self.untold = told;
        for sent in &mut self.sent {
            sent.due = (sent.attempts > max_retries).then_some(clock + ack_timeout_ms);
        }
    }

    fn miss(&mut self, missed: Missed) {
        if self.rule.gap_notices {
            self.missed.push(missed);
        }
    }

    /// Takes a letter out of the queue, and notes before the next, or behind the last, that the client missed it.
    fn remove(&mut self, place: usize, reason: Option<LossReason>) {
        let Letter { offset, mut missed, .. } = self.queue.remove(place);
        missed.extend(reason.filter(|_| self.rule.gap_notices).map(|reason| (offset, reason)));
        let later = self.queue.get_mut(place).map_or(&mut self.missed, |next| &mut next.missed);
        missed.append(later);
        *later = missed;
    }

    fn newest_of(&self, key: Option<u8>) -> Option<u64> {
        self.newest_sent.iter().find(|(of, _)| *of == key).map(|(_, offset)| *offset)
    }

    fn place(&self, offset: u64) -> Option<usize> {
        self.sent.iter().position(|sent| sent.letter.offset == offset)
    }

    fn outcome_of_absent(&self, offset: u64) -> AckOutcome {
        let was_sent = self.wants_ack().is_some() && self.newest > 0 && offset <= self.newest;
        if was_sent { AckOutcome::Late } else { AckOutcome::Unknown }
    }

    fn wants_ack(&self) -> Option<u64> {
        match self.rule.promise {
            Promise::BestEffort { .. } => None,
            Promise::AtLeastOnce { ack_timeout_ms, .. } => Some(ack_timeout_ms),
        }
    }
}

impl Letter {
    fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}
