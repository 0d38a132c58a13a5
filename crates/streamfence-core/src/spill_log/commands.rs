//! What a log wants of its store, and what it hears.

use std::time::{Duration, Instant};

use super::{Slot, SpillLog};
use crate::spill::{LogPosition, Record, SpillCommand};

/// How many appends of a log are under way at most.
const APPENDS_AT_ONCE: usize = 8;
/// How many stored bytes one append takes at most.
const MOST_APPEND_BYTES: u64 = 1 << 20;
/// How long a log that nobody reads is kept, so that lanes that come and go make no new one each time.
const IDLE: Duration = Duration::from_secs(5);

impl SpillLog {
    /// The next thing the store is to do.
    pub(crate) fn poll_command(&mut self, began: Instant, now: Instant) -> Option<SpillCommand> {
        let log = self.id;
        if self.is_closing {
            return std::mem::take(&mut self.is_opened).then_some(SpillCommand::Close { log });
        }
        if self.is_open_due(now) {
            self.is_opened = true;
            return Some(SpillCommand::Open { log, namespace: self.namespace.clone(), topic: self.name.clone() });
        }
        if self.owes_release && self.is_opened {
            self.owes_release = false;
            return Some(SpillCommand::Release { log, upto: self.first() });
        }
        if self.is_append_due(now) {
            let before = self.memory.unsent();
            let records = self.memory.send(self.granted, MOST_APPEND_BYTES, |at, slot| record(at, slot, began));
            self.granted -= before - self.memory.unsent();
            return Some(SpillCommand::Append { log, records });
        }
        let (from, most_bytes) = self.reads.take_next(self.mean_bytes())?;
        Some(SpillCommand::Read { log, from, most_bytes })
    }

    /// Whether [`SpillLog::poll_command`] has something to say now.
    pub(crate) fn has_command(&self, now: Instant) -> bool {
        if self.is_closing {
            return self.is_opened;
        }
        let is_write_due = self.is_open_due(now) || self.is_append_due(now);
        is_write_due || (self.owes_release && self.is_opened) || self.reads.next().is_some()
    }

    /// When it will have something to say, if nothing happens until then.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waits = !self.is_closing && (!self.is_opened || self.can_append());
        self.memory.first_unsent().filter(|_| waits).map(|slot| slot.since + self.limits.linger)
    }

    /// There is room for so many more stored bytes.
    pub(crate) fn handle_granted(&mut self, bytes: u64) {
        self.granted = self.granted.saturating_add(bytes);
    }

    /// Everything before a position is in the file, so that no more of it has to be in memory than is worth it.
    pub(crate) fn handle_appended(&mut self, upto: LogPosition, keeps_tail: bool) {
        self.memory.note_appended(upto);
        self.memory.drop_tail(if keeps_tail { self.limits.tail_bytes } else { 0 });
    }

    /// Whether nobody has read it for so long that it is not worth keeping.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        !self.is_closing && self.idle_since.is_some_and(|since| now.saturating_duration_since(since) >= IDLE)
    }

    /// Nobody will read it any more, or write to it.
    pub(crate) fn close(&mut self) {
        self.is_closing = true;
    }

    fn is_open_due(&self, now: Instant) -> bool {
        !self.is_opened && (self.memory.unsent() >= self.limits.open_bytes || self.has_lingered(now))
    }

    fn is_append_due(&self, now: Instant) -> bool {
        self.can_append() && (self.memory.unsent() >= self.limits.append_bytes || self.has_lingered(now))
    }

    fn can_append(&self) -> bool {
        let is_granted = self.memory.first_unsent().is_some_and(|slot| slot.cost <= self.granted);
        self.is_opened && is_granted && self.memory.flights() < APPENDS_AT_ONCE
    }

    fn has_lingered(&self, now: Instant) -> bool {
        self.memory.first_unsent().is_some_and(|slot| slot.since + self.limits.linger <= now)
    }
}

/// A message as it is written.
fn record(position: LogPosition, slot: &Slot, began: Instant) -> Record {
    let message = &slot.message;
    let since = |at: Instant| at.saturating_duration_since(began);
    // What expires within a microsecond does not expire too early.
    let rounded_up = |at: Instant| since(at).as_nanos().div_ceil(1_000) as u64;
    Record {
        position,
        audience: slot.audience.clone(),
        id: message.id,
        key: message.key.clone(),
        published_us: since(message.published).as_micros() as u64,
        expires_us: message.expires.map(rounded_up),
        body: message.body.clone(),
    }
}
