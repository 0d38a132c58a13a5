//! When a lane began to lose messages, and when it has caught up. Never which messages those are.

use super::Lane;

impl Lane {
    /// Whether it has lost messages and not caught up since.
    #[must_use]
    pub fn is_overflowing(&self) -> bool {
        self.lost > 0
    }

    /// Notes losses; says whether they are the first since the lane last caught up.
    pub(crate) fn begin_overflow(&mut self, lost: u64) -> bool {
        let begins = self.lost == 0 && lost > 0;
        self.lost += lost;
        begins
    }

    /// Ends an overflow once the lane has caught up, and says how many messages it cost.
    ///
    /// It has caught up when the next message would be sent at once: nothing is queued, and the window is open. Values
    /// held for their interval are no backlog, unless they are what fills the lane.
    #[inline]
    pub(crate) fn end_overflow(&mut self) -> Option<u64> {
        let has_caught_up = || {
            let is_open = self.in_flight.as_ref().is_none_or(|window| window.has_space())
                && self.receipts.as_ref().is_none_or(|window| window.has_space());
            self.spilled.is_none() && self.queue.is_empty() && is_open && (self.held() == 0 || !self.is_crowded())
        };
        (self.lost > 0 && has_caught_up()).then(|| std::mem::take(&mut self.lost))
    }

    /// Ends an overflow because the lane itself ends.
    pub(crate) fn take_lost(&mut self) -> Option<u64> {
        (self.lost > 0).then(|| std::mem::take(&mut self.lost))
    }
}
