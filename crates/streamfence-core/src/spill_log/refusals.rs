//! What a log has refused, to be told to its lanes in order.

use std::collections::VecDeque;

use crate::gap::{Gap, LossReason};
use crate::message::{ClientId, Offset};
use crate::spill::{Audience, LogPosition};

/// How many refusals are kept apart; beyond, the last ones are told as one, and later than they happened.
const REFUSALS_APART: usize = 4_096;

/// Refusals by number. Lanes remember the number of the next they have to tell.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// By growing number and position.
    all: VecDeque<Refusal>,
    /// The number of the next.
    next: u64,
    /// Whether a lane has joined since the last one, and must not hear of it.
    is_sealed: bool,
}

#[derive(Debug)]
struct Refusal {
    number: u64,
    /// The record it would have come before.
    position: LogPosition,
    gap: Gap,
    audience: Audience,
    /// How many of the messages were refused because there was no place for them.
    unplaced: u64,
}

impl Refusals {
    /// Notes that a message was refused before a position; `unplaced` says whether because there was no place for it.
    pub(crate) fn note(
        &mut self,
        position: LogPosition,
        offset: Offset,
        reason: LossReason,
        unplaced: bool,
        audience: Audience,
    ) {
        let mut gap = Gap { from: offset, to: offset, count: 1, reason };
        let mut unplaced = u64::from(unplaced);
        let is_sealed = std::mem::take(&mut self.is_sealed);
        let is_full = self.all.len() >= REFUSALS_APART;
        if let Some(last) = self.all.back_mut() {
            let is_for_all = last.audience == Audience::All && audience == Audience::All;
            if !is_sealed && is_for_all && last.position == position && last.gap.reason == reason {
                last.gap.merge(gap);
                last.unplaced += unplaced;
                return;
            }
            if is_full {
                // Who has heard of the last one hears of it again: better twice than not at all.
                last.gap.merge(gap);
                gap = last.gap;
                unplaced += last.unplaced;
                self.all.pop_back();
            }
        }
        let audience = if is_full { Audience::All } else { audience };
        self.all.push_back(Refusal { number: self.next, position, gap, audience, unplaced });
        self.next += 1;
    }

    /// The number of the next one. Whoever begins with that hears nothing of those before.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// What is noted from now on is told apart from what was noted before.
    pub(crate) fn seal(&mut self) {
        self.is_sealed = true;
    }

    /// Those from one number to another that come no later than a position and are for a client; and of how many
    /// messages each there was no place.
    pub(crate) fn from(
        &self,
        number: u64,
        end: u64,
        upto: LogPosition,
        client: ClientId,
    ) -> impl Iterator<Item = (Gap, u64)> + '_ {
        let first = self.all.partition_point(|refusal| refusal.number < number);
        let due = self.all.range(first..).take_while(move |refusal| refusal.position <= upto && refusal.number < end);
        due.filter(move |refusal| refusal.audience.includes(client)).map(|refusal| (refusal.gap, refusal.unplaced))
    }

    /// Before which record the first comes of those from a number on.
    pub(crate) fn place_of(&self, number: u64) -> Option<LogPosition> {
        if number >= self.next {
            // Nearly always.
            return None;
        }
        let first = self.all.partition_point(|refusal| refusal.number < number);
        self.all.get(first).map(|refusal| refusal.position)
    }

    /// The number of the first that comes after a position.
    pub(crate) fn after(&self, upto: LogPosition) -> u64 {
        let place = self.all.partition_point(|refusal| refusal.position <= upto);
        self.all.get(place).map_or(self.next, |refusal| refusal.number)
    }

    /// Every lane has come to a position; all of them, if none is left.
    pub(super) fn forget_before(&mut self, position: LogPosition, all: bool) {
        while self.all.front().is_some_and(|refusal| all || refusal.position < position) {
            self.all.pop_front();
        }
    }
}
