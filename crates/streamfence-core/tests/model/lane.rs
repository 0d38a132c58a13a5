//! A lane as anyone would write it first: two vectors, walked whenever there is a question.

use streamfence_core::{AckOutcome, Overflow, TopicStats};

use super::world::{Draft, Promise, Rule};

#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) offset: u64,
    pub(crate) draft: Draft,
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) letter: Letter,
    pub(crate) attempts: u32,
    /// On the link's clock; `None` while it waits to be sent again.
    pub(crate) due: Option<u64>,
}

/// A key that had a value sent of late, and the newest one since.
#[derive(Debug)]
struct Wait {
    key: Option<u8>,
    /// In real time.
    until: u64,
    held: Option<Letter>,
}

#[derive(Debug)]
pub(crate) struct Lane {
    rule: Rule,
    window: u16,
    queue: Vec<Letter>,
    /// In the order in which they were sent.
    waits: Vec<Wait>,
    pub(crate) sent: Vec<Sent>,
    /// The highest offset sent.
    newest: u64,
}

impl Lane {
    pub(crate) fn new(rule: Rule, wanted: Option<u16>) -> Self {
        let window = match rule.promise {
            Promise::BestEffort { .. } => 0,
            Promise::AtLeastOnce { window, .. } => wanted.unwrap_or(window).min(window),
        };
        Self { rule, window, queue: Vec::new(), waits: Vec::new(), sent: Vec::new(), newest: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len() + self.held().count() + self.sent.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        let size = |letter: &Letter| letter.draft.size as u64;
        let waiting = self.queue.iter().chain(self.held());
        waiting.map(size).sum::<u64>() + self.sent.iter().map(|sent| size(&sent.letter)).sum::<u64>()
    }

    pub(crate) fn offer(&mut self, letter: Letter, stats: &mut TopicStats) {
        stats.offered += 1;
        if letter.draft.size as u64 > self.rule.max_bytes {
            stats.too_large += 1;
            return;
        }
        let (overflow, coalesce) = match self.rule.promise {
            Promise::AtLeastOnce { .. } => (Overflow::RejectNew, false),
            Promise::BestEffort { overflow, coalesce, pace_ms } => {
                (overflow, coalesce || overflow == Overflow::Coalesce || pace_ms.is_some())
            }
        };
        if overflow == Overflow::SnapshotOnly {
            stats.coalesced += self.len() as u64;
            self.queue.clear();
            self.waits.iter_mut().for_each(|wait| wait.held = None);
            self.take_in(letter);
            return;
        }
        if let Some(place) = self.waits.iter().position(|wait| wait.held.is_some() && wait.key == letter.draft.key) {
            let older = self.waits[place].held.replace(letter.clone());
            if self.bytes() <= self.rule.max_bytes {
                stats.coalesced += 1;
                return;
            }
            if overflow != Overflow::DropOldest {
                self.waits[place].held = older;
                stats.rejected += 1;
                return;
            }
            self.waits[place].held = None;
            stats.coalesced += 1;
        }
        let older = self.queue.iter().position(|other| coalesce && other.draft.key == letter.draft.key);
        if let Some(mut older) = older {
            loop {
                let kept = std::mem::replace(&mut self.queue[older], letter.clone());
                if self.bytes() <= self.rule.max_bytes {
                    stats.coalesced += 1;
                    return;
                }
                self.queue[older] = kept;
                if overflow != Overflow::DropOldest {
                    stats.rejected += 1;
                    return;
                }
                if older == 0 {
                    // The older value gives way too: it is replaced all the same, but not in its place.
                    self.queue.remove(0);
                    stats.coalesced += 1;
                    break;
                }
                self.queue.remove(0);
                stats.displaced += 1;
                older -= 1;
            }
        }
        let size = letter.draft.size as u64;
        while self.len() >= self.rule.max_messages as usize || self.bytes() + size > self.rule.max_bytes {
            if overflow != Overflow::DropOldest {
                stats.rejected += 1;
                return;
            }
            if self.queue.is_empty() {
                let first = self.waits.iter_mut().find(|wait| wait.held.is_some()).expect("the lane is not empty");
                first.held = None;
            } else {
                self.queue.remove(0);
            }
            stats.displaced += 1;
        }
        self.take_in(letter);
    }

    /// Lets the keys go whose time has come in real time, and queues what they held.
    pub(crate) fn release(&mut self, now: u64) {
        while self.waits.first().is_some_and(|wait| wait.until <= now) {
            self.queue.extend(self.waits.remove(0).held);
        }
    }

    /// When the next held value may go, in real time.
    pub(crate) fn alarm(&self) -> Option<u64> {
        self.waits.iter().filter(|wait| wait.held.is_some()).map(|wait| wait.until).min()
    }

    fn take_in(&mut self, letter: Letter) {
        let key = self.pace_key(&letter);
        match self.waits.iter_mut().find(|wait| wait.key == key) {
            Some(wait) => wait.held = Some(letter),
            None => self.queue.push(letter),
        }
    }

    fn held(&self) -> impl Iterator<Item = &Letter> {
        self.waits.iter().filter_map(|wait| wait.held.as_ref())
    }

    fn pace_key(&self, letter: &Letter) -> Option<u8> {
        let is_snapshot = matches!(self.rule.promise, Promise::BestEffort { overflow: Overflow::SnapshotOnly, .. });
        letter.draft.key.filter(|_| !is_snapshot)
    }

    /// What would leave next, and which attempt it would be.
    pub(crate) fn next(&self) -> Option<(&Letter, u32)> {
        if let Some(overdue) = self.sent.iter().find(|sent| sent.due.is_none()) {
            return Some((&overdue.letter, overdue.attempts + 1));
        }
        let is_open = self.wants_ack().is_none() || self.sent.len() < usize::from(self.window);
        self.queue.first().filter(|_| is_open).map(|letter| (letter, 1))
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
            return;
        }
        let letter = self.queue.remove(0);
        assert!(!keeps_order || letter.offset > self.newest, "first attempts leave in order");
        self.newest = self.newest.max(letter.offset);
        stats.sent_bytes += letter.draft.size as u64;
        if let Promise::BestEffort { pace_ms: Some(pace), .. } = self.rule.promise {
            let key = self.pace_key(&letter);
            assert!(self.waits.iter().all(|wait| wait.key != key), "a value is sent only when its key does not wait");
            self.waits.push(Wait { key, until: now + pace, held: None });
        }
        if due.is_some() {
            self.sent.push(Sent { letter, attempts: 1, due });
        } else {
            stats.delivered += 1;
        }
    }

    pub(crate) fn ack(&mut self, offset: u64, stats: &mut TopicStats) -> AckOutcome {
        if self.wants_ack().is_none() {
            return AckOutcome::Unknown;
        }
        if let Some(place) = self.sent.iter().position(|sent| sent.letter.offset == offset) {
            self.sent.remove(place);
            stats.delivered += 1;
            return AckOutcome::Released;
        }
        if self.newest > 0 && offset <= self.newest { AckOutcome::Late } else { AckOutcome::Unknown }
    }

    pub(crate) fn pass(&mut self, clock: u64, stats: &mut TopicStats) {
        let Promise::AtLeastOnce { max_retries, .. } = self.rule.promise else { return };
        let before = self.sent.len();
        self.sent.retain(|sent| sent.due.is_none_or(|due| due > clock) || sent.attempts <= max_retries);
        stats.exhausted += (before - self.sent.len()) as u64;
        for sent in &mut self.sent {
            sent.due = sent.due.filter(|&due| due > clock);
        }
    }

    fn wants_ack(&self) -> Option<u64> {
        match self.rule.promise {
            Promise::BestEffort { .. } => None,
            Promise::AtLeastOnce { ack_timeout_ms, .. } => Some(ack_timeout_ms),
        }
    }
}
