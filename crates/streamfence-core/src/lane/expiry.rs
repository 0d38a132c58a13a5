//! What a lane gives up because its time is over.

use std::time::Instant;

use super::{Lane, earlier};
use crate::gap::{Gaps, LossReason};
use crate::trace::DeliveryOutcome;

impl Lane {
    /// Lets values go whose interval is over, gives up what waits to be sent and is not worth it any more, and says how
    /// many messages were given up.
    #[inline]
    pub fn expire(&mut self, now: Instant) -> u64 {
        // Nearly always, and asked before everything.
        if self.in_flight.is_none() && self.conflation.is_none() && self.nearest_expiry.is_none() {
            return 0;
        }
        self.expire_some(now)
    }

    fn expire_some(&mut self, now: Instant) -> u64 {
        self.release(now);
        let overdue = self.in_flight.as_mut().map_or(0, |in_flight| {
            in_flight.expire(now, |departed| self.left.note_sent(departed, DeliveryOutcome::Expired))
        });
        self.count_given_up(0, overdue);
        if self.nearest_expiry.is_none_or(|at| at > now) {
            return overdue;
        }
        self.nearest_expiry = None;
        let held = self.expire_held(now);
        let before = self.queue.len();
        let mut gaps = Gaps::default();
        for mut queued in std::mem::take(&mut self.queue) {
            gaps.move_before(&mut queued.gaps);
            if queued.message.is_expired(now) {
                self.left.note(&queued.message, DeliveryOutcome::Expired);
                self.queued_bytes -= queued.message.size_bytes();
                gaps = queued.gaps;
                if self.policy.gap_notices {
                    gaps.note(queued.message.id.offset, LossReason::Expired);
                }
            } else {
                self.nearest_expiry = earlier(self.nearest_expiry, queued.message.expires);
                self.queue.push_back(queued);
            }
        }
        gaps.move_before(&mut self.gaps);
        // Every entry has a new place, and so a new number.
        self.index_newest();
        let unsent = held + (before - self.queue.len()) as u64;
        self.count_expired(unsent);
        overdue + unsent
    }
}
