//! Since when a lane waits for its client. Never what the policy itself holds back: a value that waits for its interval, or
//! a message whose next attempt is not due yet, is nobody's fault.

use std::time::Instant;

use super::Lane;

impl Lane {
    /// Since when something waits that would be sent if the client took it, in memory or on disk; of the latter that is a
    /// guess, and never too late.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let overdue = self.in_flight.as_ref().and_then(|in_flight| in_flight.overdue_since());
        overdue.into_iter().chain(self.queued_since()).min()
    }

    /// The same of a lane whose window is full: since when its client owes an ack, or something waits for one.
    pub(crate) fn unacked_since(&self) -> Option<Instant> {
        let unacked = self.in_flight.as_ref().and_then(|in_flight| in_flight.unacked_since());
        unacked.into_iter().chain(self.queued_since()).min()
    }

    /// Since when what comes next has not been sent. A value may have been held for its whole interval before it was queued:
    /// when exactly it was, nobody notes, so that interval is never counted.
    fn queued_since(&self) -> Option<Instant> {
        let spilled = || self.spilled.as_ref().map(|spilled| spilled.oldest);
        let published = self.front().map(|message| message.published).or_else(spilled)?;
        let interval = self.conflation.as_ref().map(|conflation| conflation.interval()).unwrap_or_default();
        Some(published + interval)
    }
}
