//! The end of a log that is in memory: what is not written yet, and the last of what is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::Sums;
use crate::message::Message;
use crate::spill::{Audience, LogPosition, Record};

/// One record in memory.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) message: Arc<Message>,
    pub(crate) audience: Audience,
    /// What it costs on disk.
    pub(crate) cost: u64,
    /// What lies before it for everybody.
    pub(crate) before: Sums,
    /// When it was taken in.
    pub(super) since: Instant,
}

/// Records by position, without a hole up to the end.
#[derive(Debug, Default)]
pub(super) struct Memory {
    slots: VecDeque<Slot>,
    /// The position of the first slot.
    first: LogPosition,
    /// Everything before this is in the file, or never will be.
    appended: LogPosition,
    /// Everything before this was handed out to be written, or never will be.
    sent: LogPosition,
    /// What was handed out and is not known to be written: up to where, and what it costs.
    flights: VecDeque<(LogPosition, u64)>,
    /// Sum over the slots before `appended`.
    tail: u64,
    /// Sum over `flights`.
    under_way: u64,
    /// Sum over the slots from `sent` on.
    unsent: u64,
}

impl Memory {
    pub(super) fn push(&mut self, slot: Slot) {
        self.unsent += slot.cost;
        self.slots.push_back(slot);
    }

    pub(super) fn get(&self, at: LogPosition) -> Option<&Slot> {
        self.slots.get(at.0.checked_sub(self.first.0)? as usize)
    }

    pub(super) fn first(&self) -> LogPosition {
        self.first
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn end(&self) -> LogPosition {
        LogPosition(self.first.0 + self.slots.len() as u64)
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn appended(&self) -> LogPosition {
        self.appended
    }

    pub(super) fn tail(&self) -> u64 {
        self.tail
    }

    pub(super) fn under_way(&self) -> u64 {
        self.under_way
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent
    }

    pub(super) fn flights(&self) -> usize {
        self.flights.len()
    }

    /// The first record that was not handed out.
    pub(super) fn first_unsent(&self) -> Option<&Slot> {
        self.get(self.sent)
    }

    /// Hands out what was not yet, up to so many stored bytes, but one record at least if that much was granted.
    pub(super) fn send(
        &mut self,
        granted: u64,
        most: u64,
        record: impl Fn(LogPosition, &Slot) -> Record,
    ) -> Vec<Record> {
        let (mut records, mut cost) = (Vec::new(), 0);
        while let Some(slot) = self.get(self.sent) {
            if cost + slot.cost > granted || (cost > 0 && cost + slot.cost > most) {
                break;
            }
            cost += slot.cost;
            records.push(record(self.sent, slot));
            self.sent.0 += 1;
        }
        if !records.is_empty() {
            self.unsent -= cost;
            self.under_way += cost;
            self.flights.push_back((self.sent, cost));
        }
        records
    }

    /// Everything before a position is in the file.
    pub(super) fn note_appended(&mut self, upto: LogPosition) {
        while self.flights.front().is_some_and(|(end, _)| *end <= upto) {
            let (_, cost) = self.flights.pop_front().expect("it was there just now");
            self.under_way -= cost;
        }
        let upto = upto.min(self.sent);
        let from = self.appended.max(self.first);
        for at in from.0..upto.0.max(from.0) {
            self.tail += self.get(LogPosition(at)).map_or(0, |slot| slot.cost);
        }
        self.appended = self.appended.max(upto);
    }

    /// Nobody needs what lies before a position; what of it was not handed out never will be.
    pub(super) fn forget_before(&mut self, at: LogPosition) {
        while self.first < at && !self.slots.is_empty() {
            self.pop_front();
        }
        self.sent = self.sent.max(self.first);
        if self.slots.is_empty() {
            self.slots = VecDeque::new();
        }
    }

    /// Lets go of what is in the file too, down to so many stored bytes of it; says how many bytes of messages nobody
    /// holds any more.
    pub(super) fn drop_tail(&mut self, keep: u64) -> u64 {
        let mut freed = 0;
        while self.tail > keep && self.first < self.appended {
            let slot = self.pop_front();
            if Arc::strong_count(&slot.message) == 1 {
                freed += slot.message.size_bytes();
            }
        }
        freed
    }

    fn pop_front(&mut self) -> Slot {
        let slot = self.slots.pop_front().expect("there is a slot: the caller has looked");
        if self.first < self.appended {
            self.tail -= slot.cost;
        } else if self.first >= self.sent {
            self.unsent -= slot.cost;
            self.sent.0 = self.first.0 + 1;
        }
        self.first.0 += 1;
        slot
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        let cost = |from: LogPosition, to: LogPosition| -> u64 {
            let slots = self.slots.iter().zip(self.first.0..);
            slots.filter(|(_, at)| (from.0..to.0).contains(at)).map(|(slot, _)| slot.cost).sum()
        };
        assert_eq!(self.tail, cost(self.first, self.appended), "the tail is what is written");
        assert_eq!(self.unsent, cost(self.sent, self.end()), "what is unsent is counted");
        assert_eq!(
            self.under_way,
            self.flights.iter().map(|(_, cost)| cost).sum::<u64>(),
            "what is under way is counted"
        );
        assert!(self.first <= self.sent && self.appended <= self.sent.max(self.first), "written is what was sent");
    }
}
