//! What becomes of a message that a lane is offered. Never why it was published.

use super::Lane;
use crate::gap::LossReason;
use crate::message::Message;
use crate::spill::SpillRefusal;

/// What became of an offered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// It is queued.
    Admitted {
        /// Queued messages it replaced as a newer value.
        coalesced: u32,
        /// Older messages that gave way to it.
        displaced: u32,
    },
    /// It lies behind what the lane has on disk: the lane comes to it when it has caught up so far.
    Spilled,
    /// It is not queued.
    Rejected(Rejection),
}

impl Admission {
    pub(super) const PLAIN: Self = Self::Admitted { coalesced: 0, displaced: 0 };
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The lane is full.
    Full,
    /// The lane is full, or has spilled, and there is no place for it on disk.
    NotSpilled(SpillRefusal),
    /// The message alone is larger than the lane.
    TooLarge,
    /// Its time was over already.
    Expired,
    /// The process has no memory left for it.
    OverBudget,
}

impl Lane {
    /// Notes that its client misses a message that was not queued.
    pub(super) fn note_refusal(&mut self, message: &Message, admission: Admission) {
        if let Admission::Rejected(why) = admission {
            let reason = if why == Rejection::Expired { LossReason::Expired } else { LossReason::Rejected };
            self.miss(message.id.offset, reason);
        }
    }
}
