//! What a client missed, told to it in order.
//!
//! A gap lives in the queue entry it precedes, so it reaches the client before the first message after the loss and
//! not a moment earlier or later. One that may have been lost with a connection is told again on the next. Never a count
//! that is not also in the books.

use crate::message::Offset;

/// A run of messages that a client missed for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first offset missed.
    pub from: Offset,
    /// The last offset missed.
    pub to: Offset,
    /// How many messages meant for this client lie between; the other offsets were not for it.
    pub count: u32,
    /// Why.
    pub reason: LossReason,
}

/// Why a client missed a message. A closed set: it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// It gave way to newer ones.
    Displaced,
    /// Its time was over before it could be sent.
    Expired,
    /// The lane had no place for it.
    Rejected,
    /// It lay on disk and could not be read.
    Damaged,
}

impl LossReason {
    /// The word that stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Displaced => "displaced",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Damaged => "damaged",
        }
    }
}

/// The gaps before one place of a queue, oldest first. One word while there are none.
#[derive(Debug, Default)]
pub(crate) struct Gaps(#[expect(clippy::box_collection, reason = "nearly every entry has none")] Option<Box<Vec<Gap>>>);

/// How many gaps are kept apart; a client with more is told of the last ones as one, for the last reason.
const GAPS_APART: usize = 16;

impl Gaps {
    /// Adds a message to the end.
    pub(crate) fn note(&mut self, offset: Offset, reason: LossReason) {
        self.push(Gap { from: offset, to: offset, count: 1, reason });
    }

    /// Puts these before `later`, and leaves nothing behind.
    pub(crate) fn move_before(&mut self, later: &mut Self) {
        if self.0.is_none() {
            return;
        }
        for gap in later.0.take().into_iter().flat_map(|gaps| *gaps) {
            self.push(gap);
        }
        later.0 = self.0.take();
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Gap> {
        let gaps = self.0.as_mut()?;
        let gap = gaps.remove(0);
        if gaps.is_empty() {
            self.0 = None;
        }
        Some(gap)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |gaps| gaps.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn push(&mut self, gap: Gap) {
        let gaps = self.0.get_or_insert_default();
        let is_full = gaps.len() >= GAPS_APART;
        match gaps.last_mut() {
            Some(last) if last.reason == gap.reason || is_full => last.merge(gap),
            _ => gaps.push(gap),
        }
    }
}

/// Puts gaps that were told before others that were, and keeps no more of them than before one place of a queue.
pub(crate) fn put_before(told: Vec<Gap>, later: &mut Vec<Gap>) {
    later.splice(0..0, told);
    while later.len() > GAPS_APART
        && let Some(last) = later.pop()
        && let Some(one) = later.last_mut()
    {
        one.merge(last);
    }
}

impl Gap {
    /// Makes one of this and a later one, for the later one's reason.
    pub(crate) fn merge(&mut self, later: Self) {
        self.to = self.to.max(later.to);
        self.from = self.from.min(later.from);
        self.count = self.count.saturating_add(later.count);
        self.reason = later.reason;
    }
}
