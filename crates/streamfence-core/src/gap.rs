//! What a client missed, told to it in order.
//!
//! A gap lives in the queue entry it precedes, so it reaches the client before the first message after the loss and
//! not a moment earlier or later. Never a count that is not also in the books.

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
}

impl LossReason {
    /// The word that stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Displaced => "displaced",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
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

    fn push(&mut self, gap: Gap) {
        let gaps = self.0.get_or_insert_default();
        let is_full = gaps.len() >= GAPS_APART;
        match gaps.last_mut() {
            Some(last) if last.reason == gap.reason || is_full => {
                last.to = last.to.max(gap.to);
                last.from = last.from.min(gap.from);
                last.count = last.count.saturating_add(gap.count);
                last.reason = gap.reason;
            }
            _ => gaps.push(gap),
        }
    }
}
